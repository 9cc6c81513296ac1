"""Group J: only a token that our own key signed, for this use, verifies."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from doorward.credentials.signing_keys import InvalidToken, SigningKey, SigningKeys
from doorward.model import Instant

CLAIMS = {"sub": "u1", "exp": 1}


def key(number: int) -> ECKey:
    private = ec.derive_private_key(number, ec.SECP256R1())
    return ECKey.import_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


ONE, TWO = key(11), key(12)
RING = SigningKeys([SigningKey("one", ONE), SigningKey("two", TWO)])


def signed(header: dict[str, Any], with_key: Any = TWO, algorithms: tuple[str, ...] = ("ES256",)) -> str:
    return jws.serialize_compact(header, json.dumps(CLAIMS).encode(), with_key, algorithms=list(algorithms))


def test_the_newest_key_signs_and_every_live_key_verifies() -> None:
    assert RING.verify(RING.sign(CLAIMS, "at+jwt"), "at+jwt") == CLAIMS
    assert RING.verify(SigningKeys([SigningKey("one", ONE)]).sign(CLAIMS, "at+jwt"), "at+jwt") == CLAIMS


def test_J3_a_retired_key_verifies_no_more_and_is_not_published() -> None:
    ring = SigningKeys([SigningKey("one", ONE, verifies_until=Instant(5)), SigningKey("two", TWO)], Instant(5))
    with pytest.raises(InvalidToken):
        ring.verify(SigningKeys([SigningKey("one", ONE)]).sign(CLAIMS, "at+jwt"), "at+jwt")
    assert [entry["kid"] for entry in ring.jwks()["keys"]] == ["two"]


def test_D8_the_key_set_has_no_private_member() -> None:
    for entry in RING.jwks()["keys"]:
        assert set(entry) == {"kty", "crv", "x", "y", "use", "alg", "kid"}


def test_J8_a_token_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidToken):
        RING.verify(RING.sign(CLAIMS, "doorward-identity+jwt"), "at+jwt")


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", ""])
def test_J1_alg_none_in_every_spelling_is_refused(alg: str) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"typ": "at+jwt", "alg": alg, "kid": "two"}).encode()).rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b"=")
    with pytest.raises(InvalidToken):
        RING.verify(f"{header.decode()}.{body.decode()}.", "at+jwt")


def test_J2_a_symmetric_signature_with_our_public_key_is_refused() -> None:
    forged = signed(
        {"typ": "at+jwt", "alg": "HS256", "kid": "two"},
        OctKey.import_key(json.dumps(TWO.as_dict(private=False))),
        ("HS256",),
    )
    with pytest.raises(InvalidToken):
        RING.verify(forged, "at+jwt")


def test_J2_another_family_of_keys_is_refused() -> None:
    forged = signed({"typ": "at+jwt", "alg": "RS256", "kid": "two"}, RSAKey.generate_key(2048), ("RS256",))
    with pytest.raises(InvalidToken):
        RING.verify(forged, "at+jwt")


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": TWO.as_dict(private=False)},
        {"jku": "https://evil.example/k"},
        {"x5u": "https://evil.example/c"},
        {"cty": "x"},
    ],
)
def test_J3_a_header_that_brings_or_names_a_key_is_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        RING.verify(signed({"typ": "at+jwt", "alg": "ES256", "kid": "two"} | extra), "at+jwt")


@pytest.mark.parametrize("kid", ["three", "../../dev/null", "' OR 1=1--", "", None, 7, ["two"]])
def test_J3_an_unknown_or_odd_key_id_is_refused(kid: Any) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": kid}).encode()).rstrip(b"=")
    token = RING.sign(CLAIMS, "at+jwt").split(".")
    with pytest.raises(InvalidToken):
        RING.verify(".".join([header.decode(), *token[1:]]), "at+jwt")


@given(st.text(max_size=200))
def test_J10_arbitrary_text_is_refused_and_never_a_crash(text: str) -> None:
    with pytest.raises(InvalidToken):
        RING.verify(text, "at+jwt")


@pytest.mark.parametrize("form", ["{0}.{1}", "{0}.{1}.{2}.{2}", "{0}.{1}.{2}.{2}.{2}", "{0}.{1}.{2}=", " {0}.{1}.{2}"])
def test_J10_another_number_of_parts_or_padding_is_refused(form: str) -> None:
    with pytest.raises(InvalidToken):
        RING.verify(form.format(*RING.sign(CLAIMS, "at+jwt").split(".")), "at+jwt")


def test_J10_a_token_over_8_kib_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidToken):
        RING.verify("x" * 8193, "at+jwt")


def test_a_verified_token_is_remembered_for_its_type_and_its_whole_text_only() -> None:
    keys = RING
    text = keys.sign({"sub": "u"}, "at+jwt")
    assert keys.verify(text, "at+jwt") == {"sub": "u"}
    keys.verify(text, "at+jwt")["sub"] = "somebody else"
    assert keys.verify(text, "at+jwt") == {"sub": "u"}
    with pytest.raises(InvalidToken):
        keys.verify(text, "doorward-identity+jwt")
    with pytest.raises(InvalidToken):
        keys.verify(text[:-2] + ("AA" if not text.endswith("AA") else "BB"), "at+jwt")


def test_signing_by_hand_is_what_the_library_verifies() -> None:
    for number in range(200):  # r or s begins with a zero byte in one of 128
        found = jws.deserialize_compact(RING.sign({"n": number}, "at+jwt"), TWO, algorithms=["ES256"])
        assert json.loads(found.payload) == {"n": number}
        assert found.headers() == {"typ": "at+jwt", "alg": "ES256", "kid": "two"}

# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)
"""Reading and judging assertions without looking at their signature (RFC 7523 section 3)."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.model import SECOND, ClientAuthMethod, Instant
from doorward.protocol import client_assertion
from doorward.protocol.client_assertion import Assertion, judge, read
from doorward.protocol.client_auth import parse_client_credentials
from doorward.protocol.errors import OAuthError
from doorward.protocol.signed_jwt import BadAssertion, candidates, public_keys
from doorward.protocol.token import TokenForm

NOW = Instant(1_790_000_000 * SECOND)
SECONDS = NOW // SECOND
CLAIMS = {"iss": "c", "sub": "c", "aud": "https://as.example", "exp": SECONDS + 300, "jti": "j"}
AUDIENCES = ("https://as.example", "https://as.example/oauth/token")


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(claims: object = CLAIMS, **header: Any) -> str:
    return f"{part({'alg': 'ES256'} | header)}.{part(claims)}.{part(b'signature')}"


def number(bits: int) -> str:
    return part((1 << (bits - 1)).to_bytes((bits + 7) // 8, "big"))


EC = {"kty": "EC", "crv": "P-256", "x": part(b"x" * 32), "y": part(b"y" * 32)}
RSA = {"kty": "RSA", "n": number(2048), "e": part(b"\x01\x00\x01")}


def test_an_assertion_says_who_and_by_which_key() -> None:
    found = read(jwt(kid="k", typ="JWT", x5t="ignored"))
    assert (found.client_id, found.kid, found.algorithm) == ("c", "k", "ES256")
    assert judge(found, AUDIENCES, NOW) == ("j", Instant(NOW + 300 * SECOND))
    assert found.text not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "", "a.b", "a.b.c", "a.b.c.d", jwt() + "=", jwt() + "\n", jwt().replace(".", ". "), "é.é.é", "A.e30.e30",
        jwt(alg="none"), jwt(alg="HS256"), jwt(alg="ES384"), jwt(alg=["ES256"]), jwt(alg=None), jwt(crit=["exp"]),
        jwt(jwk={}), jwt(jku="https://evil.example"), jwt(typ="at+jwt"), jwt(typ=1), jwt(kid=1), jwt([]), jwt(b"{"),
        jwt(b'{"sub":"c","sub":"d","iss":"c"}'), jwt({}), jwt({"sub": "c"}), jwt({"sub": "c", "iss": "d"}),
        jwt({"sub": 1, "iss": 1}), jwt(CLAIMS | {"padding": "x" * 8192}),
    ],
    ids=lambda text: hashlib.sha256(text.encode()).hexdigest()[:8],
)  # fmt: skip
def test_C29_what_is_no_assertion_is_refused(text: str) -> None:
    with pytest.raises(BadAssertion):
        read(text)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["https://as.example"]}, {"aud": "https://other.example"}, {"aud": None}, {"exp": None}, {"exp": SECONDS},
        {"exp": SECONDS + 331}, {"exp": float(SECONDS + 1)}, {"iat": SECONDS + 31}, {"nbf": SECONDS + 31}, {"iat": "1"},
        {"iat": SECONDS - 1}, {"jti": ""}, {"jti": None}, {"jti": 1}, {"jti": "x" * 257}, {"jti": "a\nb"},
    ],
    ids=str,
)  # fmt: skip
def test_C29_what_is_not_for_us_not_now_or_not_once_is_refused(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    with pytest.raises(BadAssertion):
        judge(read(jwt(claims)), AUDIENCES, NOW)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "iat", "nbf"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), st.lists)),
    st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit"]), st.none() | st.integers() | st.text()))  # fmt: skip
def test_any_assertion_is_judged_or_refused(claims: dict[str, Any], header: dict[str, Any]) -> None:
    try:
        judge(read(jwt(CLAIMS | claims, **header)), AUDIENCES, NOW)
    except BadAssertion as refused:
        assert str(refused)


def test_keys_for_the_algorithm_and_the_name_are_tried() -> None:
    named, other, rsa = EC | {"kid": "a"}, EC | {"kid": "b"}, RSA
    keys = (named, other, EC, rsa)
    assert candidates(read(jwt(kid="a")), keys) == [named, EC]
    assert candidates(read(jwt()), keys) == [named, other, EC]
    assert candidates(read(jwt(alg="RS256", kid="a")), keys) == [rsa]


def test_public_keys_keep_what_is_needed_and_leave_out_what_is_for_something_else() -> None:
    kept = public_keys({
        "keys": [
            EC | {"kid": "a", "use": "sig", "alg": "ES256", "x5c": ["x"]}, RSA, "text", {}, {"kty": []},
            EC | {"use": "enc"}, EC | {"alg": "ES512"}, EC | {"crv": "P-384"}, EC | {"x": part(b"x")}, EC | {"x": 1},
            EC | {"x": "="}, EC | {"x": "A"}, EC | {"kid": 1}, RSA | {"n": number(1024)}, RSA | {"n": number(8192)},
            RSA | {"e": part(b"\x01")}, {"kty": "RSA"}, {"kty": "OKP", "crv": "Ed25519", "x": part(b"x" * 32)},
        ][:16]
    })  # fmt: skip
    assert kept == (EC | {"kid": "a"}, RSA)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"keys": {}}, {"keys": []}, {"keys": [EC] * 17}, {"keys": [EC | {"d": "x"}]}, {"keys": [1]},
        {"keys": [EC, {"kty": "oct", "k": "x"}]}, {"keys": [RSA | {"e": part(b"\x01")}]},
    ],
    ids=lambda value: str(value)[:30] + str(len(str(value))),
)  # fmt: skip
def test_a_set_without_usable_public_keys_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JWK Set|private|no P-256"):
        public_keys(value)


def form(**values: str) -> TokenForm:
    return TokenForm(values=values, resources=())


def test_the_client_is_the_assertions_subject() -> None:
    sent = parse_client_credentials(
        None, form(client_assertion=jwt(), client_assertion_type=client_assertion.TYPE, client_id="c")
    )
    assert (sent.client_id, sent.method, sent.proven) == ("c", ClientAuthMethod.PRIVATE_KEY_JWT, False)
    assert isinstance(sent.assertion, Assertion)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"client_assertion": jwt()}, "invalid_client"),
        ({"client_assertion_type": client_assertion.TYPE}, "invalid_client"),
        ({"client_assertion": jwt(), "client_assertion_type": "saml"}, "invalid_client"),
        ({"client_assertion": "x", "client_assertion_type": client_assertion.TYPE}, "invalid_client"),
        (
            {"client_assertion": jwt(), "client_assertion_type": client_assertion.TYPE, "client_id": "d"},
            "invalid_client",
        ),
        (
            {
                "client_assertion": jwt(CLAIMS | {"iss": "\n", "sub": "\n"}),
                "client_assertion_type": client_assertion.TYPE,
            },
            "invalid_client",
        ),
        (
            {"client_assertion": jwt(), "client_assertion_type": client_assertion.TYPE, "client_secret": "s"},
            "invalid_request",
        ),
    ],
    ids=["no type", "no assertion", "another type", "garbage", "another client", "no id", "and a secret"],
)
def test_C8_C29_an_assertion_stands_alone(values: dict[str, str], error: str) -> None:
    with pytest.raises(OAuthError) as refused:
        parse_client_credentials(None, form(**values))
    assert refused.value.error == error


def test_where_a_kind_of_key_signs_in_two_ways_its_own_word_leaves_one() -> None:
    key = {"kty": "RSA", "n": "w" * 342, "e": "AQAB"}
    both = ("ES256", "RS256", "PS256")
    (chosen,) = public_keys({"keys": [{**key, "alg": "PS256"}]}, both)
    assert chosen["alg"] == "PS256"
    (either,) = public_keys({"keys": [key]}, both)
    assert "alg" not in either

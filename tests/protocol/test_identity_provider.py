"""What a provider's documents and tokens have to say of themselves: the pure part (E1; H15 to H18)."""

import base64
import hashlib
import json
from typing import Any

import pytest

from doorward.model import SECOND, Instant
from doorward.protocol import identity_provider as provider
from doorward.protocol.signed_jwt import SKEW

PATTERN = "https://login.example/{tenantid}/v2.0"
TENANT = "00000000-0000-0000-0000-0000000000aa"
ISSUER = f"https://login.example/{TENANT}/v2.0"
NOW = Instant(1_800_000_000 * SECOND)


def claims(**changed: Any) -> dict[str, Any]:
    said = {
        "iss": ISSUER,
        "tid": TENANT,
        "aud": "me",
        "exp": 1_800_000_060,
        "iat": 1_800_000_000,
        "nonce": "n",
        "sub": "s",
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def wrong(access_token: str | None = None, **changed: Any) -> list[str]:
    return provider.failures(
        claims(**changed), issuer=PATTERN, client_id="me", nonce="n", access_token=access_token, now=NOW
    )


@pytest.mark.parametrize("document", [b"", b"[]", b'{"issuer": "a", "issuer": "b"}', b"\xff"])
def test_H16_what_is_no_object_is_no_discovery_document(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"^discovery document: "):
        provider.read_metadata(document, ISSUER)


def test_H16_the_issuer_of_a_pattern_is_that_of_the_tokens_own_tenant() -> None:
    assert wrong() == []
    for tid in (None, 7, "AA", f"{TENANT}/x", TENANT.upper()):
        assert wrong(tid=tid) == ["iss"]
    assert wrong(iss="https://login.example/else/v2.0") == ["iss"]


def test_H17_an_answer_names_the_pattern_with_one_tenant_in_its_place() -> None:
    assert provider.answer_names(PATTERN, ISSUER, always=True)
    assert provider.answer_names(PATTERN, None, always=False)
    assert not provider.answer_names(PATTERN, None, always=True)
    for said in (PATTERN, "https://login.example//v2.0", ISSUER + "/", f"https://evil.example/{TENANT}/v2.0"):
        assert not provider.answer_names(PATTERN, said, always=True)
    assert provider.answer_names("https://one.example", "https://one.example", always=True)


def test_H16_a_hash_of_an_access_token_is_held_against_the_one_that_came() -> None:
    half = base64.urlsafe_b64encode(hashlib.sha256(b"token").digest()[:16]).rstrip(b"=").decode()
    assert wrong("token", at_hash=half) == []
    assert wrong("other", at_hash=half) == ["at_hash"]
    assert wrong(None, at_hash=half) == ["at_hash"], "it speaks of a token that did not come"


DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://login.example/authorize",
    "token_endpoint": "https://login.example/token",
    "jwks_uri": "https://login.example/keys",
}


def metadata(**changed: Any) -> provider.ProviderMetadata:
    document = {name: value for name, value in (DOCUMENT | changed).items() if value is not None}
    return provider.read_metadata(json.dumps(document).encode(), ISSUER)


def test_a_discovery_document_says_where_and_how_a_provider_is_asked() -> None:
    plain = metadata()
    assert (plain.issuer, plain.userinfo_endpoint, plain.names_itself, plain.secret_in_body) == (
        ISSUER,
        None,
        False,
        False,
    )
    full = metadata(
        userinfo_endpoint="https://login.example/me?x=1",
        authorization_response_iss_parameter_supported=True,
        token_endpoint_auth_methods_supported=["client_secret_post"],
    )
    assert (full.userinfo_endpoint, full.names_itself, full.secret_in_body) == (
        "https://login.example/me?x=1",
        True,
        True,
    )
    assert not metadata(
        token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"]
    ).secret_in_body
    assert not metadata(token_endpoint_auth_methods_supported="client_secret_post").secret_in_body
    assert not metadata(authorization_response_iss_parameter_supported="true").names_itself


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"issuer": ISSUER + "/"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"jwks_uri": None}, "jwks_uri"),
        ({"token_endpoint": "http://login.example/token"}, "token_endpoint"),
        ({"token_endpoint": 7}, "token_endpoint"),
        ({"authorization_endpoint": "https://u:p@login.example/a"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://login.example/a#b"}, "authorization_endpoint"),
        ({"userinfo_endpoint": "https://login/me"}, "userinfo_endpoint"),
        ({"userinfo_endpoint": ""}, "userinfo_endpoint"),
    ],
)
def test_H16_a_discovery_document_of_another_or_with_an_unusable_address_is_refused(
    changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        metadata(**changed)


def test_an_issuer_is_declared_as_an_https_name() -> None:
    assert provider.issuer_ok(ISSUER)
    assert provider.issuer_ok("https://accounts.example:8443")
    for issuer in ("http://accounts.example", "https://accounts", "https://a.example/?x=1", "https://A.example", ""):
        assert not provider.issuer_ok(issuer)


def test_H16_an_issuer_that_is_no_pattern_is_itself() -> None:
    assert provider.issuer_of("https://one.example", {"tid": TENANT}) == "https://one.example"


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"aud": ["me"]}, []),
        ({"aud": ["me", "you"], "azp": "me"}, []),
        ({"aud": ["me", "you"]}, ["azp"]),
        ({"azp": "you"}, ["azp"]),
        ({"aud": "you"}, ["aud"]),
        ({"aud": ["you"]}, ["aud"]),
        ({"aud": {"me": 1}}, ["aud"]),
        ({"aud": None}, ["aud"]),
        ({"nonce": "o"}, ["nonce"]),
        ({"nonce": None}, ["nonce"]),
        ({"sub": ""}, ["sub"]),
        ({"sub": "s" * 255}, []),
        ({"sub": "s" * 256}, ["sub"]),
        ({"sub": "ü"}, ["sub"]),
        ({"sub": 7}, ["sub"]),
        ({"exp": None}, ["exp"]),
        ({"iat": None}, ["iat"]),
        ({"exp": True, "iat": 1.5}, ["exp", "iat"]),
        ({"nbf": "soon"}, ["nbf"]),
        ({"exp": 1_800_000_000 - SKEW}, ["exp"]),
        ({"exp": 1_800_000_000 - SKEW + 1}, []),
        ({"iat": 1_800_000_000 + SKEW}, []),
        ({"iat": 1_800_000_000 + SKEW + 1}, ["iat"]),
        ({"iat": 1_800_000_000 - provider.MAX_AGE}, ["iat"]),
        ({"iat": 1_800_000_000 - provider.MAX_AGE + 1}, []),
        ({"nbf": 1_800_000_000 + SKEW}, []),
        ({"nbf": 1_800_000_000 + SKEW + 1}, ["nbf"]),
        ({"exp": 1, "iat": 1, "nbf": 1_900_000_000, "nonce": "o"}, ["exp", "iat", "nbf", "nonce"]),
    ],
    ids=str,
)
def test_H15_H16_a_token_names_the_claims_by_which_it_is_no_answer_to_us(
    changed: dict[str, Any], failed: list[str]
) -> None:
    assert wrong(**changed) == failed


def test_when_somebody_proved_who_they_are_is_never_later_than_now() -> None:
    for said in (None, "1800000000", -1, True, 1_800_000_001):
        assert provider.authenticated_at({"auth_time": said}, NOW) == NOW
    assert provider.authenticated_at({"auth_time": 1_700_000_000}, NOW) == 1_700_000_000 * SECOND

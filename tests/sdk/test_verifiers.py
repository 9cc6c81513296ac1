"""Each verifier believes one kind of bearer, for one server, and nothing else."""

from typing import Any

import pytest
from joserfc.jwk import ECKey
from mcp.server.auth.provider import AccessToken

from doorward.sdk.caller import caller_of
from doorward.sdk.tokens import KEYS_FOR, REFETCH_AFTER
from doorward.sdk.verifiers import StaleTokens, Verifier, trouble
from sdk.conftest import ISSUER, NOW, RESOURCE, Issuer

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("G7")]


async def asked(verifier: Verifier, token: str) -> tuple[AccessToken | None, list[str]]:
    told: list[str] = []
    state = trouble.set(told)
    try:
        return await verifier.verify_token(token), told
    finally:
        trouble.reset(state)


async def test_the_gateway_s_identity_is_believed_and_the_keys_are_fetched_once(issuer: Issuer) -> None:
    verifier = issuer.identity()
    for resources in (..., [], [{"type": "folder", "key": "f1"}]):
        found, told = await asked(verifier, issuer.identity_token(resources=resources))
        assert found is not None
        assert told == []
        caller = caller_of(found.claims or {})
        roots = None if resources is ... else frozenset(("folder", "f1") for _ in resources)
        assert (caller.user_id, caller.tenant, caller.scopes, caller.roots) == ("u1", "acme", {"documents:read"}, roots)
    assert issuer.asked == ["/oauth/jwks.json"]


WRONG: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "https://wiki.example.com/mcp/"},
    "several audiences": {"aud": [RESOURCE]},
    "expired": {"exp": NOW - 1},
    "expiry that is true": {"exp": True},
    "no expiry": {"exp": ...},
    "from the future": {"iat": NOW + 3600},
    "no subject": {"sub": ...},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
}
WRONG_IDENTITY: dict[str, dict[str, Any]] = WRONG | {
    "an access token": {"typ": "at+jwt"},
    "no type": {"typ": "JWT"},
    "scopes in one text": {"scopes": "documents:read"},
    "resources that are null": {"resources": None},
    "resources in one text": {"resources": "folder/f1"},
    "resources without a key": {"resources": [{"type": "folder"}]},
    "resources with a number": {"resources": [{"type": "folder", "key": 1}]},
    "another key": {"key": ECKey.generate_key("P-256", {"kid": "k1"})},
}


@pytest.mark.parametrize("wrong", WRONG_IDENTITY)
async def test_no_other_token_is_an_identity(issuer: Issuer, wrong: str) -> None:
    assert await asked(issuer.identity(), issuer.identity_token(**WRONG_IDENTITY[wrong])) == (None, [])


@pytest.mark.parametrize("wrong", [*WRONG, "an identity token", "no scope"])
async def test_no_other_token_is_believed_offline(issuer: Issuer, wrong: str) -> None:
    more: dict[str, dict[str, Any]] = {
        "an identity token": {"typ": "doorward-identity+jwt"},
        "no scope": {"scope": ...},
    }
    assert await asked(issuer.stale(), issuer.access_token(**(WRONG | more)[wrong])) == (None, [])


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "x" * 9000, "a b", "ü", "dw_key_1", "a\ud800"])
async def test_what_is_no_token_by_its_form_is_refused_without_asking(issuer: Issuer, text: str) -> None:
    for verifier in (issuer.identity(), issuer.stale()):
        assert await asked(verifier, text) == (None, [])
    assert issuer.asked == []


async def test_a_token_is_kept_no_longer_than_it_lives(issuer: Issuer) -> None:
    verifier, token = issuer.identity(), issuer.identity_token()
    assert (await asked(verifier, token))[0]
    issuer.now += 61
    assert await asked(verifier, token) == (None, [])


async def test_new_keys_are_found_and_nobody_can_make_us_ask_all_the_time(issuer: Issuer) -> None:
    verifier = issuer.identity()
    assert (await asked(verifier, issuer.identity_token()))[0]
    issuer.key = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"})
    issuer.key = ECKey.import_key(issuer.key.as_dict(private=True) | {"kid": "k2"})
    for _ in range(3):
        header = {"alg": "ES256", "kid": "nobody", "typ": "doorward-identity+jwt"}
        from joserfc import jwt  # noqa: PLC0415

        assert (await asked(verifier, jwt.encode(header, {"iss": ISSUER}, issuer.key)))[0] is None
    assert len(issuer.asked) == 1
    issuer.now += REFETCH_AFTER + 1
    await asked(verifier, jwt.encode(header, {"iss": ISSUER}, issuer.key))
    assert len(issuer.asked) == 2


async def test_keys_that_cannot_be_fetched_again_are_not_believed_for_ever(issuer: Issuer) -> None:
    verifier = issuer.identity()
    assert (await asked(verifier, issuer.identity_token()))[0]
    issuer.status = 503
    issuer.now += KEYS_FOR + 1
    found, told = await asked(verifier, issuer.identity_token(jti="2"))
    assert found is None
    assert told


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": [1]}', b"<html>", b"x" * 300_000])
async def test_an_issuer_that_talks_nonsense_is_trouble_and_no_error(issuer: Issuer, body: bytes) -> None:
    issuer.body = body
    found, told = await asked(issuer.identity(), issuer.identity_token())
    assert found is None
    assert told


async def test_offline_is_named_stale_and_takes_short_tokens_only(issuer: Issuer) -> None:
    found, _ = await asked(issuer.stale(), issuer.access_token())
    assert found is not None
    caller = caller_of(found.claims or {})
    assert caller.scopes == {"documents:read"}
    assert caller.roots == frozenset(), "what the token is limited to is not in it, so it reaches nothing"
    found, told = await asked(issuer.stale(), issuer.access_token(exp=int(issuer.now) + 901))
    assert found is None
    assert "at most 900 s" in told[0]
    assert "STALE" in (StaleTokens.__doc__ or "")


async def test_live_asks_about_every_call(issuer: Issuer) -> None:
    verifier = issuer.live()
    for scopes in ("documents:read documents:write", "documents:read"):
        issuer.answer = issuer.active(scope=scopes, resources=[{"type": "folder", "key": "f1"}])
        found, _ = await asked(verifier, "token")
        assert found is not None
        assert found.scopes == scopes.split()
        assert caller_of(found.claims or {}).roots == {("folder", "f1")}
    issuer.answer = {"active": False}
    assert await asked(verifier, "token") == (None, [])
    assert len(issuer.asked) == 3


@pytest.mark.parametrize(
    "members",
    [
        {"active": "true"}, {"active": 1}, {"active": ...}, {"iss": "https://evil.example"}, {"aud": "https://else"},
        {"aud": ...}, {"aud": [RESOURCE]}, {"exp": ...}, {"exp": NOW - 1}, {"exp": "2999"}, {"sub": ...},
        {"credential": "refresh_token", "aud": ...}, {"credential": "api_key", "aud": "https://else"}, {"resources": None},
    ],
)  # fmt: skip
async def test_live_refuses_what_is_not_active_for_this_server(issuer: Issuer, members: dict[str, Any]) -> None:
    issuer.answer = issuer.active(**members)
    assert await asked(issuer.live(), "token") == (None, [])


async def test_live_takes_keys_that_have_no_audience_and_no_end(issuer: Issuer) -> None:
    issuer.answer = issuer.active(credential="api_key", aud=..., exp=..., client_id=...)
    found, _ = await asked(issuer.live(), "dw_key")
    assert found is not None
    assert found.expires_at is None


@pytest.mark.parametrize("status", [302, 401, 403, 429, 500])
async def test_live_says_that_it_could_not_ask(issuer: Issuer, status: int) -> None:
    issuer.status = status
    found, told = await asked(issuer.live(), "token")
    assert found is None
    assert told


async def test_an_answer_that_says_nothing_of_resources_because_the_client_may_not_know_is_not_taken(
    issuer: Issuer,
) -> None:
    issuer.answer = issuer.active(tenant_slug=..., username=...)
    found, told = await asked(issuer.live(), "token")
    assert found is None
    assert "introspects" in told[0]


@pytest.mark.parametrize(
    "wrong", ["http://auth.example.com", "https://auth.example.com/", "auth.example.com", "https://u:p@a.example", ""]
)
def test_an_issuer_is_an_https_origin(issuer: Issuer, wrong: str) -> None:
    with pytest.raises(ValueError, match="no issuer"):
        StaleTokens(issuer=wrong, resource=RESOURCE)
    for right in ("https://auth.example.com", "http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:1"):
        StaleTokens(issuer=right, resource=RESOURCE, http=issuer.http)

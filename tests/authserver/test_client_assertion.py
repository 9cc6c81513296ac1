"""Clients that sign who they are: ``private_key_jwt`` at every endpoint that clients authenticate at (security C29)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.authserver.deployment import CIMD_URL, DOCUMENT, MCP, PUBLIC_URL
from tests.authserver.world import FINGERPRINTER, World, az, basic, is_token_error, tk

from doorward.authserver.clients import authenticated
from doorward.protocol.client_auth import parse_client_credentials
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import TokenForm
from support.assertions import EC, RSA, STRANGER, TYPE, KeyPair, signed_with_the_public_key, unsigned

pytestmark = pytest.mark.anyio


def claims(world: World, **changed: Any) -> dict[str, Any]:
    now = world.clock.now // 1_000_000
    valid = {"iss": "keyed", "sub": "keyed", "aud": PUBLIC_URL, "iat": now, "exp": now + 300, "jti": "j1"}
    return {name: value for name, value in (valid | changed).items() if value is not None}


def form(assertion: str, **changed: str) -> dict[str, str]:
    valid = {"grant_type": "client_credentials", "resource": MCP, "client_assertion_type": TYPE}
    return valid | {"client_assertion": assertion} | changed


@pytest.mark.requirement("B15")
@pytest.mark.parametrize("audience", [PUBLIC_URL, f"{PUBLIC_URL}/", f"{PUBLIC_URL}/oauth/token"])
@pytest.mark.parametrize(
    ("pair", "header"),
    [(EC, {"kid": "ec"}), (RSA, {"kid": "rsa"}), (EC, {}), (RSA, {})],
    ids=["EC by name", "RSA by name", "EC", "RSA"],
)
async def test_a_client_signs_who_it_is(world: World, pair: KeyPair, header: dict[str, str], audience: str) -> None:
    answer = await world.token(form(pair.sign(claims(world, aud=audience), **header)))
    assert answer.status_code == 200, answer.text
    assert await world.works(answer.json()["access_token"])


async def test_the_same_client_id_beside_the_assertion_is_no_second_method(world: World) -> None:
    assert (await world.token(form(EC.sign(claims(world)), client_id="keyed"))).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": f"{PUBLIC_URL}/mcp"}, {"aud": "https://other.example"}, {"aud": None}, {"aud": [PUBLIC_URL]},
        {"aud": [PUBLIC_URL, "https://other.example"]}, {"iss": "machine"}, {"iss": None}, {"sub": "machine"}, {"sub": 1},
        {"iss": "machine", "sub": "machine"}, {"iss": "nobody", "sub": "nobody"}, {"iss": "gone", "sub": "gone"},
        {"iss": "c1", "sub": "c1"}, {"iss": "a\u0000", "sub": "a\u0000"},
        {"exp": None}, {"exp": 1}, {"exp": 1e300}, {"exp": True}, {"exp": "9999999999"}, {"exp": 9_999_999_999},
        {"iat": 9_999_999_999}, {"iat": 1}, {"nbf": 9_999_999_999}, {"nbf": "x"},
        {"jti": None}, {"jti": ""}, {"jti": 1}, {"jti": "x" * 257}, {"jti": "a\u0000b"},
    ],
    ids=str,
)  # fmt: skip
async def test_C29_what_an_assertion_says_is_checked(world: World, changed: dict[str, Any]) -> None:
    is_token_error(await world.token(form(EC.sign(claims(world, **changed)))), "invalid_client", 401)


FORGERIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "a stranger's key": STRANGER.sign,
    "a stranger's key by our name": lambda good: STRANGER.sign(good, kid="ec"),
    "the other key's name": lambda good: EC.sign(good, kid="rsa"),
    "an unknown name": lambda good: EC.sign(good, kid="unknown"),
    "a name that is a number": lambda good: unsigned(good, alg="ES256", kid=1),
    "another type": lambda good: EC.sign(good, typ="at+jwt"),
    "its key in the header": lambda good: STRANGER.sign(good, jwk=STRANGER.public()),
    "an address in the header": lambda good: EC.sign(good, jku="https://evil.example/jwks.json"),
    "algorithm none": unsigned,
    "HS256 with the RSA key": lambda good: signed_with_the_public_key(good, RSA),
    "HS256 with the EC key": lambda good: signed_with_the_public_key(good, EC),
    "a changed signature": lambda good: EC.sign(good)[:-4] + "AAAA",
    "an empty part": lambda good: EC.sign(good).replace(".", ".."),
    "padding": lambda good: EC.sign(good) + "=",
    "a member twice": lambda good: EC.sign(json.dumps(good).replace("{", '{"sub": "keyed", ', 1).encode()),
    "claims that are a list": lambda _: EC.sign(b"[]"),
    "claims that are broken": lambda _: EC.sign(b"{"),
    "too long": lambda good: EC.sign(good | {"padding": "x" * 9000}),
    "empty objects": lambda _: "e30.e30.e30",
    "no base64url": lambda _: "a.b.c",
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_C29_what_the_clients_own_key_did_not_sign_is_refused(world: World, forgery: str) -> None:
    is_token_error(await world.token(form(FORGERIES[forgery](claims(world)))), "invalid_client", 401)
    assert (await world.token(form(EC.sign(claims(world))))).status_code == 200, "and used nothing up"


async def test_C29_an_assertion_is_good_once(world: World) -> None:
    assertion = EC.sign(claims(world))
    assert (await world.token(form(assertion))).status_code == 200
    is_token_error(await world.token(form(assertion)), "invalid_client", 401)
    again = EC.sign(claims(world))
    is_token_error(await world.token(form(again)), "invalid_client", 401)
    assert (await world.token(form(EC.sign(claims(world, jti="j2"))))).status_code == 200


async def test_C29_an_assertion_is_used_up_by_a_request_that_is_refused(world: World) -> None:
    assertion = EC.sign(claims(world))
    is_token_error(await world.token(form(assertion, scope="documents:burn")), "invalid_scope")
    is_token_error(await world.token(form(assertion)), "invalid_client", 401)


async def test_C29_an_assertion_lives_five_minutes(world: World) -> None:
    assertion = EC.sign(claims(world))
    world.clock.forward(300)
    is_token_error(await world.token(form(assertion)), "invalid_client", 401)
    now = world.clock.now // 1_000_000
    is_token_error(await world.token(form(EC.sign(claims(world, exp=now + 301)))), "invalid_client", 401)
    is_token_error(await world.token(form(EC.sign(claims(world, iat=None, exp=now + 331)))), "invalid_client", 401)
    # A clock that is half a minute ahead of ours is an ordinary one.
    ahead = claims(world, iat=now + 30, exp=now + 330)
    assert (await world.token(form(EC.sign(ahead)))).status_code == 200


async def test_C8_an_assertion_is_mixed_with_nothing(world: World) -> None:
    good = EC.sign(claims(world))
    is_token_error(await world.token(form(good, client_secret="x")), "invalid_request")
    header = basic("machine", world.secrets["machine"])
    is_token_error(await world.token(form(good), authorization=header), "invalid_request")
    for other in ("machine", "c1"):
        is_token_error(await world.token(form(good, client_id=other)), "invalid_client", 401)
    is_token_error(await world.token(form(good, client_assertion_type="x")), "invalid_client", 401)
    only_type = {name: value for name, value in form(good).items() if name != "client_assertion"}
    is_token_error(await world.token(only_type), "invalid_client", 401)
    is_token_error(await world.token(only_type | {"client_id": "keyed"}), "invalid_client", 401)
    plain = {"grant_type": "client_credentials", "client_id": "keyed"}
    is_token_error(await world.token(plain), "invalid_client", 401)
    is_token_error(await world.token(plain | {"client_secret": "x"}), "invalid_client", 401)
    assert (await world.token(form(good))).status_code == 200


async def test_an_assertion_revokes_and_introspects_as_well(world: World) -> None:
    token = (await world.token(form(EC.sign(claims(world))))).json()["access_token"]
    asked = form(RSA.sign(claims(world, jti="j2")), token=token)
    assert (await world.token(asked, path="/oauth/introspect")).json()["active"] is True
    asked = form(RSA.sign(claims(world, jti="j3")), token=token)
    assert (await world.token(asked, path="/oauth/revoke")).status_code == 200
    assert not await world.works(token)


async def documented(make_world: Callable[..., World], **more: Any) -> World:
    document = {**DOCUMENT, "token_endpoint_auth_method": "private_key_jwt", **more}
    return make_world(pinned_documents={CIMD_URL: document})


@pytest.mark.requirement("spec/CIMD7")
async def test_a_document_that_declares_private_key_jwt_must_use_it_every_time(
    make_world: Callable[..., World],
) -> None:
    world = await documented(make_world, jwks={"keys": [EC.public("k1")]}, redirect_uris=["https://cimd.example/cb"])
    asked = az(client_id=CIMD_URL, redirect_uri="https://cimd.example/cb")
    code = await world.code(params=asked)
    redeem = tk(code) | {"redirect_uri": "https://cimd.example/cb", "client_id": CIMD_URL}
    is_token_error(await world.token(redeem), "invalid_client", 401)

    def proof(jti: str) -> dict[str, str]:
        said = claims(world, iss=CIMD_URL, sub=CIMD_URL, jti=jti)
        return {"client_assertion_type": TYPE, "client_assertion": EC.sign(said, kid="k1")}

    tokens = (await world.token(redeem | proof("a"))).json()
    assert await world.works(tokens["access_token"])
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    is_token_error(await world.token(refresh | {"client_id": CIMD_URL}), "invalid_client", 401)
    refreshed = await world.token(refresh | proof("b"))
    assert refreshed.status_code == 200, refreshed.text
    alone = {"grant_type": "client_credentials", "resource": MCP} | proof("c")
    is_token_error(await world.token(alone), "unauthorized_client")


@pytest.mark.parametrize("jwks", [None, {"keys": []}, {"keys": [{"kty": "oct"}]}, []], ids=str)
async def test_a_document_that_declares_private_key_jwt_without_keys_is_refused(
    make_world: Callable[..., World], jwks: object
) -> None:
    with pytest.raises(ValueError, match="private_key_jwt"):
        await documented(make_world, jwks=jwks)


async def test_C29_an_assertion_that_nobody_looked_at_proves_nothing(world: World) -> None:
    # No request comes this far: every endpoint proves first. The rule holds for the one that is written next.
    presented = parse_client_credentials(None, TokenForm(values=form(EC.sign(claims(world))), resources=()))
    with pytest.raises(OAuthError, match="not looked at"):
        await world.database.read(
            lambda reader: authenticated(
                reader, world.server._services.directory, presented, FINGERPRINTER, world.clock()
            )
        )

"""Revocation (RFC 7009; security D1 to D3)."""

import pytest
from tests.authserver.world import World, az, basic, is_token_error, tk

pytestmark = pytest.mark.anyio


async def revoke(world: World, token: str, expected: int = 200, path: str = "/oauth/revoke", **form: str) -> None:
    response = await world.token({"token": token, "client_id": "c1"} | form, path=path)
    assert response.status_code == expected, response.text
    assert response.headers["cache-control"] == "no-store"
    if expected == 200:
        assert response.content == b""


@pytest.mark.requirement("B9")
@pytest.mark.parametrize("path", ["/oauth/revoke", "/revoke"])
async def test_D3_a_public_client_ends_its_own_connection(world: World, path: str) -> None:
    tokens = await world.connect()
    await revoke(world, tokens["refresh_token"], path=path)
    is_token_error(await world.refresh(tokens["refresh_token"]), "invalid_grant")
    assert not await world.works(tokens["access_token"])
    assert (await world.events())[0].name == "connection:revoked"


async def test_D1_another_clients_token_stays_alive(world: World) -> None:
    tokens = await world.connect()
    for token in (tokens["refresh_token"], tokens["access_token"]):
        await revoke(world, token, client_id="c3")
    assert await world.works(tokens["access_token"])
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


async def test_D1_a_confidential_client_must_authenticate(world: World) -> None:
    code = await world.code(params=az(client_id="c2", redirect_uri="https://app.example/cb"))
    header = basic("c2", world.secrets["c2"])
    form = {name: value for name, value in tk(code).items() if name not in {"client_id", "redirect_uri"}}
    tokens = (await world.token(form, authorization=header)).json()
    refused = await world.token({"token": tokens["refresh_token"], "client_id": "c2"}, path="/oauth/revoke")
    is_token_error(refused, "invalid_client", 401)
    wrong = await world.token({"token": tokens["refresh_token"]}, path="/oauth/revoke", authorization=basic("c2", "x"))
    is_token_error(wrong, "invalid_client", 401)
    assert await world.works(tokens["access_token"])
    done = await world.token({"token": tokens["refresh_token"]}, path="/oauth/revoke", authorization=header)
    assert done.status_code == 200
    assert not await world.works(tokens["access_token"])


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense"])
async def test_D2_a_wrong_hint_changes_nothing(world: World, hint: str) -> None:
    tokens = await world.connect()
    await revoke(world, tokens["refresh_token"], token_type_hint=hint)
    assert not await world.works(tokens["access_token"])


@pytest.mark.parametrize("token", ["garbage", "dwr_x", "a.b.c", "\x00", "dw_" + "A" * 60])
async def test_D2_garbage_is_answered_like_a_token(world: World, token: str) -> None:
    await revoke(world, token)


async def test_D2_revoking_twice_is_answered_alike(world: World) -> None:
    tokens = await world.connect()
    for _ in range(2):
        await revoke(world, tokens["refresh_token"])
        await revoke(world, tokens["access_token"])
    assert [event.name for event in await world.events()].count("connection:revoked") == 1


async def test_D2_an_access_token_goes_alone(world: World) -> None:
    tokens = await world.connect()
    await revoke(world, tokens["access_token"])
    assert not await world.works(tokens["access_token"])
    assert (await world.events())[0].name == "access_token:revoked"
    refreshed = (await world.refresh(tokens["refresh_token"])).json()
    assert await world.works(refreshed["access_token"])
    await revoke(world, tokens["access_token"])


async def test_an_expired_access_token_is_not_written_down(world: World) -> None:
    tokens = await world.connect()
    world.clock.forward(3601)
    before = len(await world.events())
    await revoke(world, tokens["access_token"])
    assert len(await world.events()) == before


async def test_an_old_refresh_token_ends_its_family(world: World) -> None:
    first = await world.connect()
    second = (await world.refresh(first["refresh_token"])).json()
    await revoke(world, first["refresh_token"])
    assert not await world.works(second["access_token"])


async def test_a_token_for_the_upstream_or_of_another_issuer_is_no_access_token(world: World) -> None:
    claims = {"iss": "https://other.example", "jti": "x", "connection": "c", "client_id": "c1", "exp": 9_999_999_999}
    for token in (world.keys.sign(claims, "at+jwt"), world.keys.sign({"exp": 1}, "doorward-identity+jwt")):
        await revoke(world, token)


async def test_a_request_without_a_token_is_refused(world: World) -> None:
    is_token_error(await world.token({"client_id": "c1"}, path="/oauth/revoke"), "invalid_request")
    is_token_error(await world.token({"token": "x"}, path="/oauth/revoke"), "invalid_client", 401)

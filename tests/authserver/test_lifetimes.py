"""How long an access token lives: said by the deployment, the tenant, the client (B14)."""

from dataclasses import replace

import jwt
import pytest
from tests.authserver.deployment import C1, C2, CIMD_URL, tenant
from tests.authserver.world import World, az, basic

from doorward.authserver import client_settings
from doorward.authserver.client_settings import ClientUnknownError
from doorward.model import ClientId, Status
from doorward.storage import accounts, clients

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B14")]
DAY = 86_400


async def say(world: World, *, client: int | None, of_tenant: int | None) -> None:
    await world.database.write(lambda tx: clients.update_client(tx, replace(C1, access_ttl=client)))
    await world.database.write(lambda tx: accounts.update_tenant(tx, replace(tenant("acme"), access_ttl=of_tenant)))


@pytest.mark.parametrize(
    ("client", "of_tenant", "seconds"),
    [
        (None, None, 3600),
        (DAY, None, DAY),
        (None, 600, 600),
        (None, DAY, DAY),
        (DAY, 600, 600),
        (600, DAY, 600),
        (30 * DAY, None, 30 * DAY),
    ],
)
async def test_the_shorter_of_what_was_said_and_else_the_default(
    world: World, client: int | None, of_tenant: int | None, seconds: int
) -> None:
    await say(world, client=client, of_tenant=of_tenant)
    tokens = await world.connect()
    assert tokens["expires_in"] == seconds
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == seconds
    assert (await world.refresh(tokens["refresh_token"])).json()["expires_in"] == seconds
    world.clock.forward(seconds - 1)
    assert await world.works(tokens["access_token"])
    world.clock.forward(1)
    assert not await world.works(tokens["access_token"])


async def test_a_change_is_for_the_next_token(world: World) -> None:
    tokens = await world.connect()
    await say(world, client=900, of_tenant=None)
    assert (await world.refresh(tokens["refresh_token"])).json()["expires_in"] == 900
    world.clock.forward(3000)
    assert await world.works(tokens["access_token"])


async def test_introspection_tells_the_same_end(world: World) -> None:
    await world.database.write(lambda tx: clients.update_client(tx, replace(C2, access_ttl=7 * DAY)))
    answer = await (await world.browser_of("alice")).answer(az(client_id="c2", redirect_uri="https://app.example/cb"))
    proof = basic("c2", world.secrets["c2"])
    form = {"client_id": "c2", "redirect_uri": "https://app.example/cb"}
    sent = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": "v" * 43 + "~._-"} | form
    tokens = (await world.token(sent, authorization=proof)).json()
    assert tokens["expires_in"] == 7 * DAY
    said = (await world.token({"token": tokens["access_token"]}, "/oauth/introspect", authorization=proof)).json()
    assert said["exp"] - said["iat"] == 7 * DAY


async def test_no_token_outlives_its_key_or_its_connection(world: World) -> None:
    await say(world, client=30 * DAY, of_tenant=None)
    world.rebuild(access_most=5 * DAY)
    assert (await world.connect())["expires_in"] == 5 * DAY
    world.rebuild(refresh_absolute=DAY)
    assert (await world.connect())["expires_in"] == DAY


async def test_who_declined_to_stay_connected_has_one_token_of_that_length(world: World) -> None:
    await say(world, client=7200, of_tenant=None)
    tokens = await world.connect(params=az(scope="documents:read offline_access"), scope=["documents:read"])
    assert tokens["expires_in"] == 7200
    assert "refresh_token" not in tokens


async def test_an_administrator_sets_it_for_clients_that_registered_themselves(world: World) -> None:
    browser = await world.browser_of("alice")
    documented = az(client_id=CIMD_URL, redirect_uri="http://127.0.0.1/cb")
    await browser.answer(documented)
    now = world.clock()
    assert await world.database.write(lambda tx: client_settings.set_access_ttl(tx, ClientId(CIMD_URL), 900, now=now))
    await browser.answer(documented)
    stored = await world.database.read(lambda reader: clients.client_by_id(reader, ClientId(CIMD_URL)))
    assert stored is not None
    assert stored.access_ttl == 900
    assert not await world.database.write(
        lambda tx: client_settings.set_access_ttl(tx, ClientId(CIMD_URL), 900, now=now)
    )
    assert [event.detail for event in await world.events() if event.name == "client:changed"] == [{"access_ttl": "900"}]


@pytest.mark.parametrize("seconds", [0, 59, 30 * DAY + 1, -1])
async def test_what_is_no_lifetime_is_refused(world: World, seconds: int) -> None:
    with pytest.raises(ValueError, match="no lifetime"):
        await world.database.write(lambda tx: client_settings.set_access_ttl(tx, C1.id, seconds, now=world.clock()))


@pytest.mark.requirement("D3")
async def test_a_disabled_client_is_refused_at_its_next_call_and_works_again_when_enabled(world: World) -> None:
    tokens = await world.connect()
    for status, works in ((Status.DISABLED, False), (Status.ACTIVE, True)):
        assert await world.database.write(
            lambda tx, status=status: client_settings.set_status(tx, C1.id, status, now=world.clock(), cause=None)
        )
        assert await world.works(tokens["access_token"]) is works
        assert (await world.refresh(tokens["refresh_token"])).status_code == (200 if works else 401)


async def test_an_unknown_client_is_told_so(world: World) -> None:
    with pytest.raises(ClientUnknownError):
        await world.database.write(
            lambda tx: client_settings.set_status(tx, ClientId("no"), Status.DISABLED, now=world.clock(), cause=None)
        )

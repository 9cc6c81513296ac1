"""Registration policy ``approved``, and what administrators say about clients (feature B3; decision 0036)."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.authserver import device_world as devices
from tests.authserver.deployment import CIMD_URL, DOCUMENT, tenant, user
from tests.authserver.device_world import TV, type_code
from tests.authserver.test_registration import NATIVE, registered
from tests.authserver.world import World, answer_of, az, is_page, is_token_error

from doorward.authserver import client_verdicts
from doorward.authserver.client_verdicts import VerdictRefused, Word
from doorward.authserver.clients import ClientDirectory
from doorward.model import ClientId, TenantId
from doorward.storage.client_verdicts import EVERYWHERE
from doorward.storage.database import Transaction

pytestmark = pytest.mark.anyio

ACME, GLOBEX = tenant("acme").id, tenant("globex").id
WAITS = "DW-135"
OTHER = "https://new.example/cb"
CLOUD = {"client_name": "Cloud", "redirect_uris": ["https://cloud.example/cb"]}
DIRECTORY = ClientDirectory(pinned_documents={}, vendor_schemes=frozenset(), policy="open")


@pytest.fixture
def guarded(make_world: Callable[..., World]) -> World:
    return make_world(registration_policy="approved")


def word(world: World, where: TenantId = EVERYWHERE, *, allowed: bool = True) -> Word:
    return Word(allowed=allowed, tenant_id=where, by=user("alice").id if where else None, now=world.clock(), cause=None)


async def say(world: World, client_id: str, where: TenantId = EVERYWHERE, *, allowed: bool = True) -> int:
    said = word(world, where, allowed=allowed)
    return await world.database.write(
        lambda tx: client_verdicts.decide_client(tx, ClientId(client_id), said, directory=DIRECTORY)
    )


async def say_host(world: World, host: str, where: TenantId = EVERYWHERE, *, allowed: bool = True) -> int:
    said = word(world, where, allowed=allowed)
    return await world.database.write(lambda tx: client_verdicts.decide_host(tx, host, said))


async def say_redirect(
    world: World, client_id: str, uri: str, where: TenantId = EVERYWHERE, *, allowed: bool = True
) -> int:
    def change(tx: Transaction) -> int:
        said = word(world, where, allowed=allowed)
        return client_verdicts.decide_redirect(
            tx, ClientId(client_id), uri, said, directory=DIRECTORY, vendor_schemes=frozenset({"cursor"})
        )

    return await world.database.write(change)


async def asks(world: World, name: str = "alice", **changed: Any) -> Any:
    """Return what somebody sees who opens an authorization request."""
    browser = await world.browser_of(name)
    return await browser.follow(await browser.open(az(**changed)))


@pytest.mark.requirement("B3")
async def test_a_client_registers_and_waits_until_an_administrator_allows_it(guarded: World) -> None:
    client_id = (await registered(guarded, NATIVE))["client_id"]
    page = await asks(guarded, client_id=client_id)
    is_page(page, WAITS, 403)
    assert "req_" in page.text
    assert "administrator" in page.text
    assert not await guarded.connections()
    await say(guarded, client_id)
    assert "code" in await (await guarded.browser_of("alice")).answer(az(client_id=client_id))
    names = [event.name for event in await guarded.events()]
    assert names == ["connection:approved", "client:allowed", "client:registered", *names[3:]]


@pytest.mark.requirement("B3")
async def test_registration_is_announced_while_clients_wait_and_not_when_it_is_off(
    make_world: Callable[..., World],
) -> None:
    for policy, said in (("approved", True), ("off", False)):
        world = make_world(registration_policy=policy)
        async with world.client() as http:
            document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert ("registration_endpoint" in document) is said


async def test_an_approval_of_one_tenant_is_none_of_another(guarded: World) -> None:
    client_id = (await registered(guarded, NATIVE))["client_id"]
    await say(guarded, client_id, ACME)
    is_page(await asks(guarded, "mallory", client_id=client_id), WAITS, 403)
    dave = await guarded.browser_of("dave")
    page = await dave.consent(az(client_id=client_id))
    assert page.tenants() in ([], ["acme"])
    assert "Globex" not in page.text
    # The form of the page cannot be bent to the other tenant.
    refused = await dave.submit(page, tenant="globex")
    is_page(refused, WAITS, 403)
    assert not await guarded.connections("dave")


async def test_a_document_waits_too_unless_the_operator_keeps_a_copy_of_it(make_world: Callable[..., World]) -> None:
    world = make_world(registration_policy="approved")
    assert (await asks(world, client_id=CIMD_URL)).status_code == 200
    bundled = make_world(registration_policy="approved", pinned_documents={}, bundled_documents={CIMD_URL: DOCUMENT})
    is_page(await asks(bundled, client_id=CIMD_URL), WAITS, 403)
    await say(bundled, CIMD_URL, ACME)
    assert (await asks(bundled, client_id=CIMD_URL)).status_code == 200


async def test_clients_that_an_administrator_registered_need_no_word(guarded: World) -> None:
    page = await asks(guarded, client_id="c2", redirect_uri="https://app.example/cb")
    assert page.status_code == 200


async def test_a_host_is_allowed_for_whoever_is_answered_there_and_for_nobody_else(guarded: World) -> None:
    await say_host(guarded, "cloud.example")
    client_id = (await registered(guarded, CLOUD))["client_id"]
    assert (await asks(guarded, client_id=client_id, redirect_uri=CLOUD["redirect_uris"][0])).status_code == 200
    for uri in ("https://cloud.example.evil.example/cb", "https://cloud.example:8443/cb", "https://xcloud.example/cb"):
        liar = (await registered(guarded, CLOUD | {"redirect_uris": [uri]}))["client_id"]
        is_page(await asks(guarded, client_id=liar, redirect_uri=uri), WAITS, 403)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:53111%", "localhost", "a_b.example", "x%.example", "", "https://a.example"]
)
async def test_only_the_name_of_an_https_host_can_be_allowed(world: World, host: str) -> None:
    with pytest.raises(VerdictRefused):
        await say_host(world, host)


@pytest.mark.requirement("D3")
async def test_a_denial_stands_above_everything_and_ends_what_there_is(world: World) -> None:
    tokens = await world.connect()
    other = await world.connect("dave", tenant="globex")
    assert await say(world, "c1", ACME, allowed=False) == 1
    assert not await world.works(tokens["access_token"])
    is_token_error(await world.refresh(tokens["refresh_token"]), "invalid_grant")
    assert await world.works(other["access_token"])
    is_page(await asks(world, "alice"), WAITS, 403)
    names = [event.name for event in await world.events()]
    assert names[:2] == ["connection:revoked", "client:denied"]
    # Neither an approval of everywhere nor one of its host lifts what the tenant said.
    await say(world, "c1")
    is_page(await asks(world, "alice"), WAITS, 403)
    await say(world, "c1", ACME)
    assert (await asks(world, "alice")).status_code == 200


async def test_a_denied_host_ends_what_was_answered_there(world: World) -> None:
    client_id = (await registered(world, CLOUD))["client_id"]
    uri = CLOUD["redirect_uris"][0]
    await world.code("alice", az(client_id=client_id, redirect_uri=uri))
    assert await say_host(world, "cloud.exampl", allowed=False) == 0
    assert await say_host(world, "cloud.example", GLOBEX, allowed=False) == 0
    assert await say_host(world, "cloud.example", ACME, allowed=False) == 1
    is_page(await asks(world, client_id=client_id, redirect_uri=uri), WAITS, 403)


async def test_a_denial_while_the_page_is_open_is_in_time(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await say(world, "c1", ACME, allowed=False)
    is_page(await browser.submit(page), WAITS, 403)
    assert not await world.connections()


@pytest.mark.requirement("B3")
async def test_an_unregistered_redirect_is_refused_and_works_where_an_administrator_allowed_exactly_it(
    world: World,
) -> None:
    is_page(await asks(world, redirect_uri=OTHER), "DW-104")
    await say_redirect(world, "c1", OTHER, ACME)
    answer = answer_of(await _approved(world, "alice", OTHER))
    assert "code" in answer
    for uri in (OTHER + "/", OTHER + "?x=1", OTHER.replace("new", "newer"), OTHER.upper()):
        is_page(await asks(world, redirect_uri=uri), "DW-104")
    is_page(await asks(world, client_id="c3", redirect_uri=OTHER), "DW-104")
    # Another tenant's people are not sent there, whoever asks them.
    is_page(await asks(world, "mallory", redirect_uri=OTHER), "DW-104", 403)


async def _approved(world: World, name: str, uri: str) -> Any:
    browser = await world.browser_of(name)
    return await browser.submit(await browser.consent(az(redirect_uri=uri)))


async def test_no_error_goes_to_an_address_that_only_a_tenant_allowed(world: World) -> None:
    await say_redirect(world, "c1", OTHER, ACME)
    for changed in (
        {"response_type": "token"},
        {"prompt": "none"},
        {"scope": "x y"},
        {"resource": "https://x.example/"},
    ):
        response = await (await world.browser_of("mallory")).open(az(**({"redirect_uri": OTHER} | changed)))
        assert response.status_code == 400
        assert "location" not in response.headers


async def test_a_native_client_comes_back_on_another_port(world: World) -> None:
    await say_redirect(world, "c1", "http://127.0.0.1:4000/other", ACME)
    assert "code" in answer_of(await _approved(world, "alice", "http://127.0.0.1:5000/other"))
    assert await say_redirect(world, "c1", "http://127.0.0.1:6000/other", ACME, allowed=False) == 1
    assert (await asks(world, redirect_uri="http://127.0.0.1:5000/other")).status_code in {400, 403}


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "http://evil.example/cb", "https://a.example/../cb", "x", "foo:/cb"]
)
async def test_E1_a_dangerous_redirect_cannot_be_allowed_either(world: World, uri: str) -> None:
    with pytest.raises(VerdictRefused):
        await say_redirect(world, "c1", uri, ACME)


async def test_nothing_is_said_of_a_client_that_is_not_known(world: World) -> None:
    with pytest.raises(VerdictRefused):
        await say(world, "nobody")
    with pytest.raises(VerdictRefused):
        await say_redirect(world, "nobody", OTHER)


async def test_who_denies_a_program_without_a_person_is_told_where_that_is_done(world: World) -> None:
    with pytest.raises(VerdictRefused, match="apply"):
        await say(world, "machine", allowed=False)


@pytest.mark.requirement("B10", "B20")
async def test_a_document_that_nobody_knows_shows_the_host_that_describes_it(world: World) -> None:
    page = await (await world.browser_of("alice")).consent(az(client_id=CIMD_URL))
    assert "Not verified" in page.text
    assert "Described at cimd.example" in page.text


async def test_B16_a_device_waits_for_the_same_word_and_is_denied_by_the_same(guarded: World) -> None:
    device = await devices.device(guarded, TV)
    browser = await guarded.browser_of("alice")
    code = await device.begin()
    is_page(await browser.follow(await type_code(browser, code)), WAITS, 403)
    await say(guarded, "tv")
    page = await devices.consent(browser, code)
    await say(guarded, "tv", allowed=False)
    is_page(await browser.submit(page), WAITS, 403)
    is_token_error(await device.poll(), "authorization_pending")
    await say(guarded, "tv")
    assert (await browser.submit(page)).headers["location"] == "/device/approved"
    assert (await device.poll()).status_code == 200

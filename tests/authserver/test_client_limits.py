"""A client that was registered for one tenant, one person or a part of the tree, where people are asked (B5, B10)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.authserver.deployment import C1, MCP, tenant, user
from tests.authserver.world import World, answer_of, az, consent_of, is_page

from doorward.model import Resource, ResourceId
from doorward.storage import clients, connections, permissions

pytestmark = pytest.mark.anyio
ALPHA, BETA = ResourceId("r-alpha"), ResourceId("r-beta")
ACME = tenant("acme")


async def limited(world: World, **limits: Any) -> None:
    def store(tx: Any) -> None:
        nodes = [
            Resource(id=each, tenant_id=ACME.id, type="project", key=each, name=each[2:].title())
            for each in (ALPHA, BETA)
        ]
        permissions.put_resources(tx, ACME.id, nodes)
        clients.update_client(tx, replace(C1, **limits))

    await world.database.write(store)


@pytest.mark.requirement("B5")
async def test_a_client_of_one_tenant_is_offered_there_and_nowhere_else(world: World) -> None:
    await limited(world, tenant_id=ACME.id)
    page = await (await world.browser_of("dave")).consent()
    assert "Acme" in page.text
    assert "Globex" not in page.text
    browser = await world.browser_of("mallory")
    is_page(await browser.follow(await browser.open(az())), "DW-490", 403)


async def test_what_somebody_registered_for_themselves_nobody_else_can_let_in(world: World) -> None:
    mine = await (await world.browser_of("bob")).consent()
    await limited(world, tenant_id=ACME.id, owner_id=user("alice").id)
    browser = await world.browser_of("bob")
    is_page(await browser.follow(await browser.open(az())), "DW-490", 403)
    assert (await browser.submit(mine)).status_code in {400, 403}, "a form from before"
    assert "code" in await (await world.browser_of("alice")).answer()


@pytest.mark.requirement("B10")
async def test_the_page_says_where_and_what_was_approved_stays_there(world: World) -> None:
    await limited(world, tenant_id=ACME.id, resources=frozenset({ALPHA}))
    browser = await world.browser_of("alice")
    page = await browser.consent()
    assert "Only in Alpha" in page.text
    assert page.text.index("Only in Alpha") < page.text.index("Approve")
    answer_of(await browser.submit(page))
    (connection,) = await world.connections()
    assert connection.resources == {ALPHA}
    await limited(world, tenant_id=ACME.id, resources=None)
    stored = await world.database.read(lambda reader: connections.connection_by_id(reader, connection.id))
    assert stored is not None
    assert stored.resources == {ALPHA}


async def test_a_limit_that_changed_while_the_page_was_open_is_shown_first(world: World) -> None:
    await limited(world, resources=frozenset({ALPHA}), tenant_id=ACME.id)
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await limited(world, resources=frozenset({ALPHA, BETA}), tenant_id=ACME.id)
    shown = await browser.submit(page)
    assert shown.status_code == 422
    again = consent_of(shown)
    assert "has just been changed" in again.text
    assert "Only in Alpha, Beta" in again.text
    assert await world.connections() == []
    assert "code" in answer_of(await browser.submit(again))


async def test_nodes_that_are_gone_are_nothing(world: World) -> None:
    await limited(world, resources=frozenset({ResourceId("r-gone")}), tenant_id=ACME.id)
    page = await (await world.browser_of("alice")).consent()
    assert "nothing that is still there" in page.text
    assert MCP.partition("://")[2] in page.text

"""What servers say of themselves, in both dialects: of many nodes that see a change one tells of it."""

import asyncio

import pytest

from doorward.model import SECOND, Instant, Server, ServerId, Sighting, Tenant, TenantId
from doorward.provisioning.sightings import sight
from doorward.storage import accounts, events, servers, sightings
from doorward.storage.database import Database
from support.rows import NOW

pytestmark = pytest.mark.anyio

WIKI = Server(id=ServerId("w"), slug="wiki", name="Wiki", paths=("/wiki",), upstream="http://127.0.0.1:9/mcp")
OLD, NEW = (Sighting(name="Wiki", version=version, revision="2026-07-28") for version in ("1", "2"))
LATER = Instant(NOW + SECOND)


async def test_a_change_is_told_once_by_however_many_see_it(database: Database) -> None:
    await database.write(lambda tx: servers.put_server(tx, WIKI))
    first = await asyncio.gather(*(database.write(lambda tx: sight(tx, "wiki", OLD, NOW)) for _ in range(4)))
    assert True in first
    assert await database.write(lambda tx: sight(tx, "wiki", OLD, LATER))
    await asyncio.gather(*(database.write(lambda tx: sight(tx, "wiki", NEW, LATER)) for _ in range(4)))
    told = await database.read(lambda reader: events.recent_events(reader, None, 10))
    assert [event.name for event in told].count("server:updated") == 1
    seen = await database.read(sightings.all_last_seen)
    assert seen[WIKI.id] == sightings.LastSeen(sighting=NEW, since=LATER, before="Wiki 1, MCP 2026-07-28")


async def test_a_server_is_looked_at_in_the_name_of_one_tenant_that_uses_it(database: Database) -> None:
    await database.write(lambda tx: servers.put_server(tx, WIKI))
    assert await database.read(servers.a_user_of_each) == {}
    for slug in ("zeta", "acme"):
        tenant = Tenant(id=TenantId(f"t-{slug}"), slug=slug, name=slug.title(), created_at=NOW)
        await database.write(lambda tx, tenant=tenant: accounts.insert_tenant(tx, tenant))  # type: ignore[misc]
        await database.write(lambda tx, tenant=tenant: servers.set_tenant_servers(tx, tenant.id, [WIKI.id]))  # type: ignore[misc]
    assert await database.read(servers.a_user_of_each) == {WIKI.id: (TenantId("t-acme"), "acme", "Acme")}

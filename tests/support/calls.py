"""Calls that look like those of a month, written into the database of a running program."""

import asyncio
import random
import time
from pathlib import Path

from doorward.audit import CallLog
from doorward.model import Instant, TenantId
from doorward.storage import accounts, api_key_lists, servers
from doorward.storage.database import Database
from doorward.storage.events import CallEvent
from doorward.storage.opening import open_database
from doorward.storage.usage import HOUR

TOOLS = ("search_documents", "get_document", "update_document", "list_projects", "add_comment", "delete_document")


def a_month_of_calls(data: Path, slug: str = "acme", *, days: int = 40, per_day: int = 60) -> int:
    """Add calls of the members of a tenant to the database in ``data``; return how many."""
    return asyncio.run(_fill(data, slug, days, per_day))


async def _fill(data: Path, slug: str, days: int, per_day: int) -> int:
    database = open_database(f"sqlite://{data / 'doorward.db'}", create=False)
    try:
        return await _write(database, slug, days, per_day)
    finally:
        await database.close()


async def _write(database: Database, slug: str, days: int, per_day: int) -> int:
    chance, now = random.Random(7), time.time_ns() // 1000
    tenant = await database.read(lambda reader: accounts.tenant_by_slug(reader, slug))
    assert tenant is not None
    people = await database.read_long(lambda reader: accounts.members_of_tenant(reader, tenant.id))
    keys = await database.read_long(lambda reader: api_key_lists.keys_of_tenant(reader, tenant.id, now=Instant(now)))
    server = (await database.read(servers.all_servers))[0].id
    log, count = CallLog(database), 0
    for day in range(days):
        for _ in range(chance.randrange(per_day // 2, per_day) // (3 if day % 7 in (2, 3) else 1)):
            key, count = chance.choice([None, *keys]), count + 1
            log.add(
                CallEvent(
                    at=Instant(now - day * 24 * HOUR - chance.randrange(8 * HOUR)), tenant_id=TenantId(tenant.id),
                    user_id=chance.choice(people)[0].id if key is None else key.key.user_id,
                    credential="access_token" if key is None else "api_key",
                    credential_id=f"con_{chance.randrange(9)}" if key is None else key.key.id,
                    client_id=chance.choice(("https://claude.ai/client", "cursor", "codex")) if key is None else None,
                    server_id=server, method="tools/call", name=chance.choices(TOOLS, (9, 7, 4, 3, 2, 1))[0],
                    decision=chance.choices(("allowed", "denied", "failed"), (95, 4, 1))[0], reason="rule 3",
                    status=200, duration_us=int(chance.lognormvariate(10.5, 1)), request_id=f"req_month_{count}", address=f"192.0.2.{count % 9}",
                )
            )  # fmt: skip
    await log.flush()
    return count

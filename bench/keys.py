"""Keys by the hundred thousand: making, finding, listing, rotating and revoking one must cost what they cost among few.

Usage: ``python -m bench keys`` (or ``make bench BENCH=keys``): SQLite in a file, and PostgreSQL where one answers.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.deployment import TESTS
from bench.machine import describe
from doorward.credentials.api_keys import CreatedKey, revoke_api_key
from doorward.credentials.authenticate import Door
from doorward.credentials.key_changes import rotate_api_key
from doorward.credentials.key_makers import OPERATOR
from doorward.credentials.key_wishes import KeyWish, issue_key
from doorward.credentials.secret import Fingerprinter
from doorward.model import ApiKeyId, Instant, Permission, PermissionEntry, Role, RoleId, Tenant, TenantId, User, UserId
from doorward.storage import accounts, api_key_lists, permissions
from doorward.storage.api_key_lists import KeyState
from doorward.storage.database import Database, Transaction
from doorward.storage.opening import open_database
from doorward.storage.statements import Statement

FEW, MANY = 100, 100_000
TIMES = 100
BOUND = 3.0
"""How many times dearer something may be among many, beyond noise."""
NOISE = 0.002
"""Seconds that are not looked at."""
NOW = Instant(1_800_000_000_000_000)
TENANT = Tenant(id=TenantId("t-bench"), slug="bench", name="Bench", created_at=NOW)
OWNER = User(id=UserId("u-bench"), email="bench@example.test", name="Bench", created_at=NOW)
READ = Permission("bench:read")
FINGERPRINTER = Fingerprinter(b"b" * 32)
_FILL = Statement(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    " INSERT INTO api_keys (id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, networks,"
    " created_at, revoked_at) SELECT 'fill-' || i, :tenant, :owner, :owner, 'fill', 'dw_fill', 'fill', 'fill-' || i,"
    " 'bench:read', '[]', :now - i, CASE WHEN i % 4 = 0 THEN :now END FROM n"
)


@dataclass
class KeysReport:
    """Seconds of each step, among few and among many, by database."""

    machine: str
    seconds: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def slower(self) -> list[str]:
        """Return what costs more among many."""
        return [
            f"{database}: {step}"
            for database, steps in self.seconds.items()
            for step, (few, many) in steps.items()
            if many > few * BOUND + NOISE
        ]

    def text(self) -> str:
        """Return the table."""
        lines = [self.machine, "", f"{'milliseconds, lower quartile':<34}{f'{FEW} keys':>12}{f'{MANY} keys':>14}"]
        for database, steps in self.seconds.items():
            lines += ["", database]
            lines += [f"  {step:<32}{few * 1000:>12.2f}{many * 1000:>14.2f}" for step, (few, many) in steps.items()]
        flat = "everything is flat" if not self.slower() else f"NOT FLAT: {', '.join(self.slower())}"
        return "\n".join([*lines, "", flat])


def measure() -> KeysReport:
    """Measure on every database that there is."""
    report = KeysReport(describe())
    with tempfile.TemporaryDirectory(prefix="doorward-bench-") as name:
        report.seconds["SQLite"] = uvloop.run(_measured(f"sqlite:///{Path(name) / 'keys.db'}"))
    with ExitStack() as stack:
        url = _postgresql(stack)
        if url is not None:
            report.seconds["PostgreSQL"] = uvloop.run(_measured(url))
    return report


def _postgresql(stack: ExitStack) -> str | None:
    """Return a schema of our own in the server that the tests use, None where none answers."""
    import psycopg  # noqa: PLC0415

    sys.path.insert(0, str(TESTS))
    from support.postgres import LOCAL, answers  # noqa: PLC0415

    if not answers(LOCAL):
        return None
    schema = f"bench_keys_{os.getpid()}"
    connection = stack.enter_context(psycopg.connect(LOCAL, autocommit=True))
    connection.execute(f"CREATE SCHEMA {schema}")
    stack.callback(lambda: connection.execute(f"DROP SCHEMA {schema} CASCADE"))
    return f"{LOCAL}?search_path={schema}"


async def _measured(url: str) -> dict[str, tuple[float, float]]:
    database = open_database(url, create=True)
    try:
        await database.write(_furnish)
        await _fill(database, FEW)
        few = await _steps(database)
        await _fill(database, MANY)
        many = await _steps(database)
    finally:
        await database.close()
    return {step: (few[step], many[step]) for step in few}


def _furnish(tx: Transaction) -> None:
    accounts.insert_tenant(tx, TENANT)
    accounts.insert_user(tx, OWNER, None)
    permissions.put_catalogue(tx, [PermissionEntry(permission=READ, words="Read")])
    permissions.put_role(tx, Role(id=RoleId("r-bench"), tenant_id=TENANT.id, name="owner", permissions=("*:*",)))
    permissions.set_membership(tx, TENANT.id, OWNER.id, ("owner",))


async def _fill(database: Database, count: int) -> None:
    params = {"count": count, "tenant": TENANT.id, "owner": OWNER.id, "now": NOW}
    await database.write(lambda tx: tx.run(Statement("DELETE FROM api_keys")))
    await database.write(lambda tx: tx.run(_FILL, params))
    with suppress(Exception):
        await database.write(lambda tx: tx.run(Statement("ANALYZE")))


class _Steps:
    """Each step once, on what the steps before it made."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: list[CreatedKey] = []
        keys: Any = lambda _reader: None  # noqa: E731  (no token is looked at)
        self._door = Door(issuer="http://bench", keys=keys, fingerprinter=FINGERPRINTER, prefix="dw")
        self._minting: dict[str, Any] = {
            "entropy": os.urandom, "fingerprinter": FINGERPRINTER, "prefix": "dw", "now": NOW,
        }  # fmt: skip

    async def create(self) -> None:
        wish = KeyWish(owner=OWNER.email, name="bench", expires="never")
        issued = await self._database.write(
            lambda tx: issue_key(tx, wish, tenant=TENANT, maker=OPERATOR, cause=None, **self._minting)
        )
        self._made.append(issued.created)

    async def look_up(self) -> None:
        await self._database.read(lambda reader: self._door.authenticate(reader, self._made[0].text, now=NOW))

    async def look(self) -> None:
        await self._database.read(lambda reader: api_key_lists.used_key(reader, ApiKeyId("fill-7"), NOW))

    async def first_page(self) -> None:
        await self._page()

    async def later_page(self) -> None:
        await self._page(after=(NOW - FEW + 60, "fill"))

    async def active_of_owner(self) -> None:
        await self._page(owner=OWNER.id, state=KeyState.ACTIVE)

    async def ending(self) -> None:
        await self._database.read_long(lambda reader: api_key_lists.ending_keys(reader, now=NOW, days=7, most=200))

    async def rotate(self) -> None:
        key_id = self._made[1].key.id
        await self._database.write(
            lambda tx: rotate_api_key(
                tx, key_id, tenant=TENANT, maker=OPERATOR, overlap=60, cause=None, **self._minting
            )
        )

    async def revoke(self) -> None:
        key_id = self._made.pop().key.id
        await self._database.write(
            lambda tx: revoke_api_key(tx, tenant_id=TENANT.id, key_id=key_id, by=None, now=NOW, cause=None)
        )

    async def _page(self, **asked: Any) -> None:
        await self._database.read_long(lambda reader: api_key_lists.keys_of_tenant(reader, TENANT.id, now=NOW, **asked))


async def _steps(database: Database) -> dict[str, float]:
    each = _Steps(database)
    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "create": each.create, "look up by its secret": each.look_up, "look at one": each.look,
        "first page of 50": each.first_page, "a later page": each.later_page,
        "active ones of an owner": each.active_of_owner, "those that end soon": each.ending, "rotate": each.rotate,
        "revoke": each.revoke,
    }  # fmt: skip
    return {name: await _quick(step, TIMES - 10 if name == "revoke" else TIMES) for name, step in steps.items()}


async def _quick(step: Callable[[], Awaitable[None]], times: int) -> float:
    # The lower quartile: what else runs on the machine only ever adds.
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        await step()
        took.append(time.perf_counter() - begun)
        await asyncio.sleep(0)
    return statistics.quantiles(took, n=4)[0]

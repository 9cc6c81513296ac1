"""PostgreSQL (14 and later) as ``Database``: synchronous connections of psycopg 3 in a few threads.

No server-side prepared statements and nothing kept in a session, so a transaction pooler may stand in between.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from doorward.model import TenantId
from doorward.storage.database import NotReady, Reader, Transaction
from doorward.storage.migrate import ensure_postgresql
from doorward.storage.postgresql_connection import Pool, PostgresReader, conninfo, run_write
from doorward.storage.schema import revisions
from doorward.storage.statements import POSTGRESQL, Statement

T = TypeVar("T")

THREADS: Final = 8
LONG_READERS: Final = 2

_REVISIONS: Final = Statement(
    sa.select(revisions).where(revisions.c.scope == sa.any_(sa.bindparam("scopes", type_=ARRAY(sa.Text))))
)


def open_server(url: str, *, create: bool) -> "PostgresDatabase":
    """Connect once, check or migrate the schema, and open. Raises ``NotReady``."""
    try:
        info = conninfo(url)
        with psycopg.connect(info) as connection:
            ensure_postgresql(connection, create=create)
    except psycopg.Error as error:
        raise NotReady(f"database.url: PostgreSQL cannot be used ({str(error).strip()}).") from error
    return PostgresDatabase(info)


class PostgresDatabase:
    """One PostgreSQL database, shared with other nodes."""

    dialect: Final = POSTGRESQL

    def __init__(self, info: str) -> None:
        self._pool = Pool(info, THREADS, "doorward-sql")
        self._long = Pool(info, LONG_READERS, "doorward-read")
        self._revisions = _Revisions(Pool(info, 1, "doorward-revisions"))

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """See ``Database.read``."""
        return await self._pool.run(lambda connection: fn(PostgresReader(connection)))

    async def read_long(self, fn: Callable[[Reader], T]) -> T:
        """See ``Database.read_long``."""
        return await self._long.run(lambda connection: fn(PostgresReader(connection)))

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """See ``Database.write``: a transaction of its own, run again from the start after a conflict of locks."""
        return await self._pool.run(lambda connection: run_write(connection, fn), attempts=10)

    def changed(self) -> bool:
        """See ``Database.changed``: not known here; ask ``revisions``."""
        return False

    def look(self) -> bool:
        """See ``Database.look``: here it takes a query."""
        return False

    def revisions_at_hand(self, tenant_id: TenantId, *, looked: bool = False) -> None:
        """See ``Database.revisions_at_hand``: nothing is, on a server."""

    async def revisions(self, tenant_id: TenantId) -> tuple[int, int]:
        """See ``Database.revisions``."""
        return await self._revisions.of(tenant_id)

    async def close(self) -> None:
        """See ``Database.close``."""
        for pool in (self._pool, self._long, self._revisions.pool):
            await pool.close()


class _Round:
    """One query for all who asked before it started."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.tenants: set[TenantId] = set()
        self.answer: asyncio.Future[dict[str, int]] = loop.create_future()


class _Revisions:
    """Revisions of many callers in one query. Who arrives while one is under way waits for the next.

    Joining the one under way could return what was true before the call began: a right revoked in between would live.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._next: _Round | None = None
        self._task: asyncio.Task[None] | None = None

    async def of(self, tenant_id: TenantId) -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        if self._next is None or self._next.answer.get_loop() is not loop:
            self._next = _Round(loop)
        mine = self._next
        mine.tenants.add(tenant_id)
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._task = loop.create_task(self._rounds())
        found = await asyncio.shield(mine.answer)
        return found.get("", 0), found.get(tenant_id, 0)

    async def _rounds(self) -> None:
        while self._next is not None:
            now, self._next = self._next, None
            wanted = ["", *now.tenants]
            try:
                found = await self.pool.run(lambda connection: _read_revisions(connection, wanted))  # noqa: B023
            except Exception as error:  # noqa: BLE001  (each who waits is told)
                now.answer.set_exception(error)
                now.answer.exception()
            else:
                now.answer.set_result(found)


def _read_revisions(connection: psycopg.Connection, scopes: list[str]) -> dict[str, int]:
    rows = PostgresReader(connection).all(_REVISIONS, {"scopes": scopes})
    return {row.scope: row.value for row in rows}

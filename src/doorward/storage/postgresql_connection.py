"""PostgreSQL connections: one per thread, as ``Reader`` and ``Transaction``, and what their errors mean."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import sqlalchemy as sa
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from doorward.model import TenantId
from doorward.storage.database import Conflict, StorageUnavailable, Transaction, Unstorable
from doorward.storage.schema import tenants
from doorward.storage.statements import POSTGRESQL, Params, Placed, Plan, Row, Statement

T = TypeVar("T")

CONNECT_SECONDS: Final = 5
_PAUSE: Final = 0.002
# In one round trip; LOCAL, because behind a pooler the session is not ours. Nobody waits for a lock for ever.
_BEGIN: Final = "BEGIN; SET LOCAL lock_timeout = '5s'"


_TENANT: Final = sa.select(tenants.c.id).where(tenants.c.id == sa.bindparam("tenant_id"))
_LOCK_FOR_RIGHTS: Final = Statement(_TENANT.with_for_update())
_LOCK_SHARED: Final = Statement(_TENANT.with_for_update(read=True))


class Rerun(StorageUnavailable):
    """The server undid the transaction because of another one (40001, 40P01): run the whole use case again."""


def conninfo(url: str) -> str:
    """Return libpq's connection string of ``url``. The option ``search_path`` names the schema to use."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = query.pop("search_path", None)
    known = conninfo_to_dict(urlunsplit(parts._replace(query=urlencode(query))))
    if path is not None:
        known["options"] = f"{known.get('options', '')} -c search_path={path}".strip()
    given = {name: str(value) for name, value in known.items() if value is not None}
    return make_conninfo("", **{"connect_timeout": str(CONNECT_SECONDS), "application_name": "doorward", **given})


def meaning(error: Exception) -> Exception:
    """Return what an error of the driver means to a caller; an error in our own statement is returned as it is."""
    if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
        return Rerun(str(error))
    if isinstance(error, psycopg.IntegrityError):
        return Conflict(str(error))
    if isinstance(error, psycopg.DataError | UnicodeEncodeError):
        return Unstorable("text with a NUL character or half of a surrogate pair, or a number beyond 64 bits")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError):
        return StorageUnavailable(str(error))
    return error


class PostgresReader:
    """Reads in autocommit: each statement sees all that was committed before it."""

    dialect: Final = POSTGRESQL

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        """See ``Reader``."""
        plan = statement.plan(POSTGRESQL)
        cursor = self._execute(plan, params)
        return plan.rows(cursor.description or (), cursor.fetchall())

    def first(self, statement: Statement, params: Params | None = None) -> Row | None:
        """See ``Reader``."""
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def kept(self, key: Hashable, read: Callable[[], T], tenant_id: TenantId | None = None) -> T:  # noqa: ARG002
        """See ``Reader``: read each time, since whoever locks a tenant has to see what was changed until then."""
        return read()

    def _execute(self, plan: Plan, params: Params | None) -> psycopg.Cursor:
        try:
            return self._connection.execute(plan.text, plan.bind(params))
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise meaning(error) from error


class PostgresTransaction(PostgresReader):
    """One use case in a transaction of its own."""

    def run(self, statement: Statement, params: Params | Sequence[Params] | Sequence[Placed] | None = None) -> int:
        """See ``Transaction``."""
        plan = statement.plan(POSTGRESQL)
        if not isinstance(params, Sequence):
            cursor = self._execute(plan, params)
            return len(cursor.fetchall()) if plan.returning else cursor.rowcount
        if not params:
            return 0
        try:
            cursor = self._connection.cursor()
            cursor.executemany(plan.text, [plan.bind(each) for each in params])
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise meaning(error) from error
        return cursor.rowcount

    def lock_tenant(self, tenant_id: TenantId, *, for_rights: bool) -> bool:
        """See ``Transaction``."""
        self.all(_LOCK_FOR_RIGHTS if for_rights else _LOCK_SHARED, {"tenant_id": tenant_id})
        return True


def run_write(connection: psycopg.Connection, use_case: Callable[[Transaction], T]) -> T:
    """Run a use case between BEGIN and COMMIT. Raises what it raised, ``Rerun`` or ``StorageUnavailable``."""
    try:
        connection.execute(_BEGIN)
        value = use_case(PostgresTransaction(connection))
    except BaseException as error:
        with contextlib.suppress(psycopg.Error):
            connection.execute("ROLLBACK")
        if isinstance(error, psycopg.Error):
            raise meaning(error) from error
        raise
    try:
        ended = connection.execute("COMMIT").statusmessage
    except psycopg.Error as error:
        told = meaning(error)
        # A connection lost here may have committed: this must not be run again.
        raise (told if isinstance(told, Rerun) else CommitUnknown(str(error))) from error
    if ended != "COMMIT":
        # After an error the server answers COMMIT with ROLLBACK: a use case swallowed the error and went on.
        raise StorageUnavailable("the use case went on after an error; nothing was changed")
    return value


class CommitUnknown(StorageUnavailable):
    """The connection went away during COMMIT."""


class Pool:
    """Some threads, each with a connection of its own, opened when it is first needed and again after it broke."""

    def __init__(self, info: str, size: int, name: str) -> None:
        self._info = info
        self._threads = ThreadPoolExecutor(size, name)
        self._of_thread = threading.local()
        self._open: set[psycopg.Connection] = set()
        self._closed = False

    async def run(self, job: Callable[[psycopg.Connection], T], *, attempts: int = 2) -> T:
        """Run ``job`` in a thread; again where the server says so or the connection was stale. Changes nothing twice."""
        if self._closed:
            raise StorageUnavailable("the database is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._attempts, job, attempts)

    async def close(self) -> None:
        """Wait for what runs, then close the connections."""
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._open:
            connection.close()

    def _attempts(self, job: Callable[[psycopg.Connection], T], attempts: int) -> T:
        for attempt in range(1, attempts + 1):
            connection, fresh = self._connection()
            try:
                return job(connection)
            except CommitUnknown:
                self._drop(connection)
                raise
            except Rerun:
                if attempt == attempts:
                    raise
                time.sleep(_PAUSE * attempt)
            except StorageUnavailable:
                if not connection.closed:
                    raise
                # The server was restarted, or an idle connection was cut off: a new one may do.
                self._drop(connection)
                if fresh or attempt == attempts:
                    raise
        raise AssertionError("unreachable")

    def _connection(self) -> tuple[psycopg.Connection, bool]:
        connection: psycopg.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is not None and not connection.closed:
            return connection, False
        try:
            connection = psycopg.connect(self._info, autocommit=True, prepare_threshold=None)
        except psycopg.Error as error:
            raise StorageUnavailable(str(error)) from error
        self._of_thread.connection = connection
        self._open.add(connection)
        return connection, True

    def _drop(self, connection: psycopg.Connection) -> None:
        self._of_thread.connection = None
        self._open.discard(connection)
        connection.close()

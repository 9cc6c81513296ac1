"""One SQLite connection as ``Reader`` and ``Transaction``, and what its errors mean."""

import contextlib
import sqlite3
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from doorward.model import TenantId
from doorward.storage import hot
from doorward.storage.database import Conflict, StorageUnavailable, Unstorable
from doorward.storage.kept import Kept, Stamps
from doorward.storage.statements import SQLITE, Params, Placed, Row, Statement

T = TypeVar("T")

OPEN_TIMEOUT: Final = 5.0
"""Seconds to wait for another process when a connection is opened."""

_LOGIC_ERROR: Final = 1
"""SQLITE_ERROR: the statement is wrong, which is our fault and not the database's."""


def connect(path: Path, *, timeout: float = OPEN_TIMEOUT) -> sqlite3.Connection:
    """Open the file in autocommit mode: transactions are ours to begin. Raises ``sqlite3.Error``."""
    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    # FULL: an answered commit survives a power cut. Checkpoints are run off the loop (group_commit), not by a COMMIT.
    for pragma in ("foreign_keys=ON", "synchronous=FULL", "wal_autocheckpoint=0", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (sqlite3.Error, UnicodeEncodeError) as error:
        raise meaning(error) from error


def meaning(error: Exception) -> Exception:
    """Return what an error of the driver means to a caller; an error in our own statement is returned as it is."""
    if isinstance(error, UnicodeEncodeError):
        return Unstorable("text with half of a surrogate pair")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(str(error))
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorcode", _LOGIC_ERROR)
        if code != _LOGIC_ERROR:
            return StorageUnavailable(f"{error.sqlite_errorname}: {error}")
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return StorageUnavailable("the database is closed")
    return error


class SqliteReader:
    """Reads in autocommit: each statement sees all that was committed before it."""

    dialect: Final = SQLITE

    def __init__(self, connection: sqlite3.Connection, *, writes: bool = False, kept: Kept | None = None) -> None:
        self._connection = connection
        self._kept, self._stamps = kept, Stamps(self._revisions)
        self._writes = writes
        self._over = False
        self.spoiled = False
        """A statement of this transaction failed: as on PostgreSQL, nothing of it may be committed."""

    def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        """See ``Reader``."""
        plan = statement.plan(SQLITE)
        self._check()
        if plan.changes:  # with RETURNING
            self._kept = None
        try:
            cursor = self._connection.execute(plan.text, plan.bind(params))
            found = cursor.fetchall()
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error
        return plan.rows(cursor.description, found) if found else []

    def first(self, statement: Statement, params: Params | None = None) -> Row | None:
        """See ``Reader``."""
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def kept(self, key: Hashable, read: Callable[[], T], tenant_id: TenantId | None = None) -> T:
        """See ``Reader``."""
        stamp = None if self._kept is None else self._stamps.of(tenant_id)
        return read() if self._kept is None or stamp is None else self._kept.get(key, stamp, read)

    def look_again(self) -> None:
        """Take note that somebody committed since the last read."""
        self._stamps.forget()

    def _revisions(self, tenant_id: TenantId) -> dict[str, int]:
        return {row.scope: row.value for row in self.all(hot.REVISIONS, {"tenant_id": tenant_id})}

    def end(self) -> None:
        """Refuse every later statement: the use case is over, the connection is another's now."""
        self._over = True

    def _check(self) -> None:
        if self._over or self.spoiled:
            raise StorageUnavailable("this transaction is over")

    def _failed(self, error: Exception) -> Exception:
        # A full disk can end the whole transaction: a use case that swallowed the error must not go on in autocommit.
        self.spoiled = self._writes
        return meaning(error)


class SqliteTransaction(SqliteReader):
    """One use case inside a batch; over after its first error."""

    def __init__(self, connection: sqlite3.Connection, kept: Kept | None = None) -> None:
        super().__init__(connection, writes=True, kept=kept)

    def run(self, statement: Statement, params: Params | Sequence[Params] | Sequence[Placed] | None = None) -> int:
        """See ``Transaction``."""
        plan = statement.plan(SQLITE)
        self._check()
        # From here on the rows may be this transaction's own, which nobody else may see.
        self._kept = None
        try:
            if isinstance(params, Sequence):
                return self._connection.executemany(plan.text, [plan.bind(each) for each in params]).rowcount
            cursor = self._connection.execute(plan.text, plan.bind(params))
            # With RETURNING `rowcount` is 0 after a row really changed: the rows that come back are the truth.
            return len(cursor.fetchall()) if plan.returning else cursor.rowcount
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise self._failed(error) from error

    def lock_tenant(self, tenant_id: TenantId, *, for_rights: bool) -> bool:  # noqa: ARG002
        """See ``Transaction``: there is one writer, nothing to lock, and nobody else changed anything meanwhile."""
        return False

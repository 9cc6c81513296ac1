"""SQLite as ``Database``: one writer with group commit, readers of their own in autocommit."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from doorward.model import TenantId
from doorward.storage import hot
from doorward.storage.database import NotReady, Reader, StorageUnavailable, Transaction
from doorward.storage.group_commit import GroupCommit
from doorward.storage.kept import Kept
from doorward.storage.migrate import ensure_sqlite
from doorward.storage.sqlite_connection import SqliteReader, connect, meaning, translated
from doorward.storage.statements import SQLITE

T = TypeVar("T")

LONG_READERS: Final = 2


def path_of(url: str) -> Path:
    """Return the file of ``sqlite:///absolute/path``. Raises ``NotReady`` for a relative one or none."""
    path = Path("/" + url.removeprefix("sqlite://").lstrip("/"))
    if path == Path("/"):
        raise NotReady("database.url: names no file. Use sqlite:///absolute/path.")
    return path


def open_file(path: Path, *, create: bool) -> "SqliteDatabase":
    """Open the file, made with mode 0600 and migrated if ``create``. Raises ``NotReady``."""
    if create:
        _make_private(path)
    elif not path.exists():
        raise NotReady(f"{path}: no database there. Run `doorward init`, or name the right data directory.")
    try:
        ensure_sqlite(path, create=create)
        return SqliteDatabase(path)
    except sqlite3.Error as error:
        raise NotReady(f"{path}: cannot be used as a database ({error}). Restore it, or free the disk.") from error


def _make_private(path: Path) -> None:
    # The log and the shared-memory file take the mode of the database file.
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise NotReady(f"{path}: cannot be made ({error.strerror}). Choose another data directory.") from error


class SqliteDatabase:
    """One SQLite file. ``read`` and ``revisions`` run inline in the event loop: 3 to 5 µs for a look-up."""

    dialect: Final = SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path
        # No waiting inside SQLite where the event loop would wait with it; group_commit asks again instead.
        kept = Kept()
        self._writer = GroupCommit(connect(path, timeout=0), connect(path, timeout=0), kept)
        self._connection = connect(path)
        self._connection.execute("PRAGMA query_only=ON")
        self._reader = SqliteReader(self._connection, kept=kept)
        self._asking = self._connection.cursor()
        self._threads = ThreadPoolExecutor(LONG_READERS, "doorward-read")
        self._of_thread = threading.local()
        self._long: list[sqlite3.Connection] = []
        self._seen = self._version()
        self._cached_at = self._read_at = self._seen
        self._revisions: dict[TenantId, tuple[int, int]] = {}

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """See ``Database.read``."""
        version = self._version()
        if version != self._read_at:
            self._read_at = version
            self._reader.look_again()
        return fn(self._reader)

    async def read_long(self, fn: Callable[[Reader], T]) -> T:
        """See ``Database.read_long``."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._in_thread, fn)
        except RuntimeError as error:
            raise StorageUnavailable("the database is closed") from error

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """See ``Database.write``."""
        return await self._writer.write(fn)

    def changed(self) -> bool:
        """See ``Database.changed``: moves for commits of our own writer and of every other process."""
        version = self._version()
        moved = version != self._seen
        self._seen = version
        return moved

    async def revisions(self, tenant_id: TenantId) -> tuple[int, int]:
        """See ``Database.revisions``."""
        return self.revisions_at_hand(tenant_id)

    def look(self) -> bool:
        """See ``Database.look``: rows are read again only if anything at all was committed."""
        version = self._version()
        if version != self._cached_at:
            self._revisions.clear()
            self._cached_at = version
        return True

    def revisions_at_hand(self, tenant_id: TenantId, *, looked: bool = False) -> tuple[int, int]:
        """See ``Database.revisions_at_hand``."""
        if not looked:
            self.look()
        known = self._revisions.get(tenant_id)
        if known is None:
            found = {row.scope: row.value for row in self._reader.all(hot.REVISIONS, {"tenant_id": tenant_id})}
            known = self._revisions[tenant_id] = (found.get("", 0), found.get(tenant_id, 0))
        return known

    async def close(self) -> None:
        """See ``Database.close``."""
        await self._writer.finish()
        self._threads.shutdown()
        for connection in (self._connection, *self._long):
            connection.close()
        # Last, and off the loop: the last connection of all processes folds the log into the file. Never beside a
        # server, then, where truncating the log would hold up every writer.
        await asyncio.to_thread(self._writer.close)

    def _version(self) -> int:
        # A half-read cursor would hold this connection at an old snapshot, and `data_version` would not move: revoked
        # rights would live on. An interrupt concerns running statements only: with none it does nothing, with one it
        # makes the next statement fail.
        try:
            self._connection.interrupt()
            version: int = self._asking.execute("PRAGMA data_version").fetchall()[0][0]
        except sqlite3.Error as error:
            raise meaning(error) from error
        return version

    def _in_thread(self, fn: Callable[[Reader], T]) -> T:
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            with translated():
                connection = connect(self._path)
                connection.execute("PRAGMA query_only=ON")
            self._of_thread.connection = connection
            self._long.append(connection)
        return fn(SqliteReader(connection))

"""Harbour's SQLite file: one connection that reads committed rows, one that writes, one write at a time.

A write is published to Doorward before it is committed: if the tree cannot be published nothing has changed, and a
crash in between leaves at most a node in Doorward that Harbour answers "not found" for, until the next start.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeAlias

SCHEMA_VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE nodes (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, type TEXT NOT NULL, parent TEXT REFERENCES nodes (id),
  name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
  CHECK (type IN ('workspace', 'project', 'folder', 'document')), CHECK ((parent IS NULL) = (type = 'workspace'))
) STRICT;
CREATE INDEX nodes_by_parent ON nodes (parent);
CREATE INDEX nodes_by_tenant ON nodes (tenant, type);
CREATE TABLE projects (
  id TEXT PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE, status TEXT NOT NULL, lead TEXT NOT NULL,
  CHECK (status IN ('planned', 'active', 'done', 'archived'))
) STRICT;
CREATE TABLE versions (
  document TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, number INTEGER NOT NULL, body TEXT NOT NULL,
  author TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (document, number)
) STRICT;
CREATE TABLE tasks (
  id TEXT PRIMARY KEY, project TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, title TEXT NOT NULL,
  status TEXT NOT NULL, assignee TEXT NOT NULL, due TEXT, created_at INTEGER NOT NULL,
  CHECK (status IN ('open', 'doing', 'done'))
) STRICT;
CREATE INDEX tasks_by_project ON tasks (project);
CREATE TABLE comments (
  id TEXT PRIMARY KEY, document TEXT NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, body TEXT NOT NULL,
  author TEXT NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_by_document ON comments (document);
"""

Parameters: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the resource tree, as Doorward is told of it."""

    type: str
    key: str
    name: str
    parent: tuple[str, str] | None

    def as_json(self) -> dict[str, object]:
        """Return the form of the resource API."""
        parent = None if self.parent is None else {"type": self.parent[0], "key": self.parent[1]}
        return {"type": self.type, "key": self.key, "name": self.name, "parent": parent}


Publish: TypeAlias = Callable[[str, Sequence[Node], Sequence[tuple[str, str]]], Awaitable[None]]
"""``publish(tenant, put, remove)``; raises ``NotPushedError`` when the change was not taken."""


class Rows(Protocol):
    """Something to read rows from: the store itself, or the change under way."""

    def all(self, statement: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return every row."""
        ...

    def first(self, statement: str, parameters: Parameters) -> sqlite3.Row | None:
        """Return the first row, or None."""
        ...


@dataclass(slots=True)
class _Connection:
    connection: sqlite3.Connection

    def all(self, statement: str, parameters: Parameters) -> list[sqlite3.Row]:
        return self.connection.execute(statement, parameters).fetchall()

    def first(self, statement: str, parameters: Parameters) -> sqlite3.Row | None:
        return next(iter(self.all(statement, parameters)), None)


@dataclass(slots=True)
class Change(_Connection):
    """A write under way: its rows, and what Doorward must be told of the tree."""

    now: int
    new_id: Callable[[str], str]
    put: list[Node] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)

    def run(self, statement: str, parameters: Parameters) -> None:
        """Execute one statement."""
        self.connection.execute(statement, parameters)


class Store:
    """The file. ``publish`` is called inside each write that touched the tree."""

    def __init__(
        self, path: Path, *, now: Callable[[], int], entropy: Callable[[int], bytes], publish: Publish
    ) -> None:
        self._writer = _open(path)
        self._reader = _Connection(_open(path))
        self._now = now
        self._entropy = entropy
        self._publish = publish
        self._writing = asyncio.Lock()

    def create(self, first_day: Callable[[Change], None]) -> None:
        """Make the tables of a new file and fill them by ``first_day``; does nothing to a file that has them."""
        if self._writer.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
            return
        self._writer.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")
        first_day(self._change())
        self._writer.execute("COMMIT")

    def all(self, statement: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return every row of a query on committed data."""
        return self._reader.all(statement, parameters)

    def first(self, statement: str, parameters: Parameters) -> sqlite3.Row | None:
        """Return the first row of a query on committed data, or None."""
        return self._reader.first(statement, parameters)

    @asynccontextmanager
    async def change(self, tenant: str) -> AsyncIterator[Change]:
        """Open the one write transaction of the moment: published, then committed; any exception undoes all of it."""
        async with self._writing:
            change = self._change()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield change
                if change.put or change.removed:
                    await self._publish(tenant, change.put, change.removed)
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def close(self) -> None:
        """Close both connections."""
        self._reader.connection.close()
        self._writer.close()

    def _change(self) -> Change:
        return Change(self._writer, now=self._now(), new_id=self._new_id)

    def _new_id(self, prefix: str) -> str:
        return f"{prefix}-{self._entropy(5).hex()}"


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
    return connection

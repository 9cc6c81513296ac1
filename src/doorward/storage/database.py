"""What the rest of the program sees of a database: read, write, and the revisions that say whether anything changed.

A use case is a plain function over a ``Transaction``; it is answered only after the commit that holds its change. An
exception rolls back that use case alone, so an outcome that must persist is returned, not raised.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol, TypeVar

from doorward.model import TenantId
from doorward.storage.statements import Params, Placed, Row, Statement

T = TypeVar("T")


class StorageUnavailable(Exception):  # noqa: N818  (a state, answered with 503)
    """Nothing can be said about what was asked: full disk, locked file, lost server. A caller answers 503."""


class Conflict(Exception):  # noqa: N818  (a fact about the row)
    """A row of that name is there already, or one that it needs is not. The message is private."""


class Unstorable(ValueError):  # noqa: N818
    """A text that no database of ours takes: a NUL character or half of a surrogate pair. The input is at fault."""


class NotReady(Exception):  # noqa: N818
    """The database cannot be used as it is. The message says why and what to do; it may be shown to an operator."""


class AlreadyServed(NotReady):
    """Another server node has this SQLite file."""


class Reader(Protocol):
    """The read side. Results are always fetched whole."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        """Return all rows. Raises ``StorageUnavailable``."""

    def first(self, statement: Statement, params: Params | None = None) -> Row | None:
        """Return the first row, or None."""

    def kept(self, key: Hashable, read: Callable[[], T], tenant_id: TenantId | None = None) -> T:
        """Return what ``read`` returns, or returned when the revisions were what they are at the start of this read.

        For what the triggers stamp, and with ``tenant_id`` also for what they stamp of that tenant (``triggers``).
        """


class Transaction(Reader, Protocol):
    """A write in progress."""

    def run(self, statement: Statement, params: Params | Sequence[Params] | Sequence[Placed] | None = None) -> int:
        """Change rows and return how many; with a sequence of parameters, once for each. Raises ``Conflict``."""

    def lock_tenant(self, tenant_id: TenantId, *, for_rights: bool) -> bool:
        """Hold the tenant's row until the end: exclusively to change rights, shared to issue anything.

        Returns whether another transaction may have changed what this one had read before: then it has to look again.

        Rules that span rows (last owner, issue against deactivate) need it on PostgreSQL. SQLite has one writer.
        """


class Database(Protocol):
    """One open database. Belongs to one event loop at a time."""

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """Run point look-ups (indexed, at most 100 rows). Each statement sees what was committed before it started."""

    async def read_long(self, fn: Callable[[Reader], T]) -> T:
        """Run lists, searches and exports, away from the event loop."""

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        """Run one use case in a transaction and return what it returned, once that is durable.

        ``fn`` may be run more than once (PostgreSQL, after a serialization failure). Raises what ``fn`` raised, with
        its changes undone, or ``StorageUnavailable`` with nothing changed (or, where a server was lost during the
        commit itself, with the outcome unknown).
        """

    def changed(self) -> bool:
        """Say whether anything was committed since the last call (SQLite; always False on PostgreSQL)."""

    def look(self) -> bool:
        """Look whether anything was committed, once for many; False where that takes waiting.

        Raises ``StorageUnavailable``.
        """

    def revisions_at_hand(self, tenant_id: TenantId, *, looked: bool = False) -> tuple[int, int] | None:
        """Return what ``revisions`` does where that takes no waiting, else None. Raises ``StorageUnavailable``.

        ``looked``: since what is asked about began, ``look`` was called and said True; it is not looked again then.
        """

    async def revisions(self, tenant_id: TenantId) -> tuple[int, int]:
        """Return the (global, tenant) revision, never older than the start of the call. 0 for what does not exist."""

    async def close(self) -> None:
        """Finish what waits and let go. Later calls raise ``StorageUnavailable``."""

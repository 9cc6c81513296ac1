"""What was read at a revision, while the database is at that revision: registry-like rows, parsed once (decision 0035).

Only what the triggers stamp may be kept (``triggers``): a value is found again under the revisions that were read before
its rows, so it is never older than a read of the rows would be. What is not there is not kept: an added client moves no
revision.
"""

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from doorward.model import TenantId

T = TypeVar("T")

MOST: Final = 20_000
Stamp = tuple[int, int]
"""The global revision and the tenant's; the latter 0 for what belongs to no tenant."""


class Kept:
    """One per open database, for one thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._values: dict[Hashable, tuple[Stamp, Any]] = {}

    def get(self, key: Hashable, stamp: Stamp, read: Callable[[], T]) -> T:
        """Return what was kept under ``key`` at ``stamp``, or what ``read`` returns now. It must not be changed."""
        known = self._values.get(key)
        if known is not None and known[0] == stamp:
            value: T = known[1]
            return value
        found = read()
        self._values.pop(key, None)
        if found is not None:
            if len(self._values) >= self._most:
                del self._values[next(iter(self._values))]
            self._values[key] = (stamp, found)
        return found


class Stamps:
    """The revisions as one reader sees them, each read once: for one transaction, or until somebody commits."""

    def __init__(self, read: Callable[[TenantId], dict[str, int]]) -> None:
        self._read = read
        self._known: dict[str, int] = {}

    def of(self, tenant_id: TenantId | None) -> Stamp | None:
        """Return the stamp; None where there is none, and nothing may be kept."""
        scope = tenant_id or ""
        if scope not in self._known:
            self._known.update(self._read(TenantId(scope)))
        globally, own = self._known.get(""), self._known.get(scope)
        if globally is None or own is None:
            return None
        return globally, own if tenant_id else 0

    def forget(self) -> None:
        """Read them again at the next question."""
        self._known.clear()

"""How much was called: written with the calls, in their transaction, so that each call is counted exactly once.

Two tables. ``usage_hours`` tells all sides of each hour together (what did this key call?), ``usage_sums`` one side alone,
so that a page over a million calls reads some thousand small rows. A call counts in the hour in which it began, however
late it is written.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from doorward.model import SECOND, Instant
from doorward.storage.database import Transaction
from doorward.storage.events import CallEvent
from doorward.storage.schema import SLOTS, usage_hours, usage_sums
from doorward.storage.statements import POSTGRESQL, SQLITE, Row, Statement

HOUR: Final = 3600 * SECOND
DAY_HOURS: Final = 24
BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Upper bounds of the slots of a histogram; the last slot holds what took longer."""
_BOUNDS_US: Final = tuple(bound * 1000 for bound in BOUNDS_MS)
_NOT_LET_THROUGH: Final = frozenset({"denied", "refused"})
_FAILED: Final = "failed"
_CALL: Final = "tools/call"
_MOST: Final = 200
"""Characters of a name that somebody else chose."""


_Found = dict[tuple[Any, ...], list[int]]


class _Told(NamedTuple):
    """All of a call that the tables tell."""

    tenant_id: str
    hour: int
    server_id: str
    tool: str
    client_id: str | None
    user_id: str
    credential: str
    credential_id: str
    decision: str
    slot: int


class Kind(StrEnum):
    """A side by which use is told alone."""

    WAY = "way"
    """With what: an OAuth token, an API key, …; the only one that is told by the hour."""
    TOOL = "tool"
    CLIENT = "client"
    USER = "user"
    KEY = "key"
    """API keys only: a connection is told by its client."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls. ``took`` is the histogram of those that were let through, by ``BOUNDS_MS``."""

    calls: int = 0
    denied: int = 0
    failed: int = 0
    took: tuple[int, ...] = field(default=(0,) * SLOTS)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.calls + other.calls,
            self.denied + other.denied,
            self.failed + other.failed,
            tuple(mine + others for mine, others in zip(self.took, other.took, strict=True)),
        )

    def below(self, part: float) -> int | None:
        """Return the bound in ms below which at least ``part`` of the calls ended: exact to the slot.

        None where there were none; ``BOUNDS_MS[-1]`` where it took longer than every bound.
        """
        wanted, seen = part * sum(self.took), 0
        if not wanted:
            return None
        for bound, count in zip(BOUNDS_MS, self.took, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return BOUNDS_MS[-1]


def _adding(table: str, key: Sequence[str], rest: Sequence[str] = ()) -> Statement:
    numbers = ("calls", "denied", "failed", *(f"took_{slot}" for slot in range(SLOTS)))
    columns = (*key, *rest, *numbers)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in numbers)

    def text(mark: str) -> str:
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"  # noqa: S608
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
        )

    return Statement({SQLITE: text("?"), POSTGRESQL: text("%s")})


_ADD_HOURS: Final = _adding(
    usage_hours.name,
    ("tenant_id", "hour", "server_id", "tool", "client_id", "user_id", "credential_id"),
    ("credential",),
)
_ADD_SUMS: Final = _adding(usage_sums.name, ("tenant_id", "kind", "value", "start"))


def count(tx: Transaction, calls: Iterable[CallEvent]) -> None:
    """Add calls to the sums, in the transaction that writes them down."""
    hours: _Found = {}
    sums: _Found = {}
    # Most of a batch differ in nothing that is told: they are added up before anything else is done with them.
    for alike, calls_alike in Counter(map(_told, calls)).items():
        hour, numbers = alike.hour, _numbers(alike, calls_alike)
        tenant_id, tool = alike.tenant_id, alike.tool
        sides = (tenant_id, hour, alike.server_id, tool, alike.client_id or "", alike.user_id, alike.credential_id)
        _add(hours, (*sides, alike.credential), numbers)
        for kind, value in _values(alike):
            start = hour if kind is Kind.WAY else hour - hour % DAY_HOURS
            _add(sums, (tenant_id, kind.value, value, start), numbers)
    # In one order on every node: two that count the same wait for each other and never in a circle.
    for statement, found in ((_ADD_HOURS, hours), (_ADD_SUMS, sums)):
        if found:
            tx.run(statement, [(*key, *found[key]) for key in sorted(found)])


def named(call: CallEvent) -> str:
    """Return the tool that was called; of anything else the method, since addresses of resources are without number."""
    return (call.name or "" if call.method == _CALL else call.method)[:_MOST]


def slot_of(duration_us: int) -> int:
    """Return the slot of a histogram that a duration belongs to."""
    return bisect_left(_BOUNDS_US, duration_us)


def counts_of(row: Row) -> Counts:
    """Return what a row says whose columns are named as in the tables."""
    took = tuple(int(getattr(row, f"took_{slot}") or 0) for slot in range(SLOTS))
    return Counts(int(row.calls or 0), int(row.denied or 0), int(row.failed or 0), took)


def first_hour(now: Instant, days: int) -> int:
    """Return the hour with which so many days begin: 24 hours for one day, else whole days (UTC) with today."""
    hour = now // HOUR
    return hour - DAY_HOURS + 1 if days == 1 else hour - hour % DAY_HOURS - (days - 1) * DAY_HOURS


def _told(call: CallEvent) -> _Told:
    return _Told(
        call.tenant_id, call.at // HOUR, call.server_id, named(call), call.client_id, call.user_id, call.credential,
        call.credential_id, call.decision, slot_of(call.duration_us),
    )  # fmt: skip


def _values(calls: _Told) -> Iterable[tuple[Kind, str]]:
    yield Kind.WAY, calls.credential
    yield Kind.TOOL, calls.tool
    yield Kind.USER, calls.user_id
    if calls.client_id is not None:
        yield Kind.CLIENT, calls.client_id
    if calls.credential == "api_key":
        yield Kind.KEY, calls.credential_id


def _numbers(alike: _Told, calls: int) -> list[int]:
    """Return what so many calls add to a row: the columns of ``_adding`` in their order."""
    denied, slots = alike.decision in _NOT_LET_THROUGH, [0] * SLOTS
    if not denied:
        slots[alike.slot] = calls
    return [calls, calls * denied, calls * (alike.decision == _FAILED), *slots]


def _add(found: _Found, key: tuple[Any, ...], numbers: list[int]) -> None:
    kept = found.get(key)
    found[key] = numbers if kept is None else [mine + more for mine, more in zip(kept, numbers, strict=True)]

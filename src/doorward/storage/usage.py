"""How much was called: written with the calls, in their transaction, so that each call is counted exactly once.

``usage_hours`` tells all sides of each hour together (what did this key call?). Once an hour is over it is folded into
``usage_sums`` (``usage_folding``), so that a page over a million calls reads some thousand small rows. A call counts in the
hour in which it began, however late it is written: what comes after its hour was closed is added to the sums at once.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from doorward.model import SECOND, Instant
from doorward.storage import usage_sums
from doorward.storage.database import Transaction
from doorward.storage.events import CallEvent
from doorward.storage.schema import SLOTS, usage_hours
from doorward.storage.statements import POSTGRESQL, SQLITE, Row, Statement
from doorward.storage.usage_sums import DAY_HOURS, NUMBERS, HourKey

HOUR: Final = 3600 * SECOND
BOUNDS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Upper bounds of the slots of a histogram; the last slot holds what took longer."""
_BOUNDS_US: Final = tuple(bound * 1000 for bound in BOUNDS_MS)
_NOT_LET_THROUGH: Final = frozenset({"denied", "refused"})
_FAILED: Final = "failed"
_CALL: Final = "tools/call"
_MOST: Final = 200
"""Characters of a name that somebody else chose."""


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


_KEY: Final = ("tenant_id", "hour", "server_id", "tool", "client_id", "user_id", "credential_id")
_ADD: Final = usage_sums.adding(usage_hours.name, _KEY, ("credential", "folded"))
_IS_FOLDED: Final = Statement(
    f"SELECT folded FROM usage_hours WHERE {' AND '.join(f'{name} = :{name}' for name in _KEY)}"  # noqa: S608  (constants)
)
MAKE_MARK: Final = Statement("INSERT INTO usage_mark (id, closed, folded) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING")
_CLOSED: Final = "SELECT closed FROM usage_mark"
# Held until the commit: no hour is closed while somebody still adds to it as to an open one.
_HOLD_MARK: Final = Statement({SQLITE: _CLOSED, POSTGRESQL: f"{_CLOSED} FOR SHARE"})


def count(tx: Transaction, calls: Iterable[CallEvent]) -> None:
    """Add calls to their hours, in the transaction that writes them down."""
    found = _added(calls)
    if not found:
        return
    closed = _hold_mark(tx)
    # In one order on every node: two that count the same wait for each other and never in a circle.
    keys = sorted(found)
    tx.run(_ADD, [(*key, int(key.hour < closed), *found[key]) for key in keys])
    # A row of a closed hour that is still to be folded takes these calls along; the sums of all others hear of them here.
    late = [key for key in keys if key.hour < closed and _is_folded(tx, key)]
    usage_sums.add(tx, ((key, found[key]) for key in late))


def _hold_mark(tx: Transaction) -> int:
    """Return the hour before which all are closed, and keep it so until this transaction ends."""
    row = tx.first(_HOLD_MARK)
    if row is None:
        tx.run(MAKE_MARK)
        row = tx.first(_HOLD_MARK)
    return 0 if row is None else int(row.closed)


def named(call: CallEvent) -> str:
    """Return the tool that was called; of anything else the method, since addresses of resources are without number."""
    return (call.name or "" if call.method == _CALL else call.method)[:_MOST]


def slot_of(duration_us: int) -> int:
    """Return the slot of a histogram that a duration belongs to."""
    return bisect_left(_BOUNDS_US, duration_us)


def counts_of(row: Row) -> Counts:
    """Return what a row says whose columns are named as in the tables."""
    calls, denied, failed, *took = (int(getattr(row, name) or 0) for name in NUMBERS)
    return Counts(calls, denied, failed, tuple(took))


def first_hour(now: Instant, days: int) -> int:
    """Return the hour with which so many days begin: 24 hours for one day, else whole days (UTC) with today."""
    hour = now // HOUR
    return hour - DAY_HOURS + 1 if days == 1 else hour - hour % DAY_HOURS - (days - 1) * DAY_HOURS


def _added(calls: Iterable[CallEvent]) -> dict[HourKey, list[int]]:
    """Return the ``NUMBERS`` of each row that these calls are counted in."""
    found: dict[HourKey, list[int]] = {}
    for call in calls:
        key = HourKey(
            call.tenant_id, call.at // HOUR, call.server_id, named(call), call.client_id or "", call.user_id,
            call.credential_id, call.credential,
        )  # fmt: skip
        numbers = found.get(key)
        if numbers is None:
            numbers = found[key] = [0] * len(NUMBERS)
        numbers[0] += 1
        if call.decision in _NOT_LET_THROUGH:
            numbers[1] += 1
        else:
            numbers[2] += call.decision == _FAILED
            numbers[3 + slot_of(call.duration_us)] += 1
    return found


def _is_folded(tx: Transaction, key: HourKey) -> bool:
    row = tx.first(_IS_FOLDED, key._asdict())
    return row is not None and bool(row.folded)

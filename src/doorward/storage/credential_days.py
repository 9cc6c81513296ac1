"""How much API keys and connections are used: messages by day, counted in batches (features C4, F1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorward.model import ApiKeyId, ConnectionId, Instant
from doorward.storage.database import Reader, Transaction
from doorward.storage.housekeeping import DAY
from doorward.storage.statements import Statement

MONTH: Final = 30
"""Days over which use is told."""
Counted = tuple[str, int, int, Instant]
"""Credential, day since the epoch, messages, the last one."""

_COUNT: Final = Statement(
    "INSERT INTO credential_days (credential_id, day, calls, last_at) VALUES (:id, :day, :calls, :last_at)"
    " ON CONFLICT (credential_id, day) DO UPDATE SET calls = credential_days.calls + excluded.calls,"
    " last_at = CASE WHEN excluded.last_at > credential_days.last_at THEN excluded.last_at"
    " ELSE credential_days.last_at END"
)
_USE: Final = Statement(
    "SELECT COALESCE(SUM(calls), 0) AS calls, MAX(last_at) AS last_at FROM credential_days"
    " WHERE credential_id = :id AND day > :since"
)


@dataclass(frozen=True, slots=True)
class Use:
    """Of one credential in the last ``MONTH`` days; ``last_at`` is None where there was none."""

    calls: int
    last_at: Instant | None


def count_calls(tx: Transaction, counts: Sequence[Counted]) -> None:
    """Add to what is counted. Changes no right."""
    if counts:
        # In one order on every node: two that count the same wait for each other and never in a circle.
        names = ("id", "day", "calls", "last_at")
        tx.run(_COUNT, [dict(zip(names, each, strict=True)) for each in sorted(counts)])


def use_of(reader: Reader, credential_id: ApiKeyId | ConnectionId, now: Instant) -> Use:
    """Return how much one credential was used."""
    row = reader.first(_USE, {"id": credential_id, "since": now // DAY - MONTH})
    return Use(0, None) if row is None else Use(int(row.calls), row.last_at)

"""Hours that are over are folded into the sums, a few rows at a time, and both are forgotten together.

First an hour is closed: a counting transaction holds the mark until its commit, so that none is under way that takes the
hour for open; from then on calls of that hour are added to the sums by whoever writes them down. Then its rows are folded.
Each row is taken by the statement that marks it, in the transaction that adds it to the sums: on however many nodes, and
wherever one of them dies, it is added once.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from doorward.model import SECOND, Instant
from doorward.storage import usage, usage_sums
from doorward.storage.database import Database, Reader, StorageUnavailable, Transaction
from doorward.storage.statements import Row, Statement
from doorward.storage.usage import HOUR
from doorward.storage.usage_sums import NUMBERS, HourKey

GRACE: Final = 60 * SECOND
"""An hour is closed so long after its end; the calls of a second are written in the next one."""
CHUNK: Final = 25
"""Rows in one transaction: some milliseconds."""
LOOK_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.02
"""Between two transactions, so that others have most of the time."""

_KEY: Final = HourKey._fields[:-1]
_OF_ROW: Final = " AND ".join(f"{name} = :{name}" for name in _KEY)
_COLUMNS: Final = ", ".join(HourKey._fields)
_CLOSE: Final = Statement("UPDATE usage_mark SET closed = :hour WHERE closed < :hour")
_ALL_FOLDED: Final = Statement("UPDATE usage_mark SET folded = :hour WHERE folded < :hour")
_FOLDED: Final = Statement("SELECT folded FROM usage_mark")
UNFOLDED: Final = Statement(
    f"SELECT {_COLUMNS} FROM usage_hours WHERE folded = 0 AND hour < :until ORDER BY hour LIMIT :most"  # noqa: S608  (constants)
)
_TAKE: Final = Statement(
    f"UPDATE usage_hours SET folded = 1 WHERE {_OF_ROW} AND folded = 0 RETURNING {', '.join(NUMBERS)}"  # noqa: S608
)
OLD: Final = Statement(
    f"SELECT {_COLUMNS} FROM usage_hours WHERE tenant_id IN (SELECT id FROM tenants) AND hour < :until"  # noqa: S608
    " LIMIT :most"
)
_FORGET: Final = Statement(f"DELETE FROM usage_hours WHERE {_OF_ROW}")  # noqa: S608

_log = structlog.get_logger("doorward.usage")


class Folding:
    """Folds what is over, from start to stop."""

    def __init__(self, database: Database, *, now: Callable[[], Instant]) -> None:
        self._database = database
        self._now = now

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await fold(self._database, self._now(), pause=PAUSE_SECONDS)
            except StorageUnavailable:
                _log.warning("usage not folded")
            except Exception as error:  # noqa: BLE001  (the next turn has to come)
                _log.error("usage not folded", kind=type(error).__name__)


async def fold(database: Database, now: Instant, *, pause: float = 0.0) -> int:
    """Close and fold the hours that are over; return how many rows that were. Raises ``StorageUnavailable``."""
    until = (now - GRACE) // HOUR
    if await database.read(folded_until) >= until:
        return 0
    await database.write(lambda tx: _close(tx, until))
    total = 0
    while keys := await database.read_long(lambda reader: _keys(reader, UNFOLDED, until)):
        total += await database.write(lambda tx: _fold(tx, keys))
        await asyncio.sleep(pause)
    await database.write(lambda tx: tx.run(_ALL_FOLDED, {"hour": until}))
    return total


def folded_until(reader: Reader) -> int:
    """Return the hour before which all is in the sums."""
    row = reader.first(_FOLDED)
    return 0 if row is None else int(row.folded)


async def forget(database: Database, until: int) -> tuple[int, int]:
    """Delete hours before ``until``, the beginning of a day, and all sums of them; return how many there were of each."""
    hours = sums = 0
    while keys := await database.read_long(lambda reader: _keys(reader, OLD, until)):
        forgotten = await database.write(lambda tx: _forget(tx, keys))
        hours, sums = hours + forgotten[0], sums + forgotten[1]
    return hours, sums


def _keys(reader: Reader, statement: Statement, until: int) -> list[HourKey]:
    # In one order on every node: two that take the same rows wait for each other and never in a circle.
    return sorted(_key(row) for row in reader.all(statement, {"until": until, "most": CHUNK}))


def _key(row: Row) -> HourKey:
    return HourKey(*(getattr(row, name) for name in HourKey._fields))


def _close(tx: Transaction, until: int) -> None:
    # Not held first: two nodes that both hold it would wait for each other to let go.
    tx.run(usage.MAKE_MARK)
    tx.run(_CLOSE, {"hour": until})


def _fold(tx: Transaction, keys: Sequence[HourKey]) -> int:
    taken: list[tuple[HourKey, list[int]]] = []
    for key in keys:
        row: Any = tx.first(_TAKE, key._asdict())
        if row is not None:
            taken.append((key, [int(getattr(row, name)) for name in NUMBERS]))
    usage_sums.add(tx, taken)
    return len(taken)


def _forget(tx: Transaction, keys: Sequence[HourKey]) -> tuple[int, int]:
    return tx.run(_FORGET, [key._asdict() for key in keys]), usage_sums.forget(tx, keys)

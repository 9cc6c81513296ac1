"""The sums into which hours of use are folded: by one side of a call, of all calls and of those with one value on another.

What a page asks stands together then: a month of one tool by person is some thousand rows next to each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from doorward.storage.database import Transaction
from doorward.storage.schema import SLOTS, usage_sums
from doorward.storage.statements import POSTGRESQL, SQLITE, Statement

DAY_HOURS: Final = 24
NUMBERS: Final = ("calls", "denied", "failed", *(f"took_{slot}" for slot in range(SLOTS)))
BY_HOUR: Final = "hour"
"""The side of the sums of all calls by hour and way; all others are by day."""
_KEY: Final = ("tenant_id", "side", "of", "kind", "value", "start")
Place = tuple[Any, ...]
"""Values of ``_KEY``."""


class Kind(StrEnum):
    """A side of a call, by which use is told."""

    WAY = "way"
    """With what: an OAuth token, an API key, …"""
    TOOL = "tool"
    CLIENT = "client"
    USER = "user"
    KEY = "key"
    """API keys only: a connection is told by its client."""


class HourKey(NamedTuple):
    """Which row of ``usage_hours``, in the order of its key, and what it was called with."""

    tenant_id: str
    hour: int
    server_id: str
    tool: str
    client_id: str
    user_id: str
    credential_id: str
    credential: str


def adding(table: str, key: Sequence[str], rest: Sequence[str] = ()) -> Statement:
    """Return the statement that adds numbers to a row, or makes it: ``key``, ``rest``, ``NUMBERS`` by place."""
    columns = (*key, *rest, *NUMBERS)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in NUMBERS)

    def text(mark: str) -> str:
        return (
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(mark for _ in columns)})"  # noqa: S608
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {added}"
        )

    return Statement({SQLITE: text("?"), POSTGRESQL: text("%s")})


_ADD: Final = adding(usage_sums.name, _KEY)
_FORGET: Final = Statement(
    f"DELETE FROM usage_sums WHERE {' AND '.join(f'{name} = :{name}' for name in _KEY)}"  # noqa: S608  (constants)
)


def add(tx: Transaction, rows: Iterable[tuple[HourKey, Sequence[int]]]) -> None:
    """Add what rows of hours say (``NUMBERS``) to every sum that they belong to."""
    found: dict[Place, Sequence[int]] = {}
    for key, numbers in rows:
        for place in places(key):
            kept = found.get(place)
            found[place] = numbers if kept is None else [mine + more for mine, more in zip(kept, numbers, strict=True)]
    if found:
        # In one order on every node: two that add to the same wait for each other and never in a circle.
        tx.run(_ADD, [(*place, *found[place]) for place in sorted(found)])


def forget(tx: Transaction, keys: Iterable[HourKey]) -> int:
    """Delete every sum that these hours belong to; return how many there were."""
    found = sorted({place for key in keys for place in places(key)})
    return tx.run(_FORGET, [dict(zip(_KEY, place, strict=True)) for place in found]) if found else 0


def places(key: HourKey) -> Iterator[Place]:
    """Yield the keys of all sums that an hour's row belongs to."""
    tenant_id, day, sides = key.tenant_id, key.hour - key.hour % DAY_HOURS, _sides(key)
    yield tenant_id, BY_HOUR, "", Kind.WAY.value, key.credential, key.hour
    for side, of in (("", ""), *sides):
        yield tenant_id, side, of, Kind.WAY.value, key.credential, day
        for kind, value in sides:
            if kind != side:
                yield tenant_id, side, of, kind, value, day


def _sides(key: HourKey) -> list[tuple[str, str]]:
    """Return the sides that a page can be asked about and ranks, each with its value."""
    sides = [(Kind.TOOL.value, key.tool), (Kind.USER.value, key.user_id)]
    if key.client_id:
        sides.append((Kind.CLIENT.value, key.client_id))
    if key.credential == "api_key":
        sides.append((Kind.KEY.value, key.credential_id))
    return sides

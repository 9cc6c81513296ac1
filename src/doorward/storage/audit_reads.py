"""Looking through what was written down: security events and calls, newest first, never all of them at once.

Neither table has an index for what people ask (one that is written at every call would cost more than it is worth), so
a look reads so many rows behind a place and says where it ended. Ids grow with time: a moment is found among them by
halving, and the sums of use tell in which hour somebody called at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from doorward.model import Instant, TenantId
from doorward.storage.database import Reader
from doorward.storage.statements import Row, Statement
from doorward.storage.usage import HOUR

CHANGES: Final = "audit_events"
CALLS: Final = "call_events"
LOOKED: Final = 2_500
"""Rows of one look."""
LOOKS: Final = 4
"""Looks for one page, at most."""
_OF_TENANT: Final = "tenant_id = :tenant_id AND "
END: Final = 1 << 62
"""Behind the newest row."""
_TEXT: Final = (
    "(LOWER(name) LIKE :text ESCAPE '\\' OR LOWER(subject) LIKE :text ESCAPE '\\' OR LOWER(detail) LIKE :text ESCAPE '\\'"
    " OR request_id = :exactly)"
)
_CALL_TEXT: Final = (
    "(LOWER(COALESCE(name, '')) LIKE :text ESCAPE '\\' OR LOWER(reason) LIKE :text ESCAPE '\\'"
    " OR LOWER(method) LIKE :text ESCAPE '\\' OR request_id = :exactly)"
)
_ADDRESS: Final = "address = :address"
_CONDITIONS: Final[Mapping[str, Mapping[str, str]]] = {
    CHANGES: {
        "since": "at >= :since",
        "until": "at < :until",
        "event": "name = :event",
        "group": "name LIKE :group",
        "user": "(actor_id = :user OR subject = :user OR subject = :email OR detail LIKE :user_like ESCAPE '\\')",
        "client": "(subject = :client OR detail LIKE :client_like ESCAPE '\\')",
        "key": "(subject = :key OR detail LIKE :key_like ESCAPE '\\')",
        "tool": "(subject = :tool OR detail LIKE :tool_like ESCAPE '\\')",
        "address": _ADDRESS,
        "text": _TEXT,
    },
    CALLS: {
        "since": "at >= :since",
        "until": "at < :until",
        "user": "user_id = :user",
        "client": "client_id = :client",
        "key": "credential_id = :key",
        "tool": "(name = :tool OR method = :tool)",
        "decision": "decision = :decision",
        "address": _ADDRESS,
        "text": _CALL_TEXT,
    },
}
_SUMS: Final = {"user": "user_id", "client": "client_id", "key": "credential_id"}
_FAST: Final = frozenset({"user", "key"})
"""Sides by which the sums of use have an index."""


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked for: conditions by name (those of ``_CONDITIONS``) with their values. No tenant: everywhere."""

    table: str
    tenant_id: TenantId | None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The conditions that hold."""
        return frozenset(self.values) & frozenset(_CONDITIONS[self.table])

    @property
    def whose(self) -> str:
        """The condition on the tenant."""
        return "" if self.tenant_id is None else _OF_TENANT

    @property
    def params(self) -> dict[str, object]:
        """What statements are given."""
        params: dict[str, object] = {"tenant_id": self.tenant_id}
        for name, value in self.values.items():
            params |= {name: value, f"{name}_like": f"%{escaped(value)}%"} if isinstance(value, str) else {name: value}
        if "group" in self.values:
            params["group"] = f"{self.values['group']}:%"
        if "text" in self.values:
            params |= {"text": f"%{escaped(str(self.values['text']).lower())}%", "exactly": self.values["text"]}
        return params


@dataclass(frozen=True, slots=True)
class Found:
    """Rows, newest first. ``further``: where to look on, None at the end; ``until``: how far back was looked."""

    rows: Sequence[Row]
    further: int | None
    until: Instant | None


def look(reader: Reader, looking: Looking, *, before: int = END, most: int = 50) -> Found:
    """Return the next ``most`` rows of what is looked for, or fewer where that would take too long."""
    rows: list[Row] = []
    until: Instant | None = None
    if "until" in looking.values:
        before = min(before, _id_at(reader, looking.table, looking.values["until"] + HOUR))
    for _ in range(LOOKS):
        before = _nearer(reader, looking, before)
        params = {**looking.params, "before": before, "look": LOOKED, "most": most + 1 - len(rows)}
        rows += reader.all(_look(looking.table, looking.names, looking.whose), params)
        if len(rows) > most:
            return Found(rows[:most], rows[most - 1].id, Instant(rows[most - 1].at))
        last = reader.first(_last(looking.table, looking.whose), {**params, "skip": LOOKED - 1})
        if last is None or last.at < looking.values.get("since", 0) - HOUR:
            return Found(rows, None, None)
        before, until = int(last.id), Instant(last.at)
    return Found(rows, before, until)


def following(
    reader: Reader, looking: Looking, *, after: int, until: int, most: int
) -> tuple[Sequence[Row], int | None]:
    """Return, oldest first, what is looked for among the next ``most`` rows; and the last id, None at the end."""
    params = {**looking.params, "after": after, "until_id": until, "most": most}
    last = reader.first(_last_following(looking.table, looking.whose), {**params, "skip": most - 1})
    rows = reader.all(_following(looking.table, looking.names, looking.whose), params)
    return rows, None if last is None else int(last.id)


def first_id(reader: Reader, looking: Looking) -> int:
    """Return the id behind which what is looked for begins."""
    since = looking.values.get("since")
    return 0 if since is None else max(0, _id_at(reader, looking.table, since - HOUR) - 1)


def newest_id(reader: Reader, table: str) -> int:
    """Return the highest id there is: an export ends there, however long it takes."""
    row = reader.first(_MAX[table])
    return 0 if row is None or row.id is None else int(row.id)


def escaped(text: str) -> str:
    """Return text in which LIKE takes every character for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _nearer(reader: Reader, looking: Looking, before: int) -> int:
    """Return a place behind which no row is missed: that of the last hour in which somebody of this kind called."""
    sides = {name: looking.values[name] for name in _SUMS if name in looking.names}
    if looking.tenant_id is None or looking.table != CALLS or not (_FAST & sides.keys()):
        return before
    newest = reader.first(_last(CALLS, _OF_TENANT), {"tenant_id": looking.tenant_id, "before": before, "skip": 0})
    if newest is None:
        return before
    hour = newest.at // HOUR + 1
    found = reader.first(_hour(frozenset(sides)), {**sides, "tenant_id": looking.tenant_id, "hour": hour})
    last = found.hour if found is not None and found.hour is not None else _first_counted(reader, looking.tenant_id)
    # A call is written when it ends: it may stand behind what began later.
    return before if last is None or last >= hour else min(before, _id_at(reader, CALLS, Instant((last + 2) * HOUR)))


def _first_counted(reader: Reader, tenant_id: TenantId) -> int | None:
    row = reader.first(_FIRST_HOUR, {"tenant_id": tenant_id})
    return None if row is None or row.hour is None else int(row.hour)


def _id_at(reader: Reader, table: str, moment: int) -> int:
    """Return the lowest id from which on rows are no older than ``moment``; ``END`` where none is."""
    low, high = 1, newest_id(reader, table) + 1
    found = END
    while low < high:
        middle = (low + high) // 2
        row = reader.first(_NEXT[table], {"id": middle})
        if row is None or row.at >= moment:
            found, high = (found if row is None else int(row.id)), middle
        else:
            low = int(row.id) + 1
    return found


def _where(table: str, names: frozenset[str]) -> str:
    return "".join(f" AND {_CONDITIONS[table][name]}" for name in sorted(names)) or ""


@lru_cache(maxsize=512)
def _look(table: str, names: frozenset[str], whose: str) -> Statement:
    return Statement(
        f"SELECT * FROM (SELECT * FROM {table} WHERE {whose}id < :before"  # noqa: S608  (constants)
        f" ORDER BY id DESC LIMIT :look) AS looked WHERE 1 = 1{_where(table, names)} ORDER BY id DESC LIMIT :most"
    )


@lru_cache(maxsize=512)
def _following(table: str, names: frozenset[str], whose: str) -> Statement:
    return Statement(
        f"SELECT * FROM (SELECT * FROM {table} WHERE {whose}id > :after AND id <= :until_id"  # noqa: S608
        f" ORDER BY id LIMIT :most) AS looked WHERE 1 = 1{_where(table, names)} ORDER BY id"
    )


@lru_cache(maxsize=4)
def _last(table: str, whose: str) -> Statement:
    return Statement(
        f"SELECT id, at FROM {table} WHERE {whose}id < :before"  # noqa: S608
        " ORDER BY id DESC LIMIT 1 OFFSET :skip"
    )


@lru_cache(maxsize=4)
def _last_following(table: str, whose: str) -> Statement:
    return Statement(
        f"SELECT id FROM {table} WHERE {whose}id > :after AND id <= :until_id"  # noqa: S608
        " ORDER BY id LIMIT 1 OFFSET :skip"
    )


@lru_cache(maxsize=32)
def _hour(sides: frozenset[str]) -> Statement:
    where = " AND ".join(f"{_SUMS[name]} = :{name}" for name in sorted(sides))
    return Statement(
        f"SELECT MAX(hour) AS hour FROM usage_hours WHERE tenant_id || '' = :tenant_id AND hour <= :hour AND {where}"  # noqa: S608
    )


_FIRST_HOUR: Final = Statement("SELECT MIN(hour) AS hour FROM usage_hours WHERE tenant_id = :tenant_id")
_MAX: Final = {table: Statement(f"SELECT MAX(id) AS id FROM {table}") for table in (CHANGES, CALLS)}  # noqa: S608
_NEXT: Final = {
    table: Statement(f"SELECT id, at FROM {table} WHERE id >= :id ORDER BY id LIMIT 1")  # noqa: S608
    for table in (CHANGES, CALLS)
}

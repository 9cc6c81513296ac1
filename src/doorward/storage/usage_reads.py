"""What pages, API and command tell of use: sums over hours and days, never the calls themselves.

Whole days, of all calls or of those with one value on one side, are read from the sums, and what is not folded yet from its
hours; in one statement, so that nothing is missing or told twice while it is folded. All else is read from the hours.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from doorward.model import Instant, TenantId, UserId
from doorward.storage.database import Reader
from doorward.storage.statements import Row, Statement
from doorward.storage.usage import Counts, counts_of
from doorward.storage.usage_folding import folded_until
from doorward.storage.usage_sums import BY_HOUR, NUMBERS, Kind

_COLUMNS: Final = {
    Kind.WAY: "credential",
    Kind.TOOL: "tool",
    Kind.CLIENT: "client_id",
    Kind.USER: "user_id",
    Kind.KEY: "credential_id",
}
_FILTERS: Final = ("tool", "client_id", "user_id", "credential_id")
_FOUND_BY_INDEX: Final = frozenset({"user_id", "credential_id"})
_SIDES: Final = {column: kind for kind, column in _COLUMNS.items() if kind is not Kind.WAY}
_NUMBERS: Final = ", ".join(NUMBERS)
_SUMS: Final = ", ".join(f"SUM({name}) AS {name}" for name in NUMBERS)
_ONLY: Final = {Kind.CLIENT: " AND client_id <> ''", Kind.KEY: " AND credential = 'api_key'"}
"""Of which hours a side can be told."""
PAGE: Final = 1000
"""Rows of an export that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What use is asked about, from ``since`` (hours since the epoch) on. ``None``: whatever it is."""

    tenant_id: TenantId
    since: int
    tool: str | None = None
    client_id: str | None = None
    user_id: UserId | None = None
    credential_id: str | None = None

    @property
    def given(self) -> frozenset[str]:
        """The columns that are asked for one value."""
        return frozenset(name for name in _FILTERS if getattr(self, name) is not None)

    @property
    def params(self) -> dict[str, object]:
        """What statements are given."""
        return {"tenant_id": self.tenant_id, "since": self.since} | {name: getattr(self, name) for name in self.given}


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a side, with its counts."""

    value: str
    counts: Counts


class _Folded(NamedTuple):
    """Where sums are: by which column a value is asked for (None: of all calls), and what statements are given."""

    column: str | None
    params: dict[str, object]


def over_time(reader: Reader, sides: Sides, *, step: int) -> list[tuple[int, str, Counts]]:
    """Return calls by ``(start, way)``; ``step`` is 1 or 24 hours, and ``since`` the beginning of one."""
    folded = _folded(reader, sides, by_hour=step == 1, ways=True)
    statement = _over_time(sides.given) if folded is None else _folded_over_time(folded.column)
    params = sides.params if folded is None else folded.params
    return [(int(row.start), row.value, counts_of(row)) for row in reader.all(statement, {**params, "step": step})]


def ranked(reader: Reader, sides: Sides, kind: Kind, *, most: int, by_hour: bool) -> tuple[list[Line], int]:
    """Return the values of a side that were called most, and how many there are.

    ``by_hour``: ``since`` is no beginning of a day, so that sums by day do not tell.
    """
    folded = _folded(reader, sides, by_hour=by_hour)
    statement = _ranked(sides.given, kind) if folded is None else _folded_ranked(folded.column, kind)
    params = sides.params if folded is None else folded.params
    rows = reader.all(statement, {**params, "most": most})
    return [Line(row.value, counts_of(row)) for row in rows], int(rows[0].known) if rows else 0


def _folded(reader: Reader, sides: Sides, *, by_hour: bool, ways: bool = False) -> _Folded | None:
    """Return where sums are that answer; None where only the hours do."""
    column = next(iter(sides.given), None)
    if by_hour and not (ways and column is None):
        return None
    if len(sides.given) > 1 or (sides.credential_id is not None and reader.first(_KEY, sides.params) is None):
        return None
    side, of = (BY_HOUR if by_hour else "", "") if column is None else (_SIDES[column].value, getattr(sides, column))
    # Before this hour everything is folded. It may have moved on when it is used: then less is looked at in vain.
    unfolded = max(folded_until(reader), sides.since)
    params = {"tenant_id": sides.tenant_id, "since": sides.since, "side": side, "of": of, "unfolded": unfolded}
    return _Folded(column, params)


def forced_again(reader: Reader, tenant_id: TenantId, user_id: UserId | None, since: Instant, now: Instant) -> int:
    """Return how many connections ended although nobody ended them: by their age, or because a used secret came again."""
    params = {"tenant_id": tenant_id, "user_id": user_id, "since": since, "now": now}
    row = reader.first(_FORCED if user_id is None else _FORCED_OF, params)
    return 0 if row is None else int(row.count)


def hours(reader: Reader, sides: Sides, after: tuple[object, ...] | None = None) -> list[Row]:
    """Return the next rows of ``usage_hours`` of a tenant behind the key ``after``, in the order of their keys."""
    key = after or (sides.since - 1, "", "", "", "", "")
    places = dict(zip(("hour", "server_id", "tool_", "client_id_", "user_id_", "credential_id_"), key, strict=True))
    return reader.all(_page(sides.given), {**sides.params, **places, "most": PAGE})


def key_of(row: Row) -> tuple[object, ...]:
    """Return where ``hours`` goes on after this row."""
    return row.hour, row.server_id, row.tool, row.client_id, row.user_id, row.credential_id


def _where(given: frozenset[str]) -> str:
    more = "".join(f" AND {name} = :{name}" for name in sorted(given))
    # SQLite would read all hours of a tenant rather than look one person's up: an expression takes that way from it.
    tenant = "tenant_id || ''" if given & _FOUND_BY_INDEX else "tenant_id"
    return f"{tenant} = :tenant_id AND hour >= :since{more}"


# Of each set of sides one statement, made when it is first asked for.
@lru_cache(maxsize=32)
def _over_time(given: frozenset[str]) -> Statement:
    return Statement(
        f"SELECT hour - hour % :step AS start, credential AS value, {_SUMS} FROM usage_hours"  # noqa: S608  (constants)
        f" WHERE {_where(given)} GROUP BY 1, 2 ORDER BY 1, 2"
    )


@lru_cache(maxsize=256)
def _ranked(given: frozenset[str], kind: Kind) -> Statement:
    column, where = _COLUMNS[kind], f"{_where(given)}{_ONLY.get(kind, '')}"
    return _of_the_most(
        f"SELECT {column} AS value, SUM(calls) AS calls FROM usage_hours WHERE {where} GROUP BY {column}",  # noqa: S608
        f"SELECT {column} AS value, {_NUMBERS} FROM usage_hours WHERE {where} AND {column} IN (SELECT value FROM top)",  # noqa: S608
    )


def _of_the_most(ranked: str, told: str) -> Statement:
    """Return the statement that chooses by few numbers and tells all of few: not the histograms of ten thousand."""
    return Statement(
        f"WITH top AS MATERIALIZED (SELECT value, COUNT(*) OVER () AS known FROM ({ranked}) AS parts"  # noqa: S608
        " GROUP BY value ORDER BY SUM(calls) DESC, value LIMIT :most)"
        f" SELECT value, (SELECT MAX(known) FROM top) AS known, {_SUMS} FROM ({told}) AS parts"
        " GROUP BY value ORDER BY SUM(calls) DESC, value"
    )


def _in_sums(kind: Kind, column: str | None) -> str:
    if column == _COLUMNS[kind]:
        # Of one tool by tool: that one, among all.
        of = "side = '' AND of = ''"
        return f"tenant_id = :tenant_id AND {of} AND kind = '{kind.value}' AND usage_sums.value = :of"
    return f"tenant_id = :tenant_id AND side = :side AND of = :of AND kind = '{kind.value}'"


def _not_yet(column: str | None) -> str:
    of = "" if column is None else f" AND {column} = :of"
    return f"tenant_id = :tenant_id AND hour >= :unfolded AND folded = 0{of}"


@lru_cache(maxsize=8)
def _folded_over_time(column: str | None) -> Statement:
    return Statement(
        f"SELECT start - start % :step AS start, value, {_SUMS} FROM ("  # noqa: S608
        f"SELECT start, value, {_NUMBERS} FROM usage_sums WHERE {_in_sums(Kind.WAY, column)} AND start >= :since"
        f" UNION ALL SELECT hour, credential, {_NUMBERS} FROM usage_hours WHERE {_not_yet(column)}"
        ") AS parts GROUP BY 1, 2 ORDER BY 1, 2"
    )


@lru_cache(maxsize=32)
def _folded_ranked(column: str | None, kind: Kind) -> Statement:
    told, few = _COLUMNS[kind], "IN (SELECT value FROM top)"
    sums, hours = f"{_in_sums(kind, column)} AND start >= :since", f"{_not_yet(column)}{_ONLY.get(kind, '')}"
    return _of_the_most(
        f"SELECT value, SUM(calls) AS calls FROM usage_sums WHERE {sums} GROUP BY value"  # noqa: S608
        f" UNION ALL SELECT {told}, calls FROM usage_hours WHERE {hours}",
        f"SELECT value, {_SUMS} FROM usage_sums WHERE {sums} AND usage_sums.value {few} GROUP BY value"  # noqa: S608
        f" UNION ALL SELECT {told}, {_NUMBERS} FROM usage_hours WHERE {hours} AND {told} {few}",
    )


@lru_cache(maxsize=32)
def _page(given: frozenset[str]) -> Statement:
    places = "(hour, server_id, tool, client_id, user_id, credential_id)"
    after = "(:hour, :server_id, :tool_, :client_id_, :user_id_, :credential_id_)"
    return Statement(
        f"SELECT * FROM usage_hours WHERE {_where(given)} AND {places} > {after}"  # noqa: S608
        " ORDER BY hour, server_id, tool, client_id, user_id, credential_id LIMIT :most"
    )


_KEY: Final = Statement("SELECT id FROM api_keys WHERE id = :credential_id AND tenant_id = :tenant_id")
_ENDED: Final = (
    "SELECT COUNT(*) AS count FROM connections WHERE tenant_id = :tenant_id AND activated_at IS NOT NULL"
    " AND ((revoked_at IS NULL AND expires_at >= :since AND expires_at <= :now)"
    " OR (revoked_at >= :since AND revoked_reason IN ('code replayed', 'refresh token replayed')))"
)
_FORCED: Final = Statement(_ENDED)
_FORCED_OF: Final = Statement(f"{_ENDED} AND user_id = :user_id")

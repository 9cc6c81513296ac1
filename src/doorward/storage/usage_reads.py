"""What pages, API and command tell of use: sums over hours and days, never the calls themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from doorward.model import Instant, TenantId, UserId
from doorward.storage.database import Reader
from doorward.storage.schema import SLOTS
from doorward.storage.statements import Row, Statement
from doorward.storage.usage import Counts, Kind, counts_of

_COLUMNS: Final = {
    Kind.WAY: "credential",
    Kind.TOOL: "tool",
    Kind.CLIENT: "client_id",
    Kind.USER: "user_id",
    Kind.KEY: "credential_id",
}
_FILTERS: Final = ("tool", "client_id", "user_id", "credential_id")
_FOUND_BY_INDEX: Final = frozenset({"user_id", "credential_id"})
_FEW: Final = "SUM(calls) AS calls, SUM(denied) AS denied, SUM(failed) AS failed"
_TOOK: Final = ", ".join(f"SUM(took_{slot}) AS took_{slot}" for slot in range(SLOTS))
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


def over_time(reader: Reader, sides: Sides, *, step: int) -> list[tuple[int, str, Counts]]:
    """Return calls by ``(start, way)``; ``step`` is 1 or 24 hours. Without histograms."""
    rows = reader.all(_over_time(sides.given), {**sides.params, "step": step})
    return [(int(row.start), row.value, Counts(int(row.calls), int(row.denied), int(row.failed))) for row in rows]


def in_all(reader: Reader, sides: Sides, *, until: int | None = None) -> Counts:
    """Return the sum of all, before the hour ``until`` where it is given."""
    row = reader.first(_in_all(sides.given), {**sides.params, "until": 1 << 40 if until is None else until})
    return Counts() if row is None else counts_of(row)


def ranked(reader: Reader, sides: Sides, kind: Kind, *, most: int, by_hour: bool) -> tuple[list[Line], int]:
    """Return the values of a side that were called most, and how many there are.

    ``by_hour``: ``since`` is no beginning of a day, so that sums by day do not tell.
    """
    alone = not sides.given and not by_hour
    params = {**sides.params, "most": most, "kind": kind.value}
    rows = reader.all(_ranked_alone() if alone else _ranked(sides.given, kind), params)
    if not alone:
        return [Line(row.value, counts_of(row)) for row in rows], int(rows[0].known) if rows else 0
    # The histograms of a few, not of the ten thousand that they were chosen from.
    lines = [Line(row.value, _alone(reader, params, row)) for row in rows]
    return lines, int(rows[0].known) if rows else 0


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


def _alone(reader: Reader, params: Mapping[str, object], row: Row) -> Counts:
    found = reader.first(_ONE, {**params, "value": row.value})
    return Counts() if found is None else counts_of(found)


def _where(given: frozenset[str]) -> str:
    more = "".join(f" AND {name} = :{name}" for name in sorted(given))
    # SQLite would read all hours of a tenant rather than look one person's up: an expression takes that way from it.
    tenant = "tenant_id || ''" if given & _FOUND_BY_INDEX else "tenant_id"
    return f"{tenant} = :tenant_id AND hour >= :since{more}"


# Of each set of sides one statement, made when it is first asked for.
@lru_cache(maxsize=32)
def _over_time(given: frozenset[str]) -> Statement:
    if not given:
        return Statement(
            f"SELECT start - start % :step AS start, value, {_FEW} FROM usage_sums"  # noqa: S608  (constants)
            " WHERE tenant_id = :tenant_id AND kind = 'way' AND start >= :since GROUP BY 1, 2 ORDER BY 1, 2"
        )
    return Statement(
        f"SELECT hour - hour % :step AS start, credential AS value, {_FEW} FROM usage_hours"  # noqa: S608
        f" WHERE {_where(given)} GROUP BY 1, 2 ORDER BY 1, 2"
    )


@lru_cache(maxsize=32)
def _in_all(given: frozenset[str]) -> Statement:
    if not given:
        return Statement(
            f"SELECT {_FEW}, {_TOOK} FROM usage_sums WHERE tenant_id = :tenant_id AND kind = 'way'"  # noqa: S608
            " AND start >= :since AND start < :until"
        )
    return Statement(f"SELECT {_FEW}, {_TOOK} FROM usage_hours WHERE {_where(given)} AND hour < :until")  # noqa: S608


@lru_cache(maxsize=256)
def _ranked(given: frozenset[str], kind: Kind) -> Statement:
    column = _COLUMNS[kind]
    only = {Kind.CLIENT: " AND client_id <> ''", Kind.KEY: " AND credential = 'api_key'"}.get(kind, "")
    return Statement(
        f"SELECT {column} AS value, {_FEW}, {_TOOK}, COUNT(*) OVER () AS known FROM usage_hours"  # noqa: S608
        f" WHERE {_where(given)}{only} GROUP BY {column} ORDER BY SUM(calls) DESC, {column} LIMIT :most"
    )


@lru_cache(maxsize=1)
def _ranked_alone() -> Statement:
    return Statement(
        "SELECT value, SUM(calls) AS calls, COUNT(*) OVER () AS known FROM usage_sums"
        " WHERE tenant_id = :tenant_id AND kind = :kind AND start >= :since"
        " GROUP BY value ORDER BY SUM(calls) DESC, value LIMIT :most"
    )


@lru_cache(maxsize=32)
def _page(given: frozenset[str]) -> Statement:
    places = "(hour, server_id, tool, client_id, user_id, credential_id)"
    after = "(:hour, :server_id, :tool_, :client_id_, :user_id_, :credential_id_)"
    return Statement(
        f"SELECT * FROM usage_hours WHERE {_where(given)} AND {places} > {after}"  # noqa: S608
        " ORDER BY hour, server_id, tool, client_id, user_id, credential_id LIMIT :most"
    )


_ONE: Final = Statement(
    f"SELECT {_FEW}, {_TOOK} FROM usage_sums WHERE tenant_id = :tenant_id AND kind = :kind AND value = :value"  # noqa: S608
    " AND start >= :since"
)
_ENDED: Final = (
    "SELECT COUNT(*) AS count FROM connections WHERE tenant_id = :tenant_id AND activated_at IS NOT NULL"
    " AND ((revoked_at IS NULL AND expires_at >= :since AND expires_at <= :now)"
    " OR (revoked_at >= :since AND revoked_reason IN ('code replayed', 'refresh token replayed')))"
)
_FORCED: Final = Statement(_ENDED)
_FORCED_OF: Final = Statement(f"{_ENDED} AND user_id = :user_id")

"""The use case behind the usage page, ``GET …/usage`` and ``doorward usage``: how much was called, by whom, how fast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from doorward.model import Instant, TenantId, UserId
from doorward.storage import usage_reads
from doorward.storage.database import Reader
from doorward.storage.housekeeping import USAGE_DAYS
from doorward.storage.usage import HOUR, Counts, first_hour
from doorward.storage.usage_reads import Line, Sides
from doorward.storage.usage_sums import DAY_HOURS, Kind
from doorward.watch.filters import Meant
from doorward.watch.names import Named, Names
from doorward.watch.times import to_the_second

RANGES: Final = (1, 7, 30, 90)
"""Days that may be asked for. One is the last 24 hours; more are whole days (UTC), today included."""
USUAL: Final = 30
TOP: Final = 6
ALL: Final = 100
_SIDES: Final[Mapping[Kind, str]] = MappingProxyType(
    {Kind.TOOL: "tool", Kind.CLIENT: "client_id", Kind.USER: "user_id", Kind.KEY: "credential_id"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked: ``days`` of ``RANGES``. ``whole``: the one side that is listed in full."""

    tenant_id: TenantId
    days: int = USUAL
    only: Meant = Meant()
    whole: Kind | None = None

    @property
    def step(self) -> int:
        """Hours of one point of the chart."""
        return 1 if self.days == 1 else DAY_HOURS

    def sides(self, now: Instant) -> Sides:
        """Return it as storage is asked."""
        only = self.only
        return Sides(
            tenant_id=self.tenant_id, since=first_hour(now, self.days), tool=only.tool, client_id=only.client_id,
            user_id=only.user_id, credential_id=only.key_id,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """An hour or a day, that begins at ``at``: the calls that were let through by way, and those that were denied."""

    at: Instant
    ways: Mapping[str, int]
    denied: int
    failed: int

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(self.ways.values()) + self.denied


@dataclass(frozen=True, slots=True)
class Ranked:
    """Who or what was called, or called, most. ``known``: how many there are in all."""

    kind: Kind
    lines: Sequence[tuple[Line, Named]]
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a page tells. ``before``: calls in as many days before, None where nothing is kept of them."""

    wanted: Wanted
    since: Instant
    until: Instant
    total: Counts
    before: int | None
    points: Sequence[Point]
    ranked: Mapping[Kind, Ranked]
    forced: int


def report(reader: Reader, wanted: Wanted, now: Instant) -> Report:
    """Return what was called. Whether the asker may see it is for the caller to say."""
    sides, names = wanted.sides(now), Names(reader, wanted.tenant_id)
    since = Instant(sides.since * HOUR)
    earlier, found = _over_time(reader, wanted, sides)
    return Report(
        wanted=wanted,
        since=since,
        until=now,
        total=sum((counts for ways in found.values() for counts in ways.values()), Counts()),
        before=earlier,
        points=_points(found, wanted, sides, now),
        ranked={kind: _ranked(reader, wanted, sides, kind, names) for kind in _listed(wanted)},
        forced=usage_reads.forced_again(reader, wanted.tenant_id, wanted.only.user_id, since, now),
    )


def mine(wanted: Wanted, user_id: UserId) -> Wanted:
    """Return the same, of one person only, whatever was asked."""
    return replace(wanted, only=replace(wanted.only, user_id=user_id))


def described(found: Report) -> dict[str, Any]:
    """Return the report as data: what ``--json`` prints and the API answers."""
    total = found.total
    return {
        "days": found.wanted.days,
        "since": to_the_second(found.since),
        "until": to_the_second(found.until),
        **_numbers(total),
        "calls_before": found.before,
        "forced_sign_ins": found.forced,
        "over_time": [
            {"at": to_the_second(point.at), "calls": point.calls, "by_way": dict(point.ways), "denied": point.denied, "failed": point.failed}
            for point in found.points
        ],
        **{
            f"by_{kind.value}": [
                {"id": line.value, "name": named.label, "detail": named.detail, **_numbers(line.counts)}
                for line, named in ranked.lines
            ]
            for kind, ranked in found.ranked.items()
        },
        "known": {kind.value: ranked.known for kind, ranked in found.ranked.items()},
    }  # fmt: skip


def _numbers(counts: Counts) -> dict[str, int | None]:
    return {
        "calls": counts.calls, "denied": counts.denied, "failed": counts.failed,
        "p50_ms_at_most": counts.below(0.5), "p95_ms_at_most": counts.below(0.95),
    }  # fmt: skip


def _listed(wanted: Wanted) -> Sequence[Kind]:
    """Return the sides that are listed: not those that one value was asked of."""
    if wanted.whole is not None:
        return [wanted.whole]
    given = wanted.sides(Instant(0)).given
    # Keys may be ten thousand: they are listed where they are asked for, and where it is one person's or tool's.
    kinds = [Kind.TOOL, Kind.CLIENT, Kind.USER, *([Kind.KEY] if given else [])]
    return [kind for kind in kinds if _SIDES[kind] not in given]


def _ranked(reader: Reader, wanted: Wanted, sides: Sides, kind: Kind, names: Names) -> Ranked:
    most = TOP if wanted.whole is None else ALL
    lines, known = usage_reads.ranked(reader, sides, kind, most=most, by_hour=wanted.days == 1)
    return Ranked(kind, [(line, _named(names, kind, line.value)) for line in lines], known)


def _named(names: Names, kind: Kind, value: str) -> Named:
    match kind:
        case Kind.USER:
            return names.user(value)
        case Kind.CLIENT:
            return names.client(value)
        case Kind.KEY:
            return names.key(value)
        case _:
            return Named(value)


def _over_time(reader: Reader, wanted: Wanted, sides: Sides) -> tuple[int | None, dict[int, dict[str, Counts]]]:
    """Return how many calls were in as many days before, where that is kept, and the counts by start and way."""
    told = 2 * wanted.days <= USAGE_DAYS
    earlier = replace(sides, since=sides.since - wanted.days * DAY_HOURS) if told else sides
    before, found = 0, dict[int, dict[str, Counts]]()
    for start, way, counts in usage_reads.over_time(reader, earlier, step=wanted.step):
        if start < sides.since:
            before += counts.calls
        else:
            found.setdefault(start, {})[way] = counts
    return before if told else None, found


def _points(found: Mapping[int, Mapping[str, Counts]], wanted: Wanted, sides: Sides, now: Instant) -> list[Point]:
    """Return every hour or day of the range, also those in which there was nothing."""
    starts = range(sides.since, now // HOUR + 1, wanted.step)
    return [_point(start, found.get(start, {})) for start in starts]


def _point(start: int, ways: Mapping[str, Counts]) -> Point:
    through = {way: counts.calls - counts.denied for way, counts in sorted(ways.items())}
    denied, failed = (sum(getattr(each, name) for each in ways.values()) for name in ("denied", "failed"))
    return Point(Instant(start * HOUR), through, denied, failed)

"""A chart of use as bars: SVG that needs no script, whose numbers are those of the table below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from doorward.watch.usage import Point

WIDTH: Final = 600
HEIGHT: Final = 180
LINES: Final = 3
"""Lines of the grid above zero."""
_GAP: Final = 0.3
_MARKS: Final = 4
_OAUTH: Final = "access_token"


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle; ``series`` is its class."""

    series: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour or day: its parts from below, and what stands in the table."""

    point: Point
    oauth: int
    others: int
    parts: Sequence[Part]
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """``scale``: the words of the axis, from above."""

    bars: Sequence[Bar]
    scale: Sequence[int]

    @property
    def highest(self) -> Bar:
        """The bar of the most calls."""
        return max(self.bars, key=lambda bar: bar.point.calls)

    @property
    def marks(self) -> Sequence[Bar]:
        """A handful of bars whose moments stand below the chart, at equal distances."""
        last = len(self.bars) - 1
        return [self.bars[round(last * place / _MARKS)] for place in range(_MARKS + 1)] if last >= _MARKS else self.bars


def drawn(points: Sequence[Point]) -> Chart:
    """Return the chart of points, of which there is at least one."""
    top = _step(max(point.calls for point in points)) * LINES
    each = WIDTH / len(points)
    bars = [_bar(point, place * each, each, top) for place, point in enumerate(points)]
    return Chart(bars, [top - top // LINES * line for line in range(LINES + 1)])


def _bar(point: Point, left: float, each: float, top: int) -> Bar:
    oauth, others = point.ways.get(_OAUTH, 0), _others(point.ways)
    x, width = round(left + each * _GAP / 2, 1), round(each * (1 - _GAP), 1)
    parts, y = [], float(HEIGHT)
    for series, count in (("s1", oauth), ("s2", others), ("sd", point.denied)):
        height = count / top * HEIGHT
        y -= height
        if count:
            parts.append(Part(series, x, round(y, 1), width, round(height, 1)))
    return Bar(point, oauth, others, parts, x, width)


def _others(ways: Mapping[str, int]) -> int:
    return sum(count for way, count in ways.items() if way != _OAUTH)


def _step(most: int) -> int:
    """Return the distance of the lines: the first of 1, 2, 5, 10, 20, 50, … with which the highest bar fits."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * LINES >= most:
                return step
        power *= 10

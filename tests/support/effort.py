"""What an answer costs, counted: where a shared machine's clock says little, equal work says that nothing is told by time."""

import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def statements(database: Any) -> Iterator[list[str]]:
    """Yield the statements that are run on a SQLite database meanwhile, without their values."""
    found: list[str] = []
    holders = (database, database._writer)
    connections = {each for held in holders for each in vars(held).values() if isinstance(each, sqlite3.Connection)}
    for each in connections:
        # The text of a trace has the values in it, which differ: what is read and written where does not.
        each.set_trace_callback(lambda text: found.append(" ".join(text.split()[:4])))
    try:
        yield found
    finally:
        for each in connections:
            each.set_trace_callback(None)


async def ratio(one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]], rounds: int = 15) -> float:
    """Return by how much the medians of two ways differ: 1 for not at all. They take turns, so that both wait alike."""
    took: list[tuple[float, float]] = []
    for _ in range(rounds):
        pair = []
        for way in (one, other):
            began = time.perf_counter()
            await way()
            pair.append(time.perf_counter() - began)
        took.append((pair[0], pair[1]))
    first, second = statistics.median(a for a, _ in took), statistics.median(b for _, b in took)
    return max(first, second) / min(first, second)

"""How often something may happen, per key and minute. In memory: each node has budgets of its own."""

from collections.abc import Callable
from typing import Final

from doorward.model import SECOND, Instant

MINUTE: Final = 60 * SECOND
MAX_KEYS: Final = 10_000


class Budget:
    """At most ``limit`` times per key in a window of one minute, and a bounded number of keys at once."""

    def __init__(self, limit: int, *, now: Callable[[], Instant]) -> None:
        self._limit, self._now = limit, now
        self._window = -1
        self._spent: dict[str, int] = {}

    def spend(self, key: str) -> bool:
        """Take one for ``key``; False where nothing is left."""
        window = self._now() // MINUTE
        if window != self._window:
            self._window = window
            self._spent.clear()
        spent = self._spent.get(key, 0)
        if spent >= self._limit or (spent == 0 and len(self._spent) >= MAX_KEYS):
            return False
        self._spent[key] = spent + 1
        return True

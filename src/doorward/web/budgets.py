"""How often something may happen that costs us, in the memory of this process: each node has budgets of its own.

``MinuteBudget`` says yes or no. ``AddressBudget`` also says how long to wait (security E8, H4): moving windows of the
``limits`` library, which a restart forgets. Two things of its memory storage (5.8.0) show through. It reads the wall clock itself: ``now`` has to be
that clock, and only measures how long is left. And it never drops a key: past ``MAX_ADDRESSES`` we begin with an empty
one, so who has that many addresses gains nothing that so many addresses had not given anyway.
"""

from collections.abc import Callable
from typing import Final

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from doorward.model import SECOND, Instant

MAX_ADDRESSES: Final = 2000
"""Also what bounds the library's own sweep, a thread that runs for 2 ms after a use at this size."""
MINUTE: Final = 60 * SECOND
MAX_KEYS: Final = 10_000
_ALL: Final = "all"


class MinuteBudget:
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


class AddressBudget:
    """So many per address in a minute and in an hour, and as many from all addresses as ``…_from_all`` say."""

    def __init__(
        self,
        *,
        per_minute: int,
        per_hour: int,
        per_minute_from_all: int | None = None,
        per_hour_from_all: int | None = None,
        now: Callable[[], Instant],
    ) -> None:
        self._now = now
        self._of_one: tuple[RateLimitItem, ...] = (RateLimitItemPerMinute(per_minute), RateLimitItemPerHour(per_hour))
        self._of_all: tuple[RateLimitItem, ...] = (
            *(() if per_minute_from_all is None else (RateLimitItemPerMinute(per_minute_from_all),)),
            *(() if per_hour_from_all is None else (RateLimitItemPerHour(per_hour_from_all),)),
        )
        self._ones, self._all = MovingWindowRateLimiter(MemoryStorage()), MovingWindowRateLimiter(MemoryStorage())
        self._addresses: set[str] = set()

    def wait(self, address: str) -> int:
        """Return the seconds after which ``address`` may spend one; 0: now. Spends nothing."""
        return max(
            *(self._left(self._ones, item, address) for item in self._of_one),
            *(self._left(self._all, item, _ALL) for item in self._of_all),
        )

    def spend(self, address: str) -> None:
        """Count one for ``address``."""
        if address not in self._addresses and len(self._addresses) >= MAX_ADDRESSES:
            self._ones, self._addresses = MovingWindowRateLimiter(MemoryStorage()), set()
        self._addresses.add(address)
        for item in self._of_one:
            self._ones.hit(item, address)
        for item in self._of_all:
            self._all.hit(item, _ALL)

    def _left(self, limiter: MovingWindowRateLimiter, item: RateLimitItem, key: str) -> int:
        if limiter.test(item, key):
            return 0
        until = limiter.get_window_stats(item, key).reset_time
        return max(1, -int(-(until - self._now() / SECOND) // 1))

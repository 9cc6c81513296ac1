"""How often one address, and all together, may do what costs us something (security E8, H4).

Moving windows of the ``limits`` library, in the memory of this process: each node has budgets of its own, and a restart
forgets them. Two things of its memory storage (5.8.0) show through. It reads the wall clock itself: ``now`` has to be
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
_ALL: Final = "all"


class Budget:
    """So many per address in a minute and in an hour and, with ``per_hour_from_all``, from all addresses in an hour."""

    def __init__(
        self, *, per_minute: int, per_hour: int, per_hour_from_all: int | None = None, now: Callable[[], Instant]
    ) -> None:
        self._now = now
        self._of_one = (RateLimitItemPerMinute(per_minute), RateLimitItemPerHour(per_hour))
        self._of_all = () if per_hour_from_all is None else (RateLimitItemPerHour(per_hour_from_all),)
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

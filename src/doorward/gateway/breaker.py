"""A circuit breaker for each upstream: where no connection can be made, the next callers are told so at once.

Only failures to connect count. A call that an upstream ends badly, or takes too long over, may be the doing of one
caller, who must not take the server from the others.
"""

from typing import Final

import structlog

from doorward.gateway.http_connection import UpstreamError, UpstreamFailure

FAILURES: Final = 5
"""In a row, before nothing is tried for a while."""
RESTS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until one connection is tried again, each time that one failed."""

_log = structlog.get_logger("doorward.gateway")


class Breaker:
    """``now`` is the loop's time everywhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether connections failed so often that they are only tried now and then."""
        return self._failures >= FAILURES

    def check(self, now: float) -> None:
        """Say that a connection will be tried. Raises ``UpstreamFailure`` where it is not to be."""
        if self._failures < FAILURES:
            return
        if self._probing or now < self._until:
            wait = max(self._until - now, 1.0)
            raise UpstreamFailure(UpstreamError.RESTING, "not reachable; tried again in a moment", retry_after=wait)
        self._probing = True

    def connected(self) -> None:
        """A connection was made: all is well."""
        if self._failures >= FAILURES:
            _log.info("an upstream is reachable again", upstream=self._name)
        self._failures = 0
        self._probing = False

    def failed(self, now: float) -> None:
        """No connection could be made."""
        self._failures += 1
        self._probing = False
        if self._failures >= FAILURES:
            rest = RESTS[min(self._failures - FAILURES, len(RESTS) - 1)]
            self._until = now + rest
            _log.warning("an upstream is not reachable", upstream=self._name, rest=rest)

    def left(self) -> None:
        """Whoever tried does not wait for the outcome."""
        self._probing = False

"""Looking names up, for whoever judges the addresses before anything is sent there (security F4).

Look-ups cannot be interrupted, so each has a thread of its own, and only so many may hang at a time.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

MAX_LOOKUPS: Final = 16

Resolver = Callable[[str, int], Sequence[str]]
"""Host name and port to addresses; blocks. Raises ``OSError``."""


class TooManyLookups(Exception):  # noqa: N818  (a state of ours)
    """All threads hang in a look-up; nothing was asked."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver; each address once, in its order (RFC 6724)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Lookups:
    """Belongs to one event loop."""

    def __init__(self, resolver: Resolver = resolve, *, most: int = MAX_LOOKUPS) -> None:
        self._resolver, self._most = resolver, most
        self._running = 0

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name. Raises ``OSError``, ``ValueError`` and ``TooManyLookups``."""
        if self._running >= self._most:
            raise TooManyLookups(f"{self._most} name look-ups hang")
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Sequence[str] | Exception] = loop.create_future()

        def settle(outcome: Sequence[str] | Exception) -> None:
            self._running -= 1
            if not answered.done():
                answered.set_result(outcome)

        def look() -> None:
            try:
                outcome: Sequence[str] | Exception = self._resolver(host, port)
            except (OSError, ValueError) as wrong:
                outcome = wrong
            with suppress(RuntimeError):  # the loop is gone: nobody waits
                loop.call_soon_threadsafe(settle, outcome)

        self._running += 1
        # A thread of its own, not a pool's: one that hangs must hold up neither other work nor the end of the program.
        threading.Thread(target=look, name="doorward-resolve", daemon=True).start()
        outcome = await answered
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

"""An exchange straight on the client's connection: a small POST that came whole, answered in one write.

What ASGI costs each request (a scope, a cycle, two events, a task and its wake-ups) is more than the whole decision.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol

from typing_extensions import override

from doorward.gateway.exchange import NOSNIFF, PLAIN, Departed, Exchange, Header, too_large
from doorward.stepping import Run

_UNWRITABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_REASONS: Final[Mapping[int, bytes]] = {status.value: status.phrase.encode() for status in HTTPStatus}


class Wire(Protocol):
    """The client's connection, as far as an answer needs it."""

    def write(self, data: bytes) -> None:
        """Send bytes; ignored where the client has left."""

    async def drain(self) -> None:
        """Return when the client reads, or has left."""

    def answered(self) -> None:
        """Take note that the answer is complete."""

    def broken_off(self) -> None:
        """Close: the answer will never be complete."""

    def common_headers(self) -> bytes:
        """Return the lines that every answer of this connection has now: date, and what ends the connection."""


class DirectExchange(Exchange):
    """See ``Exchange``. ``whole`` is the body; ``leave`` is called where the client closes its connection first."""

    __slots__ = ("_complete", "_departed", "_gone", "_whole", "_wire", "run")

    def __init__(
        self, wire: Wire, *, path: str, headers: Sequence[Header], whole: bytes, client: str | None, request_id: str
    ) -> None:
        super().__init__(method="POST", path=path, headers=headers, client=client, request_id=request_id)
        self._wire = wire
        self._whole = whole
        self._complete = self._gone = False
        self._departed: asyncio.Event | None = None
        self.run: Run | None = None

    def leave(self) -> None:
        """End what waits for the upstream: nobody waits for it any more."""
        self._gone = True
        if self._departed is not None:
            self._departed.set()
        if self.run is not None:
            self.run.end(Departed(), cancel=not self.started)

    def finish(self) -> None:
        """Break an answer off that was begun and not ended, so that the client does not wait for the rest."""
        if not self._complete:
            self._wire.broken_off()

    @override
    async def body(self, limit: int) -> bytes:
        """See ``Exchange``."""
        if len(self._whole) > limit:
            raise too_large(limit)
        return self._whole

    @override
    async def departure(self) -> None:
        """See ``Exchange``."""
        if not self._gone:
            self._departed = self._departed or asyncio.Event()
            await self._departed.wait()

    @override
    def interrupt(self, error: Exception) -> None:
        """See ``Exchange``."""
        if self.run is not None:
            self.run.end(error, cancel=True)

    @override
    async def answer(self, status: int, body: bytes, headers: Sequence[Header] = PLAIN) -> None:
        """See ``Exchange``."""
        self.started = True
        self.status = status
        self._wire.write(b"%bcontent-length: %d\r\n\r\n%b" % (self._head(status, headers), len(body), body))
        self._complete = True
        self._wire.answered()

    @override
    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """See ``Exchange``."""
        self.started = True
        self.status = status
        self._wire.write(self._head(status, headers) + b"transfer-encoding: chunked\r\n\r\n")

    @override
    async def piece(self, data: bytes) -> None:
        """See ``Exchange``."""
        await self._wire.drain()
        if data:
            self._wire.write(b"%x\r\n%b\r\n" % (len(data), data))

    @override
    async def end(self) -> None:
        """See ``Exchange``."""
        self._wire.write(b"0\r\n\r\n")
        self._complete = True
        self._wire.answered()

    def _head(self, status: int, headers: Sequence[Header]) -> bytes:
        more = b"" if len(self.shared) == _ALWAYS else _lines(tuple(self.shared[_ALWAYS:]))
        start, request_id = _start(status, tuple(headers)), self.request_id.encode()
        return b"%bx-request-id: %b\r\n%b%b" % (start, request_id, self._wire.common_headers(), more)


_ALWAYS: Final = 2
"""How many of ``shared`` every exchange has: ``NOSNIFF`` and the request's id."""


@lru_cache(maxsize=256)
def _start(status: int, headers: tuple[Header, ...]) -> bytes:
    line = b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))
    return line + _lines((*headers, NOSNIFF))


def _lines(headers: tuple[Header, ...]) -> bytes:
    """Return header lines. Raises ``ValueError`` for a value that would not stay one header (L12)."""
    if any(_UNWRITABLE(value) for _, value in headers):
        message = "a header holds a control character"
        raise ValueError(message)
    return b"".join(b"%b: %b\r\n" % header for header in headers)

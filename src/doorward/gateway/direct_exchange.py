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

from doorward.gateway.exchange import NOSNIFF, PLAIN, Departed, Exchange, too_large
from doorward.gateway.head import Head, Header
from doorward.stepping import Run

_OK: Final = 200
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

    whole: bytes
    gone: bool = False
    """Whether the client has left."""
    run: Run | None = None
    """None until it is begun."""
    _complete: bool = False
    _departed: asyncio.Event | None = None

    def __init__(self, wire: Wire, head: Head, whole: bytes, client: str | None, request_id: str) -> None:
        super().__init__("POST", head, client, request_id)
        self._wire = wire
        self.whole = whole

    def leave(self) -> None:
        """End what waits for the upstream: nobody waits for it any more."""
        self.gone = True
        if self._departed is not None:
            self._departed.set()
        if self.run is not None:
            self.run.end(Departed(), cancel=not self.started)

    @override
    def finish(self) -> None:
        """Break an answer off that was begun and not ended, so that the client does not wait for the rest."""
        if not self._complete:
            self._wire.broken_off()

    @override
    async def body(self, limit: int) -> bytes:
        """See ``Exchange``."""
        if len(self.whole) > limit:
            raise too_large(limit)
        return self.whole

    @override
    async def departure(self) -> None:
        """See ``Exchange``."""
        if not self.gone:
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
        self._wire.write(b"".join((*self._start(status, headers), b"content-length: %d\r\n\r\n" % len(body), body)))
        self._complete = True
        self._wire.answered()

    @override
    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """See ``Exchange``."""
        self.started = True
        self.status = status
        self._wire.write(b"".join((*self._start(status, headers), b"transfer-encoding: chunked\r\n\r\n")))

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

    def _start(self, status: int, headers: Sequence[Header]) -> tuple[bytes, ...]:
        more = _lines(self.shared) if self.shared else b""
        start = _PLAIN_OK if headers is PLAIN and status == _OK else _start(status, tuple(headers))
        return start, b"x-request-id: ", self.request_id.encode(), b"\r\n", self._wire.common_headers(), more


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


_PLAIN_OK: Final = _start(_OK, PLAIN)

"""One upstream connection: one request at a time, its answer parsed by httptools, read no faster than it is used."""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Final, Protocol, cast

import httptools

from doorward.gateway.answer_heads import KnownHead, KnownHeads
from doorward.stepping import Waiter

HIGH_WATER: Final = 256 * 1024
"""Bytes of a stream that may wait for their reader before the upstream is made to wait."""
MAX_HEADER_BYTES: Final = 64 * 1024
_NO_BODY: Final = frozenset({204, 304})


class UpstreamError(Enum):
    """What went wrong, coarsely."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    RESTING = "resting"
    CREDENTIAL = "credential"
    NOT_LINKED = "not_linked"
    NOT_THEIR_OWN = "not_their_own"
    RENEWING = "renewing"
    RENEWED = "renewed"
    CLIENT_REFUSED = "client_refused"


class UpstreamFailure(Exception):  # noqa: N818  (what happened to a request)
    """No usable answer. ``reason`` is private. ``untouched``: a reused connection was closed without any byte."""

    def __init__(self, kind: UpstreamError, reason: str, *, untouched: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.untouched = untouched
        self.retry_after = retry_after
        """Seconds after which it may be tried again; 0 where that is not known."""


Origin = tuple[str, int, bool, str]
"""Host, port, whether by TLS, and whose connections they are: '' for those of the gateway itself."""


class Owner(Protocol):
    """The pool, as a connection sees it."""

    def released(self, connection: "Connection", *, reusable: bool) -> None:
        """Take a connection back after a complete answer."""

    def lost(self, connection: "Connection") -> None:
        """Forget a closed connection."""


class Source(Protocol):
    """Where an open stream comes from."""

    async def chunk(self, answer: "Answer") -> bytes:
        """Return the next piece; empty at the end. Raises ``UpstreamFailure``."""

    def leave(self, answer: "Answer") -> None:
        """Stop reading."""


class Answer:
    """An upstream's answer. ``headers`` are lower case, repeated ones keep their first value.

    ``body`` is whole, unless ``streaming``: then ``chunk()`` gives the pieces, and ``close()`` must be called by whoever
    stops reading before the end.
    """

    __slots__ = ("_connection", "body", "headers", "ordinary", "status", "streaming")

    def __init__(
        self,
        status: int,
        headers: Mapping[bytes, bytes],
        body: bytes,
        connection: Source | None,
        *,
        ordinary: bool = False,
    ) -> None:
        self.ordinary = ordinary
        """Whether it is known to be a 200 in JSON, as it is."""
        self.status = status
        self.headers = headers
        self.body = body
        self.streaming = connection is not None
        self._connection = connection

    async def chunk(self) -> bytes:
        """Return the next piece of an open stream; empty at its end. Raises ``UpstreamFailure``."""
        return await self._connection.chunk(self) if self._connection is not None else b""

    def close(self) -> None:
        """Leave the stream: the upstream connection is closed, which tells the upstream to stop (2026-07-28)."""
        if self._connection is not None:
            self._connection.leave(self)


class Connection:
    """See the module. Not for use outside ``http_pool``. An ``asyncio.Protocol`` by its methods."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, pool: Owner, origin: Origin, body_limit: int, heads: KnownHeads
    ) -> None:
        self.origin = origin
        self.since = loop.time()
        """When it last became idle, or last made progress."""
        self._loop = loop
        self._pool = pool
        self._body_limit = body_limit
        self._heads = heads
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: Waiter[Answer] | None = None
        self._answer: Answer | None = None
        self._wake: asyncio.Future[None] | None = None
        self._exchanges = 0
        self._parsed = False
        """Whether the parser was used since the last ``_reset``."""
        self._reset()

    def _reset(self) -> None:
        self._parsed = False
        self._headers: dict[bytes, bytes] = {}
        self._header_bytes = 0
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._began = False
        self._framed = False
        self._stream = False
        self._complete = False
        self._reusable = False
        self._paused = False
        self._whole: Answer | None = None
        self._failure: UpstreamFailure | None = None

    @property
    def usable(self) -> bool:
        """Whether it is open and quiet."""
        return self._transport is not None and not self._transport.is_closing() and self._waiter is None

    def send(self, request: bytes) -> "Waiter[Answer]":
        """Send ``request``; return where to wait until the answer is whole, or a stream has begun.

        Raises ``UpstreamFailure``, as waiting does. Who is interrupted there by anything else calls ``left``.
        """
        if self._parsed:
            self._reset()
        self._exchanges += 1
        self.since = self._loop.time()
        if self._transport is None or self._transport.is_closing():
            raise UpstreamFailure(UpstreamError.UNREACHABLE, "closed before the request", untouched=True)
        waiter: Waiter[Answer] = Waiter(self._loop)
        self._waiter = waiter
        self._transport.write(request)
        return waiter

    def left(self, waiter: "Waiter[Answer]") -> None:
        """Forget a request: nobody waits for its answer any more."""
        # It may have come in the same loop turn: then a whole one has given the connection back already, and
        # somebody else may be using it.
        if self._waiter is waiter:
            self._waiter = None
            self.abort()
        elif (answer := waiter.answered()) is not None:
            self.leave(answer)

    async def chunk(self, answer: Answer) -> bytes:
        """Return what has arrived of ``answer``, waiting for at least a byte; empty at the end."""
        while True:
            if self._answer is not answer:
                return b""
            if self._pieces:
                data = b"".join(self._pieces)
                self._pieces.clear()
                self._size = 0
                self._resume()
                return data
            if self._failure is not None:
                raise self._failure
            if self._complete:
                self._finish(answer)
                return b""
            self._wake = self._loop.create_future()
            try:
                await self._wake
            finally:
                self._wake = None

    def leave(self, answer: Answer) -> None:
        """Stop reading ``answer``; a stream that is not at its end costs its connection."""
        if self._answer is answer:
            self._answer = None
            self.abort()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def check_deadline(self, now: float, first_byte: float, idle: float) -> None:
        """Fail an exchange that has made no progress for too long."""
        if now - self.since > (idle if self._began else first_byte) and not self._paused:
            self._fail(UpstreamFailure(UpstreamError.TIMEOUT, "no byte for too long"))
            self._hand_over()

    # asyncio calls these.

    def eof_received(self) -> bool:
        """Close our half as well."""
        return False

    def pause_writing(self) -> None:
        """Do nothing: requests are small and written at once."""

    def resume_writing(self) -> None:
        """Do nothing, as above."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the class.

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self.since = self._loop.time()
        if self._waiter is None and self._answer is None:
            self.abort()  # Bytes nobody asked for: response splitting or a confused server.
            return
        if not self._began and self._came_before(data):
            return
        first, self._began, self._parsed = not self._began, True, True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(UpstreamFailure(UpstreamError.PROTOCOL, "switched protocols"))
        except httptools.HttpParserError as wrong:
            self._fail(UpstreamFailure(UpstreamError.PROTOCOL, f"not HTTP/1.1: {wrong}"))
        if first and self._whole is not None and self._reusable:
            self._remember(data, self._whole)
        self._hand_over()

    def _came_before(self, data: bytes) -> bool:
        """Hand over a whole answer whose head came before, byte for byte: the parser would make the same of it again."""
        end = data.find(b"\r\n\r\n") + 4
        known, waiter = self._heads.find(data[:end]), self._waiter
        if known is None or waiter is None or len(data) - end != known.length:
            return False
        self._waiter = None
        self._pool.released(self, reusable=True)
        waiter.answer(Answer(known.status, known.headers, data[end:], None, ordinary=known.ordinary))
        return True

    def _remember(self, data: bytes, answer: Answer) -> None:
        """Keep the head of an answer of known length that came in one piece, with nothing before or after."""
        end = data.find(b"\r\n\r\n") + 4
        length = answer.headers.get(b"content-length", b"")
        alone = b"transfer-encoding" not in answer.headers and answer.body == data[end:]
        if alone and length == b"%d" % len(answer.body) and data.startswith(b"HTTP/1.1 "):
            self._heads.keep(data[:end], KnownHead(answer.status, answer.headers, len(answer.body)))

    def connection_lost(self, _exc: Exception | None) -> None:
        """End what was under way."""
        self._pool.lost(self)
        if self._began and not self._framed and self._headers and not self._complete:
            self.on_message_complete()  # RFC 9112 section 6.3: neither length nor chunks, so it ends with the connection.
        untouched = not self._began and self._exchanges > 1
        self._fail(UpstreamFailure(UpstreamError.UNREACHABLE, "closed before the end", untouched=untouched))
        self._hand_over()

    # httptools calls these.

    def on_message_begin(self) -> None:
        """Refuse an answer after the answer: nobody asked for it, so the next caller must not get it."""
        if self._complete:
            self._reusable = False
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._fail(UpstreamFailure(UpstreamError.TOO_LARGE, "header section over 64 KiB"))
        name = name.lower()
        self._framed = self._framed or name in {b"content-length", b"transfer-encoding"}
        self._headers.setdefault(name, value)

    def on_headers_complete(self) -> None:
        """Hand an event stream over at its beginning."""
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004  (RFC 9110 section 15.2: interim, the answer follows)
            self._headers = {}
            return
        self._framed = self._framed or status in _NO_BODY
        kind = self._headers.get(b"content-type", b"")
        self._stream = kind.lower().startswith(b"text/event-stream")
        if self._stream and self._waiter is not None:
            self._answer = Answer(status, self._headers, b"", self)

    def on_body(self, data: bytes) -> None:
        """Keep a piece; make the upstream wait where the reader is behind."""
        self._pieces.append(data)
        self._size += len(data)
        if not self._stream and self._size > self._body_limit:
            self._fail(UpstreamFailure(UpstreamError.TOO_LARGE, f"answer over {self._body_limit} bytes"))
        elif self._stream and self._size > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._notify()

    def on_message_complete(self) -> None:
        """Answer whoever waits for a whole answer; let the reader of a stream come to its end."""
        status = self._parser.get_status_code()
        if status < 200 or self._complete:  # noqa: PLR2004
            return
        self._complete = True
        self._reusable = self._framed and self._parser.should_keep_alive()  # Only now: the parser forgets it.
        if self._stream:
            self._notify()
        elif self._waiter is not None:
            body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._whole = Answer(status, self._headers, body, None)

    def _hand_over(self) -> None:
        """Let whoever waits go on. Not from within the parser: the waiting coroutine may use this connection again."""
        waiter, whole = self._waiter, self._whole
        if waiter is None:
            return
        if whole is not None:
            self._waiter = self._whole = None
            self._release()
            waiter.answer(whole)
        elif self._answer is not None:
            self._waiter = None
            waiter.answer(self._answer)
        elif self._failure is not None:
            self._waiter = None
            waiter.fail(self._failure)

    def _finish(self, answer: Answer) -> None:
        if self._answer is answer:
            self._answer = None
            self._release()

    def _release(self) -> None:
        self.since = self._loop.time()
        self._pool.released(self, reusable=self._reusable)

    def _fail(self, failure: UpstreamFailure) -> None:
        if self._complete:
            return
        self._failure = self._failure or failure
        self._notify()
        self.abort()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self.since = self._loop.time()
            self._transport.resume_reading()

"""One HTTP request and its answer, on raw ASGI: the head read once, the body under a cap, the answer's headers ours."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import encode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

MAX_HEADER_BYTES: Final = 32 * 1024
JSON: Final = (b"content-type", b"application/json")
STREAM: Final = ((b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no"))
NO_STORE: Final = (b"cache-control", b"no-store")
NO_TRANSFORM: Final = (b"cache-control", b"no-cache, no-transform")
NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
TOO_LARGE, HEADERS_TOO_LARGE = 413, 431


class Refusal(Exception):  # noqa: N818
    """An HTTP-level refusal in JSON-RPC form. ``reason`` is private."""

    def __init__(  # noqa: PLR0913
        self,
        status: int,
        code: int,
        fault: Fault,
        *,
        reason: str = "",
        headers: tuple[Header, ...] = (),
        request_id: str | int | None = None,
        message: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{fault.code}: {reason}")
        self.status = status
        self.code = code
        self.fault = fault
        self.reason = reason
        self.headers = headers
        self.request_id = request_id
        self.message = message
        """The JSON-RPC error to send; None for one that is made of the fault."""


class Departed(Exception):  # noqa: N818
    """The client closed its connection; nobody waits for an answer."""


class Exchange:
    """``shared`` headers go with every answer."""

    __slots__ = (
        "_repeated",
        "headers",
        "method",
        "path",
        "receive",
        "request_id",
        "scope",
        "send",
        "shared",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        # Undecoded: `%2f` and `%2e` must not turn into path parts of another tenant (L6).
        self.path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        """The last value of each; ``one`` and ``many`` know of repeated ones."""
        self._repeated = len(self.headers) != len(scope["headers"])
        self.request_id = request_id
        self.shared: list[Header] = [NOSNIFF, (b"x-request-id", request_id.encode())]
        self.started = False
        self.status = 0

    def one(self, name: bytes) -> str | None:
        """Return a header's value, several joined by a comma (RFC 9110 section 5.3), or None."""
        value = self.headers.get(name)
        if value is None:
            return None
        return ", ".join(self.many(name)) if self._repeated else value.decode("latin-1")

    def many(self, name: bytes) -> list[str]:
        """Return all values of a header."""
        return [value.decode("latin-1") for value in self.raw(name)]

    def raw(self, name: bytes) -> list[bytes]:
        """Return all values of a header as they came."""
        if self._repeated:
            return [value for key, value in self.scope["headers"] if key == name]
        return [self.headers[name]] if name in self.headers else []

    def check_head(self) -> None:
        """Refuse an over-large head (L14). Raises ``Refusal``."""
        headers: list[Header] = self.scope["headers"]
        size = sum(map(len, self.headers)) + sum(map(len, self.headers.values()))
        if size > MAX_HEADER_BYTES or (self._repeated and sum(map(_size, headers)) > MAX_HEADER_BYTES):
            raise Refusal(HEADERS_TOO_LARGE, -32600, faults.BODY_TOO_LARGE, reason="head too large")

    async def body(self, limit: int) -> bytes:
        """Return the whole body of at most ``limit`` bytes. Raises ``Refusal`` 413 and ``Departed``."""
        length = self.one(b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > limit:
            raise _too_large(limit)
        message = await self.receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            whole: bytes = message.get("body", b"")
            if len(whole) > limit:
                raise _too_large(limit)
            return whole
        return await self._rest(message, limit)

    async def _rest(self, message: MutableMapping[str, Any], limit: int) -> bytes:
        pieces, size = [], 0
        while message["type"] == "http.request":
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self.receive()
        raise Departed

    async def departure(self) -> None:
        """Return when the client has closed its connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def answer(self, status: int, body: bytes, headers: Iterable[Header] = (JSON, NO_STORE)) -> None:
        """Send a whole answer."""
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def answer_message(self, status: int, message: Mapping[str, Any] | None, *headers: Header) -> None:
        """Send a JSON-RPC message; an empty body for None."""
        if message is None:
            await self.answer(status, b"", headers)
        else:
            await self.answer(status, encode(message), (JSON, NO_STORE, *headers))

    async def begin(self, status: int, headers: list[Header]) -> None:
        """Send the head."""
        self.started = True
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": headers + self.shared})

    async def piece(self, data: bytes) -> None:
        """Send a part of a stream; waits while the client does not read."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


class Watches:
    """Cancels the tasks of clients that leave while their answer is waited for.

    One timer for all of them: most calls are answered before it would look once.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._waiting: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, exchange: Exchange) -> "Watch":
        """Watch ``exchange`` for the current task. Belongs to the loop it is first used in."""
        # Kept: asking for the running loop is a system call in Python 3.11.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        watch = Watch(exchange, asyncio.current_task(loop))
        self._waiting.add(watch)
        if self._timer is None:
            self._timer = loop.call_later(self._delay, self._look)
        return watch

    def end(self, watch: "Watch") -> None:
        """Stop watching."""
        self._waiting.discard(watch)
        watch.stop()

    def _look(self) -> None:
        self._timer = None
        for watch in self._waiting:
            watch.follow()
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._look)


class Watch:
    """One exchange whose client may leave."""

    __slots__ = ("_exchange", "_gone", "_seen", "_task", "_watched")

    def __init__(self, exchange: Exchange, watched: "asyncio.Task[Any] | None") -> None:
        self._exchange = exchange
        self._gone = False
        self._seen = False
        self._watched = watched
        self._task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Look at the connection, from the second time on that this is asked."""
        if self._seen and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())
        self._seen = True

    async def _look(self) -> None:
        await self._exchange.departure()
        self._gone = True
        if self._watched is not None:
            self._watched.cancel()

    def stop(self) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()

    def departed(self) -> bool:
        """Say whether a cancellation came from here, and undo it if so."""
        if self._gone and self._watched is not None:
            self._watched.uncancel()
        return self._gone


def _size(header: Header) -> int:
    return len(header[0]) + len(header[1])


def _too_large(limit: int) -> Refusal:
    return Refusal(TOO_LARGE, -32600, faults.BODY_TOO_LARGE, reason=f"body over {limit} bytes")

"""One client's connection: what uvicorn leaves open before any app is asked, and the short way of small requests.

A POST to an MCP endpoint that says how long it is, and is short, is kept until it is whole and then answered by the
gateway straight on this connection; so are short requests to a few endpoints (``web.direct``). Everything else takes uvicorn's way, as ASGI.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from doorward.gateway.head import Head, Header, KnownHeads

REQUEST_SECONDS: Final = 60
"""How long one request may take to arrive, with its body (L16)."""
MAX_FRUITLESS_BYTES: Final = 128 * 1024
"""What may arrive without completing a head or bringing any body: surfaces answer long heads themselves below this."""
MAX_DIRECT_BYTES: Final = 64 * 1024
"""The largest body that is kept for a client that nobody has asked yet who it is; uvicorn keeps as much."""

Peer = tuple[str, int | None] | None


class Wire(Protocol):
    """``gateway.direct_exchange.Wire``: what an answer needs of a connection."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    async def drain(self) -> None:
        """Return when the client reads, or has left."""

    def answered(self) -> None:
        """Take note that the answer is complete."""

    def broken_off(self) -> None:
        """Close: the answer will never be complete."""

    def common_headers(self) -> bytes:
        """Return the lines that every answer of this connection has now."""


class Answering(Protocol):
    """A request that is being answered directly."""

    def leave(self) -> None:
        """End what waits: the client has left."""


class DirectDoor(Protocol):
    """``server.Gateway``, as far as a connection needs it."""

    heads: KnownHeads

    def owns(self, path: str) -> bool:
        """Say whether a path belongs to an MCP server."""

    def direct(
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        head: Head,
        body: bytes,
        client: str | None,
    ) -> Answering:
        """Begin to answer one POST."""


class DirectPages(Protocol):
    """``web.direct.DirectPages``, as far as a connection needs it."""

    def owns(self, method: bytes, path: bytes) -> bool:
        """Say whether such a request may be answered directly."""

    def direct(  # noqa: PLR0913, PLR0917
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes,
        peers: tuple[Peer, Peer],
    ) -> Answering:
        """Begin to answer one request that came whole."""


@lru_cache(maxsize=8)
def _lines(headers: tuple[Header, ...]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class _NobodyWaits:
    """The event of a request that nothing waits for."""

    def set(self) -> None:
        """Wake nobody."""


_NOBODY_WAITS: Final = _NobodyWaits()


class _Direct:
    """A request that is answered directly; stands where uvicorn looks for what is being answered."""

    __slots__ = ("body", "disconnected", "exchange", "head", "keep_alive", "method", "response_complete")

    message_event = _NOBODY_WAITS

    def __init__(self, head: Head, *, keep_alive: bool, body: bytes = b"", method: bytes = b"") -> None:
        self.head = head
        self.method = method
        """Set where one of the ``DirectPages`` is asked."""
        self.keep_alive = keep_alive
        self.body = body
        self.response_complete = False
        self.exchange: Answering | None = None
        self.disconnected = False


class Connection(HttpToolsProtocol):
    """Adds to uvicorn's: heads without end (L14), slow ones (L16), trailers, targets; and what is answered directly.

    A head of many small fields costs twenty times its bytes in memory, before anybody is authenticated.
    """

    seconds: float = REQUEST_SECONDS

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._gateway: DirectDoor | None = getattr(config.loaded_app, "gateway", None)
        self._pages: DirectPages | None = getattr(config.loaded_app, "direct_pages", None)
        self._direct: _Direct | None = None
        self._reading: _Direct | None = None
        """The direct request whose body is being read."""
        self._rests = False
        """Whether the parser is between two messages and nobody is being answered."""
        self._from_rest = b""
        """What came in one piece since then."""
        self._default_headers: list[Header] = []
        self._default_lines = b""
        self._idle_since = 0.0
        self._idle: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._fruitless = 0
        self._progress = self._in_head = self._whole = False
        self._rests = self._gateway is not None
        self._deadline: asyncio.TimerHandle | None = self.loop.call_later(self.seconds, self._late)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._idle is not None:
            self._idle.cancel()
        direct, self._direct, self._reading = self._direct, None, None
        super().connection_lost(exc)
        if direct is not None and direct.exchange is not None:
            direct.exchange.leave()

    @override
    def data_received(self, data: bytes) -> None:
        if self._rests and self._came_before(data):
            return
        self._progress, self._from_rest = False, data if self._rests else b""
        super().data_received(data)
        self._fruitless = 0 if self._progress else self._fruitless + len(data)
        if self._fruitless > MAX_FRUITLESS_BYTES:
            self._refuse()
        elif self._whole and self._progress:
            self._stop_waiting()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.seconds, self._late)

    @override
    def on_message_begin(self) -> None:
        self._in_head, self._whole, self._rests = True, False, False
        self.url, self.headers, self.expect_100_continue = b"", [], False

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers come here too: as headers they would bypass whatever stands before us (L3, RFC 9110 section 6.5.1).
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    @override
    def on_headers_complete(self) -> None:
        self._in_head, self._progress = False, True
        if not self.url.startswith((b"/", b"*")) or b"#" in self.url:
            # L5, L6: an absolute target would name another host than Host does. The parser answers 400.
            message = "neither a path nor an asterisk"
            raise ValueError(message)
        self._reading = self._to_be_answered_directly()
        if self._reading is None:
            self._as_asgi()

    @override
    def on_body(self, body: bytes) -> None:
        self._progress = True
        if self._reading is None:
            super().on_body(body)
        else:
            self._reading.body += body

    @override
    def on_message_complete(self) -> None:
        self._whole = self._progress = True
        reading, self._reading = self._reading, None
        if reading is None:
            super().on_message_complete()
            return
        if self._gateway is not None and not reading.method and reading.keep_alive:
            self._remember(self._gateway.heads, reading)
        self._answer(reading)

    def _came_before(self, data: bytes) -> bool:
        """Answer a message whose head came before, byte for byte: the parser would make the same of it again."""
        end, gateway = data.find(b"\r\n\r\n") + 4, self._gateway
        known = None if gateway is None else gateway.heads.find(data[:end])
        if known is None or gateway is None or len(data) - end != known.length or not gateway.owns(known.head.path):
            return False
        self._rests, self._whole, self._fruitless = False, True, 0
        if self._deadline is not None:
            self._stop_waiting()
        self._answer(_Direct(known.head, keep_alive=True, body=data[end:]))
        return True

    def _remember(self, heads: KnownHeads, read: _Direct) -> None:
        """Keep a head that came in one piece with its body and with nothing before or after."""
        data, self._from_rest = self._from_rest, b""
        end = data.find(b"\r\n\r\n") + 4
        if end > len(b"\r\n\r\n") and len(data) - end == len(read.body):
            heads.keep(data[:end], read.head, len(read.body))

    def _answer(self, direct: _Direct) -> None:
        self._direct = direct
        # Not uvicorn's class, but it has what uvicorn looks at.
        self.cycle = direct  # type: ignore[assignment]
        exchange: Answering | None = None
        if direct.method and self._pages is not None:
            peers, target = (self.client, self.server), self.url
            exchange = self._pages.direct(
                self, self.loop, direct.method, target, direct.head.fields, direct.body, peers
            )
        elif self._gateway is not None:
            client = self.client[0] if self.client else None
            exchange = self._gateway.direct(self, self.loop, direct.head, direct.body, client)
        if self._direct is direct:
            direct.exchange = exchange

    # An answer that is given directly uses these (`Wire`).

    def write(self, data: bytes) -> None:
        """Send bytes; ignored where the client has left."""
        if not self.transport.is_closing():
            self.transport.write(data)

    async def drain(self) -> None:
        """Return when the client reads, or has left."""
        if self.flow.write_paused:
            await self.flow.drain()

    def answered(self) -> None:
        """Go on with the next request."""
        direct, self._direct = self._direct, None
        if direct is None:
            return
        direct.response_complete = True
        if not direct.keep_alive:
            self.server_state.total_requests += 1
            self.transport.close()
        elif self.pipeline:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._rests = self._whole and self._gateway is not None
            self._idle_since = self.loop.time()
            if self._idle is None:
                self._idle = self.loop.call_later(self.timeout_keep_alive, self._idle_for_long)

    def broken_off(self) -> None:
        """Close: the answer will never be complete."""
        self.transport.close()

    def common_headers(self) -> bytes:
        """Return the lines that every answer of this connection has now."""
        headers = self.server_state.default_headers
        if headers is not self._default_headers:  # uvicorn makes a new list each second.
            self._default_headers, self._default_lines = headers, _lines(tuple(headers))
        lines = self._default_lines
        return lines if self._direct is None or self._direct.keep_alive else lines + b"connection: close\r\n"

    def _to_be_answered_directly(self) -> _Direct | None:
        """Return the request, if it is short, of known length, for one that answers directly, and none is under way."""
        parser, url = self.parser, self.url
        if not self._free() or self.expect_100_continue or not self._is_short(parser.get_method()):
            return None
        if parser.should_upgrade() or parser.get_http_version() != "1.1":
            return None
        path, method, keep_alive = url.decode("latin-1"), parser.get_method(), parser.should_keep_alive()
        if self._gateway is not None and method == b"POST" and self._gateway.owns(path):
            return _Direct(Head(path, self.headers), keep_alive=keep_alive)
        if self._pages is not None and self._pages.owns(method, url.partition(b"?")[0]):
            return _Direct(Head(path, self.headers), keep_alive=keep_alive, method=method)
        return None

    def _is_short(self, method: bytes) -> bool:
        """Say whether it is a POST of at most ``MAX_DIRECT_BYTES``, or a GET without a body."""
        if method == b"GET":
            return not any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers)
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        short = len(length) <= len(b"%d" % MAX_DIRECT_BYTES) and length.isdigit() and int(length) <= MAX_DIRECT_BYTES
        return short and method == b"POST"

    def _as_asgi(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers  # The scope holds the same list.
        super().on_headers_complete()

    def _idle_for_long(self) -> None:
        # One timer for many requests: making and cancelling one for each costs more than looking at the clock.
        self._idle = None
        rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if not self._free() or self._deadline is not None or rest > 0:
            self._idle = self.loop.call_later(max(rest, 1), self._idle_for_long)
        else:
            self.transport.close()

    def _free(self) -> bool:
        """Say whether no request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn says it is never None; before a request it is.
        return cycle is None or cycle.response_complete

    def _refuse(self) -> None:
        if self._free():
            self.transport.write(b"HTTP/1.1 431 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()

    def _late(self) -> None:
        self._deadline = None
        if self.flow.read_paused:
            # We are the ones who wait: a request behind one that is being answered.
            self._deadline = self.loop.call_later(self.seconds, self._late)
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

"""An exchange on raw ASGI: for streamed and large bodies, GET and DELETE, and whatever a browser sends."""

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from typing_extensions import override

from doorward.gateway.exchange import NOSNIFF, PLAIN, Departed, Exchange, Receive, Scope, Send, too_large
from doorward.gateway.head import Head, Header


class AsgiExchange(Exchange):
    """See ``Exchange``."""

    watched = True

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        peer = scope.get("client")
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        super().__init__(scope["method"], Head(path, scope["headers"]), peer[0] if peer else None, request_id)
        self.scope = scope
        self.receive = receive
        self.send = send
        self.task = asyncio.current_task()

    @override
    async def body(self, limit: int) -> bytes:
        """See ``Exchange``."""
        self.check_length(limit)
        message = await self.receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            whole: bytes = message.get("body", b"")
            if len(whole) > limit:
                raise too_large(limit)
            return whole
        return await self._rest(message, limit)

    async def _rest(self, message: MutableMapping[str, Any], limit: int) -> bytes:
        pieces, size = [], 0
        while message["type"] == "http.request":
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                raise too_large(limit)
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)
            message = await self.receive()
        raise Departed

    @override
    async def departure(self) -> None:
        """See ``Exchange``."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    @override
    def interrupt(self, error: Exception) -> None:
        """See ``Exchange``."""
        del error
        if self.task is not None:
            self.task.cancel()

    @override
    async def answer(self, status: int, body: bytes, headers: Sequence[Header] = PLAIN) -> None:
        """See ``Exchange``."""
        await self.begin(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    @override
    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """See ``Exchange``."""
        self.started = True
        self.status = status
        always = (NOSNIFF, (b"x-request-id", self.request_id.encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers, *always, *self.shared]})

    @override
    async def piece(self, data: bytes) -> None:
        """See ``Exchange``."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    @override
    async def end(self) -> None:
        """See ``Exchange``."""
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

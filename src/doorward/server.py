"""The ASGI app and the process that serves it: which surface answers a path, start, stop, the flush of the call log.

Knows no feature: ``bootstrap`` builds the surfaces and hands them in.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Final, Protocol

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from doorward.connection import Answering, Connection, DirectPages, Wire
from doorward.gateway.head import Head, KnownHeads
from doorward.storage.database import StorageUnavailable

TIDY_SECONDS: Final = 600
"""Between two turns of what tidies up."""
FLUSH_SECONDS: Final = 0.5
"""Between two writes of the call log: what a crash loses at most, with the time of a write."""
GARBAGE: Final = 10_000
"""New objects between two collections: a call makes few that live on, and each collection walks those of all calls."""
GRACE_SECONDS: Final = 3
"""How long open streams may take to end when the server stops."""

_log = structlog.get_logger("doorward.server")


class Gateway(Protocol):
    """The part of the gateway that the app uses."""

    heads: KnownHeads

    def owns(self, path: str) -> bool:
        """Say whether a path belongs to an MCP server."""

    async def owns_by_now(self, path: str) -> bool:
        """Say the same after a look at whether a server has come meanwhile."""

    async def start(self) -> None:
        """Begin what runs beside the calls."""

    async def stop(self) -> None:
        """End it, with every open stream."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

    def direct(
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        head: Head,
        body: bytes,
        client: str | None,
    ) -> Answering:
        """Begin to answer one POST that came whole, straight on its connection."""


class App:
    """MCP paths go to the gateway without anything between; all others to ``pages``, short ones to ``direct_pages``.

    ``flushes`` write what was collected beside the requests; each is awaited every ``FLUSH_SECONDS`` and at the end.
    ``chores`` may take longer and hold up nothing; each is awaited every ``TIDY_SECONDS``. ``workers`` run from start to
    stop, and end when they are cancelled.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        pages: ASGIApp,
        direct_pages: DirectPages | None = None,
        flushes: Sequence[Callable[[], Awaitable[None]]],
        chores: Sequence[Callable[[], Awaitable[None]]] = (),
        workers: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
    ) -> None:
        self.gateway = gateway
        self._pages = pages
        self.direct_pages = direct_pages
        self._flushes = flushes
        self._chores = chores
        self._workers = workers
        self._beside: list[asyncio.Task[None]] = []
        self._turn: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            gateway = self.gateway
            path = scope["raw_path"].decode("latin-1")
            ours = gateway.owns(path) or await gateway.owns_by_now(path)
            await (gateway if ours else self._pages)(scope, receive, send)
        elif scope["type"] == "websocket":
            # L17: there is no such door.
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Begin what runs beside the requests."""
        await self.gateway.start()
        self._beside = [
            asyncio.create_task(each()) for each in (*self._workers, self._tidy_for_ever, self._flush_for_ever)
        ]

    async def stop(self) -> None:
        """End it; the calls that wait are written."""
        await self.gateway.stop()
        for beside in self._beside:
            beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beside
        if self._turn is not None:
            await self._turn
        await self._flush()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            # A turn that has begun is ended: its commit cannot be called back, and would be made a second time.
            self._turn = asyncio.create_task(self._flush())
            await asyncio.shield(self._turn)

    async def _tidy_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            for chore in self._chores:
                try:
                    await chore()
                except StorageUnavailable:
                    _log.warning("not tidied")
                except Exception as error:  # noqa: BLE001  (as with the flushes: the next turn has to come)
                    _log.error("not tidied", kind=type(error).__name__)

    async def _flush(self) -> None:
        for flush in self._flushes:
            try:
                await flush()
            except StorageUnavailable:
                # Kept and tried again: the next turn may find the database well.
                _log.warning("calls not written")
            except Exception as error:  # noqa: BLE001  (whatever it is, the log of calls must not end with it)
                # No message: it may quote what was to be written.
                _log.error("calls not written", kind=type(error).__name__)


class _Server(uvicorn.Server):
    """Ends in order on SIGINT and SIGTERM (uvicorn's own would raise them again and skip what follows)."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises ``OSError`` where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003
    return listener


def settle() -> None:
    """Keep what is loaded by now until the end: a full collection that walks it again stopped everything for 40 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def run(app: App, listener: socket.socket, *, on_ready: Callable[[], Awaitable[None]] | None = None) -> None:
    """Serve ``app`` on ``listener`` until a signal says to end; ``on_ready`` is awaited once requests are answered."""
    config = uvicorn.Config(
        app,
        http=Connection,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = _Server(config)
    await app.start()
    settle()
    serving = asyncio.create_task(server.serve([listener]))
    try:
        started = asyncio.create_task(server.answering.wait())
        await asyncio.wait({started, serving}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if on_ready is not None and server.answering.is_set():
            await on_ready()
        await serving
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        await app.stop()

"""The HTTP/1.1 client for upstream MCP servers: keep-alive pools on asyncio with the httptools parser.

Own code because the upstream client decides the speed of a Python proxy (httpx is 30 times slower on this path), and
because it can be exact about what a proxy must not do: it builds every request from nothing, follows no redirect,
sends nothing twice that may have been processed, and stops reading when its reader does.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

from doorward.gateway.answer_heads import KnownHeads
from doorward.gateway.breaker import Breaker
from doorward.gateway.http_connection import Answer, Connection, Origin, UpstreamError, UpstreamFailure
from doorward.gateway.outside import Outside
from doorward.stepping import as_task

__all__ = ["Answer", "HttpPool", "Target", "UpstreamError", "UpstreamFailure", "target"]

IDLE_REUSE: Final = 4.0
"""Seconds. Below the keep-alive time of common servers (uvicorn and Node close after 5), so that requests seldom meet a
connection that is just being closed."""
SWEEP: Final = 0.5
"""Seconds between looks at deadlines; one timer for all connections instead of one for each request."""

_OWN_HEADERS: Final = frozenset({
    b"host", b"content-length", b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"proxy-authorization", b"proxy-authenticate", b"proxy-connection", b"accept-encoding", b"expect",
})  # fmt: skip
"""Hop-by-hop (RFC 9110 section 7.6.1) or set here; dropped from what the caller passes."""
MAX_BREAKERS: Final = 2_000
"""Upstreams whose failures are remembered; those that are reachable need none."""

Site = tuple[str, int, bool]
"""One server, however many people share it: host, port, and whether by TLS."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go; made once from the server's URL, never from a request."""

    host: str
    port: int
    tls: bool
    path: bytes
    """Path and query, as written."""
    authority: bytes
    whose: str = ""
    """Whose own connections are used: one that carried somebody's credential is used again for nobody else."""
    tenant: str = ""
    """Who uses it: what one tenant has open takes no place from another at the same site."""

    origin: Origin = field(init=False)
    """What connections are kept by."""
    share: tuple[str, int, bool, str] = field(init=False)
    """What they are counted by, while they are used."""

    def __post_init__(self) -> None:
        """Put it together, once instead of at every request."""
        object.__setattr__(self, "origin", (self.host, self.port, self.tls, self.whose))
        object.__setattr__(self, "share", (self.host, self.port, self.tls, self.tenant))

    @property
    def site(self) -> Site:
        """The server itself."""
        return self.host, self.port, self.tls


def target(url: str) -> Target:
    """Return an absolute http(s) URL as a ``Target``. Raises ``ValueError`` for any other text."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or parts.fragment:
        message = "not an absolute http(s) URL without credentials and fragment"
        raise ValueError(message)
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        message = "a URL is printable ASCII"
        raise ValueError(message)
    tls = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = parts.port or (443 if tls else 80)
    return Target(parts.hostname, port, tls, path.encode(), parts.netloc.encode())


class HttpPool:
    """Connections by origin. One per process; used from one event loop.

    ``first_byte_timeout`` and ``idle_timeout`` are seconds; ``body_limit`` bounds one buffered answer, in bytes;
    ``per_tenant`` bounds the connections to one site that are used at once for one tenant.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        first_byte_timeout: float = 60.0,
        idle_timeout: float = 300.0,
        body_limit: int = 32 * 1024 * 1024,
        per_tenant: int = 2048,
        outside: Outside | None = None,
    ) -> None:
        self._outside = outside
        self._connect_timeout = connect_timeout
        self._first_byte_timeout = first_byte_timeout
        self._idle_timeout = idle_timeout
        self._body_limit = body_limit
        self._per_tenant = per_tenant
        self._idle: dict[Origin, deque[Connection]] = {}
        self._busy: dict[Connection, Target] = {}
        self._used: dict[tuple[str, int, bool, str], int] = {}
        self._breakers: dict[Site, Breaker] = {}
        self._heads = KnownHeads()
        self._tls: ssl.SSLContext | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(
        self, method: bytes, to: Target, headers: Iterable[tuple[bytes, bytes]], body: bytes = b"", *, repeatable: bool
    ) -> Answer:
        """Send one request; return its answer with the whole body, or open for reading where it is an event stream.

        ``repeatable`` says that doing it twice does no harm: then it is sent again on a new connection where a reused
        one was closed without a byte (RFC 9112 section 9.3.1). Raises ``UpstreamFailure``; cancelling it closes the
        upstream connection.
        """
        ending = b"content-length: %d\r\n\r\n" % len(body) if body or method == b"POST" else b"\r\n"
        return await self.send_with(to, head(method, to, headers), ending + body, repeatable=repeatable)

    async def send_with(self, to: Target, begin: bytes, end: bytes, *, repeatable: bool) -> Answer:
        """The same for a request whose bytes are ``begin`` (of ``head``) and ``end`` (length, empty line, body)."""
        request = begin + end
        self._count(to)
        connection, kept = self._take(to), True
        while True:
            if connection is None:
                connection, kept = await self._connected(to), False
            self._busy[connection] = to
            waiter = None
            try:
                waiter = connection.send(request)
                return await waiter
            except UpstreamFailure as failure:
                # One that was closed before the request is not reported a second time.
                self._free(connection)
                if not (kept and repeatable and failure.untouched):
                    raise
                self._count(to)
                connection = None
            except BaseException:
                if waiter is not None:
                    connection.left(waiter)
                raise

    async def _connected(self, to: Target) -> Connection:
        """Return a new connection for a request that is counted."""
        try:
            return await self._connect(to)
        except BaseException:
            self._uncount(to)
            raise

    def _count(self, to: Target) -> None:
        used = self._used.get(to.share, 0)
        if self._closed or used >= self._per_tenant:
            raise UpstreamFailure(UpstreamError.BUSY, "too many connections to the upstream")
        self._used[to.share] = used + 1

    def _uncount(self, to: Target) -> None:
        if left := self._used[to.share] - 1:
            self._used[to.share] = left
        else:
            del self._used[to.share]

    async def close(self) -> None:
        """Close every connection; requests under way fail."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in [*self._busy, *(one for idle in self._idle.values() for one in idle)]:
            connection.abort()
        self._idle.clear()

    def _take(self, to: Target) -> Connection | None:
        idle = self._idle.get(to.origin)
        if not idle or self._loop is None:
            return None
        # The loop is kept because asking for the running one is a system call in Python 3.11.
        oldest = self._loop.time() - IDLE_REUSE
        while idle:
            connection = idle.pop()
            if connection.usable and connection.since > oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, to: Target) -> Connection:
        loop = self._loop = asyncio.get_running_loop()
        breaker = self._breakers.get(to.site) or Breaker(f"{to.host}:{to.port}")
        breaker.check(loop.time())
        try:
            await as_task()
            async with asyncio.timeout(self._connect_timeout):
                connection = await self._made(to, loop)
        except (OSError, TimeoutError) as wrong:
            self._remember(to.site, breaker)
            breaker.failed(loop.time())
            kind = UpstreamError.TIMEOUT if isinstance(wrong, TimeoutError) else UpstreamError.UNREACHABLE
            raise UpstreamFailure(kind, f"cannot connect: {type(wrong).__name__}") from wrong
        except BaseException:
            breaker.left()
            raise
        breaker.connected()
        self._breakers.pop(to.site, None)
        self._sweep_later(loop)
        return connection

    def _remember(self, site: Site, breaker: Breaker) -> None:
        if len(self._breakers) >= MAX_BREAKERS and site not in self._breakers:
            del self._breakers[next(iter(self._breakers))]
        self._breakers[site] = breaker

    async def _made(self, to: Target, loop: asyncio.AbstractEventLoop) -> Connection:
        tls, failed = self._context() if to.tls else None, None
        # Where addresses are judged, it is one of those that is connected to; the certificate is still the name's.
        judged = None if self._outside is None else await self._outside.addresses(to.host, to.port, tls=to.tls)
        named = to.host if tls and judged else None
        for address in judged or [to.host]:
            connection = Connection(loop, self, to.origin, self._body_limit, self._heads)
            # By shape, not by inheritance: asyncio asks for no more, and a base class would only add look-ups.
            made = cast("Callable[[], asyncio.Protocol]", lambda one=connection: one)
            try:
                await loop.create_connection(made, address, to.port, ssl=tls, server_hostname=named)
            except OSError as wrong:
                failed = wrong
            else:
                return connection
        raise failed or OSError("no address")

    def resting(self, to: Target) -> bool:
        """Say whether connections to this server failed so often that none is tried for now."""
        breaker = self._breakers.get(to.site)
        return breaker is not None and breaker.open

    def released(self, connection: Connection, *, reusable: bool) -> None:
        """Take a connection back after a complete answer (``http_connection`` calls this)."""
        self._free(connection)
        if not reusable or self._closed:
            connection.abort()
            return
        idle = self._idle.get(connection.origin)
        if idle is None:
            idle = self._idle[connection.origin] = deque()
        idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a closed connection (``http_connection`` calls this)."""
        self._free(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)

    def _free(self, connection: Connection) -> None:
        to = self._busy.pop(connection, None)
        if to is not None:
            self._uncount(to)

    def _context(self) -> ssl.SSLContext:
        # Making one costs 16 ms, so it is made once, and only where an upstream is https.
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._sweeper is None and not self._closed:
            self._sweeper = loop.call_later(SWEEP, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeper = None
        now = loop.time()
        for connection in list(self._busy):
            connection.check_deadline(now, self._first_byte_timeout, self._idle_timeout)
        for idle in self._idle.values():
            while idle and idle[0].since <= now - IDLE_REUSE:
                idle.popleft().abort()
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        if self._busy or self._idle:
            self._sweep_later(loop)


def head(method: bytes, to: Target, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the first line and the headers, without length and end.

    Raises ``UpstreamFailure`` for a header that would not stay one header (L12).
    """
    parts = [method, b" ", to.path, b" HTTP/1.1\r\nhost: ", to.authority, b"\r\n"]
    for name, value in headers:
        if b"\r" in value or b"\n" in value or b"\0" in value:
            raise UpstreamFailure(UpstreamError.PROTOCOL, f"header {name!r} holds a line break")
        if name not in _OWN_HEADERS:
            parts += (name, b": ", value, b"\r\n")
    return b"".join(parts)

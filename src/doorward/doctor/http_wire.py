"""Sends the doctor's requests over real connections, to servers that may be hostile.

One connection for each request, nothing followed, no proxy, no cookies. Bounded in seconds and bytes at every point; an
endless stream is cut after its first message. A server on the internet cannot make us ask inside our own network: every
host is resolved once, judged, and the judged address is the one that is asked.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import httptools

from doorward.doctor.wire import Answer, Exchange, Network, Request
from doorward.web import addresses

SECONDS: Final = 10.0
"""For one request: what the most patient hosted client waits for a document."""
STREAM_SECONDS: Final = 3.0
MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 512 * 1024
_READ: Final = 16 * 1024


class HttpWire:
    """The way over the network. ``clock`` in seconds; ``seconds`` is the deadline of one request."""

    def __init__(self, *, clock: Callable[[], float], seconds: float = SECONDS) -> None:
        self._clock, self._seconds = clock, seconds
        self._tls = ssl.create_default_context()
        self._private_is_fine: bool | None = None

    async def send(self, request: Request) -> Exchange:
        """Send one request."""
        try:
            async with asyncio.timeout(self._seconds):
                return Exchange(request, await self._ask(request))
        except TimeoutError:
            return Exchange(request, None, f"no answer within {self._seconds:g} seconds")
        except ssl.SSLCertVerificationError as wrong:
            return Exchange(request, None, f"its certificate is not good: {wrong.verify_message}")
        except (OSError, EOFError, ValueError, httptools.HttpParserError) as wrong:
            return Exchange(request, None, f"no answer: {_words(wrong)}")

    async def network(self, url: str, /) -> Network:
        """Say how the host of ``url`` is reached."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", _port(url)
        try:
            found = await _resolve(host, port)
        except OSError as wrong:
            return Network(failure=f"{host} has no address: {_words(wrong)}")
        private = addresses.first_refusal(found, allow_loopback=False) is not None
        loopback = all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)
        tls, days = await self._certificate(found[0], host, port) if parts.scheme == "https" else ("", None)
        return Network(addresses=found, private=private, loopback=loopback, tls=tls, days_left=days)

    async def _certificate(self, address: str, host: str, port: int) -> tuple[str, int | None]:
        try:
            async with asyncio.timeout(self._seconds):
                _, writer = await asyncio.open_connection(address, port, ssl=self._tls, server_hostname=host)
        except ssl.SSLCertVerificationError as wrong:
            return wrong.verify_message, None
        except (OSError, TimeoutError) as wrong:
            return f"no connection: {_words(wrong)}", None
        certificate = writer.get_extra_info("peercert") or {}
        writer.transport.abort()
        ends = certificate.get("notAfter")
        return "", None if ends is None else int((ssl.cert_time_to_seconds(ends) - self._clock()) // 86_400)

    async def _ask(self, request: Request) -> Answer:
        parts = urlsplit(request.url)
        host, port, secure = parts.hostname or "", _port(request.url), parts.scheme == "https"
        if parts.scheme not in {"http", "https"} or not host:
            raise ValueError("it is not an http(s) URL")
        found = await self._judged(host, port)
        reader, writer = await asyncio.open_connection(
            found[0], port, ssl=self._tls if secure else None, server_hostname=host if secure else None
        )
        try:
            writer.write(_written(request))
            return await self._read(reader, request.method)
        finally:
            writer.transport.abort()

    async def _judged(self, host: str, port: int) -> Sequence[str]:
        found = await _resolve(host, port)
        refused = addresses.first_refusal(found, allow_loopback=False)
        if self._private_is_fine is None:
            # The first host is the one that the person named: where that is private, the rest may be.
            self._private_is_fine = refused is not None
        if refused is not None and not self._private_is_fine:
            raise ValueError(f"{host} is inside a private network, and a server on the internet named it: not asked")
        return found

    async def _read(self, reader: asyncio.StreamReader, method: str) -> Answer:
        reading = _Reading(head_only=method == "HEAD")
        stream_ends: float | None = None
        loop = asyncio.get_running_loop()
        while not reading.done:
            left = None if stream_ends is None else stream_ends - loop.time()
            try:
                async with asyncio.timeout(left):
                    data = await reader.read(_READ)
            except TimeoutError:
                if stream_ends is None:
                    raise
                break
            reading.take(data)
            if reading.is_stream and stream_ends is None:
                stream_ends = loop.time() + STREAM_SECONDS
        return reading.answer(self._clock())


class _Reading:
    """An answer as it comes in; the callbacks are those of httptools."""

    def __init__(self, *, head_only: bool) -> None:
        self.done = False
        self._head_only, self._complete, self._in_body, self._status = head_only, False, False, 0
        self._headers: list[tuple[str, str]] = []
        self._body, self._raw = bytearray(), 0
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_stream(self) -> bool:
        return self._in_body and any(
            name == "content-type" and value.startswith("text/event-stream") for name, value in self._headers
        )

    def take(self, data: bytes) -> None:
        """Read on; empty at the end."""
        if not data:
            if not self._in_body:
                raise EOFError("the connection ended before an answer")
            self.done = True
            return
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.done = True
        if not self._in_body and self._raw > MAX_HEAD:
            raise ValueError(f"more than {MAX_HEAD} bytes of headers")
        first = self.is_stream and b"data:" in self._body and self._body.rstrip(b" ").endswith((b"\n\n", b"\r\n\r\n"))
        over = self._complete or first or len(self._body) > MAX_BODY or self._raw > 4 * MAX_BODY
        self.done = self.done or over or (self._in_body and self._head_only)

    def answer(self, at: float) -> Answer:
        """Return what was read."""
        cut = not self._complete and not self._head_only
        return Answer(
            status=self._status, headers=tuple(self._headers), body=bytes(self._body[:MAX_BODY]), cut=cut, at=at
        )

    def on_message_begin(self) -> None:
        """Forget an interim answer (1xx)."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1").strip()))

    def on_headers_complete(self) -> None:
        """Know the status."""
        self._status = self._parser.get_status_code()
        self._in_body = self._status >= 200  # noqa: PLR2004  (1xx is interim)

    def on_body(self, data: bytes) -> None:
        """Keep what does not lead far beyond the limit."""
        if len(self._body) <= MAX_BODY:
            self._body += data

    def on_message_complete(self) -> None:
        """Know that it is over, unless it was an interim answer."""
        self._complete = self._in_body


def _written(request: Request) -> bytes:
    parts = urlsplit(request.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    length = {} if request.body is None else {"content-length": str(len(request.body))}
    fixed = {"host": parts.netloc.rpartition("@")[2], "accept-encoding": "identity", "connection": "close"}
    lines = [
        f"{request.method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in {**fixed, **request.headers, **length}.items()),
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("it cannot be written as a request")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (request.body or b"")


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)  # IPv4 first: what hosted clients use
    return list(dict.fromkeys(str(entry[4][0]) for entry in ordered))


def _words(wrong: Exception) -> str:
    return getattr(wrong, "strerror", None) or str(wrong) or type(wrong).__name__

"""A small HTTP/1.1 client for load: one kept-alive connection, one request at a time. It must cost less than any server."""

import asyncio
import base64
import hashlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from typing_extensions import override

from bench.machine import BenchError

HOST = "127.0.0.1"


class Answer(NamedTuple):
    """One answer. ``head`` is as it came, status line first."""

    status: int
    head: bytes
    body: bytes

    def headers(self, name: str) -> list[str]:
        """Return all values of a header."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:])
        return [value.strip().decode("latin-1") for key, _, value in lines if key.lower() == name.encode()]

    def location(self) -> str:
        """Return where a redirect leads. Raises ``BenchError``."""
        found = self.headers("location")
        if not found:
            raise self.unexpected("a redirect")
        return found[0]

    def unexpected(self, wanted: str) -> BenchError:
        """Return the error for an answer that is not ``wanted``."""
        return BenchError(f"instead of {wanted}: {self.status} {self.headers('location')} {self.body[:300]!r}")


class _Stream(asyncio.Protocol):
    """Collects one answer after the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: asyncio.Future[Answer] | None = None
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        taken = parse(self._buffer)
        if taken is not None and self.waiting is not None and not self.waiting.done():
            answer, self._buffer = taken
            self.waiting.set_result(answer)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(BenchError(f"connection lost: {exc or 'closed by the server'}"))


class Wire:
    """One connection to a server on loopback."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stream: _Stream | None = None

    async def send(self, request: bytes) -> Answer:
        """Send one request and return its answer. Raises ``BenchError`` where the connection breaks."""
        stream = self._stream
        if stream is None or stream.transport is None or stream.transport.is_closing():
            stream = await self._connect()
        assert stream.transport is not None
        stream.waiting = asyncio.get_running_loop().create_future()
        stream.transport.write(request)
        return await stream.waiting

    async def _connect(self) -> _Stream:
        loop = asyncio.get_running_loop()
        _, self._stream = await loop.create_connection(_Stream, HOST, self._port)
        assert self._stream.transport is not None
        self._stream.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._stream

    def close(self) -> None:
        """Close the connection."""
        if self._stream is not None and self._stream.transport is not None:
            self._stream.transport.close()
        self._stream = None


def parse(data: bytes) -> tuple[Answer, bytes] | None:
    """Return the first whole answer in ``data`` and what follows it, or None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, rest = data[:end], data[end + 4 :]
    status = int(head[9:12])
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        return _chunked(status, head, rest)
    at = lower.find(b"\r\ncontent-length:")
    length = 0 if at < 0 else int(lower[at + 17 :].split(b"\r\n", 1)[0])
    return None if len(rest) < length else (Answer(status, head, rest[:length]), rest[length:])


def _chunked(status: int, head: bytes, rest: bytes) -> tuple[Answer, bytes] | None:
    body = b""
    while True:
        line, found, after = rest.partition(b"\r\n")
        if not found:
            return None
        size = int(line.split(b";")[0], 16)
        if len(after) < size + 2:
            return None
        body, rest = body + after[:size], after[size + 2 :]
        if size == 0:
            return Answer(status, head, body), rest


def get(path: str, cookies: Mapping[str, str] | None = None) -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n{_cookie(cookies)}\r\n".encode()


def post(
    path: str, form: Mapping[str, str] | Sequence[tuple[str, str]], *, authorization: str | None = None,
    cookies: Mapping[str, str] | None = None, origin: str | None = None,
) -> bytes:  # fmt: skip
    """Return a POST request with a form."""
    body = urlencode(form).encode()
    more = "" if authorization is None else f"Authorization: {authorization}\r\n"
    more += "" if origin is None else f"Origin: {origin}\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n{more}{_cookie(cookies)}\r\n"
    ).encode() + body


def _cookie(cookies: Mapping[str, str] | None) -> str:
    return f"Cookie: {'; '.join(f'{name}={value}' for name, value in cookies.items())}\r\n" if cookies else ""


def eat(cookies: dict[str, str], answer: Answer) -> None:
    """Do with an answer's cookies what a browser does; a later expiry than now is taken for granted."""
    for line in answer.headers("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        if value and "01 jan 1970" not in line.lower():
            cookies[name] = value
        else:
            cookies.pop(name, None)


def basic(client_id: str, secret: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def pkce() -> tuple[str, str]:
    """Return a new ``(verifier, challenge)``."""
    verifier = secrets.token_urlsafe(32)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def path_of(url: str) -> str:
    """Return path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def code_in(location: str) -> str | None:
    """Return the code of an authorization answer, or None where there is none."""
    return parse_qs(urlsplit(location).query).get("code", [None])[0]

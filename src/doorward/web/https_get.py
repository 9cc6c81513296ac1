"""One GET over TLS to an address that was chosen before: what ``fetch`` does after it has judged (security F4 to F7).

The name is checked in the certificate and sent in SNI and Host; the connection goes to the given address and nothing
resolves again. What comes back is bounded in bytes at every point; time is the caller's to bound.
"""

import asyncio
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Final

import httptools

HTTPS: Final = 443
FOUND: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED})
MAX_HEAD: Final = 16 * 1024
"""Bytes of status line and headers, all interim answers together."""
_READ: Final = 4096
_FRAMING: Final = 4
"""A chunked body may take so many times its own limit on the wire: a chunk of one byte has six bytes of framing."""


class Failure(Enum):
    """What kind of failure it was: it decides what may be remembered and what may stand in."""

    NETWORK = "network"
    """No answer: name, route, connection, TLS, time."""
    UNAVAILABLE = "unavailable"
    """An answer that says: later (429, 5xx)."""
    ANSWER = "answer"
    """Any other answer that is not what was asked for, and addresses where nothing may be asked."""


class FetchFailed(Exception):  # noqa: N818  (an outcome)
    """Nothing was fetched. ``reason`` is exact and private: shown to a caller it would make us a port scanner (F12)."""

    def __init__(self, kind: Failure, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer with a status that was asked for: 200 or 304, where nothing else was said. Names of headers are lower case; repeated ones are joined with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes. ``path`` begins with ``/`` and holds the query, if any."""

    host: str
    port: int
    path: str


async def get(  # noqa: PLR0913  (one request, all of it)
    target: Target, addresses: Sequence[str], headers: Mapping[str, str], *, tls: ssl.SSLContext, limit: int,
    seconds: float, body: bytes | None = None, statuses: Collection[int] = FOUND,
) -> Fetched:  # fmt: skip
    """Fetch at most ``limit`` bytes of body, by POST where there is one to send. Addresses are tried in order, each with its share of ``seconds``.

    Raises ``FetchFailed`` for every other outcome than ``statuses``, 3xx included: nothing is followed.
    """
    reader, writer = await _connect(target, addresses, tls, seconds)
    try:
        writer.write(_request(target, headers, body))
        return await _read_answer(reader, limit, statuses)
    except (OSError, EOFError) as lost:
        raise FetchFailed(Failure.NETWORK, f"connection lost: {type(lost).__name__}: {lost}") from None
    finally:
        writer.transport.abort()


def _request(target: Target, headers: Mapping[str, str], body: bytes | None) -> bytes:
    host = target.host if target.port == HTTPS else f"{target.host}:{target.port}"
    # Identity: what is counted is what was sent, and there is nothing to unpack (F6).
    fixed = {"Host": host, "Accept-Encoding": "identity", "Connection": "close", "User-Agent": "Doorward"}
    length = {} if body is None else {"Content-Length": str(len(body))}
    named = (f"{name}: {value}" for name, value in (fixed | dict(headers) | length).items())
    lines = [f"{'GET' if body is None else 'POST'} {target.path} HTTP/1.1", *named]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + (body or b"")


async def _connect(
    target: Target, addresses: Sequence[str], tls: ssl.SSLContext, seconds: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reasons = []
    for address in addresses:
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                return await asyncio.open_connection(
                    address, target.port, ssl=tls, server_hostname=target.host, ssl_handshake_timeout=seconds
                )
        except (OSError, TimeoutError) as wrong:
            reasons.append(f"{address}: {type(wrong).__name__}: {wrong}")
    raise FetchFailed(Failure.NETWORK, f"{target.host}:{target.port}: " + "; ".join(reasons))


async def _read_answer(reader: asyncio.StreamReader, limit: int, statuses: Collection[int]) -> Fetched:
    answer = _Answer(limit, statuses)
    while not answer.complete:
        data = await reader.read(_READ)
        answer.take(data)
    return Fetched(status=answer.status, headers=answer.headers, body=bytes(answer.body))


class _Answer:
    """The answer as it comes in; the callbacks are those of httptools."""

    def __init__(self, limit: int, statuses: Collection[int]) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False
        self._limit, self._statuses = limit, statuses
        self._raw = 0
        self._in_body = False
        self._parser = httptools.HttpResponseParser(self)

    def take(self, data: bytes) -> None:
        """Read on; empty at the end. Raises ``FetchFailed`` as soon as it is known that nothing will come of it."""
        if not data:
            self._end()
            return
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as wrong:
            raise FetchFailed(Failure.ANSWER, f"not HTTP: {wrong}") from None
        except httptools.HttpParserUpgrade:
            raise FetchFailed(Failure.ANSWER, "switches protocols") from None
        self._check()

    def _check(self) -> None:
        if len(self.body) > self._limit:
            raise FetchFailed(Failure.ANSWER, f"body is longer than {self._limit} bytes")
        if self._raw > MAX_HEAD + (_FRAMING * self._limit if self._in_body else 0):
            raise FetchFailed(Failure.ANSWER, "head or framing is too long")
        if not (self._in_body or self.complete):
            return
        if self.status not in self._statuses:
            later = self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            raise FetchFailed(Failure.UNAVAILABLE if later else Failure.ANSWER, f"status {self.status}")
        if self.headers.get("content-encoding", "identity") != "identity":
            raise FetchFailed(Failure.ANSWER, "content coding that was not asked for")

    def _end(self) -> None:
        # Without a length the end of the connection is the end of the body; JSON shows what was cut off.
        if not self._in_body or self.headers.keys() & {"content-length", "transfer-encoding"}:
            raise FetchFailed(Failure.NETWORK, "connection ended within the answer")
        self.complete = True

    def on_message_begin(self) -> None:
        """Forget an interim answer (1xx)."""
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Know the status."""
        self.status = self._parser.get_status_code()
        self._in_body = self.status >= HTTPStatus.OK

    def on_body(self, data: bytes) -> None:
        """Keep what does not lead beyond the limit, and one piece more to see that it does."""
        if len(self.body) <= self._limit:
            self.body += data

    def on_message_complete(self) -> None:
        """Know that it is over, unless it was an interim answer."""
        self.complete = self._in_body

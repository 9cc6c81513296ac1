"""One HTTP request and its answer: the head read once, the body under a cap, the answer's headers ours.

How bytes come and go is for its two kinds: on ASGI (``asgi_exchange``), and straight on the connection
(``direct_exchange``). Whatever decides sees no difference.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
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
PLAIN: Final = (JSON, NO_STORE)
"""The headers of nearly every answer."""
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


class Exchange(ABC):
    """``shared`` headers go with every answer."""

    __slots__ = (
        "_repeated",
        "client",
        "headers",
        "method",
        "path",
        "raw_headers",
        "request_id",
        "shared",
        "started",
        "status",
    )

    def __init__(
        self, *, method: str, path: str, headers: Sequence[Header], client: str | None, request_id: str
    ) -> None:
        self.method = method
        self.path = path
        """Undecoded: `%2f` and `%2e` must not turn into path parts of another tenant (L6)."""
        self.raw_headers = headers
        """All, in order; names in lower case."""
        self.client = client
        """The peer's address."""
        self.headers: dict[bytes, bytes] = dict(headers)
        """The last value of each; ``one`` and ``many`` know of repeated ones."""
        self._repeated = len(self.headers) != len(headers)
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
            return [value for key, value in self.raw_headers if key == name]
        return [self.headers[name]] if name in self.headers else []

    def check_head(self) -> None:
        """Refuse an over-large head (L14). Raises ``Refusal``."""
        size = sum(map(len, self.headers)) + sum(map(len, self.headers.values()))
        if size > MAX_HEADER_BYTES or (self._repeated and sum(map(_size, self.raw_headers)) > MAX_HEADER_BYTES):
            raise Refusal(HEADERS_TOO_LARGE, -32600, faults.BODY_TOO_LARGE, reason="head too large")

    @abstractmethod
    async def body(self, limit: int) -> bytes:
        """Return the whole body of at most ``limit`` bytes. Raises ``Refusal`` 413 and ``Departed``."""

    @abstractmethod
    async def departure(self) -> None:
        """Return when the client has closed its connection."""

    @abstractmethod
    def interrupt(self, error: Exception) -> None:
        """End what is waited for, from a callback of the loop: by ``error``, or by cancelling where there is a task."""

    @abstractmethod
    async def answer(self, status: int, body: bytes, headers: Sequence[Header] = PLAIN) -> None:
        """Send a whole answer."""

    async def answer_message(self, status: int, message: Mapping[str, Any] | None, *headers: Header) -> None:
        """Send a JSON-RPC message; an empty body for None."""
        if message is None:
            await self.answer(status, b"", headers)
        else:
            await self.answer(status, encode(message), (*PLAIN, *headers))

    @abstractmethod
    async def begin(self, status: int, headers: Sequence[Header]) -> None:
        """Send the head of a stream."""

    @abstractmethod
    async def piece(self, data: bytes) -> None:
        """Send a part of a stream; waits while the client does not read."""

    @abstractmethod
    async def end(self) -> None:
        """End a stream."""

    def check_length(self, limit: int) -> None:
        """Refuse a body that says to be over ``limit`` bytes. Raises ``Refusal`` 413."""
        length = self.one(b"content-length")
        if length is not None and length.isdigit() and int(length[:20]) > limit:
            raise too_large(limit)


def _size(header: Header) -> int:
    return len(header[0]) + len(header[1])


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body over ``limit`` bytes."""
    return Refusal(TOO_LARGE, -32600, faults.BODY_TOO_LARGE, reason=f"body over {limit} bytes")

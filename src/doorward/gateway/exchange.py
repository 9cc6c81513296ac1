"""One HTTP request and its answer: the head read once, the body under a cap, the answer's headers ours.

How bytes come and go is for its two kinds: on ASGI (``asgi_exchange``), and straight on the connection
(``direct_exchange``). Whatever decides sees no difference.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Final

from doorward.gateway.head import Head, Header
from doorward.model import Cause
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import encode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

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
    """``shared`` headers go with every answer, as do ``NOSNIFF`` and the request's id.

    Without slots, as ``call.Call``: what begins alike for all costs nothing to begin with.
    """

    watched: ClassVar[bool] = False
    """Whether somebody has to look whether the client has left; else its connection says so by itself."""
    whole: bytes | None = None
    """The body, where all of it came with the head."""
    looked: bool = False
    """Whether ``LiveState.look`` said True after all of this request had come, in the same turn of the loop."""
    shared: tuple[Header, ...] = ()
    started: bool = False
    status: int = 0
    came_from: str | None = None
    """Where it came from, for people; set once its caller is known."""

    def __init__(self, method: str, head: Head, client: str | None, request_id: str) -> None:
        self.method = method
        self.head = head
        self.path = head.path
        self.headers = head.headers
        self.client = client
        """The peer's address."""
        self.request_id = request_id

    @property
    def cause(self) -> Cause:
        """It, as what is written down for it tells of it."""
        return Cause(self.request_id, self.came_from)

    @property
    def raw_headers(self) -> Sequence[Header]:
        """All headers, in order; names in lower case."""
        return self.head.fields

    def one(self, name: bytes) -> str | None:
        """Return a header's value, several joined by a comma (RFC 9110 section 5.3), or None."""
        return self.head.one(name)

    def check_head(self) -> None:
        """Refuse an over-large head (L14). Raises ``Refusal``."""
        if self.head.size > MAX_HEADER_BYTES:
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

    def finish(self) -> None:  # noqa: B027  (most have nothing to do)
        """Take note that nothing more will be answered."""

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


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body over ``limit`` bytes."""
    return Refusal(TOO_LARGE, -32600, faults.BODY_TOO_LARGE, reason=f"body over {limit} bytes")

"""Short requests to a few endpoints, answered straight on the client's connection (decision 0025, 0035).

The endpoint is the one that the router would call, with the request that it would get, behind the same front door; only
uvicorn's cycle, the router and the sending of two ASGI messages are left out. The bytes before that are ``connection``'s.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from doorward.stepping import Run
from doorward.web.front_door import FrontDoor

_log = structlog.get_logger("doorward.web")

Header = tuple[bytes, bytes]
Peer = tuple[str, int | None] | None
Endpoint = Callable[[Request], Awaitable[Response]]

_UNWRITABLE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]").search
_STATUS_LINES: Final[Mapping[int, bytes]] = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


class Wire(Protocol):
    """The client's connection, as far as an answer needs it."""

    def write(self, data: bytes) -> None:
        """Send bytes; ignored where the client has left."""

    def answered(self) -> None:
        """Take note that the answer is complete."""

    def broken_off(self) -> None:
        """Close: the answer will never be complete."""

    def common_headers(self) -> bytes:
        """Return the lines that every answer of this connection has now: date, and what ends the connection."""


class DirectPages:
    """The endpoints of ``routes``, by method and exact path; their responses hold their whole body."""

    def __init__(self, front: FrontDoor, routes: Sequence[Route]) -> None:
        self._front = front
        self._endpoints: dict[tuple[bytes, bytes], Endpoint] = {
            (method.encode(), route.path.encode()): route.endpoint
            for route in routes
            for method in ({"GET", "POST"} & (route.methods or set()))
        }

    def owns(self, method: bytes, path: bytes) -> bool:
        """Say whether such a request may be answered here; ``path`` as it was sent, without the query."""
        return (method, path) in self._endpoints

    def direct(  # noqa: PLR0913, PLR0917
        self,
        wire: Wire,
        loop: asyncio.AbstractEventLoop,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes,
        peers: tuple[Peer, Peer],
    ) -> "Asked":
        """Begin to answer a request that came whole. ``peers``: the client's address, and ours."""
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http", "asgi": _ASGI, "http_version": "1.1", "scheme": "http", "root_path": "",
            "method": method.decode(), "path": unquote_to_bytes(path).decode(), "raw_path": path, "query_string": query,
            "headers": headers, "client": peers[0], "server": peers[1],
        }  # fmt: skip
        Run(self._answer(wire, scope, body, self._endpoints[method, path]), loop).begin()
        return _NOTHING_TO_END

    async def _answer(self, wire: Wire, scope: dict[str, Any], body: bytes, endpoint: Endpoint) -> None:
        response, added = await self._front.respond(scope, _receive(body), endpoint)
        try:
            written = _written(response, added, wire.common_headers())
        except ValueError as wrong:
            # Nobody may wait for an answer that will never come; and who steps us stepped others in the same turn.
            _log.error("unexpected", kind=type(wrong).__name__, path=scope["path"])
            wire.broken_off()
            return
        wire.write(written)
        wire.answered()


_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


class Asked:
    """A request that is being answered; it goes on where the client leaves, as it does behind the router."""

    def leave(self) -> None:
        """End nothing: what is decided is decided."""


_NOTHING_TO_END: Final = Asked()


def _receive(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _written(response: Response, added: Sequence[Header], common: bytes) -> bytes:
    """Return the answer as bytes. Raises ``ValueError`` for a header that would not stay one header (L12)."""
    lines = [_STATUS_LINES[response.status_code]]
    for name, value in (*response.raw_headers, *added):
        if _UNWRITABLE(value):
            message = "a header holds a control character"
            raise ValueError(message)
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join([*lines, common, b"\r\n", bytes(response.body)])

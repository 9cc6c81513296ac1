"""Trying a tool from a page: the call of a person in their browser, made as an agent makes one (D1, F2).

It goes to the gateway itself as a request, so that door, decision, approvals, limits and log are those of every call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from doorward.gateway.exchange import AsgiApp
from doorward.gateway.param_headers import declared, encoded, made
from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.mcp import LEGACY_VERSIONS, MODERN_VERSION

MAX_SHOWN: Final = 200_000
"""Bytes of an answer."""
_META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "doorward-try-it", "version": "1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TryCall:
    """``path`` is that of the tenant's URL of the server; ``revision`` the newest that the server was seen to speak."""

    path: str
    tool: str
    arguments: Mapping[str, Any]
    schema: Any
    """The tool's input schema, as its server lists it."""
    revision: str
    address: str | None
    """Where the person's browser is, as the page sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """``answer`` is the JSON-RPC message; None where it is none, or longer than is shown."""

    status: int
    answer: Mapping[str, Any] | None
    request_id: str


class Trying:
    """``app`` is the gateway."""

    def __init__(self, app: AsgiApp, *, public_url: str) -> None:
        self._app = app
        self._host = urlsplit(public_url).netloc.encode()

    async def call(self, token: str, wanted: TryCall) -> Tried:
        """Make the call with a bearer of ``Insiders``, and return what its caller is told."""
        body = jsonrpc.encode(_message(wanted))
        scope = {
            "type": "http", "method": "POST", "path": wanted.path, "raw_path": wanted.path.encode(),
            "query_string": b"", "headers": self._headers(token, wanted, body),
            "client": None if wanted.address is None else (wanted.address, 0),
        }  # fmt: skip
        heard = _Heard()
        # A task of its own: the gateway ends a waiting call by cancelling its task, and that must not be the page's.
        await asyncio.create_task(_run(self._app, scope, _once(body), heard))
        return heard.tried()

    def _headers(self, token: str, wanted: TryCall, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"host", self._host),
            (b"authorization", b"Bearer " + token.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"accept", b"application/json"),
            (b"user-agent", b"Doorward, try it"),
        ]
        if wanted.revision != MODERN_VERSION:
            return [*headers, (b"mcp-protocol-version", LEGACY_VERSIONS[0].encode())]
        params = made(declared(wanted.schema), wanted.arguments)
        return [
            *headers,
            (b"mcp-protocol-version", MODERN_VERSION.encode()),
            (b"mcp-method", b"tools/call"),
            (b"mcp-name", encoded(wanted.tool).encode()),
            *((name.encode(), value.encode("latin-1")) for name, value in params),
        ]


def _message(wanted: TryCall) -> dict[str, Any]:
    params: dict[str, Any] = {"name": wanted.tool, "arguments": dict(wanted.arguments)}
    if wanted.revision == MODERN_VERSION:
        params["_meta"] = _META
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


async def _run(app: AsgiApp, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], heard: "_Heard") -> None:
    await app(scope, receive, heard.send)


def _once(body: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop()
        # The page waits, so the client has not left.
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


class _Heard:
    """What the gateway answers."""

    def __init__(self) -> None:
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()

    async def send(self, message: Any) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], dict(message["headers"])
        elif len(self._body) <= MAX_SHOWN:
            self._body += message.get("body", b"")

    def tried(self) -> Tried:
        """Return all of it."""
        return Tried(
            status=self._status,
            answer=self._message(),
            request_id=self._headers.get(b"x-request-id", b"").decode("latin-1"),
        )

    def _message(self) -> Mapping[str, Any] | None:
        if len(self._body) > MAX_SHOWN:
            return None
        try:
            return jsonrpc.decode_object(bytes(self._body))
        except JsonRpcError:
            return None

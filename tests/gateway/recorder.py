"""A raw upstream that records what it gets byte by byte, speaks 2026-07-28, and lies where a test tells it to."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TOOLS: list[dict[str, Any]] = [
    {"name": "echo", "description": "Echo", "inputSchema": {"type": "object"}},
    {"name": "write_note", "description": "Write", "inputSchema": {"type": "object"}},
    {
        "name": "drop_db",
        "description": "Drops the drop_db database",
        "inputSchema": {"type": "object"},
        "annotations": {"destructiveHint": True},
    },
    {"name": "plain", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
    {"name": "forbidden", "inputSchema": {"type": "object"}},
    {
        "name": "regional",
        "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
        "annotations": {"readOnlyHint": True},
    },
]
RESOURCES = [{"uri": uri, "name": uri} for uri in ("mem://open", "mem://secret", "mem://docs/d1", "mem://docs/gone")]
TEMPLATES = [{"uriTemplate": uri, "name": uri} for uri in ("mem://docs/{document}", "mem://vault/{item}")]
PROMPTS = [{"name": "p_open"}, {"name": "p_secret"}]
LISTS = {
    "tools/list": ("tools", TOOLS),
    "resources/list": ("resources", RESOURCES),
    "resources/templates/list": ("resourceTemplates", TEMPLATES),
    "prompts/list": ("prompts", PROMPTS),
}
CLOSED = b"<the connection is closed here>"
CAPABILITIES = {"tools": {}, "resources": {"subscribe": True}, "prompts": {}, "completions": {}, "tasks": {}}


@dataclass
class Request:
    """What came: ``head`` as bytes on the wire."""

    head: bytes
    body: bytes
    message: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return str(self.message.get("method", ""))

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return [
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines) if name
        ]

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


def reply(status: int, body: bytes, *headers: str, content_type: str = "application/json") -> bytes:
    """Return one whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} X", f"content-type: {content_type}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def result(request: Request, value: dict[str, Any], *headers: str) -> bytes:
    """Return a JSON-RPC result to ``request``."""
    message = {"jsonrpc": "2.0", "id": request.message["id"], "result": value}
    return reply(200, json.dumps(message, separators=(",", ":")).encode(), *headers)


def stream(*events: dict[str, Any] | str, ends: bool = True) -> bytes:
    """Return an event stream of messages (or of raw blocks)."""
    blocks = [e if isinstance(e, str) else f"event: message\ndata: {json.dumps(e)}\n\n" for e in events]
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = "".join(f"{len(block.encode()):x}\r\n{block}\r\n" for block in blocks)
    return (head + chunks + ("0\r\n\r\n" if ends else "")).encode()


def default(request: Request) -> bytes:
    """Answer as an honest server of 2026-07-28 would."""
    method, params = request.method, request.message.get("params", {})
    if "id" not in request.message:
        return reply(202, b"")
    if method == "server/discover":
        return result(
            request, {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "resultType": "complete"}
        )
    if method in LISTS:
        member, items = LISTS[method]
        page = {
            member: items,
            "resultType": "complete",
            "cacheScope": "public",
            "ttlMs": 86_400_000,
            "total": len(items),
        }
        return result(request, page)
    if method == "tools/call":
        text = json.dumps(params.get("arguments", {}))
        return result(
            request, {"content": [{"type": "text", "text": text}], "isError": False, "resultType": "complete"}
        )
    return result(request, {"resultType": "complete"})


class Recorder:
    """``requests`` holds what came since the last ``forget``; ``answer`` may be replaced."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], bytes | None] = default
        self.open: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self._server: asyncio.Server | None = None
        self.url = ""
        self._news = asyncio.Condition()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self.open):
            writer.close()
        await self._server.wait_closed()

    async def came(self, count: int, method: str | None = None) -> None:
        """Return when so many requests (of ``method``) have come."""
        async with self._news:
            await self._news.wait_for(
                lambda: len([one for one in self.requests if method in {None, one.method}]) >= count
            )

    def forget(self) -> None:
        self.requests.clear()

    def seen(self) -> list[str]:
        """The methods of what came, without the gateway's own questions."""
        return [request.method for request in self.requests if not self._own(request)]

    @staticmethod
    def _own(request: Request) -> bool:
        meta = request.message.get("params", {}).get("_meta", {})
        return bool(meta.get("io.modelcontextprotocol/clientInfo", {}).get("name") == "doorward")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                request = Request(head, b"")
                length = int(request.header("content-length") or 0)
                request.body = await reader.readexactly(length)
                if request.body:
                    request.message = json.loads(request.body)
                async with self._news:
                    self.requests.append(request)
                    self._news.notify_all()
                answer = self.answer(request)
                if answer is None:
                    return
                writer.write(answer.removesuffix(CLOSED))
                await writer.drain()
                if answer.endswith(CLOSED):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open.discard(writer)
            writer.close()

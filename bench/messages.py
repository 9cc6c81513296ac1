"""The messages that are sent and answered: one ``tools/call`` and one ``tools/list`` of 50 tools, revision 2026-07-28."""

import json
from typing import Any

REVISION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
TOOLS = [
    {
        "name": f"tool_{number:02d}" if number else "echo",
        "description": f"Benchmark tool number {number}: returns the message it was given, unchanged.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "text to return"},
                "limit": {"type": "integer", "description": "ignored"},
            },
            "required": ["message"],
        },
        "annotations": {"readOnlyHint": True},
    }
    for number in range(50)
]
CALL: dict[str, Any] = {"name": "echo", "arguments": {"message": "hello"}}
CALL_HEADERS = {"MCP-Protocol-Version": REVISION, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
LIST_HEADERS = {"MCP-Protocol-Version": REVISION, "Mcp-Method": "tools/list"}

RESULTS: dict[str, dict[str, Any]] = {
    "server/discover": {
        "supportedVersions": [REVISION],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench-upstream", "version": "1"},
        "ttlMs": 60_000,
        "cacheScope": "private",
    },
    "tools/list": {"tools": TOOLS, "ttlMs": 60_000, "cacheScope": "private"},
    "tools/call": {"content": [{"type": "text", "text": "hello"}], "isError": False},
}


def request(method: str, params: dict[str, Any]) -> str:
    """Return the body of one request; its id is always 1, so that the upstream can be a fixed text."""
    return _text({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}})


def answer(method: str) -> str:
    """Return the body of the upstream's answer."""
    return _text({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", **RESULTS[method]}})


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))

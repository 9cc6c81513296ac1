"""An MCP server as small as can be that answers each request with its own id, for a peer whose client counts them."""

import asyncio
import json
import os
from typing import Any, cast

import uvloop

from bench import messages

OLDER: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench-upstream", "version": "1"},
    },
    "ping": {},
}


class Upstream(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has the methods, not the class.
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is whole."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            if len(self._data) < end + 4 + length:
                return
            body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
            self._transport.write(answer(json.loads(body)) if body else b"HTTP/1.1 405 X\r\ncontent-length: 0\r\n\r\n")


def answer(message: dict[str, Any]) -> bytes:
    """Return the answer to one message."""
    if "id" not in message:
        return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
    result = {**OLDER, **messages.RESULTS}.get(message["method"])
    told: dict[str, Any] = {"result": {"resultType": "complete", **result}} if result is not None else {
        "error": {"code": -32601, "message": "Method not found"}
    }  # fmt: skip
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **told}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


async def main() -> None:
    """Serve until a signal."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", int(os.environ["BENCH_PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

"""The peer among MCP gateways that comes from a package: FastMCP's proxy with its token verifier.

Its client is connected before: without that it opens a session for each call, and is slower by far.
"""

import os

import uvicorn
import uvloop
from fastmcp import Client
from fastmcp.server import create_proxy
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier


async def main() -> None:
    """Serve until a signal."""
    known = {os.environ["BENCH_KEY"]: {"client_id": "bench", "scopes": []}}
    async with Client(os.environ["BENCH_UPSTREAM"]) as client:
        proxy = create_proxy(client, name="peer", auth=StaticTokenVerifier(tokens=known))
        app = proxy.http_app(path="/mcp", stateless_http=True, json_response=True)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="warning", access_log=False,
            http="httptools",
        )  # fmt: skip
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main())

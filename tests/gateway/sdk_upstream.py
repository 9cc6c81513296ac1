"""An upstream built with the official SDK: sessions, streams, progress and server-sent requests are its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations
from tests.gateway.world import serve


def product() -> MCPServer:  # noqa: C901  (one function for each thing)
    """Return a server with the things of the security catalogue."""
    server = MCPServer("memory")

    @server.tool()
    def echo(text: str) -> str:
        return text

    @server.tool(annotations=ToolAnnotations(destructive_hint=True))
    def drop_db() -> str:
        return "dropped"

    @server.tool()
    def write_note(folder: str) -> str:
        return folder

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    async def plain(context: Context) -> str:
        await context.report_progress(1, 2, "half")
        return "plain"

    @server.resource("mem://open")
    def open_resource() -> str:
        return "open"

    @server.resource("mem://secret")
    def secret_resource() -> str:
        return "secret"

    @server.prompt()
    def p_open() -> str:
        return "hello"

    @server.prompt()
    def p_secret() -> str:
        return "hidden"

    return server


class SdkUpstream:
    """The server on a port of its own."""

    def __init__(self) -> None:
        self.server = product()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["SdkUpstream"]:
        app = self.server.streamable_http_app()
        async with app.router.lifespan_context(app):
            server, task, port = await serve(app)
            self.url = f"http://127.0.0.1:{port}/mcp"
            try:
                yield self
            finally:
                server.should_exit = server.force_exit = True
                await task

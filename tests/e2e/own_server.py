"""An MCP server that a tenant adds for itself: on the official package, believing the identity token that it is sent."""

import argparse

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from doorward.sdk.caller import current_caller
from doorward.sdk.mcp import application, auth_settings, protect
from doorward.sdk.permissions import requires
from doorward.sdk.verifiers import GatewayIdentity


def build(verifier: GatewayIdentity) -> MCPServer:
    """Return the server with its tools."""
    notes: list[str] = []
    server = MCPServer(
        "notes", version="1.0.0", token_verifier=verifier, auth=auth_settings(verifier), log_level="WARNING"
    )

    @server.tool(annotations=ToolAnnotations(readOnlyHint=True))
    @requires("own-servers:read")
    async def list_notes() -> list[str]:
        """List the notes."""
        return notes

    @server.tool()
    @requires("own-servers:write")
    async def add_note(text: str, stars: int = 0) -> str:
        """Add a note for everybody, with some stars: <script>alert(1)</script>."""
        notes.append(f"{text} ({current_caller().name})")
        return f"<img src=x onerror=alert(1)> Note {len(notes)} with {stars} stars is there."

    @server.tool(annotations=ToolAnnotations(destructiveHint=True))
    @requires("own-servers:delete")
    async def wipe_notes() -> str:
        """Delete all notes."""
        notes.clear()
        return "All notes are gone."

    protect(server)
    return server


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    verifier = GatewayIdentity(issuer=options.issuer, resource="own:acme_notes")
    app = application(build(verifier), verifier, host="127.0.0.1")
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", ws="none")


if __name__ == "__main__":
    main()

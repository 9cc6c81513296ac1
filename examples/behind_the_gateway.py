"""An MCP server behind Doorward's gateway, on the official ``mcp`` package: it believes the gateway's identity token."""

import argparse
from collections import defaultdict

import uvicorn
from mcp.server.mcpserver import MCPServer

from doorward.sdk.caller import current_caller
from doorward.sdk.mcp import application, auth_settings, protect
from doorward.sdk.permissions import requires
from doorward.sdk.verifiers import GatewayIdentity


def build(verifier: GatewayIdentity) -> MCPServer:
    """Return the server with its tools."""
    notes: dict[str | None, list[str]] = defaultdict(list)
    server = MCPServer("notes", token_verifier=verifier, auth=auth_settings(verifier), log_level="WARNING")

    @server.tool()
    @requires("documents:read")
    async def list_notes() -> list[str]:
        """List the notes of your tenant."""
        return notes[current_caller().tenant]

    @server.tool()
    @requires("documents:write")
    async def add_note(text: str) -> str:
        """Add a note for everybody in your tenant."""
        caller = current_caller()
        notes[caller.tenant].append(f"{text} ({caller.name})")
        return f"Note {len(notes[caller.tenant])} is there."

    protect(server)
    return server


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", required=True, help="Doorward's public URL")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    # Byte for byte the upstream that Doorward was told of.
    verifier = GatewayIdentity(issuer=options.issuer, resource=f"http://127.0.0.1:{options.port}/mcp")
    app = application(build(verifier), verifier)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", ws="none")


if __name__ == "__main__":
    main()

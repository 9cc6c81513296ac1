"""An MCP server that clients reach directly, on FastMCP: it asks Doorward about each call."""

import argparse
import os
from collections import defaultdict
from typing import Any

import uvicorn
from fastmcp import FastMCP

from doorward.sdk.caller import current_caller
from doorward.sdk.fastmcp import DoorwardAuth
from doorward.sdk.permissions import requires
from doorward.sdk.verifiers import LiveTokens


def build(verifier: LiveTokens) -> FastMCP[Any]:
    """Return the server with its tools."""
    notes: dict[str | None, list[str]] = defaultdict(list)
    auth = DoorwardAuth(verifier)
    server: FastMCP[Any] = FastMCP("pad", auth=auth)

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
        notes[caller.tenant].append(f"{text} ({caller.email})")
        return f"Note {len(notes[caller.tenant])} is there."

    auth.protect(server)
    return server


def main() -> None:
    """Serve on 127.0.0.1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", required=True, help="Doorward's public URL")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--client", required=True, help="id of a client that introspects this server")
    options = parser.parse_args()
    verifier = LiveTokens(
        issuer=options.issuer,
        resource=f"http://127.0.0.1:{options.port}/mcp",
        client_id=options.client,
        client_secret=os.environ["DOORWARD_SECRET"],
    )
    app = build(verifier).http_app(path="/mcp")
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning", ws="none")


if __name__ == "__main__":
    main()

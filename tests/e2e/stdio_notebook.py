"""A stdio server made with the official Python package: it keeps what it was told in its own process."""

import os

from mcp.server.mcpserver import MCPServer

server = MCPServer("notebook", version="1.0.0")
notes: list[str] = []


@server.tool()
def remember(text: str) -> list[str]:
    """Keep a note, and return all."""
    notes.append(text)
    return notes


@server.tool()
def crash() -> str:
    """End this process in the middle of a call."""
    os._exit(7)


if __name__ == "__main__":
    server.run("stdio")

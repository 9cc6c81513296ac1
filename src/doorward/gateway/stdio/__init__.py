"""MCP servers that are commands: their processes, and the bridge between standard input and output and our requests."""

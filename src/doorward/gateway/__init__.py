"""The permission gateway: authenticate, decide, forward, narrow, stream.

Owns everything between a client's MCP request and an upstream MCP server. It does not own the rules (``policy``), the
messages (``protocol``), credentials or rows; it never issues anything that a client keeps.
"""

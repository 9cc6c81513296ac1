"""The demonstration: Harbour, a small product with an MCP server of its own, and the set-up that puts it behind the door.

Owns ``doorward demo`` and everything it brings along. Nothing else of Doorward imports this package but ``cli``.
"""

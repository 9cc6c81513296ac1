"""``doorward doctor``: asks any MCP server what clients ask it, and says what would stop which of them (A7).

Owns the checks, their order and their words. Stands beside the server, not in it: it knows nothing of our deployment, and
everything it learns it learns over the wire.
"""

"""What is said and believed where we are the OAuth client: of an authorization server in front of an MCP server. Pure.

Everything that comes in here was written by a stranger. What is not exactly as the specifications want it raises
``ValueError`` with a private reason, which quotes no secret.
"""

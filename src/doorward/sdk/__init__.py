"""For authors of MCP servers in Python: who is calling, and what they may do. Built on ``mcp``; works with FastMCP.

Owns nothing of the server: it runs in other people's processes and imports none of Doorward's other packages. Behind the
gateway a server believes ``verifiers.GatewayIdentity``; in front of nothing, ``verifiers.LiveTokens`` (asks Doorward about
each call) or ``verifiers.StaleTokens`` (asks nobody, and says so in its name). See docs/sdk.md.
"""

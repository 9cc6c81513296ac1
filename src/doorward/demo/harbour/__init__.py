"""Harbour: a small multi-tenant tracker (workspaces, projects, folders, documents, tasks) with an MCP server.

It stands for *your* product: it knows nothing of Doorward but its two public surfaces, the signed identity token that
the gateway sends and the resource-tree API that it pushes to. It imports nothing else of ``doorward``.
"""

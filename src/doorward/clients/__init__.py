"""What is known of MCP clients, as data: redirect schemes, vendors' hosts, copies of their metadata documents.

Owns the JSON files beside it, each entry with where it comes from and when it was last verified. Decides nothing: what
a redirect URI or a metadata document must look like is in ``protocol/``, whom to trust is the deployment's.
"""

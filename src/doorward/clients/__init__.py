"""What is known of MCP clients, as data: redirect schemes, vendors' hosts, metadata documents, how each is set up.

Owns the JSON files beside it, each with where it comes from and when it was last verified, and the edits of clients'
configuration files. Decides nothing: what a redirect URI or a metadata document must look like is in ``protocol/``, whom
to trust is the deployment's.
"""

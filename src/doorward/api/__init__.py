"""The management API: the same use cases as pages and commands, over HTTP and JSON, with an API key or a session, never both.

Owns request and response forms (RFC 9457 for errors). Owns no rule: those are in the packages below.
"""

"""FastMCP with the in-memory authorization server that it brings for tests."""

import os

from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import ClientRegistrationOptions

SCOPES = ["bench:read", "bench:write"]

provider = InMemoryOAuthProvider(
    base_url=f"http://127.0.0.1:{os.environ['PORT']}",
    client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES[:1]),
    required_scopes=SCOPES[:1],
)
app = FastMCP("bench", auth=provider).http_app(path="/mcp", stateless_http=True)

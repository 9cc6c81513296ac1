"""Examples of a client and a request that are valid; tests change one thing at a time."""

from dataclasses import replace

from doorward.model import Client, ClientAuthMethod, ClientId, ClientKind, Instant
from doorward.protocol.pkce import challenge_of

ISSUER = "https://door.example"
MCP_URL = "https://door.example/mcp"
VERIFIER = "v" * 43
CHALLENGE = challenge_of(VERIFIER)

NATIVE = Client(
    id=ClientId("C1"),
    kind=ClientKind.DYNAMIC,
    name="Native",
    redirect_uris=("http://127.0.0.1/cb",),
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    created_at=Instant(1_700_000_000_000_000),
)
WEB = replace(
    NATIVE,
    id=ClientId("C2"),
    name="Web",
    redirect_uris=("https://app.example/cb",),
    auth_method=ClientAuthMethod.SECRET_BASIC,
)

NATIVE_REQUEST = {
    "response_type": "code",
    "client_id": "C1",
    "redirect_uri": "http://127.0.0.1:53111/cb",
    "scope": "documents:read",
    "state": "st-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "resource": MCP_URL,
}
WEB_REQUEST = {**NATIVE_REQUEST, "client_id": "C2", "redirect_uri": "https://app.example/cb"}


def is_resource(url: str) -> bool:
    return url in {MCP_URL, "https://door.example/acme/mcp"}

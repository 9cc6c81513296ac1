"""The OAuth dance by hand, where a test must choose what a client library would choose itself."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2

from support.person import Person, answer_of

VERIFIER = "v" * 43 + "~._-"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:1/callback"


@dataclass
class Tokens:
    """The answer of the token endpoint, and the client that got it."""

    client_id: str
    body: dict[str, Any]

    @property
    def access(self) -> str:
        return str(self.body["access_token"])

    @property
    def refresh(self) -> str:
        return str(self.body["refresh_token"])


class Client:
    """A public OAuth client of the server at ``url``, for the MCP server ``resource``."""

    def __init__(self, url: str, resource: str, name: str = "test client") -> None:
        self.url, self.resource = url, resource
        # No connection is kept: nobody would close it.
        no_pool = httpx2.Limits(max_keepalive_connections=0)
        self.http = httpx2.Client(base_url=url, timeout=20, trust_env=False, limits=no_pool)
        body = {"client_name": name, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
        self.client_id = str(self.http.post("/oauth/clients/register", json=body).json()["client_id"])

    def authorize_url(self, scope: str | None, **more: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s t/%ä",
            "resource": self.resource,
            **({"scope": scope} if scope is not None else {}),
            **more,
        }
        return f"{self.url}/oauth/authorize?{urlencode(query)}"

    def code(self, person: Person, scope: str | None = None, **more: str) -> str:
        person.follow_callback = False
        answer = answer_of(person.open(self.authorize_url(scope, **more)))
        assert answer.get("state") == "s t/%ä", answer
        assert answer.get("iss") == self.url, answer
        return answer["code"]

    def redeem(self, code: str, **more: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client_id,
            "code_verifier": VERIFIER,
        }
        return self.http.post("/oauth/token", data=form | {"redirect_uri": REDIRECT, "resource": self.resource} | more)

    def connect(self, person: Person, scope: str | None = None) -> Tokens:
        answer = self.redeem(self.code(person, scope))
        assert answer.status_code == 200, answer.text
        return Tokens(self.client_id, answer.json())

    def refresh(self, token: str, **more: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id} | more
        return self.http.post("/oauth/token", data=form)


MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "by-hand", "version": "1"},
}


def rpc(url: str, token: str | None, method: str, params: dict[str, Any] | None = None, **more: Any) -> httpx2.Response:
    """Send one request of revision 2026-07-28."""
    params = {**(params or {}), "_meta": META}
    name = params.get("name") or params.get("uri")
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        **({"mcp-name": str(name)} if name and method in {"tools/call", "prompts/get", "resources/read"} else {}),
        **({"authorization": f"Bearer {token}"} if token else {}),
        **more,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx2.post(url, json=body, headers=headers, timeout=20, trust_env=False)


def result(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON-RPC message of a JSON or SSE answer."""
    if response.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:].strip() for line in response.text.splitlines() if line.startswith("data:")]
        return httpx2.Response(200, content=next(text for text in reversed(data) if text)).json()  # type: ignore[no-any-return]
    return response.json()  # type: ignore[no-any-return]


def tool_names(url: str, token: str) -> set[str]:
    """Return what ``tools/list`` shows to a credential."""
    answer = rpc(url, token, "tools/list")
    assert answer.status_code == 200, answer.text
    return {tool["name"] for tool in result(answer)["result"]["tools"]}


def call(url: str, token: str, name: str, /, **arguments: Any) -> httpx2.Response:
    """Call a tool."""
    return rpc(url, token, "tools/call", {"name": name, "arguments": arguments})

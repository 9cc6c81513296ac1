"""One examination: sends requests by name and keeps what came. What is judged from it is elsewhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from doorward.doctor.record import Record, joined, origin_of, parts_of
from doorward.doctor.wire import Answer, Exchange, Request, Wire

AGENT: Final = "doorward-doctor"
REVISION: Final = "2025-11-25"
STATE: Final = "s t/%ä:&=?"
"""What comes back byte for byte or not at all: VS Code's is a URL with escapes in it."""
VERIFIER: Final = "~._-" + "d" * 60
CHALLENGE: Final = "qvqJyaNQ6phb44216MGE6J1auQSVSk6lAKlV-9UilCQ"
"""BASE64URL(SHA256(VERIFIER)) (RFC 7636 section 4.2)."""
_FOLLOWED: Final = 5


class Person(Protocol):
    """Somebody with a browser."""

    async def __call__(self, url: str, *, deny: bool) -> str | None:
        """Open ``url``, sign in, approve or deny, and return the address that the answer came to; None: not willing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the examination may use. ``token``: a bearer for the MCP server. ``call``: a tool that it may not call.

    ``clients``: ids of the clients that are replayed, None for all. ``register``: may leave registrations behind.
    ``vendor_documents``: fetch the vendors' metadata documents from here too.
    ``redirect_uri`` is where ``person`` is sent back to, ``scope`` what is asked for then (None: the default set).
    """

    token: str | None = None
    call: str | None = None
    clients: frozenset[str] | None = None
    register: bool = True
    person: Person | None = None
    scope: str | None = None
    vendor_documents: bool = False
    redirect_uri: str = "http://127.0.0.1:53682/callback"


@dataclass(slots=True, kw_only=True)
class Visit:
    """The wire, the options, and the record that is filled."""

    wire: Wire
    record: Record
    options: Options = field(default_factory=Options)

    def __post_init__(self) -> None:
        if self.options.token:
            self.record.secrets.add(self.options.token)

    async def get(self, name: str, url: str, **headers: str) -> Answer | None:
        """Fetch a document."""
        return await self.send(name, "GET", url, headers={"accept": "application/json", **headers})

    async def rpc(self, name: str, method: str, *, token: str | None = None, **more: Any) -> Answer | None:
        """Send an MCP request. ``more``: ``params``, ``headers``."""
        params = more.get("params", {})
        headers = {
            "content-type": "application/json", "accept": "application/json, text/event-stream",
            "mcp-protocol-version": REVISION, **({"authorization": f"Bearer {token}"} if token is not None else {}),
            **more.get("headers", {}),
        }  # fmt: skip
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        if method.startswith("notifications/"):
            del message["id"]
        return await self.send(name, "POST", self.record.url, headers=headers, body=json.dumps(message).encode())

    async def form(self, name: str, url: str, fields: Mapping[str, str] | list[tuple[str, str]]) -> Answer | None:
        """Post a form to an OAuth endpoint."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        return await self.send(name, "POST", url, headers=headers, body=urlencode(fields).encode())

    async def json(self, name: str, url: str, body: Mapping[str, Any]) -> Answer | None:
        """Post a JSON document."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        return await self.send(name, "POST", url, headers=headers, body=json.dumps(body).encode())

    async def send(
        self, name: str, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer | None:
        """Send one request and keep the exchange under ``name``."""
        request = Request(method=method, url=url, headers={"user-agent": AGENT, **headers}, body=body)
        exchange = await self.wire.send(request)
        self.record.exchanges[name] = exchange
        return exchange.answer

    async def page(self, name: str, url: str) -> Answer | None:
        """Open a page in a fresh browser profile, following it on its own host."""
        host, cookies = parts_of(url).netloc, dict[str, str]()
        for _ in range(_FOLLOWED):
            kept = {"cookie": "; ".join(f"{each}={value}" for each, value in cookies.items())} if cookies else {}
            answer = await self.send(name, "GET", url, headers={"accept": "text/html", **kept})
            target = "" if answer is None else answer.header("location") or ""
            if answer is None or not answer.is_redirect or parts_of(joined(url, target)).netloc != host:
                return answer
            cookies |= {
                each.strip(): inner.partition(";")[0]
                for header, value in answer.headers
                if header.lower() == "set-cookie"
                for each, _, inner in [value.partition("=")]
            }
            url = joined(url, target)
        return self.record.answer(name)

    def authorize_url(self, client_id: str, redirect_uri: str, **changed: str | None) -> str | None:
        """Return the address that a client opens; a parameter that is changed to None is left out."""
        endpoint = self.record.endpoint("authorization")
        if endpoint is None:
            return None
        document = self.record.resource_document or {}
        scopes = document.get("scopes_supported")
        form: dict[str, str | None] = {
            "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "state": STATE,
            "code_challenge": CHALLENGE, "code_challenge_method": "S256",
            "resource": str(document.get("resource", self.record.url)),
            "scope": " ".join(map(str, scopes)) if isinstance(scopes, list) and scopes else None,
            **changed,
        }  # fmt: skip
        query = urlencode({key: value for key, value in form.items() if value is not None})
        return f"{endpoint}{'&' if parts_of(endpoint).query else '?'}{query}"

    def keep_secret(self, answer: Answer | None, *names: str) -> None:
        """Remember what is shown nowhere."""
        found = (answer.document() if answer is not None else None) or {}
        self.record.secrets |= {value for name in names if isinstance(value := found.get(name), str)}

    @property
    def origin(self) -> str:
        """The origin of the MCP server."""
        return origin_of(self.record.url)

    @property
    def path(self) -> str:
        """The path of the MCP server, '' for none."""
        return parts_of(self.record.url).path.rstrip("/")


def sent(exchange: Exchange) -> str:
    """Return a request in words."""
    return f"{exchange.request.method} {exchange.request.url}"

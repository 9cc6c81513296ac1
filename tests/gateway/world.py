"""One gateway on a real socket over a real database, and the callers that talk to it."""

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
import uvicorn
from tests.gateway.deployment import ACME, CLIENT, EVERYTHING, MEMBERS, S1, S2, START, user

from doorward.connection import Connection as HttpConnection
from doorward.credentials import upstream_secrets
from doorward.credentials.api_keys import create_api_key
from doorward.credentials.authenticate import Door
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.secret import Fingerprinter
from doorward.credentials.signing_keys import SigningKeys
from doorward.gateway.approvals.asking import Terms
from doorward.gateway.exchange import AsgiApp, Receive, Scope, Send
from doorward.gateway.places import AtOnce
from doorward.gateway.proxy import Gateway
from doorward.gateway.rates import ceilings
from doorward.model import SECOND, Connection, ConnectionId, Instant, Permission, Placement, Rates, ResourceId
from doorward.protocol.endpoints import Endpoint
from doorward.server import App
from doorward.storage import connections, permissions
from doorward.storage.database import Database
from doorward.storage.events import CallEvent
from doorward.vault import Sealer

PUBLIC = "http://127.0.0.1:8080"
FINGERPRINTER, SEALER = Fingerprinter(bytes(range(32))), Sealer(bytes(range(32)))
TERMS = Terms(sealer=SEALER, entropy=os.urandom, seconds=600, most=3)
MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
}
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"} | {
    f"tasks/{what}": "taskId" for what in ("get", "update", "cancel")
}


class Clock:
    """The present moment: a fixed start, and real time since, so that deadlines pass."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> Instant:
        return Instant(START + SECOND + self.offset + int(time.monotonic() * SECOND))


async def no_pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what is no MCP endpoint."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def serve(app: AsgiApp) -> tuple[uvicorn.Server, "asyncio.Task[None]", int]:
    """Serve ``app`` on a port of its own."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=HttpConnection,
        lifespan="off",
        ws="none",
        log_config=None,
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:  # noqa: ASYNC110  (uvicorn tells it by this alone)
        await asyncio.sleep(0.001)
    return server, task, listening.getsockname()[1]


@dataclass
class World:
    """Everything of one test."""

    database: Database
    keys: SigningKeys
    upstream: str
    clock: Clock = field(default_factory=Clock)
    calls: list[CallEvent] = field(default_factory=list)
    touched: list[tuple[Any, ...]] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.ring = KeyRing(database=self.database, sealer=SEALER, now=self.clock, first=self.keys.ring)
        self.issuer = TokenIssuer(issuer=PUBLIC, keys=self.ring.current, refresh_keys={"k": b"k" * 32})
        door = Door(issuer=PUBLIC, keys=self.ring.look, fingerprinter=FINGERPRINTER, prefix="dw")
        self.gateway = Gateway(
            **{
                "database": self.database,
                "authenticate": door.authenticate,
                "issuer": self.issuer,
                "public_url": PUBLIC,
                "now": self.clock,
                "entropy": os.urandom,
                "session_key": b"s" * 32,
                "allowed_origins": ["https://app.example"],
                "body_limit": 100_000,
                "record": self.calls.append,
                "touch": lambda *use: self.touched.append(use),
                "browser_page": page,
                "ceilings": ceilings(Rates(), AtOnce(), nodes=1, ticks=self.clock),
                "open_secret": partial(upstream_secrets.unseal, sealer=SEALER),
                "approvals": TERMS,
                **self.options,
            }
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        await self.gateway.start()
        server, task, port = await serve(App(gateway=self.gateway, pages=no_pages, flushes=[]))
        try:
            async with httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10
            ) as self.http:
                self.port = port
                yield self
        finally:
            await self.gateway.stop()
            server.should_exit = server.force_exit = True
            await task

    async def key(
        self,
        name: str,
        *scopes: Permission,
        resources: frozenset[ResourceId] | None = None,
        lifetime: int | None = None,
        **more: Any,
    ) -> str:
        """Make an API key for somebody; without scopes it may do all that they may."""
        tenant, _ = MEMBERS[name]
        ends = None if lifetime is None else Instant(self.clock() + lifetime * SECOND)
        made = await self.database.write(
            lambda tx: create_api_key(
                tx,
                owner=user(name),
                tenant=tenant,
                created_by=user(name).id,
                name=f"key of {name}",
                scopes=frozenset(scopes) or EVERYTHING,
                resources=resources,
                expires_at=ends,
                rights=EVERYTHING,
                now=self.clock(),
                entropy=os.urandom,
                fingerprinter=FINGERPRINTER,
                cause=None,
                **more,
            )
        )
        return made.text

    async def token(
        self,
        name: str,
        *scopes: Permission,
        declined: frozenset[Permission] = frozenset(),
        client: Any = CLIENT,
        path: str = "/mcp",
        resources: frozenset[ResourceId] | None = None,
    ) -> str:
        """Connect a client for somebody; return its access token."""
        self._count += 1
        now = self.clock()
        connection = Connection(
            id=ConnectionId(f"n{self._count}"),
            tenant_id=MEMBERS[name][0].id,
            user_id=user(name).id,
            client_id=client.id,
            server_id=S2 if path.endswith("other") else S1,
            resource=PUBLIC + path,
            scopes=frozenset(scopes),
            declined=declined,
            resources=resources,
            redirect_uri="http://127.0.0.1/cb",
            created_at=now,
            activated_at=now,
            expires_at=Instant(now + 3600 * SECOND),
        )
        await self.database.write(lambda tx: connections.insert_connection(tx, connection))
        return self.issuer.access_token(connection, connection.scopes, now=now, entropy=os.urandom, ttl=600)[0]

    async def role(self, name: str, *roles: str) -> None:
        """Give somebody these roles and no others."""
        tenant, _ = MEMBERS[name]
        await self.database.write(lambda tx: permissions.set_membership(tx, tenant.id, user(name).id, roles))

    async def place(self, name: str, *places: tuple[str, ResourceId]) -> None:
        """Bind these roles, and no others, at nodes of the tree for somebody."""
        tenant, _ = MEMBERS[name]
        bound = [Placement(role=role, resource_id=node) for role, node in places]
        await self.database.write(lambda tx: permissions.set_placements(tx, tenant.id, user(name).id, bound))

    async def modern(
        self,
        token: str | None,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        path: str = "/mcp",
        headers: Mapping[str, str] | None = None,
        request_id: Any = 1,
    ) -> httpx2.Response:
        """Send one request of 2026-07-28 as the SDKs do."""
        whole = {**(params or {}), "_meta": META}
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": whole}
        sent = {"mcp-protocol-version": MODERN, "mcp-method": method}
        if method in NAMES and isinstance(whole.get(NAMES[method]), str):
            sent["mcp-name"] = whole[NAMES[method]]
        return await self.post(token, message, path=path, headers={**sent, **(headers or {})})

    async def legacy(
        self,
        token: str | None,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        session: str | None = None,
        path: str = "/mcp",
        request_id: Any = 1,
    ) -> httpx2.Response:
        """Send one request of 2025-11-25."""
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
        headers = {"mcp-protocol-version": "2025-11-25"} if method != "initialize" else {}
        return await self.post(
            token, message, path=path, headers=headers | ({"mcp-session-id": session} if session else {})
        )

    async def post(
        self, token: str | None, message: Any, *, path: str = "/mcp", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Send a message, or bytes as they are."""
        sent = {"accept": "application/json, text/event-stream", "content-type": "application/json", **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post(path, content=body, headers=sent)

    async def call(self, token: str, tool: str, arguments: Mapping[str, Any] | None = None) -> httpx2.Response:
        """Call a tool."""
        return await self.modern(token, "tools/call", {"name": tool, "arguments": arguments or {}})

    async def listed(self, token: str, method: str = "tools/list") -> list[str]:
        """Return the names in a list."""
        answer = (await self.modern(token, method)).json()["result"]
        member = next(name for name in ("tools", "prompts", "resources", "resourceTemplates") if name in answer)
        return [item.get("uri") or item.get("uriTemplate") or item["name"] for item in answer[member]]


def page(endpoint: Endpoint, challenge: str) -> AsgiApp:
    """Return the page for a person's browser."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        body = f"<h1>{endpoint.server.name}</h1>".encode()
        headers = [(b"content-type", b"text/html"), (b"www-authenticate", challenge.encode())]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def messages(response: httpx2.Response) -> list[dict[str, Any]]:
    """Return the messages of an answer in either form."""
    if response.headers["content-type"].startswith("application/json"):
        return [response.json()]
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


def answered(response: httpx2.Response) -> Any:
    """Return the result of the last message."""
    return messages(response)[-1]["result"]


__all__ = ["ACME", "Clock", "World", "answered", "messages", "serve"]

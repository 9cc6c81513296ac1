"""Harbour over loopback, in front of it nothing; beside it an issuer with a key of its own that takes trees."""

import asyncio
import itertools
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.demo.harbour.server import harbour

EVERYTHING = (
    "workspaces:read projects:read projects:write projects:delete folders:read folders:write documents:read "
    "documents:write documents:delete comments:write tasks:read tasks:write reports:read"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def serving(app: Any, listener: socket.socket) -> AsyncIterator[str]:
    """Serve ``app`` on a bound socket."""
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


@dataclass
class Issuer:
    """Signs identity tokens and remembers the trees it was told of."""

    url: str = ""
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}))
    pushed: list[tuple[str, str, Any]] = field(default_factory=list)
    keys_seen: set[str] = field(default_factory=set)
    refuses: int = 0
    """How many of the next trees are refused."""
    jwks_fetched: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/oauth/jwks.json", self._jwks),
                Route("/api/v1/tenants/{slug}/resources", self._resources, methods=["PUT", "PATCH"]),
            ]
        )

    async def _jwks(self, _: Request) -> Response:
        self.jwks_fetched += 1
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def _resources(self, request: Request) -> Response:
        body = await request.json()
        if self.refuses:
            self.refuses -= 1
            return JSONResponse({"title": "no"}, 503)
        self.pushed.append((request.method, request.path_params["slug"], body))
        self.keys_seen.add(request.headers["authorization"])
        return JSONResponse({})

    def token(
        self, audience: str, *, typ: str = "doorward-identity+jwt", key: ECKey | None = None, **claims: Any
    ) -> str:
        now = int(time.time())
        said = {
            "iss": self.url, "aud": audience, "sub": "user-1", "email": "omar@acme.example", "name": "Omar Haddad",
            "tenant": "acme", "tenant_id": "t1", "scopes": EVERYTHING.split(), "client": None, "credential": "api_key",
            "iat": now, "exp": now + 60, "jti": "j",
        }  # fmt: skip
        said.update(claims)
        header = {"alg": "ES256", "kid": "k1", "typ": typ}
        return jwt.encode(header, {name: value for name, value in said.items() if value != ...}, key or self.key)


@dataclass
class Running:
    """A Harbour that answers on loopback."""

    url: str
    issuer: Issuer
    data: Path

    def token(self, **claims: Any) -> str:
        return self.issuer.token(self.url, **claims)

    @asynccontextmanager
    async def client(self, mode: str = "2026-07-28", **claims: Any) -> AsyncIterator[Client]:
        """Connect the official client as a caller with these claims."""
        async with self.client_with(lambda: self.token(**claims), mode) as client:
            yield client

    @asynccontextmanager
    async def client_with(self, token: Callable[[], str], mode: str) -> AsyncIterator[Client]:
        async def sign(request: httpx2.Request) -> None:
            request.headers["authorization"] = f"Bearer {token()}"

        async with (
            httpx2.AsyncClient(event_hooks={"request": [sign]}, timeout=10) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    """Harbour with the first day's data, pushing to its issuer."""
    async with open_harbour(tmp_path) as (found, _):
        yield found


@asynccontextmanager
async def open_harbour(data: Path, *, issuer_url: str = "") -> AsyncIterator[tuple[Running, Any]]:
    issuer, clock = Issuer(), itertools.count(time.time_ns() // 1000)
    keys = data / "push-keys.json"
    keys.write_text(json.dumps({"acme": "key-of-acme", "globex": "key-of-globex"}))
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        serving(issuer.app(), socket.create_server(("127.0.0.1", 0))) as issuer.url,
        harbour(
            data=data, url=url, issuer=issuer_url or issuer.url, push=issuer.url, push_key_file=keys, now=lambda: next(clock),
            entropy=os.urandom,
        ) as opened,
        serving(opened.app, listener),
    ):  # fmt: skip
        yield Running(url + "/mcp", replace(issuer, url=issuer_url) if issuer_url else issuer, data), opened

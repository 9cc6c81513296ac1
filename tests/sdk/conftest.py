"""An issuer of the test's own, asked in this process, and two servers that believe it."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from doorward.sdk.verifiers import GatewayIdentity, LiveTokens, StaleTokens

ISSUER = "https://auth.example.com"
RESOURCE = "https://wiki.example.com/mcp"
ERAS = ["legacy", "2026-07-28"]
NOW = int(time.time())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Issuer:
    """Answers as Doorward does; ``answer`` is what introspection says."""

    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}))
    answer: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    now: float = field(default_factory=lambda: int(time.time()))
    """The frameworks look at the real clock too, and a whole test run takes longer than a token lives."""

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        if self.body is not None or self.status != 200:
            return httpx2.Response(self.status, content=self.body or b"{}")
        if request.url.path == "/oauth/jwks.json":
            return httpx2.Response(200, json={"keys": [self.key.as_dict(private=False)]})
        assert request.url.path == "/oauth/introspect"
        assert request.headers["authorization"].startswith("Basic ")
        assert parse_qs((await request.aread()).decode())["token"]
        return httpx2.Response(200, content=json.dumps(self.answer).encode())

    @property
    def http(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self.handle))

    def shared(self) -> dict[str, Any]:
        return {"issuer": ISSUER, "resource": RESOURCE, "http": self.http, "now": lambda: self.now}

    def identity(self) -> GatewayIdentity:
        return GatewayIdentity(**self.shared())

    def stale(self) -> StaleTokens:
        return StaleTokens(**self.shared())

    def live(self) -> LiveTokens:
        return LiveTokens(**self.shared(), client_id="wiki", client_secret="s")

    def sign(self, claims: dict[str, Any], typ: str, key: ECKey | None = None) -> str:
        header = {"alg": "ES256", "kid": "k1", "typ": typ}
        return jwt.encode(header, {name: value for name, value in claims.items() if value != ...}, key or self.key)

    def identity_token(self, *, typ: str = "doorward-identity+jwt", key: ECKey | None = None, **claims: Any) -> str:
        said = {
            "iss": ISSUER, "aud": RESOURCE, "sub": "u1", "email": "ines@acme.example", "name": "Ines", "tenant": "acme",
            "tenant_id": "t1", "scopes": ["documents:read"], "client": None, "credential": "api_key",
            "iat": int(self.now), "exp": int(self.now) + 60,
        }  # fmt: skip
        return self.sign(said | claims, typ, key)

    def access_token(self, *, typ: str = "at+jwt", **claims: Any) -> str:
        said = {
            "iss": ISSUER, "aud": RESOURCE, "sub": "u1", "client_id": "c1", "tenant": "t1", "connection": "n1",
            "scope": "documents:read", "iat": int(self.now), "exp": int(self.now) + 900, "jti": "j",
        }  # fmt: skip
        return self.sign(said | claims, typ)

    def active(self, **members: Any) -> dict[str, Any]:
        said = {
            "active": True, "scope": "documents:read", "client_id": "c1", "iss": ISSUER, "sub": "u1", "aud": RESOURCE,
            "exp": int(self.now) + 900, "tenant": "t1", "credential": "access_token", "username": "ines@acme.example",
            "tenant_slug": "acme",
        }  # fmt: skip
        return {name: value for name, value in (said | members).items() if value != ...}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@asynccontextmanager
async def connected(app: Any, mode: str, token: Callable[[], str]) -> AsyncIterator[Client]:
    """Connect the official client to an application in this process."""

    async def sign(request: httpx2.Request) -> None:
        request.headers["authorization"] = f"Bearer {token()}"

    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="https://wiki.example.com", event_hooks={"request": [sign]}
        ) as http,
        Client(streamable_http_client(RESOURCE, http_client=http), mode=mode) as client,
    ):
        yield client

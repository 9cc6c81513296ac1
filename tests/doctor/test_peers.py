"""Servers that others wrote: the doctor names the faults that they really have."""

from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from tests.doctor.asgi_wire import AsgiWire

from doorward.doctor.examine import Report, examine
from doorward.doctor.report import as_text
from doorward.doctor.visit import Options
from doorward.doctor.wire import Network

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A7")]
ORIGIN = "http://127.0.0.1:8931"
URL = f"{ORIGIN}/mcp"
HERE = Network(addresses=("127.0.0.1",), loopback=True)
SCOPES = ["mcp:read", "mcp:write"]
REGISTERING = ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES)


def fastmcp() -> tuple[Any, AbstractAsyncContextManager[Any]]:
    """FastMCP with the authorization server that it brings."""
    auth = InMemoryOAuthProvider(base_url=ORIGIN, client_registration_options=REGISTERING, required_scopes=SCOPES[:1])
    app = FastMCP("peer", auth=auth).http_app(path="/mcp", stateless_http=True)
    return app, app.router.lifespan_context(app)


def sdk() -> tuple[Any, AbstractAsyncContextManager[Any]]:
    """The official SDK's own server, with its authorization routes."""
    provider = InMemoryOAuthProvider(base_url=ORIGIN)
    server = MCPServer(
        "peer", auth_server_provider=provider, token_verifier=None,
        auth=AuthSettings(
            issuer_url=ORIGIN, resource_server_url=URL, required_scopes=SCOPES[:1], client_registration_options=REGISTERING,
            validate_token_resource=False,
        ),
    )  # fmt: skip
    app = server.streamable_http_app()
    return app, app.router.lifespan_context(app)


def browser(app: Any) -> Any:
    """Somebody who approves at once, as these servers do by themselves."""

    async def person(url: str, *, deny: bool) -> str | None:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, follow_redirects=False) as http:
            answer = await http.get(url)
            return None if deny else urljoin(url, answer.headers.get("location", ""))

    return person


async def examined(made: tuple[Any, AbstractAsyncContextManager[Any]]) -> Report:
    app, lifespan = made
    async with lifespan:
        return await examine(URL, AsgiWire(app, HERE), Options(person=browser(app)))


def told(report: Report) -> dict[str, set[str]]:
    return {each.check.id: {finding.what for finding in each.findings} for each in report.results if each.findings}


BOTH: dict[str, str] = {
    "resource metadata": "the protected resource metadata is not there",
    "server metadata": "5 of the 6 places that clients try are empty",
    "flags": "clients without a secret are not announced",
    "cors": "a browser may not ask (MCP)",
    "registration": "the same client becomes another one each time it registers",
    "authorization": "the answer does not say who sent it (approve)",
    "refresh": "a renewal is refused (second, at the same time)",
}
"""What the measurements on the wire found too: no CORS, no iss, "none" not announced, ports compared, rotation at once."""


async def test_it_names_what_fastmcps_own_server_does_otherwise() -> None:
    report = await examined(fastmcp())
    found = told(report)
    assert found.keys() == BOTH.keys() | {"challenge", "dead refresh"}, as_text(report)
    assert {check: words for check, words in BOTH.items() if words not in found[check]} == {}
    assert "HEAD without a token is not answered like POST" in found["challenge"]
    assert "Claude Code may not come back to http://localhost:51135/callback" in found["authorization"]


async def test_it_names_what_the_sdks_own_server_does_otherwise() -> None:
    report = await examined(sdk())
    found = told(report)
    assert found.keys() == BOTH.keys(), as_text(report)
    assert {check: words for check, words in BOTH.items() if words not in found[check]} == {}

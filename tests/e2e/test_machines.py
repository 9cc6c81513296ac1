"""Programs without a person: the official client's own grants, against a running demo and its gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from support.assertions import EC, RSA, KeyPair
from support.official_client import Store, names
from support.running_demo import Demo

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B15")]

JOB = "job@service.example"


def declare(demo: Demo, status: str = "active", **more: Any) -> None:
    client = {"id": "job", "name": "Nightly job", "type": "confidential", "service_account": JOB}
    demo.apply({
        "users": [{"email": JOB, "name": "Job", "kind": "service", "status": status}],
        "tenants": [
            {"slug": "acme", "members": [{"user": JOB, "roles": ["viewer"]}], "clients": [client | more]},
        ],
    })  # fmt: skip


def new_secret(demo: Demo) -> str:
    return demo.command("client", "secret", "add", "job").stdout.split()[0]


@asynccontextmanager
async def connected(demo: Demo, provider: OAuthClientProvider, mode: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(auth=provider, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(demo.mcp_url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_the_official_client_connects_with_a_secret_and_no_person(own_demo: Demo, method: Any) -> None:
    declare(own_demo, auth_method=method)
    secret, store = new_secret(own_demo), Store()
    for mode in ("legacy", "2026-07-28"):
        provider = ClientCredentialsOAuthProvider(
            own_demo.mcp_url, Store() if mode == "legacy" else store, "job", secret, method, issuer=own_demo.url
        )
        async with connected(own_demo, provider, mode) as client:
            tools = await names(client.list_tools, "tools")
            me = await client.call_tool("whoami", {})
        assert {"whoami", "list_projects"} <= tools
        assert not me.is_error
        assert JOB in str(me)
    assert store.tokens is not None
    assert store.tokens.refresh_token is None
    token = store.tokens.access_token
    asked = httpx2.post(
        f"{own_demo.url}/oauth/introspect", data={"token": token, "client_id": "job", "client_secret": secret}
        if method == "client_secret_post" else {"token": token},
        auth=None if method == "client_secret_post" else ("job", secret), trust_env=False,
    )  # fmt: skip
    assert asked.json()["active"] is True
    declare(own_demo, status="disabled", auth_method=method)
    refused = httpx2.post(own_demo.mcp_url, headers={"authorization": f"Bearer {token}"}, json={}, trust_env=False)
    assert refused.status_code == 401, "and dies with its account, at the next call"


@pytest.mark.parametrize("pair", [EC, RSA], ids=["ES256", "RS256"])
async def test_the_official_client_connects_with_a_key_of_its_own(own_demo: Demo, pair: KeyPair) -> None:
    declare(own_demo, jwks={"keys": [pair.public()]})
    signed = SignedJWTParameters(issuer="job", subject="job", signing_key=pair.pem(), signing_algorithm=pair.algorithm)
    provider = PrivateKeyJWTOAuthProvider(
        own_demo.mcp_url, Store(), "job", signed.create_assertion_provider(), issuer=own_demo.url
    )
    async with connected(own_demo, provider, "auto") as client:
        assert "list_projects" in await names(client.list_tools, "tools")
        assert not (await client.call_tool("list_projects", {})).is_error

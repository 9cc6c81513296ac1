"""The official Python client (``mcp``) with its own OAuth code, a person instead of a browser, and nothing of ours."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from support.person import Person, answer_of

REDIRECT = "http://127.0.0.1:39111/callback"


@dataclass
class Store:
    """Where the client keeps its registration and tokens."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client: OAuthClientInformationFull) -> None:
        self.client = client


@dataclass
class Visit:
    """One user's client: ``urls`` are the authorization URLs it opened."""

    mcp_url: str
    person: Person | None = None
    key: str | None = None
    mode: str = "auto"
    metadata_document: str | None = None
    """The URL that this client has instead of a registration."""
    store: Store = field(default_factory=Store)
    urls: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def client(self, **more: Any) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        auth = None if self.key else self._oauth()
        async with (
            httpx2.AsyncClient(auth=auth, headers=headers, timeout=30, trust_env=False) as http,
            Client(streamable_http_client(self.mcp_url, http_client=http), mode=self.mode, **more) as client,
        ):
            yield client

    def _oauth(self) -> OAuthClientProvider:
        answer: dict[str, str] = {}

        async def redirect(url: str) -> None:
            assert self.person is not None
            self.urls.append(url)
            self.person.follow_callback = False
            answer.update(answer_of(await anyio.to_thread.run_sync(self.person.open, url)))

        async def callback() -> AuthorizationCodeResult:
            got = dict(answer)
            answer.clear()
            if "code" not in got:
                message = f"refused: {got}"
                raise PermissionError(message)
            return AuthorizationCodeResult(code=got["code"], state=got.get("state"), iss=got.get("iss"))

        metadata = OAuthClientMetadata.model_validate(
            {
                "client_name": "official client",
                "redirect_uris": [REDIRECT],
                "grant_types": ["authorization_code", "refresh_token"],
            }
        )
        return OAuthClientProvider(
            self.mcp_url, metadata, self.store, redirect, callback, client_metadata_url=self.metadata_document
        )


async def names(listing: Callable[[], Any], of: str) -> set[str]:
    """Return the names in a listing of the client."""
    return {item.name for item in getattr(await listing(), of)}

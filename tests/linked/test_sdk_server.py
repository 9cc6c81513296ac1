"""A server made with the official SDK that is its own authorization server: what most small servers are."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    OAuthAuthorizationServerProvider,
    RefreshToken,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl
from tests.gateway.world import messages, serve
from tests.linked.test_linking import asked_for
from tests.linked.test_second_door import Tls
from typing_extensions import override

from support.elsewhere import DOOR, NAMES
from support.https_server import trust
from support.linked_house import House, copied, declared, opened

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]


class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, AccessToken]):
    """Approves whatever is asked for; refresh tokens are good once."""

    def __init__(self) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.access: dict[str, AccessToken] = {}
        self._count = itertools.count()

    @override
    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    @override
    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[str(client_info.client_id)] = client_info

    @override
    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=f"code-{next(self._count)}", scopes=params.scopes or [], expires_at=2e9, client_id=str(client.client_id),
            code_challenge=params.code_challenge, redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly, resource=params.resource,
        )  # fmt: skip
        self.codes[code.code] = code
        return f"{params.redirect_uri}?{urlencode({'code': code.code, 'state': params.state or ''})}"

    @override
    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    @override
    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self._given(str(client.client_id), authorization_code.scopes, authorization_code.resource)

    @override
    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> RefreshToken | None:
        return self.refresh.get(refresh_token)

    @override
    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        del self.refresh[refresh_token.token]
        return self._given(str(client.client_id), scopes, None)

    @override
    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    @override
    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def _given(self, client_id: str, scopes: list[str], resource: str | None) -> OAuthToken:
        access, refresh = f"access-{next(self._count)}", f"refresh-{next(self._count)}"
        self.access[access] = AccessToken(token=access, client_id=client_id, scopes=scopes, resource=resource)
        self.refresh[refresh] = RefreshToken(token=refresh, client_id=client_id, scopes=scopes)
        return OAuthToken(access_token=access, expires_in=3600, refresh_token=refresh, scope=" ".join(scopes))


@pytest.fixture
async def both(furnished: Path, tmp_path: Path) -> AsyncIterator[tuple[House, Provider]]:
    """Our house, and the server behind it."""
    async with AsyncExitStack() as stack:
        tls, provider = Tls(), Provider()
        for port in range(49_209, 60_000, 17):
            with suppress(OSError):
                listening = await asyncio.start_server(tls.serve, "127.0.0.1", port, ssl=trust(*NAMES)[0])
                tls.port = port
                break
        stack.callback(listening.close)
        url = f"https://{DOOR}:{tls.port}"
        settings = AuthSettings(
            issuer_url=AnyHttpUrl(url), resource_server_url=AnyHttpUrl(f"{url}/mcp"), required_scopes=["user"],
            client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=["user"], default_scopes=["user"]),
            validate_token_resource=False,
        )  # fmt: skip
        server = MCPServer("own", auth=settings, auth_server_provider=provider)

        @server.tool()
        def echo(text: str) -> str:
            return text

        app = server.streamable_http_app(host=DOOR)
        await stack.enter_async_context(app.router.lifespan_context(app))
        running, task, tls.behind = await serve(app)
        ours = await stack.enter_async_context(opened(copied(furnished, tmp_path / "ours")))
        await ours.apply(declared(f"{url}/mcp"))
        yield ours, provider
        running.should_exit = running.force_exit = True
        await task


async def test_an_account_at_a_server_of_the_sdk_is_linked_used_and_refreshed(both: tuple[House, Provider]) -> None:
    ours, provider = both
    alice, key = await ours.visitor("alice"), await ours.key("alice")
    query = asked_for(await alice.begin())
    assert query["scope"] == "user"
    params = AuthorizationParams(
        state=query["state"], scopes=query["scope"].split(), code_challenge=query["code_challenge"],
        redirect_uri=query["redirect_uri"], redirect_uri_provided_explicitly=True, resource=query["resource"],
    )  # type: ignore[arg-type]  # fmt: skip
    back = await provider.authorize(provider.clients[query["client_id"]], params)
    answer = await alice.come_back(asked_for(back))
    assert answer.status_code == 303, answer.text
    for seconds in (0, 3700):
        ours.clock.forward(seconds)
        said = messages(await ours.call(key, "echo", text="hello"))[-1]["result"]
        assert said["content"][0]["text"] == "hello"
    assert (await ours.grants())[0].version == 2
    assert len(provider.refresh) == 1

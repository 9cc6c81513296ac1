"""Doorward for a FastMCP server: an auth provider for ``FastMCP(auth=…)`` and a middleware for its tools."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import mcp_types
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AccessToken, RemoteAuthProvider, TokenVerifier
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from mcp.server.auth.routes import build_resource_metadata_url
from starlette.middleware import Middleware as Layer
from starlette.routing import Route
from typing_extensions import override

from doorward.sdk.caller import current_caller
from doorward.sdk.errors import RefusedError
from doorward.sdk.fetch import as_url
from doorward.sdk.http import Answers, StepUp
from doorward.sdk.permissions import Requirement, requirement_of
from doorward.sdk.verifiers import GatewayIdentity, Verifier


class _AsFastMCP(TokenVerifier):
    def __init__(self, verifier: Verifier) -> None:
        super().__init__()
        self._verifier = verifier

    @override
    async def verify_token(self, token: str) -> AccessToken | None:
        found = await self._verifier.verify_token(token)
        return None if found is None else AccessToken(**found.model_dump())


class DoorwardAuth(RemoteAuthProvider):
    """The bearers that ``verifier`` believes, at ``verifier.resource``.

    Without the gateway it serves protected-resource metadata (RFC 9728) and asks for missing scopes by a 403.
    """

    def __init__(self, verifier: Verifier) -> None:
        url = urlsplit(verifier.resource)
        super().__init__(
            token_verifier=_AsFastMCP(verifier),
            authorization_servers=[as_url(verifier.issuer)],
            base_url=f"{url.scheme}://{url.netloc}",
        )
        self._verifier = verifier
        self._server: FastMCP[Any] | None = None

    @override
    def set_mcp_path(self, mcp_path: str | None) -> None:
        """Take the path that the server is served at. Raises ``ValueError`` where it is not that of ``resource``."""
        if (mcp_path or "") != urlsplit(self._verifier.resource).path:
            raise ValueError(f"the endpoint is served at {mcp_path}, but its URL is {self._verifier.resource}")
        super().set_mcp_path(mcp_path)

    @override
    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """Return the metadata document; behind the gateway none, for the gateway has it."""
        routes = super().get_routes(mcp_path)
        return [] if isinstance(self._verifier, GatewayIdentity) else routes

    @override
    def get_middleware(self) -> list[Layer]:
        """Return the framework's own layers between ours."""
        layers = [Layer(Answers), *super().get_middleware()]
        server = self._server
        if server is not None and not isinstance(self._verifier, GatewayIdentity):

            async def needed(name: str) -> Requirement | None:
                return await _requirement(server, name)

            metadata = str(build_resource_metadata_url(as_url(self._verifier.resource)))
            layers.append(Layer(StepUp, needed=needed, metadata_url=metadata))
        return layers

    def protect(self, server: FastMCP[Any]) -> None:
        """Show in ``tools/list`` what the caller may call, and hide and refuse every tool without ``@requires``."""
        self._server = server
        server.add_middleware(_Guard())


class _Guard(Middleware):
    @override
    async def on_list_tools(
        self, context: MiddlewareContext[mcp_types.ListToolsRequest],
        call_next: CallNext[mcp_types.ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:  # fmt: skip
        scopes = current_caller().scopes
        needed = ((tool, _of(tool)) for tool in await call_next(context))
        return [tool for tool, each in needed if each is not None and each.permissions <= scopes]

    @override
    async def on_call_tool(
        self, context: MiddlewareContext[mcp_types.CallToolRequestParams],
        call_next: CallNext[mcp_types.CallToolRequestParams, ToolResult],
    ) -> ToolResult:  # fmt: skip
        name, running = context.message.name, context.fastmcp_context
        needed = None if running is None else await _requirement(running.fastmcp, name)
        if needed is None:
            raise ToolError(f"Unknown tool: {name!r}")
        try:
            current_caller().require(*needed.permissions)
            return await call_next(context)
        except RefusedError as refused:
            raise ToolError(str(refused)) from refused


async def _requirement(server: FastMCP[Any], name: str) -> Requirement | None:
    tool = await server.get_tool(name)
    return None if tool is None else _of(tool)


def _of(tool: Tool) -> Requirement | None:
    return requirement_of(cast("Any", getattr(tool, "fn", None)))

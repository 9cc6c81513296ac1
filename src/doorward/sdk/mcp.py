"""Doorward for a server on the official ``mcp`` package: settings, list filtering, and the endpoint's own answers."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.routes import build_resource_metadata_url
from mcp.server.auth.settings import AuthSettings
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.middleware import Middleware

from doorward.sdk.caller import current_caller
from doorward.sdk.fetch import as_url
from doorward.sdk.http import Answers, StepUp
from doorward.sdk.permissions import Requirement, requirement_of
from doorward.sdk.verifiers import GatewayIdentity, Verifier


def auth_settings(verifier: Verifier) -> AuthSettings:
    """Return the ``auth`` of a server that believes ``verifier``.

    Without the gateway the framework then serves protected-resource metadata (RFC 9728) and names it in its challenge;
    behind the gateway the gateway does both.
    """
    behind = isinstance(verifier, GatewayIdentity)
    return AuthSettings(
        issuer_url=as_url(verifier.issuer),
        resource_server_url=None if behind else as_url(verifier.resource),
        # The verifiers compare the audience themselves, byte for byte.
        validate_token_resource=None if behind else False,
    )


def protect(server: MCPServer) -> None:
    """Show in ``tools/list`` what the caller may call, and hide and refuse every tool without ``@requires``."""

    async def guard(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.method == "tools/call" and requirement(server, (ctx.params or {}).get("name")) is None:
            return await _unknown(ctx, call_next)
        answer = await call_next(ctx)
        return _shown(server, answer) if ctx.method == "tools/list" else answer

    server.middleware.append(guard)


def application(server: MCPServer, verifier: Verifier, *, path: str = "/mcp", **more: Any) -> Starlette:
    """Return the server's Streamable HTTP application with Doorward's answers around it; ``more`` goes to the framework."""
    # By the host the framework knows whether to look out for DNS rebinding: on loopback it does.
    more.setdefault("host", urlsplit(verifier.resource).hostname)
    app = server.streamable_http_app(streamable_http_path=path, **more)
    app.user_middleware.insert(0, Middleware(Answers))
    if not isinstance(verifier, GatewayIdentity):

        async def needed(name: str) -> Requirement | None:
            return requirement(server, name)

        metadata = str(build_resource_metadata_url(as_url(verifier.resource)))
        app.user_middleware.append(Middleware(StepUp, needed=needed, metadata_url=metadata))
    return app


def requirement(server: MCPServer, name: object) -> Requirement | None:
    """Return what the tool ``name`` requires; None for a tool that says nothing, or does not exist."""
    # The framework has no public way from a tool's name to its function (mcp 2.3); tests/sdk hold this to the pin.
    tool = server._tool_manager.get_tool(name) if isinstance(name, str) else None  # noqa: SLF001
    return None if tool is None else requirement_of(tool.fn)


async def _unknown(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    # The framework's own answer for a tool that does not exist, in the form of the protocol's revision.
    params = dict(ctx.params or {})
    answer = await call_next(replace(ctx, params={**params, "name": ""}))
    if isinstance(answer, dict) and answer.get("content"):
        answer["content"] = [{"type": "text", "text": f"Unknown tool: {params.get('name')}"}]
    return answer


def _shown(server: MCPServer, answer: HandlerResult) -> HandlerResult:
    # Middleware sees what goes on the wire (mcp 2.3); another form is shown to nobody.
    tools = answer.get("tools", []) if isinstance(answer, dict) else []
    kept = [tool for tool in tools if _may_call(server, tool["name"])]
    return answer | {"tools": kept} if isinstance(answer, dict) else {"tools": kept}


def _may_call(server: MCPServer, name: str) -> bool:
    needed = requirement(server, name)
    return needed is not None and needed.permissions <= current_caller().scopes

"""Harbour put together: store, identity, tools, resources and prompts as one ASGI application."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette

from doorward.demo.harbour import reading, tools_documents, tools_tree, tools_work
from doorward.demo.harbour.push import TreePusher, publish_nothing
from doorward.demo.harbour.seed import plant
from doorward.demo.harbour.store import Store
from doorward.demo.harbour.views import moment
from doorward.sdk.mcp import application, auth_settings
from doorward.sdk.verifiers import GatewayIdentity, Verifier

MCP_PATH: Final = "/mcp"
HTTP_TIMEOUT_SECONDS: Final = 10.0
MICROSECONDS: Final = 1_000_000
INSTRUCTIONS: Final = (
    "Harbour keeps projects, their documents and their tasks. Read harbour://handbook first if you are new here. "
    "Ids come from the list_ and search_ tools; never make one up."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harbour:
    """A running Harbour without its socket."""

    app: Starlette
    store: Store
    pusher: TreePusher | None


@contextlib.asynccontextmanager
async def harbour(  # noqa: PLR0913  (the composition root of a process of its own)
    *,
    data: Path,
    url: str,
    issuer: str,
    push: str | None,
    push_key_file: Path | None,
    now: Callable[[], int],
    entropy: Callable[[int], bytes],
) -> AsyncIterator[Harbour]:
    """Open a Harbour whose MCP endpoint is ``url`` + ``/mcp`` and whose callers are vouched for by ``issuer``.

    ``now`` gives microseconds since the epoch. Without ``push`` nobody is told of the tree.
    """
    async with httpx2.AsyncClient(timeout=HTTP_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as http:
        pusher = TreePusher(push, push_key_file, http) if push and push_key_file else None
        store = Store(
            data / "harbour.sqlite3", now=now, entropy=entropy, publish=pusher.publish if pusher else publish_nothing
        )
        store.create(plant)
        verifier = GatewayIdentity(issuer=issuer, resource=url + MCP_PATH, http=http, now=lambda: now() / MICROSECONDS)
        try:
            server = build(store, verifier, today=lambda: moment(now())[:10])
            yield Harbour(app=application(server, verifier, path=MCP_PATH), store=store, pusher=pusher)
        finally:
            store.close()


def build(store: Store, verifier: Verifier, *, today: Callable[[], str]) -> MCPServer:
    """Return the MCP server with everything registered. One endpoint serves every protocol revision of the SDK."""
    server = MCPServer(
        name="harbour",
        title="Harbour",
        description="Projects, documents and tasks of your workspaces.",
        instructions=INSTRUCTIONS,
        version="1.0.0",
        token_verifier=verifier,
        auth=auth_settings(verifier),
        log_level="WARNING",
    )
    logging.getLogger("mcp").setLevel(logging.WARNING)
    tools_tree.register_workspaces(server, store)
    tools_tree.register_projects(server, store)
    tools_tree.register_folders(server, store)
    tools_documents.register_reading(server, store)
    tools_documents.register_writing(server, store)
    tools_documents.register_arranging(server, store)
    tools_documents.register_comments(server, store)
    tools_work.register_tasks(server, store)
    tools_work.register_reports(server, store, today)
    reading.register_resources(server, store)
    reading.register_prompts(server, store)
    reading.register_completion(server, store)
    return server

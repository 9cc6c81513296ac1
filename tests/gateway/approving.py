"""Two nodes of one deployment, and what it takes to ask for approvals and to decide about them."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.gateway.conftest import SEALER
from tests.gateway.deployment import START, put_in_place, server, user
from tests.gateway.recorder import Recorder
from tests.gateway.world import META, TERMS, World

from doorward.gateway.approvals.desk import Seen, Viewer, decide
from doorward.model import Approvers, Permission, ToolRule
from doorward.storage import servers
from doorward.storage.opening import open_database
from support.signing import key_ring

SELF = Approvers()
DECIDE = Permission("approvals:decide")
BY_OTHERS = Approvers(permissions=frozenset({DECIDE}), by_another=True)
OPENS = {"elicitation": {"url": {}}}
LINK = re.compile(r"http://127\.0\.0\.1:8080/approvals/(ap_[A-Za-z0-9_-]{22})")


@pytest.fixture(params=["sqlite", "postgresql"])
async def nodes(
    request: pytest.FixtureRequest, tmp_path: Path, recorder: Recorder
) -> AsyncIterator[tuple[World, World]]:  # fmt: skip
    """Two gateways over one database, before one upstream; dropping the database needs the caller's own approval."""
    if request.param == "sqlite":
        async with _nodes(f"sqlite://{tmp_path / 'doorward.db'}", recorder) as both:
            yield both
        return
    async with _nodes(request.getfixturevalue("empty_schema"), recorder) as both:
        yield both


@asynccontextmanager
async def _nodes(url: str, recorder: Recorder) -> AsyncIterator[tuple[World, World]]:
    one = open_database(url, create=True)
    two = open_database(url, create=False)
    await one.write(lambda tx: put_in_place(tx, recorder.url))
    keys = (await key_ring(one, SEALER, lambda: START)).current()
    first, second = (World(database=each, keys=keys, upstream=recorder.url) for each in (one, two))
    await need(first, SELF)
    async with first.running(), second.running():
        yield first, second
    await one.close()
    await two.close()


async def need(world: World, approvers: Approvers | None, *more: ToolRule) -> None:
    """Say who has to approve calls of ``drop_db``; ``more`` rules stand before it."""
    plain = server(world.upstream)
    rules = (replace(rule, approval=approvers) if rule.match == "drop_*" else rule for rule in plain.rules)
    await world.database.write(lambda tx: servers.put_server(tx, replace(plain, rules=(*more, *rules))))


def words(response: httpx2.Response) -> str:
    """Return the text of a tool result that is an error."""
    result = response.json()["result"]
    assert result["isError"] is True, result
    (content,) = result["content"]
    return str(content["text"])


def pending(response: httpx2.Response) -> str:
    """Return the id of the approval that an answer asks for."""
    found = LINK.search(words(response))
    assert found is not None, words(response)
    return found[1]


async def call(
    world: World, token: str, arguments: Mapping[str, Any] | None = None, *, tool: str = "drop_db",
    capabilities: Mapping[str, Any] | None = None, **params: Any,
) -> httpx2.Response:  # fmt: skip
    """Call a tool as a client of 2026-07-28 that can do what ``capabilities`` say; ``params`` come beside."""
    meta = META | {"io.modelcontextprotocol/clientCapabilities": capabilities or {}}
    whole = {"name": tool, "arguments": arguments or {}, **params, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": whole}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    return await world.post(token, message, headers=headers)


async def decided(world: World, approval_id: str, *, approve: bool = True, by: str = "alice") -> Seen:
    """Have somebody decide, as at the page."""
    viewer = Viewer(user_id=user(by).id, through="page", cause=None)
    return await world.database.write(
        lambda tx: decide(tx, approval_id, viewer, TERMS, approve=approve, now=world.clock())
    )


async def approved(world: World, token: str, arguments: Mapping[str, Any] | None = None, *, by: str = "alice") -> str:
    """Ask for a call and have it approved; return the approval's id."""
    approval_id = pending(await call(world, token, arguments))
    await decided(world, approval_id, by=by)
    return approval_id


def made(recorder: Recorder) -> int:
    """Return how many calls the upstream got."""
    return recorder.seen().count("tools/call")

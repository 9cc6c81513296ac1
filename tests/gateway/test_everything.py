"""The official ``everything`` server behind us loses nothing to somebody who may use all of it.

The official client uses every feature that it has, directly and through us; what both saw is compared word for word.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import _world
from tests.gateway.deployment import server
from tests.gateway.world import World

from doorward.credentials.signing_keys import SigningKeys
from doorward.model import Server, StdioCommand
from doorward.storage import servers
from support.node import NODE_PROJECT, node
from support.running_demo import free_port

pytestmark = pytest.mark.anyio

EVERYTHING = NODE_PROJECT / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
CLIENT = NODE_PROJECT / "everything.mjs"
Transcript = dict[str, Any]


@asynccontextmanager
async def everything() -> AsyncIterator[str]:
    """Run the server with Streamable HTTP; its URL."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        node(), EVERYTHING, "streamableHttp", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env={**os.environ, "PORT": str(port)},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            assert b"listening" in await process.stderr.readline()
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        await process.wait()


async def transcript(*arguments: object, **environment: str) -> Transcript:
    """Return what the official client saw."""
    process = await asyncio.create_subprocess_exec(
        node(), CLIENT, *map(str, arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-3000:]
    seen: Transcript = json.loads(out)
    return seen


def differing(direct: Transcript, through: Transcript) -> dict[str, Any]:
    """Return what the two did not see alike."""
    found = {
        f"{part}: {name}": (direct[part].get(name), through[part].get(name))
        for part in ("steps", "asked")
        for name in direct[part] | through[part]
        if direct[part].get(name) != through[part].get(name)
    }
    heard, too = set(direct["heard"]), set(through["heard"])
    return found | ({"heard": (sorted(heard - too), sorted(too - heard))} if heard != too else {})


@asynccontextmanager
async def behind(furnished: tuple[Path, SigningKeys], folder: Path, declared: Server) -> AsyncIterator[World]:
    """A gateway in front of a server that has no rules of its own and no tool of ours."""
    made = await _world(furnished, folder, declared.upstream)
    plain = replace(declared, rules=(), builtin_tools=False)
    await made.database.write(lambda tx: servers.put_server(tx, plain))
    async with made.running():
        yield made
    await made.database.close()


@pytest.mark.requirement("D2")
async def test_the_everything_server_loses_nothing(furnished: tuple[Path, SigningKeys], tmp_path: Path) -> None:
    async with everything() as url, behind(furnished, tmp_path, server(url)) as world:
        direct, through = await asyncio.gather(
            transcript("http", url),
            transcript("http", f"http://127.0.0.1:{world.port}/mcp", MCP_TOKEN=await world.key("alice")),
        )
    assert len(direct["steps"]) > 50
    found = differing(direct, through)
    assert not found, json.dumps(found, indent=1)[:6000]


@pytest.mark.requirement("G4")
async def test_the_everything_server_loses_nothing_where_it_is_a_command(
    furnished: tuple[Path, SigningKeys], tmp_path: Path
) -> None:
    command = (node(), str(EVERYTHING), "stdio")
    spec = StdioCommand(command=command, relays=("sampling", "elicitation", "roots"))
    declared = replace(server("stdio:s1"), stdio=spec)
    async with behind(furnished, tmp_path, declared) as world:
        url = f"http://127.0.0.1:{world.port}/mcp"
        direct, through = await asyncio.gather(
            transcript("stdio", *command),
            transcript("http", url, MCP_TOKEN=await world.key("alice"), WITHOUT_TASKS="1"),
        )
    for one in (direct, through):
        one["steps"].pop("end", None)
        one["steps"]["described"].pop("revision", None)
        # Said at its start, when there is no session yet that could have listed anything before.
        one["heard"] = [said for said in one["heard"] if "tools/list_changed" not in said]
    found = differing(direct, through)
    assert not found, json.dumps(found, indent=1)[:6000]

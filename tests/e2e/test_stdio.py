"""Stdio servers from npm and from Python behind a real gateway, for two people at once (issue 4, "must be shown" 6)."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from support.node import NODE_PROJECT, node
from support.running_demo import Demo, running_demo

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("G4")]

NOTEBOOK = Path(__file__).with_name("stdio_notebook.py")
FILES = NODE_PROJECT / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everybody's files are."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def stdio_demo(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Demo]:
    """A demo whose product is the Python server, with the filesystem server beside it."""
    assert FILES.exists(), "the filesystem server is not installed: run `make test`, or tests/clients/install"
    command = f"{sys.executable} {NOTEBOOK}"
    with running_demo(tmp_path_factory.mktemp("stdio") / "data", "--stdio", command) as demo:
        files = {
            "slug": "files", "paths": ["/files", "/{tenant}/files"], "command": [node(), str(FILES), "."],
            "cwd": f"{folder}/{{tenant}}/{{user}}",
        }  # fmt: skip
        tenants = [{"slug": slug, "servers": ["upstream", "files"]} for slug in ("acme", "globex")]
        demo.apply({"servers": [files], "tenants": tenants})
        yield demo


def key_of(demo: Demo, user: str) -> str:
    """Make a key now: it has the permissions of servers that were added after the demo's own keys."""
    made = demo.command("token", "create", "--user", user, "--name", "stdio", "--json", "--tenant", tenant_of(user))
    return str(json.loads(made.stdout)["key"])


def tenant_of(user: str) -> str:
    return user.partition("@")[2].removesuffix(".example")


@asynccontextmanager
async def client(demo: Demo, user: str, mode: str, path: str = "/mcp") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key_of(demo, user)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30, trust_env=False) as http,
        Client(streamable_http_client(demo.url + path, http_client=http), mode=mode) as connected,
    ):
        yield connected


def written_in(folder: Path, pattern: str) -> Path:
    return next(folder.glob(pattern))


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_python_server_keeps_two_people_apart_and_a_crash_hurts_one(stdio_demo: Demo, mode: str) -> None:
    async with (
        client(stdio_demo, "ines@acme.example", mode) as ines,
        client(stdio_demo, "gus@globex.example", mode) as gus,
    ):
        assert {"remember", "crash"} <= {tool.name for tool in (await ines.list_tools()).tools}
        of_ines, of_gus = await asyncio.gather(
            ines.call_tool("remember", {"text": "of Ines"}), gus.call_tool("remember", {"text": "of Gus"})
        )
        assert "of Gus" not in text(of_ines)
        assert "of Ines" not in text(of_gus)
        with pytest.raises(Exception):  # noqa: B017  (each mode has its own for a 502)
            await gus.call_tool("crash", {})
        after = await ines.call_tool("remember", {"text": "again"})
        assert after.structured_content == {"result": ["of Ines", "again"]}
    async with client(stdio_demo, "gus@globex.example", mode) as gus:
        fresh = await gus.call_tool("remember", {"text": "new"})
        assert fresh.structured_content == {"result": ["new"]}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_filesystem_server_from_npm_shows_everybody_their_own_folder(
    stdio_demo: Demo, folder: Path, mode: str
) -> None:
    async with (
        client(stdio_demo, "ines@acme.example", mode, "/files") as ines,
        client(stdio_demo, "gus@globex.example", mode, "/files") as gus,
    ):
        assert "write_file" in {tool.name for tool in (await ines.list_tools()).tools}
        for one, words in ((ines, "of Ines"), (gus, "of Gus")):
            written = await one.call_tool("write_file", {"path": f"{mode}.txt", "content": words})
            assert not written.is_error, text(written)
        assert text(await ines.call_tool("read_text_file", {"path": f"{mode}.txt"})) == "of Ines"
        assert text(await gus.call_tool("read_text_file", {"path": f"{mode}.txt"})) == "of Gus"
        theirs = written_in(folder, f"globex/*/{mode}.txt")
        refused = await ines.call_tool("read_text_file", {"path": str(theirs)})
        assert refused.is_error
        assert "of Gus" not in text(refused)

"""Clients that nobody here wrote connect by OAuth and by key, in both protocol eras, and list and call tools."""

import json
import os
import subprocess
import threading
import webbrowser
from pathlib import Path
from urllib.parse import quote

import pytest
from fastmcp import Client as FastMCPClient

from support.node import NODE_PROJECT, node
from support.official_client import Visit, names
from support.person import Person
from support.running_demo import Demo

pytestmark = pytest.mark.anyio

ERAS = ["legacy", "2026-07-28"]


@pytest.mark.parametrize("mode", ERAS)
async def test_the_official_python_client_connects_lists_and_calls(demo: Demo, mode: str) -> None:
    visit = Visit(demo.mcp_url, Person(*demo.user("owner")), mode=mode)
    async with visit.client() as client:
        tools = await names(client.list_tools, "tools")
        me = await client.call_tool("whoami", {})
    assert {"whoami", "list_projects", "create_document"} <= tools
    assert len(tools) >= 20
    assert not me.is_error
    assert len(visit.urls) == 1


@pytest.mark.requirement("B4")
async def test_the_official_python_client_connects_by_a_metadata_document_without_registering(demo: Demo) -> None:
    document = "https://claude.ai/oauth/claude-code-client-metadata"
    visit = Visit(demo.mcp_url, Person(*demo.user("owner")), metadata_document=document)
    async with visit.client() as client:
        assert len(await names(client.list_tools, "tools")) >= 20
    assert quote(document, safe="") in visit.urls[0]
    assert visit.person is not None
    assert "Verified: claude.ai" in visit.person.pages[-1]


@pytest.mark.parametrize("mode", ERAS)
async def test_the_official_python_client_connects_with_a_key(demo: Demo, mode: str) -> None:
    async with Visit(demo.mcp_url, key=demo.key(), mode=mode).client() as client:
        tools = await names(client.list_tools, "tools")
        me = await client.call_tool("whoami", {})
        resources = await client.list_resources()
        prompts = await names(client.list_prompts, "prompts")
    assert len(tools) >= 20
    assert not me.is_error
    assert resources.resources
    assert prompts


@pytest.mark.parametrize("mode", ERAS)
async def test_the_tenants_own_url_works_like_the_short_one(demo: Demo, mode: str) -> None:
    async with Visit(demo.tenant_url("acme"), Person(*demo.user("owner")), mode=mode).client() as client:
        assert len(await names(client.list_tools, "tools")) >= 20


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.filterwarnings("ignore:Using in-memory token storage:UserWarning")
async def test_fastmcps_client_connects_lists_and_calls(demo: Demo, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    person = Person(*demo.user("owner"))

    def browser(url: str) -> bool:
        # The client opens the system's browser and listens for the answer in its own loop: the person is a thread.
        threading.Thread(target=person.open, args=(url,), daemon=True).start()
        return True

    monkeypatch.setattr(webbrowser, "open", browser)
    async with FastMCPClient(demo.mcp_url, auth="oauth", mode=mode) as client:
        tools = {tool.name for tool in await client.list_tools()}
        me = await client.call_tool("whoami", {})
    assert len(tools) >= 20
    assert not me.is_error


@pytest.mark.parametrize("mode", ERAS)
async def test_fastmcps_client_connects_with_a_key(demo: Demo, mode: str) -> None:
    async with FastMCPClient(demo.mcp_url, auth=demo.key(), mode=mode) as client:
        assert len(await client.list_tools()) >= 20
        assert not (await client.call_tool("whoami", {})).is_error


TYPESCRIPT = [("1", ""), ("2", "legacy"), ("2", "auto")]


@pytest.mark.parametrize(("generation", "era"), TYPESCRIPT)
@pytest.mark.parametrize("way", ["oauth", "key"])
def test_the_typescript_client_connects_lists_and_calls(demo: Demo, generation: str, era: str, way: str) -> None:
    environment = {**os.environ, **({"MCP_TOKEN": demo.key()} if way == "key" else {})}
    process = subprocess.Popen(
        [node(), str(Path(NODE_PROJECT) / "ts_client.mjs"), generation, demo.mcp_url, era],
        stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment, cwd=NODE_PROJECT,
    )  # fmt: skip
    assert process.stdout is not None
    said: dict[str, str] = {}
    with process:
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            said[word] = rest
            if word == "AUTHORIZE":
                Person(*demo.user("owner")).open(rest)
    assert process.returncode == 0, said
    assert len(json.loads(said["TOOLS"])) >= 20
    assert "isError" not in said["CALL"] or json.loads(said["CALL"])["isError"] is False
    assert ("AUTHORIZE" in said) is (way == "oauth")
    assert said.get("ERA") == {"auto": "2026-07-28", "legacy": "2025-11-25"}.get(era)

"""A key for one folder of one project: whatever it asks, and however that is spelled, nothing of the rest leaves Harbour."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from support.running_demo import Demo, running_demo
from support.tree import ROOT

pytestmark = pytest.mark.anyio

SEED = ROOT / "src" / "doorward" / "demo" / "harbour" / "seed.yaml"
OWN = "fld-atlas-specs"
ABOVE = {"ws-engineering", "prj-atlas"}
OUTSIDE = (
    "fld-atlas-notes", "prj-beacon", "fld-beacon-design", "doc-atlas-kickoff", "doc-beacon-routing", "ws-engineering",
    "prj-atlas", "prj-meridian", "doc-meridian-permit", "nothing-here",
)  # fmt: skip
TWINS = (
    "{0}", "{1}/../{0}", "{1},{0}", "{0}/", "./{0}", " {0}", "{0} ", "{0}\u200b", "%66{0}", "{0}\u0000", "{1}\n{0}", "*", "",
    '["{0}"]', '{{"id": "{0}"}}',
)  # fmt: skip


def texts(node: Any) -> Iterator[str]:
    """Return what people wrote in every node outside of the folder; names of the nodes above it are no secret."""
    if isinstance(node, list):
        for item in node:
            yield from texts(item)
    if not isinstance(node, dict) or node.get("id") == OWN:
        return
    for key, value in node.items():
        if isinstance(value, (list, dict)):
            yield from texts(value)
        elif isinstance(value, str) and key in {"name", "body", "description"} and node.get("id") not in ABOVE:
            yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 16)


def seeded() -> set[str]:
    return {text for tenant in yaml.safe_load(SEED.read_text(encoding="utf-8")).values() for text in texts(tenant)}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(Path(tmp_path_factory.mktemp("demo")) / "data") as running:
        yield running


def asked(schema: dict[str, Any], value: Any) -> Iterator[dict[str, Any]]:
    """Return arguments that name ``value`` in every place, in one at a time beside the folder of one's own, as a list."""
    names = list(schema.get("properties", {}))
    kinds = {name: schema["properties"][name].get("type") for name in names}
    plain = {name: {"integer": 1, "boolean": True, "number": 1}.get(kinds[name], value) for name in names}
    yield plain
    yield {name: [value] if kinds[name] == "string" else one for name, one in plain.items()}
    for name in names:
        own = {other: OWN if one == value else one for other, one in plain.items()}
        yield {**own, name: plain[name]}
        yield {**own, name.upper(): plain[name]}


@pytest.mark.requirement("D5")
@pytest.mark.parametrize("era", ["2026-07-28", "legacy"])
async def test_I8_a_key_for_one_folder_reaches_nothing_beside_it(demo: Demo, era: str) -> None:
    secrets = seeded()
    assert len(secrets) > 30
    owner = ("token", "create", "--user", demo.user("owner")[0], "--tenant", "acme", "--json")
    wide = json.loads(demo.command(*owner).stdout)["key"]
    key = json.loads(demo.command(*owner, "--resource", f"folder/{OWN}").stdout)["key"]
    heard: list[str] = []
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {wide}"}, timeout=20) as http,
        Client(streamable_http_client(demo.mcp_url, http_client=http), mode=era) as client,
    ):
        whole = await told(client, "get_document", {"document_id": "doc-atlas-kickoff"})
        assert [text for text in secrets if text in whole], whole
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=20) as http,
        Client(streamable_http_client(demo.mcp_url, http_client=http), mode=era) as client,
    ):
        own = await client.call_tool("get_document", {"document_id": "doc-atlas-requirements"})
        assert "Grip force from 0.4 N" in own.model_dump_json(), "what is within can be read"
        tools = (await client.list_tools()).tools
        names = [twin.format(one, OWN) for one, twin in product(OUTSIDE[:5], TWINS)] + list(OUTSIDE)
        for index, value in enumerate(names):
            for tool in tools:
                if tool.name.startswith(
                    ("delete", "move", "create", "rename", "update", "add", "append", "restore", "complete")
                ):
                    continue  # What is read is the question; the folder must stay as it is.
                every = list(asked(tool.input_schema, value))
                # Each tool with each spelling; all the places only for the plain ones.
                places = every if index < len(TWINS) else every[:1]
                heard += [await told(client, tool.name, arguments) for arguments in places]
        for value in names:
            for uri in (f"harbour://documents/{value}", f"harbour://projects/{value}", "harbour://tree"):
                try:
                    heard.append((await client.read_resource(uri)).model_dump_json())
                except (MCPError, ValueError) as refused:
                    heard.append(str(refused))
    whole = "\n".join(heard)
    assert [text for text in secrets if text in whole] == []
    assert len(heard) > 1_000


async def told(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    """Return all that the answer says."""
    try:
        return (await client.call_tool(tool, arguments)).model_dump_json()
    except MCPError as refused:
        return f"{refused} {refused.error.data}"

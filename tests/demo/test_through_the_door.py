"""Harbour as its users meet it: through the gateway, with an API key, in both protocol eras."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from support.running_demo import Demo, running_demo

pytestmark = pytest.mark.anyio

ERAS = ("2026-07-28", "legacy")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(Path(tmp_path_factory.mktemp("demo")) / "data") as running:
        yield running


@asynccontextmanager
async def connected(demo: Demo, era: str, user: str) -> AsyncIterator[Client]:
    key = next(key["key"] for key in demo.printed["api_keys"] if key["user"].startswith(user))
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {key}"}, timeout=20) as http,
        Client(streamable_http_client(demo.mcp_url, http_client=http), mode=era) as client,
    ):
        yield client


@pytest.mark.parametrize("era", ERAS)
async def test_progress_reaches_the_caller(demo: Demo, era: str) -> None:
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with connected(demo, era, "ines") as client:
        result = await client.call_tool("export_project", {"project_id": "prj-atlas"}, progress_callback=hear)
    assert not result.is_error
    assert heard == [1, 2, 3, 4]


@pytest.mark.parametrize("era", ERAS)
async def test_arguments_are_completed_from_what_the_caller_may_see(demo: Demo, era: str) -> None:
    template = ResourceTemplateReference(type="ref/resource", uri="harbour://documents/{document}")
    async with connected(demo, era, "ines") as client:
        found = await client.complete(template, {"name": "document", "value": "doc-beacon-r"})
        assert set(found.completion.values) == {"doc-beacon-routing", "doc-beacon-restart"}
    async with connected(demo, era, "gus") as client:
        found = await client.complete(template, {"name": "document", "value": "doc-"})
        assert all(value.startswith(("doc-meridian", "doc-cranes")) for value in found.completion.values)


@pytest.mark.parametrize("era", ERAS)
async def test_resources_and_prompts_follow_the_same_rights(demo: Demo, era: str) -> None:
    async with connected(demo, era, "vera") as client:
        assert {str(item.uri) for item in (await client.list_resources()).resources} == {
            "harbour://handbook",
            "harbour://tree",
        }
        assert {item.name for item in (await client.list_prompts()).prompts} == {"summarise_document", "weekly_update"}
        tree = (await client.read_resource("harbour://tree")).contents[0]
        assert "Atlas gripper" in tree.text  # type: ignore[union-attr]
        assert "Meridian" not in tree.text  # type: ignore[union-attr]
        with pytest.raises(MCPError):
            await client.get_prompt("plan_project", {"goal": "x"})
        with pytest.raises(MCPError):
            await client.read_resource("harbour://documents/doc-meridian-noise")
        prompt = await client.get_prompt("summarise_document", {"document_id": "doc-atlas-safety"})
        assert "80 ms" in prompt.messages[0].content.text  # type: ignore[union-attr]


async def test_asking_for_a_prompt_about_a_foreign_document_tells_nothing(demo: Demo) -> None:
    prompt = PromptReference(type="ref/prompt", name="summarise_document")
    async with connected(demo, "2026-07-28", "vera") as client:
        said = []
        for document in ("doc-meridian-noise", "doc-meridian-noisy"):
            with pytest.raises(MCPError) as refused:
                await client.get_prompt("summarise_document", {"document_id": document})
            said.append(str(refused.value).replace("noisy", "noise"))
            found = await client.complete(prompt, {"name": "document_id", "value": document})
            assert found.completion.values == []
    assert said[0] == said[1]

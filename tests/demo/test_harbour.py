"""Harbour as an MCP server: what it offers, in both protocol eras, and what its tools do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from demo.conftest import Running, open_harbour

pytestmark = pytest.mark.anyio

ERAS = ("2026-07-28", "legacy")
SETUP = Path(__file__).parents[2] / "src/doorward/demo/setup.yaml"


async def said(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)  # type: ignore[union-attr]


@pytest.mark.parametrize("era", ERAS)
async def test_it_offers_at_least_twenty_described_tools_with_honest_hints(running: Running, era: str) -> None:
    async with running.client(era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert len(tools) >= 20
    for name, tool in tools.items():
        hints = tool.annotations
        assert tool.title, name
        assert len(tool.description or "") > 15, name
        assert tool.output_schema, name
        assert hints is not None
        assert hints.open_world_hint is False
        assert all("description" in spec for spec in tool.input_schema.get("properties", {}).values()), name
        reads = name.startswith(("list_", "get_", "search_", "my_", "export_")) or name in {
            "document_history", "project_report", "workload",
        }  # fmt: skip
        assert hints.read_only_hint is reads, name
        assert hints.destructive_hint is name.startswith("delete_"), name


async def test_every_tool_resource_and_prompt_has_an_explicit_rule_in_the_set_up(running: Running) -> None:
    server = yaml.safe_load(SETUP.read_text())["servers"][0]
    named = {rule["match"] for rule in server["tools"]}
    async with running.client() as client:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == named
        for rule in server["tools"]:
            if "resource" in rule:
                schema = next(tool.input_schema for tool in tools if tool.name == rule["match"])
                named_by = rule["resource"] if isinstance(rule["resource"], list) else [rule["resource"]]
                assert {each["argument"].split("/")[1] for each in named_by} <= schema["properties"].keys(), rule
        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {
            rule["match"] for rule in server["prompts"]
        }
        uris = {str(resource.uri) for resource in (await client.list_resources()).resources}
        uris |= {template.uri_template for template in (await client.list_resource_templates()).resource_templates}
        assert uris == {rule["match"] for rule in server["resources"]}


async def test_the_set_up_uses_only_declared_permissions_at_most_fourteen() -> None:
    setup = yaml.safe_load(SETUP.read_text())
    declared = {entry["permission"] for entry in setup["permissions"]}
    server = setup["servers"][0]
    rules = [*server["tools"], *server["resources"], *server["prompts"]]
    assert {name for rule in rules for name in rule["requires"]} <= declared
    assert len(declared) <= 14


@pytest.mark.parametrize("era", ERAS)
async def test_a_document_is_written_changed_restored_and_deleted(running: Running, era: str) -> None:
    async with running.client(era) as client:
        folder = (await said(client, "create_folder", project_id="prj-atlas", name="Trials"))["id"]
        made = await said(client, "create_document", folder_id=folder, title="Day one", body="Round bottles.")
        again = await said(client, "update_document", document_id=made["id"], body="Square ones.", based_on_version=1)
        assert again["version"] == 2
        assert "version 2" in await refusal(
            client, "update_document", document_id=made["id"], body="Lost", based_on_version=1
        )
        longer = await said(client, "append_to_document", document_id=made["id"], text="And oval ones.")
        assert longer["body"] == "Square ones.\n\nAnd oval ones."
        restored = await said(client, "restore_document", document_id=made["id"], version=1)
        assert (restored["body"], restored["version"]) == ("Round bottles.", 4)
        history = (await said(client, "document_history", document_id=made["id"]))["versions"]
        assert [version["number"] for version in history] == [4, 3, 2, 1]
        found = await said(client, "search_documents", query="round bottles")
        assert made["id"] in {hit["document"]["id"] for hit in found["hits"]}
        await said(client, "delete_document", document_id=made["id"])
        assert await refusal(client, "get_document", document_id=made["id"])


async def test_projects_and_tasks_have_a_life_of_their_own(running: Running) -> None:
    async with running.client() as client:
        project = await said(client, "create_project", workspace_id="ws-company", name="Move office")
        assert (project["status"], project["lead"]) == ("planned", "Omar Haddad")
        project = await said(client, "update_project", project_id=project["id"], status="active", name="New office")
        assert (project["status"], project["name"]) == ("active", "New office")
        task = await said(client, "create_task", project_id=project["id"], title="Find a van", due="2020-01-01")
        report = await said(client, "project_report", project_id=project["id"])
        assert [late["id"] for late in report["overdue"]] == [task["id"]]
        await said(client, "complete_task", task_id=task["id"])
        report = await said(client, "project_report", project_id=project["id"])
        assert report["tasks_by_status"] == {"open": 0, "doing": 0, "done": 1}
        assert (await said(client, "delete_project", project_id=project["id"]))["nodes"] == 1
        assert await refusal(client, "get_task", task_id=task["id"])


async def test_a_remark_leaves_the_document_as_it_is(running: Running) -> None:
    async with running.client() as client:
        before = await said(client, "get_document", document_id="doc-atlas-safety")
        await said(client, "add_comment", document_id="doc-atlas-safety", body="Is 80 ms measured or meant?")
        comments = (await said(client, "list_comments", document_id="doc-atlas-safety"))["comments"]
        assert comments[-1]["body"] == "Is 80 ms measured or meant?"
        assert await said(client, "get_document", document_id="doc-atlas-safety") == before


@pytest.mark.parametrize("era", ERAS)
async def test_an_export_reports_its_progress(running: Running, era: str) -> None:
    heard: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total))

    async with running.client(era) as client:
        result = await client.call_tool("export_project", {"project_id": "prj-atlas"}, progress_callback=hear)
    assert result.structured_content is not None
    assert result.structured_content["documents"] == len(heard) == 4
    assert heard[-1] == (4, 4)


@pytest.mark.parametrize("era", ERAS)
async def test_resources_and_prompts_show_the_same_texts(running: Running, era: str) -> None:
    async with running.client(era) as client:
        tree = (await client.read_resource("harbour://tree")).contents[0]
        assert "  - Atlas gripper (`prj-atlas`)" in tree.text  # type: ignore[union-attr]
        document = (await client.read_resource("harbour://documents/doc-atlas-safety")).contents[0]
        assert "80 ms" in document.text  # type: ignore[union-attr]
        prompt = await client.get_prompt("summarise_document", {"document_id": "doc-atlas-safety"})
        assert "80 ms" in prompt.messages[0].content.text  # type: ignore[union-attr]
        with pytest.raises(MCPError):
            await client.read_resource("harbour://documents/doc-meridian-noise")
        with pytest.raises(MCPError):
            await client.get_prompt("summarise_document", {"document_id": "doc-meridian-noise"})


@pytest.mark.parametrize("era", ERAS)
async def test_arguments_of_prompts_and_templates_are_completed(running: Running, era: str) -> None:
    template = ResourceTemplateReference(type="ref/resource", uri="harbour://documents/{document}")
    async with running.client(era) as client:
        found = await client.complete(template, {"name": "document", "value": "doc-beacon-r"})
        assert set(found.completion.values) == {"doc-beacon-routing", "doc-beacon-restart"}
        prompt = PromptReference(type="ref/prompt", name="weekly_update")
        found = await client.complete(prompt, {"name": "project_id", "value": "gripper"})
        assert found.completion.values == ["prj-atlas"]
        found = await client.complete(
            PromptReference(type="ref/prompt", name="plan_project"), {"name": "goal", "value": ""}
        )
        assert found.completion.values == []


async def test_arguments_of_the_wrong_form_are_refused_in_words(running: Running) -> None:
    async with running.client() as client:
        assert "due" in await refusal(client, "create_task", project_id="prj-atlas", title="x", due="tomorrow")
        assert "name" in await refusal(client, "rename_folder", folder_id="fld-atlas-specs", name="  \n")
        assert await refusal(client, "move_folder", folder_id="fld-atlas-specs", into_folder_id="fld-atlas-supplier")
        assert await refusal(client, "move_folder", folder_id="fld-atlas-specs", into_folder_id="fld-beacon-design")
        assert await refusal(
            client, "create_folder", project_id="prj-atlas", name="x", parent_folder_id="fld-beacon-design"
        )


async def test_data_outlives_the_process(tmp_path: Path) -> None:
    async with open_harbour(tmp_path) as (running, _), running.client() as client:
        made = await said(client, "create_document", folder_id="fld-atlas-notes", title="Kept", body="x")
    async with open_harbour(tmp_path) as (running, _), running.client() as client:
        assert (await said(client, "get_document", document_id=made["id"]))["title"] == "Kept"

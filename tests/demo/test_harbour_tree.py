"""Harbour tells Doorward of its tree: all of it at start, each change before the tool answers."""

from pathlib import Path

import pytest

from demo.conftest import Running, open_harbour
from demo.test_harbour import refusal, said

pytestmark = pytest.mark.anyio


async def test_the_whole_tree_of_every_tenant_is_pushed_parents_first(tmp_path: Path) -> None:
    async with open_harbour(tmp_path) as (running, opened):
        count = await opened.pusher.publish_all(opened.store)
        pushed = {slug: body["resources"] for _, slug, body in running.issuer.pushed}
        assert running.issuer.keys_seen == {"Bearer key-of-acme", "Bearer key-of-globex"}
    assert pushed.keys() == {"acme", "globex"}
    assert sum(map(len, pushed.values())) == count
    for nodes in pushed.values():
        seen: set[tuple[str, str]] = set()
        for node in nodes:
            parent = node["parent"]
            assert (parent is None) == (node["type"] == "workspace")
            assert parent is None or (parent["type"], parent["key"]) in seen
            seen.add((node["type"], node["key"]))


async def test_the_first_push_is_repeated_until_it_is_taken(tmp_path: Path) -> None:
    async with open_harbour(tmp_path) as (running, opened):
        running.issuer.refuses = 3
        await opened.pusher.publish_all(opened.store)
        assert running.issuer.refuses == 0
        assert len(running.issuer.pushed) == 2


async def test_creating_renaming_moving_and_deleting_are_told_before_the_tool_answers(running: Running) -> None:
    told = running.issuer.pushed
    async with running.client() as client:
        made = await said(client, "create_folder", project_id="prj-atlas", name="Trials")
        name = {"type": "folder", "key": made["id"]}
        assert told.pop() == (
            "PATCH", "acme",
            {"put": [{**name, "name": "Trials", "parent": {"type": "project", "key": "prj-atlas"}}], "remove": []},
        )  # fmt: skip
        await said(client, "rename_folder", folder_id=made["id"], name="Field trials")
        assert told.pop()[2]["put"][0]["name"] == "Field trials"
        await said(client, "move_folder", folder_id=made["id"], into_folder_id="fld-atlas-specs")
        assert told.pop()[2]["put"][0]["parent"] == {"type": "folder", "key": "fld-atlas-specs"}
        document = await said(client, "create_document", folder_id=made["id"], title="Day one", body="x")
        assert told.pop()[2]["put"][0]["key"] == document["id"]
        await said(client, "delete_document", document_id=document["id"])
        assert told.pop()[2] == {"put": [], "remove": [{"type": "document", "key": document["id"]}]}
        await said(client, "delete_project", project_id="prj-atlas")
        removed = {item["key"] for item in told.pop()[2]["remove"]}
        assert {"prj-atlas", "fld-atlas-specs", made["id"], "doc-atlas-motor"} <= removed


async def test_what_does_not_change_the_tree_is_not_told(running: Running) -> None:
    async with running.client() as client:
        await said(client, "update_document", document_id="doc-atlas-safety", body="New text.")
        await said(client, "rename_document", document_id="doc-atlas-safety", title="Safety concept")
        await said(client, "complete_task", task_id="tsk-atlas-1")
    assert running.issuer.pushed == []


async def test_a_change_that_cannot_be_told_is_not_made(running: Running) -> None:
    async with running.client() as client:
        running.issuer.refuses = 2
        assert "not made" in await refusal(client, "create_folder", project_id="prj-atlas", name="Lost")
        assert "not made" in await refusal(client, "delete_document", document_id="doc-atlas-safety")
        assert "Lost" not in str(await said(client, "list_folders"))
        assert await said(client, "get_document", document_id="doc-atlas-safety")
        await said(client, "create_folder", project_id="prj-atlas", name="Found")

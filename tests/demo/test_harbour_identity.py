"""Harbour believes the identity token and nothing else, and shows no more than the token allows."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey

from demo.conftest import Running, open_harbour
from demo.test_harbour import ERAS, refusal, said

pytestmark = pytest.mark.anyio

LIST = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/list",
    "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }},
}  # fmt: skip


async def status(running: Running, authorization: str | None) -> int:
    headers = {
        "accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list",
    }  # fmt: skip
    if authorization is not None:
        headers["authorization"] = authorization
    async with httpx2.AsyncClient() as http:
        return (await http.post(running.url, json=LIST, headers=headers)).status_code


async def test_a_good_identity_token_is_let_in_and_the_keys_are_fetched_once(running: Running) -> None:
    assert await status(running, f"Bearer {running.token()}") == 200
    assert await status(running, f"Bearer {running.token(jti='another')}") == 200
    assert running.issuer.jwks_fetched == 1


WRONG: dict[str, dict[str, Any]] = {
    "an access token's type": {"typ": "at+jwt"},
    "no type of ours": {"typ": "JWT"},
    "another issuer": {"iss": "http://evil.example"},
    "another audience": {"aud": "http://127.0.0.1:1/mcp"},
    "several audiences": {"aud": ["http://127.0.0.1:1/mcp"]},
    "expired": {"exp": int(time.time()) - 1},
    "expiry as text": {"exp": "2999"},
    "no expiry": {"exp": ...},
    "from the future": {"iat": int(time.time()) + 3600},
    "no subject": {"sub": ...},
    "resources of another shape": {"resources": ["project/prj-atlas"]},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_any_other_token_is_answered_401(running: Running, wrong: str) -> None:
    assert await status(running, f"Bearer {running.token(**WRONG[wrong])}") == 401


async def test_without_a_token_or_with_a_stranger_s_signature_the_answer_is_401(running: Running) -> None:
    good = running.token()
    stranger = running.token(key=ECKey.generate_key("P-256", {"kid": "k1"}))
    for header in (None, "", "Bearer", "Bearer x", "Basic dTpw", f"Bearer {good[:-4]}AAAA", f"Bearer {stranger}"):
        assert await status(running, header) == 401


async def test_a_silent_issuer_means_503_not_401_and_not_500(tmp_path: Path) -> None:
    async with open_harbour(tmp_path, issuer_url="http://127.0.0.1:1") as (running, _):
        assert await status(running, f"Bearer {running.token()}") == 503, "a client told 401 throws its tokens away"
        assert await status(running, "Bearer x") == 401, "this is no identity token, whoever might be asked"


@pytest.mark.parametrize("era", ERAS)
async def test_a_foreign_document_and_a_missing_one_are_refused_in_the_same_words(running: Running, era: str) -> None:
    async with running.client(era) as client:
        foreign = await refusal(client, "get_document", document_id="doc-meridian-noise")
        missing = await refusal(client, "get_document", document_id="doc-meridian-noisy")
    assert foreign.replace("noise", "noisy") == missing


async def test_each_tenant_sees_only_its_own(running: Running) -> None:
    async with running.client(tenant="globex", name="Gus Lindqvist") as client:
        assert {item["id"] for item in (await said(client, "list_workspaces"))["workspaces"]} == {"ws-operations"}
        assert (await said(client, "search_documents", query="gripper"))["hits"] == []
        assert "Acme" not in str(await said(client, "workload"))
        assert await refusal(client, "update_task", task_id="tsk-atlas-1", status="done")
        assert await refusal(client, "create_task", project_id="prj-atlas", title="x")


async def test_a_caller_limited_to_a_folder_sees_that_subtree_and_nothing_else(running: Running) -> None:
    roots = [{"type": "folder", "key": "fld-atlas-specs"}]
    async with running.client(resources=roots) as client:
        assert (await said(client, "list_workspaces"))["workspaces"] == []
        assert (await said(client, "list_projects"))["projects"] == []
        folders = {item["id"] for item in (await said(client, "list_folders"))["folders"]}
        assert folders == {"fld-atlas-specs", "fld-atlas-supplier"}
        hits = (await said(client, "search_documents", query="the"))["hits"]
        assert {hit["document"]["id"] for hit in hits} <= {
            "doc-atlas-requirements",
            "doc-atlas-safety",
            "doc-atlas-motor",
        }
        tree = (await client.read_resource("harbour://tree")).contents[0].text  # type: ignore[union-attr]
        assert tree.startswith("- Specifications (`fld-atlas-specs`)\n")
        assert "Atlas gripper" not in tree
        assert (await said(client, "my_tasks"))["tasks"] == []
        assert await refusal(client, "get_document", document_id="doc-atlas-kickoff")
        # Nothing is carried out of the subtree, or into what lies outside it.
        assert await refusal(client, "move_document", document_id="doc-atlas-safety", into_folder_id="fld-atlas-notes")
        made = await said(client, "create_document", folder_id="fld-atlas-supplier", title="Inside", body="x")
        assert (await said(client, "get_document", document_id=made["id"]))["title"] == "Inside"


async def test_limits_are_compared_by_type_and_key_not_by_name_or_prefix(running: Running) -> None:
    for root in ({"type": "project", "key": "fld-atlas-specs"}, {"type": "folder", "key": "fld-atlas"}):
        async with running.client(resources=[root]) as client:
            assert (await said(client, "list_folders"))["folders"] == []
    async with running.client(resources=[]) as client:
        assert (await said(client, "list_folders"))["folders"] == []


@pytest.mark.parametrize("era", ERAS)
async def test_tools_ask_for_their_permission_again(running: Running, era: str) -> None:
    async with running.client(era, scopes=["documents:read", "reports:read"]) as client:
        assert "folders:read" in await refusal(client, "list_folders")
        assert "documents:write" in await refusal(
            client, "update_document", document_id="doc-atlas-safety", body="gone"
        )
        assert "documents:delete" in await refusal(client, "delete_document", document_id="doc-atlas-safety")


async def test_a_session_of_the_older_revisions_follows_each_request_s_own_token(running: Running) -> None:
    now = {"scopes": ["documents:read"]}
    async with running.client_with(lambda: running.token(**now), "legacy") as client:
        assert await said(client, "get_document", document_id="doc-atlas-safety")
        now["scopes"] = ["folders:read"]
        assert "documents:read" in await refusal(client, "get_document", document_id="doc-atlas-safety")
        now["resources"] = [{"type": "folder", "key": "fld-beacon-design"}]  # type: ignore[list-item]
        assert len((await said(client, "list_folders"))["folders"]) == 1


async def test_a_session_cannot_be_continued_by_another_user_or_in_another_tenant(running: Running) -> None:
    start = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }  # fmt: skip
    accept = {"accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(headers=accept) as http:
        mine = {"authorization": f"Bearer {running.token()}"}
        session = (await http.post(running.url, json=start, headers=mine)).headers["mcp-session-id"]
        ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        for claims in ({"sub": "user-2"}, {"tenant": "globex"}):
            other = {"authorization": f"Bearer {running.token(**claims)}", "mcp-session-id": session}
            assert (await http.post(running.url, json=ask, headers=other)).status_code == 404


async def test_a_token_without_a_tenant_lists_tools_but_reaches_no_data(running: Running) -> None:
    async with running.client(tenant=None) as client:
        assert len((await client.list_tools()).tools) >= 20
        assert (await said(client, "list_workspaces"))["workspaces"] == []

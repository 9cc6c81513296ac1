"""The promise: the agent can do exactly what the person can do, limited to what was approved, decided at each call."""

import json

import pytest

from support.oauth import Client, call, result, rpc, tool_names
from support.official_client import Store, Visit, names
from support.person import Person
from support.running_demo import Demo

WRITING = {"create_document", "update_document", "delete_document"}


def connected(demo: Demo, role: str, scope: str | None, **choices: object) -> str:
    """Return an access token of the acme user with ``role``."""
    person = Person(*demo.user(role), **choices)  # type: ignore[arg-type]
    return Client(demo.url, demo.mcp_url).connect(person, scope).access


@pytest.mark.requirement("D2")
def test_a_viewers_list_has_no_writing_tool_and_calling_one_is_like_calling_nothing(demo: Demo) -> None:
    token = connected(demo, "viewer", None)
    assert not WRITING & tool_names(demo.mcp_url, token)
    hidden = call(demo.mcp_url, token, "create_document", folder_id="x", title="x", body="x")
    missing = call(demo.mcp_url, token, "create_documenu", folder_id="x", title="x", body="x")
    assert hidden.status_code == missing.status_code
    assert hidden.text.replace("create_document", "NAME") == missing.text.replace("create_documenu", "NAME")
    told = {name for name, _ in hidden.headers.items()} - {"date"}
    assert told == {name for name, _ in missing.headers.items()} - {"date"}


@pytest.mark.requirement("B17")
def test_an_editor_who_was_asked_for_reading_sees_the_writing_tools_and_is_told_what_they_need(demo: Demo) -> None:
    token = connected(demo, "editor", "documents:read")
    assert "create_document" in tool_names(demo.mcp_url, token)
    refused = call(demo.mcp_url, token, "create_document", folder_id="x", title="x", body="x")
    assert refused.status_code == 403
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert "documents:write" in challenge.partition('scope="')[2].partition('"')[0].split()
    assert "resource_metadata=" in challenge


@pytest.mark.anyio
async def test_after_the_step_up_of_the_official_client_the_writing_tool_works(demo: Demo) -> None:
    person = Person(*demo.user("editor"))
    first = Client(demo.url, demo.mcp_url, name="official client")
    visit = Visit(demo.mcp_url, person, store=Store(), mode="2026-07-28")
    async with visit.client() as client:
        folders = await client.call_tool("list_folders", {})
    narrow = first.connect(Person(*demo.user("editor")), "documents:read")
    assert visit.store.tokens is not None
    visit.store.tokens = visit.store.tokens.model_copy(
        update={"access_token": narrow.access, "refresh_token": None, "scope": "documents:read"}
    )
    visit.urls.clear()
    assert folders.structured_content is not None
    folder = folders.structured_content["folders"][0]["id"]
    async with visit.client() as client:
        made = await client.call_tool("create_document", {"folder_id": folder, "title": "Stepped up", "body": "x"})
    assert not made.is_error, made.content
    assert len(visit.urls) == 1
    assert "documents%3Awrite" in visit.urls[0]


def test_an_editor_who_unticked_writing_does_not_see_the_writing_tools(demo: Demo) -> None:
    token = connected(demo, "editor", "documents:read documents:write", untick={"documents:write"})
    assert "create_document" not in tool_names(demo.mcp_url, token)
    refused = call(demo.mcp_url, token, "create_document", folder_id="x", title="x", body="x")
    assert "www-authenticate" not in refused.headers
    assert result(refused)["error"]["code"] == -32602


@pytest.mark.anyio
@pytest.mark.requirement("D3")
async def test_a_role_taken_away_from_another_process_is_refused_on_the_very_next_call(own_demo: Demo) -> None:
    visit = Visit(own_demo.mcp_url, Person(*own_demo.user("editor")), mode="legacy")
    email = own_demo.user("editor")[0]
    async with visit.client() as client:
        assert "create_document" in await names(client.list_tools, "tools")
        token = visit.store.tokens
        assert token is not None
        assert rpc(own_demo.mcp_url, token.access_token, "tools/list").status_code == 200
        own_demo.apply({"tenants": [{"slug": "acme", "members": [{"user": email, "roles": []}]}]})
        refused = call(own_demo.mcp_url, token.access_token, "list_projects")
        assert "result" not in result(refused)
        own_demo.apply({"tenants": [{"slug": "acme", "members": [{"user": email, "roles": ["editor"]}]}]})
        assert "result" in result(call(own_demo.mcp_url, token.access_token, "list_projects"))


@pytest.mark.requirement("C7")
def test_a_key_made_beside_the_server_works_at_once_and_a_revoked_one_never_again(own_demo: Demo) -> None:
    email = own_demo.user("owner")[0]
    options = ("--user", email, "--tenant", "acme", "--name", "ci", "--scope", "documents:read", "--json")
    made = json.loads(own_demo.command("token", "create", *options).stdout)
    assert "create_document" not in tool_names(own_demo.mcp_url, made["key"])
    assert "search_documents" in tool_names(own_demo.mcp_url, made["key"])
    own_demo.command("token", "revoke", made["id"])
    assert rpc(own_demo.mcp_url, made["key"], "tools/list").status_code == 401


def test_somebody_in_two_tenants_connects_one_of_them_only(demo: Demo) -> None:
    both = next(user for user in demo.printed["users"] if len(user["tenants"]) == 2)
    seen = {}
    for slug in ("acme", "globex"):
        person = Person(both["email"], both["password"], tenant=slug)
        token = Client(demo.url, demo.mcp_url).connect(person).access
        seen[slug] = json.dumps(result(call(demo.mcp_url, token, "whoami")))
    assert "acme" in seen["acme"]
    assert "globex" not in seen["acme"]
    assert "globex" in seen["globex"]


@pytest.mark.requirement("B11")
def test_a_token_of_the_short_url_is_not_valid_at_the_tenants_url(demo: Demo) -> None:
    token = connected(demo, "owner", None)
    assert rpc(demo.mcp_url, token, "tools/list").status_code == 200
    assert rpc(demo.tenant_url("acme"), token, "tools/list").status_code == 401

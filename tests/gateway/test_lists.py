"""Lists show what may be called or reached, and nothing tells of the rest."""

import json

import pytest
from tests.gateway.deployment import READ, WRITE
from tests.gateway.recorder import TOOLS, Recorder, Request, default, result
from tests.gateway.world import World, answered

pytestmark = pytest.mark.anyio


async def test_K2_no_trace_of_a_hidden_tool_in_any_page(world: World, recorder: Recorder) -> None:
    def paged(request: Request) -> bytes:
        if request.method != "tools/list":
            return default(request)
        cursor = request.message["params"].get("cursor")
        rest = {} if cursor else {"nextCursor": "page2"}
        page = TOOLS[3:] if cursor else TOOLS[:3]
        return result(request, {"tools": page, "total": 6, "_meta": {"hidden": "drop_db"}, **rest}, "etag: drop_db")

    recorder.answer = paged
    bob = await world.key("bob")
    first = await world.modern(bob, "tools/list")
    second = await world.modern(bob, "tools/list", {"cursor": answered(first)["nextCursor"]})
    assert [tool["name"] for tool in answered(first)["tools"]] == ["echo", "write_note"]
    assert [tool["name"] for tool in answered(second)["tools"]] == ["plain", "regional", "whoami", "connection_info"]
    for response in (first, second):
        assert "drop_db" not in response.text + str(response.headers)
        assert set(answered(response)) <= {"tools", "nextCursor", "resultType", "cacheScope", "ttlMs"}


LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")


async def test_K3_a_cursor_is_good_for_its_caller_and_its_list_only(world: World, recorder: Recorder) -> None:
    def paged(request: Request) -> bytes:
        whole = default(request)
        if request.method not in LISTS or request.message["params"].get("cursor"):
            return whole
        return result(request, {**json.loads(whole.partition(b"\r\n\r\n")[2])["result"], "nextCursor": "page 2 \u00fc"})

    recorder.answer = paged
    bob, alice, mallory = await world.key("bob"), await world.key("alice"), await world.key("mallory")
    token = await world.token("bob", READ)
    for method in LISTS:
        cursor = answered(await world.modern(bob, method))["nextCursor"]
        assert cursor == answered(await world.modern(bob, method))["nextCursor"], "the same, however often it is asked"
        assert "page" not in cursor
        recorder.forget()
        assert (await world.modern(bob, method, {"cursor": cursor})).status_code == 200
        assert recorder.requests[-1].message["params"]["cursor"] == "page 2 \u00fc"
        recorder.forget()
        for caller, asked, given, path in (
            (alice, method, cursor, "/mcp"), (mallory, method, cursor, "/mcp"), (token, method, cursor, "/mcp"),
            (bob, LISTS[LISTS.index(method) - 1], cursor, "/mcp"), (bob, method, cursor, "/other"),
            (bob, method, cursor[:-1], "/mcp"), (bob, method, "A" + cursor, "/mcp"), (bob, method, "page 2 \u00fc", "/mcp"),
            (bob, method, "' OR 1=1--", "/mcp"), (bob, method, "", "/mcp"),
        ):  # fmt: skip
            response = await world.modern(caller, asked, {"cursor": given}, path=path)
            assert (response.status_code, response.json()["error"]["code"]) == (400, -32602), (asked, given)
        assert recorder.seen() == []


async def test_K3_after_a_revocation_a_cursor_shows_what_may_be_seen_then(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        result(request, {"tools": TOOLS, **({} if request.message["params"].get("cursor") else {"nextCursor": "2"})})
        if request.method == "tools/list"
        else default(request)
    )
    bob = await world.key("bob")
    cursor = answered(await world.modern(bob, "tools/list"))["nextCursor"]
    await world.role("bob", "viewer")
    second = answered(await world.modern(bob, "tools/list", {"cursor": cursor}))
    assert [tool["name"] for tool in second["tools"]] == ["echo", "whoami", "connection_info"]


@pytest.mark.parametrize("broken", [{"nextCursor": "\ud800"}, {"requestState": "\ud800"}])
async def test_K3_K17_half_a_character_for_later_is_an_upstream_error(
    world: World, recorder: Recorder, broken: dict[str, str]
) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    recorder.answer = lambda request: (
        result(request, {"tools": [], "content": [], **broken})
        if request.method in {"tools/list", "tools/call"} and not Recorder._own(request)
        else default(request)
    )
    method = "tools/list" if "nextCursor" in broken else "tools/call"
    response = await world.modern(bob, method, {"name": "echo", "arguments": {}} if "call" in method else {})
    assert response.status_code == 502


@pytest.mark.parametrize("method", ["tools/list", "resources/list", "resources/templates/list", "prompts/list"])
async def test_K4_what_depends_on_the_caller_is_private(world: World, method: str) -> None:
    answer = answered(await world.modern(await world.key("bob"), method))
    assert (answer["cacheScope"], answer["ttlMs"]) == ("private", 0)


async def test_K4_a_read_resource_is_private(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        result(request, {"contents": [], "cacheScope": "public", "ttlMs": 86_400_000})
        if request.method == "resources/read"
        else default(request)
    )
    answer = answered(await world.modern(await world.key("bob"), "resources/read", {"uri": "mem://open"}))
    assert (answer["cacheScope"], answer["ttlMs"]) == ("private", 0)


async def test_lists_follow_rights_scopes_and_what_was_unticked(world: World) -> None:
    everything = ["echo", "write_note", "drop_db", "plain", "regional", "whoami", "connection_info"]
    assert await world.listed(await world.key("alice")) == everything
    assert await world.listed(await world.key("carol")) == ["echo", "whoami", "connection_info"]
    assert await world.listed(await world.token("alice", READ)) == everything
    hidden = await world.token("alice", READ, declined=frozenset({WRITE}))
    assert await world.listed(hidden) == [name for name in everything if name != "write_note"]


async def test_a_repeated_list_is_the_same_and_carries_its_own_id(world: World) -> None:
    bob = await world.key("bob")
    responses = [await world.modern(bob, "tools/list", request_id=name) for name in (1, "two", 3)]
    assert [response.json()["id"] for response in responses] == [1, "two", 3]
    assert len({json.dumps(response.json()["result"]) for response in responses}) == 1


async def test_a_kept_list_is_not_shown_after_a_change_of_rights(world: World) -> None:
    bob = await world.key("bob")
    assert "write_note" in await world.listed(bob)
    await world.role("bob", "viewer")
    assert await world.listed(bob) == ["echo", "whoami", "connection_info"]


async def test_a_kept_list_is_not_shown_after_the_upstream_changed_its_own(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    recorder.answer = lambda request: (
        result(request, {"tools": [{"name": "echo"}, {"name": "new_read", "annotations": {"readOnlyHint": True}}]})
        if request.method == "tools/list"
        else default(request)
    )
    assert await world.listed(bob) == ["echo", "new_read", "whoami", "connection_info"]
    world.clock.offset += 2_000_000
    assert (await world.call(bob, "new_read")).status_code == 200


async def test_a_tool_that_becomes_destructive_takes_the_right_to_delete(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    assert "plain" in await world.listed(bob)
    recorder.answer = lambda request: (
        result(request, {"tools": [{"name": "plain", "annotations": {"destructiveHint": True}}]})
        if request.method == "tools/list"
        else default(request)
    )
    assert await world.listed(bob) == ["whoami", "connection_info"]
    assert (await world.call(bob, "plain")).status_code == 400


async def test_of_two_tools_with_one_name_one_is_listed(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        result(request, {"tools": [{"name": "echo", "title": "a"}, {"name": "echo", "title": "b"}, {"x": 1}, "text"]})
        if request.method == "tools/list"
        else default(request)
    )
    assert await world.listed(await world.key("bob")) == ["echo", "whoami", "connection_info"]


async def test_whoami_says_who_is_calling_and_what_is_missing(world: World, recorder: Recorder) -> None:
    bob = await world.token("bob", READ)
    await world.listed(bob)
    recorder.forget()
    answer = answered(await world.call(bob, "whoami"))
    known = answer["structuredContent"]
    assert known["user"] == {"email": "bob@test.example", "name": "Bob"}
    assert known["tenant"] == {"slug": "acme", "name": "Acme"}
    assert known["credential"] == {"kind": "access_token", "name": "Test client"}
    assert known["scopes"] == ["documents:read"]
    assert [one["scope"] for one in known["missing"]] == ["documents:write", "s1:read"]
    assert "Bob <bob@test.example>" in answer["content"][0]["text"]
    assert recorder.seen() == []


async def test_whoami_of_the_upstream_comes_first(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        result(request, {"tools": [{"name": "whoami", "title": "Theirs", "annotations": {"readOnlyHint": True}}]})
        if request.method == "tools/list"
        else default(request)
    )
    bob = await world.key("bob")
    tools = answered(await world.modern(bob, "tools/list"))["tools"]
    assert [tool.get("title") for tool in tools] == ["Theirs", "About this connection"]
    assert recorder.seen() == ["tools/list"]
    await world.call(bob, "whoami")
    assert recorder.seen() == ["tools/list", "tools/call"]

"""What a caller may not know of answers like what does not exist, and the upstream is not asked (groups K, D2)."""

from typing import Any

import pytest
from tests.gateway.deployment import ADMIN, FOLDER, OTHER_FOLDER, READ, WRITE
from tests.gateway.recorder import Recorder
from tests.gateway.world import World, answered

from doorward.gateway.param_headers import encoded

pytestmark = pytest.mark.anyio

QUIET = {"date", "x-request-id", "content-length"}


def shape(response: Any, name: str) -> tuple[int, list[tuple[str, str]], str]:
    """Return all of an answer but the name that was asked for and what differs between any two answers."""
    headers = sorted((key, value) for key, value in response.headers.items() if key not in QUIET)
    return response.status_code, headers, response.text.replace(name, "NAME")


async def test_K1_a_hidden_tool_answers_like_one_that_does_not_exist(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    recorder.forget()
    hidden, missing = await world.call(bob, "drop_db"), await world.call(bob, "drop_xy")
    assert shape(hidden, "drop_db") == shape(missing, "drop_xy")
    assert hidden.status_code == 400
    assert hidden.json()["error"]["code"] == -32602
    assert recorder.seen() == []
    assert [(call.decision, call.status) for call in world.calls[-2:]] == [("denied", 400)] * 2


async def test_K1_in_the_older_revisions_too(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    hidden = await world.legacy(bob, "tools/call", {"name": "drop_db"})
    missing = await world.legacy(bob, "tools/call", {"name": "drop_xy"})
    assert shape(hidden, "drop_db") == shape(missing, "drop_xy")
    assert (hidden.status_code, hidden.json()["error"]["code"]) == (200, -32602)
    assert recorder.seen() == []


async def test_K1_both_look_again_at_what_the_upstream_offers(world: World, recorder: Recorder) -> None:
    """Else the time would tell a hidden name from a missing one."""
    bob = await world.key("bob")
    for name in ("drop_db", "drop_xy"):
        await world.listed(bob)
        recorder.forget()
        world.clock.offset += 2_000_000
        await world.call(bob, name)
        assert [request.method for request in recorder.requests].count("tools/list") == 1


async def test_a_rule_without_permissions_allows_nobody(world: World) -> None:
    alice = await world.key("alice")
    assert "forbidden" not in await world.listed(alice)
    assert (await world.call(alice, "forbidden")).status_code == 400


STRANGE_NAMES = (
    "Echo", "ECHO", " echo", "echo ", "echo\u200b", "\uff45\uff43\uff48\uff4f", "e\u0301cho", "echo\n", "S1.echo", "S2__echo",
    "echo/../drop_db", "s1:echo",
)  # fmt: skip
SIDE_DOORS = (
    "mem://secret", "MEM://SECRET", "mem://open/../secret", "mem:///secret", "mem://open/%2e%2e/secret", "mem://vault/x",
    "mem://docs/..", "mem://docs/%2e%2e", "mem://docs/gone", "mem://secre%74", "file:///etc/passwd",
)  # fmt: skip
OTHER_METHODS = (
    "tasks/list", "tasks/result", "logging/setLevel", "roots/list", "sampling/createMessage", "elicitation/create",
    "rpc.discover", "$/cancel", "tools/Call", "tools/call ", "x/tools/call", "initialize", "ping",
)  # fmt: skip


async def test_K10_a_name_is_compared_exactly(world: World, recorder: Recorder) -> None:
    alice = await world.key("alice")
    for name in STRANGE_NAMES:
        headers = {"mcp-name": encoded(name)}
        response = await world.modern(alice, "tools/call", {"name": name, "arguments": {}}, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (400, -32602), name
    assert recorder.seen() == []


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "resources/unsubscribe"])
async def test_K13_resources_have_no_side_door(world: World, recorder: Recorder, method: str) -> None:
    bob = await world.key("bob")
    ask = world.modern if method == "resources/read" else world.legacy
    other = await ask(bob, method, {"uri": "mem://none"})
    for uri in SIDE_DOORS:
        response = await ask(bob, method, {"uri": uri})
        assert shape(response, uri) == shape(other, "mem://none")
        assert response.json()["error"]["code"] == (-32602 if method == "resources/read" else -32002)
    assert recorder.seen() == []


async def test_K13_an_allowed_resource_is_read_and_its_template_is_listed(world: World) -> None:
    bob = await world.key("bob")
    assert await world.listed(bob, "resources/list") == ["mem://open", "mem://docs/d1"]
    assert await world.listed(bob, "resources/templates/list") == ["mem://docs/{document}"]
    for uri in ("mem://open", "mem://docs/d1"):
        assert (await world.modern(bob, "resources/read", {"uri": uri})).status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {"ref": {"type": "ref/prompt", "name": "p_secret"}, "argument": {"name": "a", "value": "x"}},
        {"ref": {"type": "ref/resource", "uri": "mem://vault/{item}"}, "argument": {"name": "item", "value": "x"}},
        {"ref": {"type": "ref/resource", "uri": "mem://secret"}, "argument": {"name": "a", "value": "x"}},
    ],
)
async def test_K14_nothing_hidden_is_completed(world: World, recorder: Recorder, params: dict[str, Any]) -> None:
    bob, alice = await world.key("bob"), await world.key("alice")
    response = await world.modern(bob, "completion/complete", params)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32602)
    assert recorder.seen() == []
    assert (await world.modern(alice, "completion/complete", params)).status_code == 200


async def test_K14_nothing_is_completed_within_a_resource_out_of_reach(world: World, recorder: Recorder) -> None:
    ref, argument = {"type": "ref/resource", "uri": "mem://docs/{document}"}, {"name": "document", "value": ""}

    async def status(token: str, chosen: Any) -> int:
        params = {"ref": ref, "argument": argument, "context": {"arguments": chosen}}
        return (await world.modern(token, "completion/complete", params)).status_code

    inside = await world.key("bob", READ, resources=frozenset({FOLDER}))
    outside = await world.key("bob", READ, resources=frozenset({OTHER_FOLDER}))
    assert await status(inside, {"document": "d1"}) == await status(outside, {}) == 200
    recorder.forget()
    for chosen in ({"document": "d1"}, {"Document": "d1"}, {"document": "none"}, ["d1"]):
        assert await status(outside, chosen) == 400
    params = {"ref": ref, "argument": argument, "context": {"Arguments": {"document": "d1"}}}
    assert (await world.modern(outside, "completion/complete", params)).status_code == 400
    assert recorder.seen() == []


async def test_K14_a_hidden_prompt_answers_like_a_missing_one(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    hidden = await world.modern(bob, "prompts/get", {"name": "p_secret"})
    missing = await world.modern(bob, "prompts/get", {"name": "p_nothere"})
    assert shape(hidden, "p_secret") == shape(missing, "p_nothere")
    assert recorder.seen() == []
    assert await world.listed(bob, "prompts/list") == ["p_open"]
    assert (await world.modern(bob, "prompts/get", {"name": "p_open"})).status_code == 200


async def test_K15_other_methods_are_refused_here(world: World, recorder: Recorder) -> None:
    alice = await world.key("alice")
    for method in OTHER_METHODS:
        response = await world.modern(alice, method, {}, headers={"mcp-method": encoded(method)})
        assert (response.status_code, response.json()["error"]["code"]) == (404, -32601), method
    assert recorder.seen() == []


async def test_what_is_logged_of_a_call_can_be_stored(world: World) -> None:
    """PostgreSQL takes no NUL: one such event would keep all others of its batch from being written, for ever."""
    bob = await world.key("bob")
    for method in ("tools/call\0", "a\nb", "\u202eliame"):
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        assert (await world.post(bob, message)).status_code == 200
        assert world.calls[-1].method.isprintable()
    await world.legacy(bob, "tools/call", {"name": "x\0"})
    assert all((call.name or "").isprintable() and call.reason.isprintable() for call in world.calls)


async def test_K15_notifications_that_are_not_known_go_nowhere(world: World, recorder: Recorder) -> None:
    alice = await world.key("alice")
    await world.listed(alice)
    recorder.forget()
    for message in ({"method": "notifications/message"}, {"method": "notifications/tasks/status", "params": {}}):
        assert (await world.post(alice, {"jsonrpc": "2.0", **message})).status_code == 202
    assert recorder.seen() == []


async def test_K15_discover_does_not_offer_what_the_gateway_does_not_serve(world: World) -> None:
    answer = answered(await world.modern(await world.key("bob"), "server/discover"))
    assert set(answer["capabilities"]) == {"tools", "resources", "prompts", "completions"}
    assert (answer["cacheScope"], answer["ttlMs"]) == ("private", 0)


async def test_what_is_reachable_is_listed_and_challenged(world: World, recorder: Recorder) -> None:
    bob = await world.token("bob", READ)
    assert "write_note" in await world.listed(bob)
    recorder.forget()
    response = await world.call(bob, "write_note", {"folder": "f1"})
    assert response.status_code == 403
    challenge = response.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="documents:write"' in challenge
    assert 'resource_metadata="http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp"' in challenge
    assert response.json()["id"] == 1
    assert recorder.seen() == []
    assert (await world.call(await world.token("bob", READ, WRITE), "write_note", {"folder": "f1"})).status_code == 200


async def test_what_was_unticked_is_hidden(world: World) -> None:
    bob = await world.token("bob", READ, declined=frozenset({WRITE}))
    assert "write_note" not in await world.listed(bob)
    hidden, missing = await world.call(bob, "write_note", {"folder": "f1"}), await world.call(bob, "write_xyzw")
    assert shape(hidden, "write_note") == shape(missing, "write_xyzw")


async def test_what_is_beyond_a_key_is_hidden(world: World) -> None:
    bob = await world.key("bob", READ)
    assert await world.listed(bob) == ["echo", "whoami", "connection_info"]
    assert (await world.call(bob, "write_note", {"folder": "f1"})).json()["error"]["code"] == -32602


async def test_J14_a_scope_without_the_right_is_worth_nothing(world: World) -> None:
    bob = await world.token("bob", READ, ADMIN)
    assert "drop_db" not in await world.listed(bob)
    assert (await world.call(bob, "drop_db")).status_code == 400


async def test_foreign_and_missing_resources_are_the_same_tool_error(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob", WRITE, resources=frozenset({FOLDER}))
    await world.listed(bob)
    recorder.forget()
    wrong: list[dict[str, Any]] = [
        {"folder": "f2"}, {"folder": "f9"}, {"folder": 7}, {"folder": ["f1"]}, {"Folder": "f1"}, {"fold_er": "f2"},
    ]  # fmt: skip
    answers = [await world.call(bob, "write_note", arguments) for arguments in wrong]
    assert len({response.text for response in answers}) == 1
    assert answers[0].json()["result"]["isError"] is True
    assert recorder.seen() == []
    assert answered(await world.call(bob, "write_note", {"folder": "f1"}))["isError"] is False
    assert answered(await world.call(bob, "write_note", {}))["isError"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        {"folder": "f1", "Folder": "f2"},
        {"FOLDER": "f2", "folder": "f1"},
        {"folder": "f1", "folder\u0000": "f2"},
        {"folder": "f1", "\uff46older": "f2"},
        {"folder": "f1", "text": "x", "fol_der": "f2"},
        {"folder": "f1"} | {f"other-{number}": 0 for number in range(2_000)},
    ],
    ids=["case", "case-before", "nul", "full-width", "separator", "too-many-to-look-at"],
)
async def test_K7_a_twin_of_the_argument_that_names_the_resource_is_refused(
    world: World, recorder: Recorder, arguments: dict[str, Any]
) -> None:
    """Go's decoder matches names without case and takes the last: it would act on f2, which the key does not reach."""
    bob = await world.key("bob", WRITE, resources=frozenset({FOLDER}))
    await world.listed(bob)
    recorder.forget()
    assert answered(await world.call(bob, "write_note", arguments))["isError"] is True
    assert recorder.seen() == []
    assert answered(await world.call(bob, "write_note", {"folder": "f1", "text": "x"}))["isError"] is False

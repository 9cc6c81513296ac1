"""Tasks: calls that go on by themselves. Only who began one comes back to it, and only while the tool is theirs (K23)."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.deployment import FOLDER, OTHER_CLIENT, OTHER_FOLDER, READ, WRITE
from tests.gateway.recorder import Recorder, Request, default, reply, result, stream
from tests.gateway.world import World, answered, messages

pytestmark = pytest.mark.anyio

OLD = "2025-11-25"
HELLO = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
TASK = {"status": "working", "createdAt": "now", "lastUpdatedAt": "now", "ttl": 60_000}
RELATED = "io.modelcontextprotocol/related-task"
OFFERED = {"tools": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}}
OF_OTHERS = {**TASK, "taskId": "of-nobody-here"}


def old(begun: list[str], stream_of: Callable[[], bytes] | None = None) -> Callable[[Request], bytes]:  # noqa: C901
    """Return a server of 2025-11-25 that makes a task of each call that asks for one, and shows everybody everything."""

    def answer(request: Request) -> bytes:  # noqa: PLR0911
        params = request.message.get("params", {})
        if request.head.startswith(b"GET") and stream_of is not None:
            return stream_of()
        if request.method == "server/discover":
            return reply(404, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')
        if request.method == "initialize":
            return result(request, {"protocolVersion": OLD, "capabilities": OFFERED}, "mcp-session-id: up")
        if request.method == "tools/call" and "task" in params:
            begun.append(f"up-{len(begun) + 1}")
            return result(request, {"task": {**TASK, "taskId": begun[-1]}})
        if request.method in {"tasks/get", "tasks/cancel"}:
            return result(request, {**TASK, "taskId": params["taskId"]})
        if request.method == "tasks/result":
            return result(request, {"content": [], "_meta": {RELATED: {"taskId": params["taskId"]}, "more": 1}})
        if request.method == "tasks/list":
            return result(request, {"tasks": [OF_OTHERS, *({**TASK, "taskId": each} for each in begun), {}, 7]})
        return default(request)

    return answer


def new(begun: list[str]) -> Callable[[Request], bytes]:
    """Return a server of 2026-07-28 that makes a task of each call."""

    def answer(request: Request) -> bytes:
        params = request.message.get("params", {})
        if request.method == "tools/call":
            begun.append(f"up-{len(begun) + 1}")
            return result(request, {**TASK, "resultType": "task", "taskId": begun[-1]})
        if request.method == "tasks/get":
            done = {"content": [{"type": "text", "text": "done"}]}
            return result(
                request,
                {**TASK, "resultType": "complete", "taskId": params["taskId"], "status": "completed", "result": done},
            )
        return default(request)

    return answer


async def opened(world: World, token: str) -> str:
    response = await world.legacy(token, "initialize", HELLO)
    assert answered(response)["capabilities"]["tasks"] == OFFERED["tasks"]
    return str(response.headers["mcp-session-id"])


async def begin(world: World, token: str, session: str | None, tool: str = "echo", **arguments: Any) -> str:
    params = {"name": tool, "arguments": arguments, "task": {"ttl": 60_000}}
    return str(answered(await world.legacy(token, "tools/call", params, session=session))["task"]["taskId"])


async def test_a_task_is_begun_watched_and_fetched_in_the_older_form(world: World, recorder: Recorder) -> None:
    recorder.answer = old([])
    bob = await world.key("bob")
    session = await opened(world, bob)
    task = await begin(world, bob, session)
    assert recorder.requests[-1].message["params"]["task"] == {"ttl": 60_000}
    for method in ("tasks/get", "tasks/cancel"):
        got = answered(await world.legacy(bob, method, {"taskId": task}, session=session))
        assert got == {**TASK, "taskId": task}
        assert recorder.requests[-1].message["params"] == {"taskId": "up-1"}
    fetched = answered(await world.legacy(bob, "tasks/result", {"taskId": task}, session=session))
    assert fetched == {"content": [], "_meta": {RELATED: {"taskId": task}, "more": 1}}
    assert [(call.method, call.name) for call in world.calls[-3:]] == [
        ("tasks/get", "echo"), ("tasks/cancel", "echo"), ("tasks/result", "echo"),
    ]  # fmt: skip
    without_session = answered(await world.legacy(bob, "tasks/get", {"taskId": task}))
    assert without_session["taskId"] == task


async def test_a_task_is_begun_and_watched_in_the_newer_form(world: World, recorder: Recorder) -> None:
    recorder.answer = new([])
    bob = await world.key("bob")
    begun = answered(await world.modern(bob, "tools/call", {"name": "echo", "arguments": {}, "task": {}}))
    assert "task" not in recorder.requests[-1].message["params"], "2026-07-28: the server decides"
    task = begun["taskId"]
    assert begun == {**TASK, "resultType": "task", "taskId": task}
    got = answered(await world.modern(bob, "tasks/get", {"taskId": task}))
    assert (got["taskId"], got["result"]["content"][0]["text"]) == (task, "done")
    assert recorder.requests[-1].header("mcp-name") == "up-1"
    for method, params in (("tasks/update", {"inputResponses": {"a": {}}}), ("tasks/cancel", {})):
        assert answered(await world.modern(bob, method, {"taskId": task, **params})) == {"resultType": "complete"}
        assert recorder.requests[-1].message["params"]["taskId"] == "up-1"
    for gone in ("tasks/list", "tasks/result"):
        assert (await world.modern(bob, gone, {"taskId": task})).status_code == 404
    wrong = await world.modern(bob, "tasks/get", {"taskId": task}, headers={"mcp-name": "up-1"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("form", ["older", "newer"])
async def test_K23_a_task_is_unknown_to_everybody_else(world: World, recorder: Recorder, form: str) -> None:
    older = form == "older"
    recorder.answer = old([]) if older else new([])
    alice = await world.token("alice", READ)
    if older:
        task = await begin(world, alice, None)
    else:
        task = answered(await world.modern(alice, "tools/call", {"name": "echo", "arguments": {}}))["taskId"]
    assert "up-1" not in task
    others = {
        "bob": await world.token("bob", READ), "alice's key": await world.key("alice"),
        "alice with another client": await world.token("alice", READ, client=OTHER_CLIENT),
        "mallory": await world.key("mallory"),
    }  # fmt: skip
    ask = world.legacy if older else world.modern
    for token in others.values():
        await ask(token, "tools/list")
    recorder.forget()
    methods = ["tasks/get", "tasks/cancel", "tasks/result" if older else "tasks/update"]
    for method in methods:
        missing = await ask(alice, method, {"taskId": "none"})
        assert (missing.status_code, missing.json()["error"]["code"]) == (200 if older else 400, -32602)
        for token, wrong in (
            *((token, task) for token in others.values()),
            (alice, "up-1"),
            (alice, f"A{task}"),
            (alice, task[:-1]),
        ):
            answer = await ask(token, method, {"taskId": wrong})
            assert (answer.status_code, answer.json()) == (missing.status_code, missing.json()), wrong
    elsewhere = await ask(alice, "tasks/get", {"taskId": task}, path="/other")
    assert elsewhere.status_code == 401, "a token is for one server; so is a task"
    key = await world.key("alice")
    own = (
        await begin(world, key, None)
        if older
        else answered(await world.modern(key, "tools/call", {"name": "echo", "arguments": {}}))["taskId"]
    )
    assert (await ask(key, "tasks/get", {"taskId": own})).json().get("result")
    assert (await ask(key, "tasks/get", {"taskId": own}, path="/other")).json()["error"]["code"] == -32602
    assert {one.message["params"]["taskId"] for one in recorder.requests if one.method.startswith("tasks/")} == {"up-2"}


@pytest.mark.requirement("D3")
async def test_K23_a_task_goes_with_the_right_to_its_tool(world: World, recorder: Recorder) -> None:
    recorder.answer = old([])
    bob = await world.key("bob")
    task = await begin(world, bob, None, "write_note", folder="f1")

    async def works() -> bool:
        return "result" in (await world.legacy(bob, "tasks/result", {"taskId": task})).json()

    assert await works()
    await world.role("bob", "viewer")
    assert not await works()
    listed = answered(await world.legacy(bob, "tasks/list"))["tasks"]
    assert listed == []
    await world.role("bob", "editor")
    assert await works()
    # At one place only: at the place that the call was about, then at another.
    await world.role("bob", "nobody")
    await world.place("bob", ("editor", FOLDER))
    assert await works()
    await world.place("bob", ("editor", OTHER_FOLDER))
    assert not await works()


async def test_K23_a_task_about_no_place_needs_all_places_that_it_might_have_used(
    world: World, recorder: Recorder
) -> None:
    recorder.answer = old([])
    await world.role("bob", "nobody")
    await world.place("bob", ("editor", FOLDER), ("editor", OTHER_FOLDER))
    bob = await world.key("bob")
    task = await begin(world, bob, None, "echo")
    assert "result" in (await world.legacy(bob, "tasks/get", {"taskId": task})).json()
    await world.place("bob", ("editor", FOLDER))
    assert (await world.legacy(bob, "tasks/get", {"taskId": task})).json()["error"]["message"] == "Unknown task"
    await world.role("bob", "editor")
    assert "result" in (await world.legacy(bob, "tasks/get", {"taskId": task})).json()


async def test_a_task_of_a_tool_that_a_client_may_still_ask_for_is_challenged(world: World, recorder: Recorder) -> None:
    recorder.answer = old([])
    task = await begin(world, await world.token("bob", READ, WRITE), None, "write_note", folder="f1")
    narrower = await world.token("bob", READ)
    answer = await world.legacy(narrower, "tasks/get", {"taskId": task})
    assert answer.status_code == 403
    assert 'scope="documents:write"' in answer.headers["www-authenticate"]


async def test_K23_the_list_has_the_callers_own_only(world: World, recorder: Recorder) -> None:
    recorder.answer = old([])
    alice, bob = await world.key("alice"), await world.key("bob")
    of_alice, of_bob = await begin(world, alice, None), await begin(world, bob, None)
    for token, own in ((alice, of_alice), (bob, of_bob)):
        tasks = answered(await world.legacy(token, "tasks/list"))["tasks"]
        assert tasks == [{**TASK, "taskId": own}]


async def test_K23_news_of_a_task_reaches_its_caller_under_the_id_that_it_has(world: World, recorder: Recorder) -> None:
    def told() -> bytes:
        news = [
            {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {**TASK, "taskId": each}}
            for each in ("up-1", "up-2", "of-nobody-here")
        ]
        asks = {
            "jsonrpc": "2.0",
            "id": 5,
            "method": "elicitation/create",
            "params": {"_meta": {RELATED: {"taskId": "up-1"}}},
        }
        foreign = {
            "jsonrpc": "2.0",
            "id": 6,
            "method": "elicitation/create",
            "params": {"_meta": {RELATED: {"taskId": "up-2"}}},
        }
        odd = [
            {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": params}
            for params in ({}, {"taskId": 7}, [])
        ]
        return stream(*news, asks, foreign, *odd)

    recorder.answer = old([], told)
    alice, bob = await world.key("alice"), await world.key("bob")
    session = await opened(world, alice)
    task = await begin(world, alice, session)
    await begin(world, bob, None)
    headers = {"authorization": f"Bearer {alice}", "mcp-session-id": session, "accept": "text/event-stream"}
    seen = messages(await world.http.get("/mcp", headers=headers))
    assert [(one["method"], one["params"]) for one in seen] == [
        ("notifications/tasks/status", {**TASK, "taskId": task}),
        ("elicitation/create", {"_meta": {RELATED: {"taskId": task}}}),
        ("elicitation/create", {"_meta": {}}),
    ]
    reply_to = {"jsonrpc": "2.0", "id": 5, "result": {"action": "accept", "_meta": {RELATED: {"taskId": task}}}}
    own = {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {**TASK, "taskId": "of the client"}}
    for message, sent in (
        (reply_to, {"action": "accept", "_meta": {RELATED: {"taskId": "up-1"}}}),
        (own, own["params"]),
    ):
        assert (await world.post(alice, message, headers={"mcp-session-id": session})).status_code == 202
        at = recorder.requests[-1].message
        assert at.get("result", at.get("params")) == sent


async def test_K23_no_request_goes_in_the_name_of_a_foreign_task(world: World, recorder: Recorder) -> None:
    """An SDK queues the answer of a request to the task that it names."""
    recorder.answer = old([])
    alice, bob = await world.key("alice"), await world.key("bob")
    of_alice, of_bob = await begin(world, alice, None), await begin(world, bob, None)
    recorder.forget()
    for related in ("up-1", of_alice, 7, None, {"a": 1}):
        params = {"name": "echo", "arguments": {}, "_meta": {RELATED: {"taskId": related}}}
        assert (await world.legacy(bob, "tools/call", params)).json()["error"]["code"] == -32602, related
    assert recorder.seen() == []
    params = {"name": "echo", "arguments": {}, "_meta": {RELATED: {"taskId": of_bob}, "more": 1}}
    assert (await world.legacy(bob, "tools/call", params)).status_code == 200
    assert recorder.requests[-1].message["params"]["_meta"] == {RELATED: {"taskId": "up-2"}, "more": 1}


async def test_K18_K23_a_listen_stream_tells_of_the_callers_tasks_only(world: World, recorder: Recorder) -> None:
    made = new([])

    def answer(request: Request) -> bytes:
        if request.method != "subscriptions/listen":
            return made(request)
        wanted = {"taskIds": ["up-1", "up-2"]}
        news = [
            {"jsonrpc": "2.0", "method": "notifications/tasks", "params": {**TASK, "taskId": each, "_meta": {}}}
            for each in ("up-1", "up-2")
        ]
        return stream(
            {
                "jsonrpc": "2.0",
                "method": "notifications/subscriptions/acknowledged",
                "params": {"notifications": wanted},
            },
            *news,
        )

    recorder.answer = answer
    alice, bob = await world.key("alice"), await world.key("bob")
    call = {"name": "echo", "arguments": {}}
    of_alice, of_bob = [answered(await world.modern(who, "tools/call", call))["taskId"] for who in (alice, bob)]
    wanted = {"notifications": {"taskIds": [of_alice, of_bob, "up-2"], "toolsListChanged": True}}
    seen = messages(await world.modern(alice, "subscriptions/listen", wanted))
    assert recorder.requests[-1].message["params"]["notifications"] == {"taskIds": ["up-1"], "toolsListChanged": True}
    assert seen[0]["params"] == {"notifications": {"taskIds": [of_alice]}}
    assert [one["params"] for one in seen[1:]] == [{**TASK, "taskId": of_alice, "_meta": {}}]
    assert (
        await world.modern(alice, "subscriptions/listen", {"notifications": {"taskIds": "up-1"}})
    ).status_code == 400


async def test_a_task_whose_id_cannot_come_back_is_an_upstream_error(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    for odd in (None, 7, "\ud800", "x" * 9_000):
        recorder.answer = lambda request, odd=odd: (  # type: ignore[misc]
            result(request, {"resultType": "task", "taskId": odd})
            if request.method == "tools/call"
            else default(request)
        )
        assert (await world.call(bob, "echo")).status_code == 502, odd


async def test_a_tool_may_have_a_member_that_is_called_task(world: World, recorder: Recorder) -> None:
    """Nobody asked for a task, so what looks like one is a tool's own words."""
    recorder.answer = lambda request: (
        result(request, {"content": [], "task": {"taskId": "its own"}})
        if request.method == "tools/call"
        else default(request)
    )
    bob = await world.key("bob")
    assert answered(await world.call(bob, "echo"))["task"] == {"taskId": "its own"}
    assert json.loads(recorder.requests[-1].body)["params"]["name"] == "echo"

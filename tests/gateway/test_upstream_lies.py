"""What an upstream sends is checked before a client sees it (K19, K20)."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.gateway.recorder import CLOSED, Recorder, Request, default, reply, result, stream
from tests.gateway.world import World, answered, messages

pytestmark = pytest.mark.anyio

Lie = Callable[[Request], bytes | None]


def on_call(lie: Lie) -> Lie:
    """Answer tool calls with ``lie`` and all else honestly."""
    return lambda request: lie(request) if request.method == "tools/call" else default(request)


def text(request: Request, value: str = "x", **changed: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": request.message["id"], "result": {"content": [{"type": "text", "text": value}]}}
    return message | changed


async def test_K19_answers_that_are_none_become_502(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    lies: list[Lie] = [
        lambda request: reply(200, json.dumps(text(request, id=99)).encode()),
        lambda request: reply(200, json.dumps(text(request, id="1")).encode()),
        lambda request: reply(200, json.dumps([text(request)]).encode()),
        lambda _: reply(200, b"<html>hello</html>", content_type="text/html"),
        lambda _: reply(200, b"not json"),
        lambda _: reply(200, b'{"jsonrpc":"2.0","id":1,"result":NaN}'),
        lambda _: reply(200, b'{"jsonrpc":"2.0","id":1,"method":"roots/list"}'),
        lambda _: reply(401, b"{}", 'www-authenticate: Bearer resource_metadata="https://evil.example"'),
        lambda _: reply(403, b"{}", 'www-authenticate: Bearer error="insufficient_scope", scope="all"'),
        lambda _: reply(302, b"", "location: https://evil.example/"),
        lambda _: reply(307, b"", "location: http://127.0.0.1:1/"),
        lambda _: reply(202, b""),
        lambda _: reply(500, b"boom", content_type="text/plain"),
        lambda _: reply(200, b"\x1f\x8b", "content-encoding: gzip"),
        lambda _: b"garbage\r\n\r\n",
        lambda _: None,
        lambda _: b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{" + CLOSED,
    ]
    for number, lie in enumerate(lies):
        recorder.answer = on_call(lie)
        response = await world.call(bob, "echo")
        assert response.status_code == 502, number
        assert response.json()["id"] == 1
        assert response.json()["error"]["data"]["code"].startswith("DW-50")
        assert "evil.example" not in response.text + str(response.headers)
        assert "www-authenticate" not in response.headers


@pytest.mark.parametrize("value", [b'"\\ud83d"', b"1e999"], ids=["half-a-pair", "infinite"])
async def test_K19_a_text_that_was_cut_arrives_and_an_infinite_number_is_502(
    world: World, recorder: Recorder, value: bytes
) -> None:
    """Both can be read; neither can be written again in UTF-8 or JSON as it is."""

    def lie(request: Request) -> bytes:
        if request.method == "initialize":
            return result(request, {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}})
        answer = b'{"jsonrpc":"2.0","id":%s,"result":{"content":[%s]}}'
        return reply(200, answer % (json.dumps(request.message["id"]).encode(), value))

    recorder.answer = lambda request: (lie if request.method in {"initialize", "tools/call"} else default)(request)
    bob = await world.key("bob")
    expected = 200 if value.startswith(b'"') else 502
    for response in (await world.call(bob, "echo"), await world.legacy(bob, "tools/call", {"name": "echo"})):
        assert response.status_code == expected
        assert expected == 502 or response.json()["result"]["content"] == ["\ud83d"]


async def test_K19_an_offer_without_end_is_502(
    world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorward.gateway.upstream.EVENT_LIMIT", 1_000)
    recorder.answer = lambda request: stream(text(request, "x" * 2_000)) if "id" in request.message else None
    response = await world.call(await world.key("bob"), "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (502, "DW-504")


async def test_K19_headers_of_the_upstream_stay_there(world: World, recorder: Recorder) -> None:
    extra = (
        "set-cookie: a=1",
        "www-authenticate: Bearer",
        "access-control-allow-origin: *",
        "mcp-session-id: x",
        "server: secret",
    )
    recorder.answer = on_call(lambda request: result(request, {"content": []}, *extra))
    response = await world.call(await world.key("bob"), "echo")
    assert response.status_code == 200
    names = {
        "date",
        "server",
        "content-type",
        "cache-control",
        "content-length",
        "x-content-type-options",
        "x-request-id",
    }
    assert set(response.headers) == names
    assert response.headers["server"] == "uvicorn"


async def test_K19_requests_of_the_server_do_not_reach_a_modern_client(world: World, recorder: Recorder) -> None:
    recorder.answer = on_call(
        lambda request: stream(
            {"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": {}},
            {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "mem://secret"}},
            {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "mem://open"}},
            {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}},
            text(request),
        )
    )
    seen = messages(await world.call(await world.key("bob"), "echo"))
    assert [message.get("method") for message in seen] == [
        "notifications/resources/updated",
        "notifications/progress",
        None,
    ]
    assert seen[0]["params"] == {"uri": "mem://open"}


async def test_K19_another_answer_on_the_stream_ends_it_with_an_error(world: World, recorder: Recorder) -> None:
    recorder.answer = on_call(lambda request: stream(text(request, "of somebody else", id=77)))
    seen = messages(await world.call(await world.key("bob"), "echo"))
    assert [(message["id"], "error" in message) for message in seen] == [(1, True)]


async def test_a_stream_that_breaks_off_ends_with_an_error_for_its_id(world: World, recorder: Recorder) -> None:
    def broken(_: Request) -> bytes:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        return head + b'47\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n\r\n' + CLOSED

    recorder.answer = on_call(broken)
    seen = messages(await world.call(await world.key("bob"), "echo"))
    assert [message.get("method") for message in seen] == ["notifications/progress", None]
    assert seen[-1]["error"]["data"]["code"] == "DW-504"


async def test_lists_in_a_stream_are_narrowed_too(world: World, recorder: Recorder) -> None:
    def listed(request: Request) -> bytes:
        if request.method != "tools/list":
            return default(request)
        tools = [{"name": "echo"}, {"name": "drop_db"}]
        return stream(": ping\n\n", text(request, result={"tools": tools, "cacheScope": "public"}))

    recorder.answer = listed
    for _ in range(2):
        response = await world.modern(await world.key("bob"), "tools/list")
        assert "drop_db" not in response.text
        assert [tool["name"] for tool in answered(response)["tools"]] == ["echo", "whoami", "connection_info"]


async def test_a_client_that_knows_no_streams_gets_the_answer_in_it(world: World, recorder: Recorder) -> None:
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
    recorder.answer = on_call(lambda request: stream(progress, text(request, "in a stream")))
    bob = await world.key("bob")
    headers = {"accept": "*/*", "mcp-name": "echo"}
    response = await world.modern(bob, "tools/call", {"name": "echo"}, headers=headers)
    assert response.headers["content-type"] == "application/json"
    assert response.json()["result"]["content"][0]["text"] == "in a stream"


async def test_K20_calls_with_one_id_at_once_are_not_mixed_up(world: World) -> None:
    keys = [await world.key(name) for name in ("alice", "bob", "carol")]

    async def one(number: int) -> bool:
        response = await world.call(keys[number % 3], "echo", {"n": number})
        return json.loads(answered(response)["content"][0]["text"]) == {"n": number}

    assert all(await asyncio.gather(*(one(number) for number in range(100))))


async def test_an_upstream_that_is_down_is_502_and_one_that_is_silent_504(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    world.gateway._pool._first_byte_timeout = 0.3
    recorder.answer = on_call(lambda _: b"")
    response = await world.call(bob, "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (504, "DW-505")
    await recorder.stop()
    response = await world.call(bob, "echo")
    assert (response.status_code, response.json()["error"]["data"]["code"]) == (502, "DW-502")
    assert [(call.decision, call.status) for call in world.calls[-2:]] == [("failed", 504), ("failed", 502)]
    await recorder.start()


async def test_errors_of_the_upstream_itself_reach_the_client(world: World, recorder: Recorder) -> None:
    body = b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32602,"message":"bad arguments"}}'
    recorder.answer = on_call(lambda _: reply(400, body))
    response = await world.call(await world.key("bob"), "echo")
    assert response.status_code == 400
    assert response.json() == {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "bad arguments"}}


async def test_a_call_is_not_made_twice(world: World, recorder: Recorder) -> None:
    """A reused connection that is closed without an answer may have brought the call through."""
    bob = await world.key("bob")
    await world.call(bob, "echo")
    recorder.forget()
    recorder.answer = on_call(lambda _: None)
    assert (await world.call(bob, "echo")).status_code == 502
    assert recorder.seen() == ["tools/call"]


async def test_K17_request_state_comes_back_from_the_same_caller_for_the_same_request_only(
    world: World, recorder: Recorder
) -> None:
    waiting = {"resultType": "input_required", "requestState": "of-the-upstream", "inputRequests": {}}
    recorder.answer = on_call(lambda request: result(request, waiting))
    bob, alice = await world.key("bob"), await world.key("alice")
    state = answered(await world.call(bob, "echo", {"folder": "f1", "deep": {"a": 1, "b": [2]}}))["requestState"]
    assert "of-the-upstream" not in state

    async def again(token: str, tool: str, state: Any, folder: Any = "f1") -> int:
        arguments = {"deep": {"b": [2], "a": 1}, "folder": folder}
        params = {"name": tool, "arguments": arguments, "requestState": state, "inputResponses": {}}
        return (await world.modern(token, "tools/call", params)).status_code

    assert await again(bob, "echo", state) == 200
    assert recorder.requests[-1].message["params"]["requestState"] == "of-the-upstream"
    recorder.forget()
    for token, tool, wrong in (
        (alice, "echo", state), (bob, "write_note", state), (bob, "echo", "A" + state), (bob, "echo", "x"),
        (bob, "echo", 7), (bob, "echo", "of-the-upstream"),
    ):  # fmt: skip
        assert await again(token, tool, wrong) == 400
    for folder in ("f2", ["f1"], None):
        assert await again(bob, "echo", state, folder) == 400
    assert recorder.seen() == []
    world.clock.offset += 3590 * 1_000_000
    assert await again(bob, "echo", state) == 200
    world.clock.offset += 20 * 1_000_000
    assert await again(bob, "echo", state) == 400


async def test_K17_a_state_that_was_unwrapped_does_not_pass_in_the_older_revisions(
    world: World, recorder: Recorder
) -> None:
    """The upstream's value can be read in its wrapper; it is the wrapper that says whose it is."""
    recorder.answer = lambda request: (
        result(request, {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}})
        if request.method == "initialize"
        else default(request)
    )
    alice = await world.key("alice")
    assert (await world.legacy(alice, "tools/call", {"name": "echo"})).status_code == 200
    recorder.forget()
    for state in ("of-the-upstream", {"user": "bob"}):
        params = {"name": "echo", "arguments": {}, "requestState": state, "inputResponses": {}}
        assert (await world.legacy(alice, "tools/call", params)).status_code == 400
    assert recorder.seen() == []


async def test_K18_a_listen_stream_carries_only_what_may_be_read(world: World, recorder: Recorder) -> None:
    def listening(request: Request) -> bytes:
        if request.method != "subscriptions/listen":
            return default(request)
        honored = {"toolsListChanged": True, "resourceSubscriptions": ["mem://open", "mem://secret"]}
        return stream(
            {
                "jsonrpc": "2.0",
                "method": "notifications/subscriptions/acknowledged",
                "params": {"notifications": honored},
            },
            {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "mem://secret"}},
            {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"},
        )

    recorder.answer = listening
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["mem://open", "mem://secret"]}
    seen = messages(await world.modern(await world.key("bob"), "subscriptions/listen", {"notifications": wanted}))
    sent = recorder.requests[-1].message["params"]["notifications"]
    assert sent == {"toolsListChanged": True, "resourceSubscriptions": ["mem://open"]}
    assert seen[0]["params"]["notifications"] == {"toolsListChanged": True, "resourceSubscriptions": ["mem://open"]}
    assert [message["method"] for message in seen[1:]] == ["notifications/tools/list_changed"]

"""Sessions of the older revisions belong to one caller at one server (K21, K22)."""

import asyncio
import json
from typing import Any

import pytest
from tests.gateway.deployment import OTHER_CLIENT, READ
from tests.gateway.recorder import Recorder, Request, default, reply, result, stream
from tests.gateway.world import World, answered, messages

pytestmark = pytest.mark.anyio

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


async def opened(world: World, token: str, path: str = "/mcp") -> str:
    """Open a session as an SDK does; return its id."""
    response = await world.legacy(token, "initialize", HELLO, path=path)
    assert answered(response)["protocolVersion"] == "2025-11-25"
    session: str = response.headers["mcp-session-id"]
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await world.post(token, ready, path=path, headers={"mcp-session-id": session})).status_code == 202
    return session


async def test_a_session_works_from_its_opening_to_its_end(sdk_world: World) -> None:
    world, bob = sdk_world, await sdk_world.key("bob")
    session = await opened(world, bob)
    tools = answered(await world.legacy(bob, "tools/list", session=session))["tools"]
    assert [tool["name"] for tool in tools] == ["echo", "write_note", "plain", "whoami", "connection_info"]
    called = await world.legacy(bob, "tools/call", {"name": "plain", "_meta": {"progressToken": 7}}, session=session)
    assert [message.get("method") for message in messages(called)] == ["notifications/progress", None]
    assert (await world.legacy(bob, "ping", session=session)).status_code == 200
    headers = {"authorization": f"Bearer {bob}", "mcp-session-id": session}
    assert (await world.http.delete("/mcp", headers=headers)).status_code == 200
    assert (await world.legacy(bob, "tools/list", session=session)).status_code == 404
    assert (await world.http.delete("/mcp", headers=headers)).status_code == 404


async def test_K21_a_session_is_of_no_use_to_anybody_else(sdk_world: World) -> None:
    world = sdk_world
    alice = await world.token("alice", READ)
    session = await opened(world, alice)
    others = {
        "bob": await world.token("bob", READ),
        "alice's key": await world.key("alice"),
        "alice with another client": await world.token("alice", READ, client=OTHER_CLIENT),
        "mallory": await world.key("mallory"),
    }
    for who, token in others.items():
        unknown = await world.legacy(token, "tools/list", session="x" * 40)
        taken = await world.legacy(token, "tools/list", session=session)
        assert (taken.status_code, taken.text) == (404, unknown.text), who
        headers = {"authorization": f"Bearer {token}", "mcp-session-id": session, "accept": "text/event-stream"}
        assert (await world.http.get("/mcp", headers=headers)).status_code == 404, who
        assert (await world.http.delete("/mcp", headers=headers)).status_code == 404, who
    at_another_server = await world.legacy(await world.key("alice"), "tools/list", session=session, path="/other")
    assert at_another_server.status_code == 404
    assert (await world.legacy(alice, "tools/list", session=session)).status_code == 200


async def test_K21_an_edited_session_id_is_unknown(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        result(request, {"protocolVersion": "2025-11-25", "capabilities": {}}, "mcp-session-id: up-1")
        if request.method == "initialize"
        else default(request)
    )
    bob = await world.key("bob")
    session = (await world.legacy(bob, "initialize", HELLO)).headers["mcp-session-id"]
    assert "up-1" not in session
    assert (await world.legacy(bob, "tools/list", session=session)).status_code == 200
    assert recorder.requests[-1].header("mcp-session-id") == "up-1"
    recorder.forget()
    flipped = ("A" if session[0] != "A" else "B") + session[1:]
    for wrong in (
        flipped,
        session[:-1],
        session + "=",
        session.replace(".", ""),
        "up-1",
        session.partition(".")[0],
        "." + session,
    ):
        assert (await world.legacy(bob, "tools/list", session=wrong)).status_code == 404, wrong
    assert recorder.requests == []


async def test_K22_event_ids_are_bound_to_their_session(world: World, recorder: Recorder) -> None:
    def sessions(request: Request) -> bytes:
        if request.method == "initialize":
            number = len([one for one in recorder.requests if one.method == "initialize"])
            return result(
                request, {"protocolVersion": "2025-11-25", "capabilities": {}}, f"mcp-session-id: up-{number}"
            )
        if request.head.startswith(b"GET"):
            secret = {"jsonrpc": "2.0", "id": 9, "result": {"tools": [{"name": "drop_db"}, {"name": "echo"}]}}
            return stream(f"id: event-1\ndata: {json.dumps(secret)}\n\n")
        return default(request)

    recorder.answer = sessions
    bob = await world.key("bob")
    one, two = [(await world.legacy(bob, "initialize", HELLO)).headers["mcp-session-id"] for _ in range(2)]
    headers = {"authorization": f"Bearer {bob}", "accept": "text/event-stream"}
    seen = await world.http.get("/mcp", headers={**headers, "mcp-session-id": one})
    assert "drop_db" not in seen.text
    assert [tool["name"] for tool in answered(seen)["tools"]] == ["echo", "whoami", "connection_info"]
    event = next(line[4:] for line in seen.text.splitlines() if line.startswith("id: "))
    assert "event-1" not in event
    for session, sent, expected in ((one, event, "event-1"), (two, event, None), (one, "event-1", None)):
        await world.http.get("/mcp", headers={**headers, "mcp-session-id": session, "last-event-id": sent})
        assert recorder.requests[-1].header("last-event-id") == expected


async def test_a_bare_list_of_the_older_revisions_is_answered(sdk_world: World) -> None:
    """The manual flow of the seeds: one POST with a token, no session, no version."""
    headers = {"authorization": f"Bearer {await sdk_world.key('bob')}"}
    body = {"jsonrpc": "2.0", "method": "tools/list", "id": 1}
    for _ in range(2):
        response = await sdk_world.http.post("/mcp", json=body, headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        assert response.json()["id"] == 1
        assert [tool["name"] for tool in response.json()["result"]["tools"]] == [
            "echo",
            "write_note",
            "plain",
            "whoami",
            "connection_info",
        ]
        assert "mcp-session-id" not in response.headers


async def test_a_session_of_the_gateway_is_opened_once_and_again_when_it_is_gone(
    world: World, recorder: Recorder
) -> None:
    alive = {"up-1"}

    def sessions(request: Request) -> bytes:
        if request.method == "server/discover":
            return reply(404, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}')
        if request.method == "initialize":
            session = f"up-{len(alive)}"
            return result(
                request, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}, f"mcp-session-id: {session}"
            )
        if request.header("mcp-session-id") not in alive:
            return reply(404, b"{}")
        return default(request)

    recorder.answer = sessions
    bob, carol = await world.key("bob"), await world.key("carol")
    for token in (bob, bob, bob, carol):
        assert (await world.legacy(token, "tools/list")).status_code == 200
    opened = [request for request in recorder.requests if request.method == "initialize"]
    assert len(opened) == 3  # the gateway's own look at the offer, bob's, carol's
    ids = [request.message["id"] for request in recorder.requests if request.method == "tools/list"][1:]
    assert len(set(ids)) == 4
    alive.clear()
    alive |= {"up-2", "up-2b"}
    assert (await world.legacy(bob, "tools/list")).status_code == 200


async def test_what_concerns_a_session_that_is_not_there_stays_here(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    await world.listed(bob)
    recorder.forget()
    assert answered(await world.legacy(bob, "ping")) == {}
    assert (await world.legacy(bob, "logging/setLevel", {"level": "info"})).status_code == 200
    assert (await world.post(bob, {"jsonrpc": "2.0", "method": "notifications/initialized"})).status_code == 202
    assert (await world.post(bob, {"jsonrpc": "2.0", "id": 5, "result": {}})).status_code == 400
    assert recorder.requests == []


async def test_get_and_delete_need_a_session_and_an_older_revision(world: World, recorder: Recorder) -> None:
    bob = await world.key("bob")
    headers = {"authorization": f"Bearer {bob}", "accept": "text/event-stream"}
    for method in ("GET", "DELETE", "HEAD", "PUT", "PATCH"):
        for more in ({}, {"mcp-protocol-version": "2026-07-28", "mcp-session-id": "x"}):
            response = await world.http.request(method, "/mcp", headers={**headers, **more})
            assert (response.status_code, response.headers["allow"]) == (405, "GET, POST, DELETE")
    assert recorder.requests == []


async def test_server_sent_requests_reach_an_older_client_and_its_answer_the_server(
    world: World, recorder: Recorder
) -> None:
    def asking(request: Request) -> bytes:
        if request.method == "initialize":
            return result(request, {"protocolVersion": "2025-11-25", "capabilities": {}}, "mcp-session-id: up")
        if request.method == "tools/call":
            answer = {"jsonrpc": "2.0", "id": request.message["id"], "result": {"content": []}}
            return stream(
                {"jsonrpc": "2.0", "id": 41, "method": "roots/list"},
                {"jsonrpc": "2.0", "id": 42, "method": "tools/list"},
                {"jsonrpc": "2.0", "id": 43, "method": "tasks/get", "params": {"taskId": "of the client"}},
                answer,
            )
        return default(request) if "method" in request.message else reply(202, b"")

    recorder.answer = asking
    bob = await world.key("bob")
    session = (await world.legacy(bob, "initialize", HELLO)).headers["mcp-session-id"]
    seen = messages(await world.legacy(bob, "tools/call", {"name": "echo"}, session=session))
    assert [message.get("method") for message in seen] == ["roots/list", "tasks/get", None]
    assert seen[1]["params"]["taskId"] == "of the client"
    response: Any = {"jsonrpc": "2.0", "id": 41, "result": {"roots": []}}
    assert (await world.post(bob, response, headers={"mcp-session-id": session})).status_code == 202
    assert recorder.requests[-1].message == response


async def test_a_get_stream_brings_news_and_ends_with_the_client(sdk_world: World, sdk: Any) -> None:
    world, bob = sdk_world, await sdk_world.key("bob")
    session = await opened(world, bob)
    headers = {"authorization": f"Bearer {bob}", "mcp-session-id": session, "accept": "text/event-stream"}
    async with world.http.stream("GET", "/mcp", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        second = await world.http.get("/mcp", headers=headers)
        assert second.status_code == 409
    for _ in range(100):
        await asyncio.sleep(0.02)
        async with world.http.stream("GET", "/mcp", headers=headers) as again:
            if again.status_code == 200:
                return
    pytest.fail("the upstream still thinks that the stream is open")

"""Doors that are easily forgotten: state handles, schemas, several servers, and arguments that look like paths."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.deployment import READ, S1, S2, server
from tests.gateway.recorder import TOOLS, Recorder, Request, default, result
from tests.gateway.world import World

from doorward.model import ServerId
from doorward.storage import servers
from doorward.storage.database import Conflict

pytestmark = pytest.mark.anyio


async def test_K24_a_state_handle_is_data_and_comes_into_no_record(world: World, capfd: Any) -> None:
    handle = "cart-4711-of-alice"
    for token in (await world.key("bob"), await world.token("bob", READ)):
        assert (await world.call(token, "echo", {"handle": handle})).status_code == 200
        assert (await world.call(token, "drop_db", {"handle": handle})).status_code in {400, 403}
    told = capfd.readouterr()
    assert handle not in str(world.calls) + told.out + told.err
    assert len(world.calls) == 4


async def test_K11_a_path_belongs_to_one_server_and_a_name_to_the_server_of_its_path(
    world: World, recorder: Recorder
) -> None:
    """Servers are not merged into one list, so no prefix can be read in two ways: the URL alone says which is meant."""
    for path in ("/mcp", "/{tenant}/mcp"):
        twin = replace(server(recorder.url, ServerId("s9")), paths=(path,))
        with pytest.raises(Conflict):
            await world.database.write(lambda tx, twin=twin: servers.put_server(tx, twin))  # type: ignore[misc]
    other = Recorder()
    await other.start()
    odd = [{**TOOLS[0], "name": name} for name in ("s1_echo", "s1.echo", "s2_echo", "b_c")]
    other.answer = lambda request: (
        result(request, {"tools": odd, "resultType": "complete"})
        if request.method == "tools/list"
        else default(request)
    )
    await world.database.write(lambda tx: servers.put_server(tx, replace(server(other.url, S2), rules=())))
    alice = await world.key("alice")
    recorder.forget()
    for name, first, second in (("echo", 200, 400), ("s1_echo", 400, 200), ("b_c", 400, 200)):
        params = {"name": name, "arguments": {}}
        assert (await world.modern(alice, "tools/call", params)).status_code == first, name
        # What is not annotated writes, which alice may do on the first server alone: hidden, but never sent across.
        assert (await world.modern(alice, "tools/call", params, path="/other")).status_code in {second, 400}, name
    assert {r.message["params"]["name"] for r in recorder.requests if r.method == "tools/call"} == {"echo"}
    assert {r.message["params"]["name"] for r in other.requests if r.method == "tools/call"} <= {"s1_echo", "b_c"}
    assert S1 != S2
    await other.stop()


EVERY_DOOR: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tools/list", {}), ("tools/call", {"name": "echo", "arguments": {}}), ("resources/list", {}),
    ("resources/templates/list", {}), ("resources/read", {"uri": "mem://open"}), ("prompts/list", {}),
    ("prompts/get", {"name": "p_open"}), ("server/discover", {}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p_open"}, "argument": {"name": "a", "value": "b"}}),
    ("subscriptions/listen", {"notifications": {"toolsListChanged": True}}),
)  # fmt: skip


async def test_K16_every_door_goes_with_the_identity_of_its_caller(world: World, recorder: Recorder) -> None:
    import base64  # noqa: PLC0415

    for name in ("bob", "alice"):
        key = await world.key(name)
        for method, params in EVERY_DOOR:
            recorder.forget()
            await world.modern(key, method, params)
            (request,) = [one for one in recorder.requests if one.method == method and not recorder._own(one)]
            identity = (request.header("authorization") or "").removeprefix("Bearer ").split(".")[1]
            said = json.loads(base64.urlsafe_b64decode(identity + "=="))
            assert said["email"] == f"{name}@test.example", method
            assert said["aud"] == recorder.url


def bombs() -> dict[str, Any]:
    """Return schemas that would fetch, recurse, take for ever or make a header."""
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(200):
        deep = {"type": "object", "properties": {"a": deep}}
    header = {"type": "string", "x-mcp-header": "Region\r\nX-Evil: 1"}
    return {
        "external": {"type": "object", "$ref": "http://127.0.0.1:1/schema", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        "recursive": {"type": "object", "$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        "slow": {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
        "deep": deep,
        "wide": {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(5_000)}},
        "split": {"type": "object", "properties": {"region": header}},
        "list": [], "text": "object", "null": None,
    }  # fmt: skip


async def test_K28_a_schema_is_never_followed_and_never_runs(world: World, recorder: Recorder) -> None:
    tools = [
        {"name": name, "inputSchema": schema, "annotations": {"readOnlyHint": True}} for name, schema in bombs().items()
    ]
    recorder.answer = lambda request: (
        result(request, {"tools": tools, "resultType": "complete"})
        if request.method == "tools/list"
        else default(request)
    )
    alice = await world.key("alice")
    begun = time.monotonic()
    await world.listed(alice)
    for name in bombs():
        response = await world.call(alice, name, {"a": "a" * 40 + "!", "region": "x"})
        assert response.status_code in {200, 400}, name
    assert time.monotonic() - begun < 5
    assert all(b"x-evil" not in request.head.lower() for request in recorder.requests)
    assert (await world.call(alice, "split", {"region": "x"})).status_code == 200


async def test_K29_no_argument_reaches_the_url_or_the_head(world: World, recorder: Recorder) -> None:
    alice = await world.key("alice")
    await world.listed(alice)
    recorder.forget()
    for text in (
        "../../admin",
        "?x=1",
        "#f",
        "@evil.example/",
        "a\r\nX-Evil: 1",
        "%2e%2e/",
        "//evil.example",
        "\\..\\x",
    ):
        assert (await world.call(alice, "echo", {"path": text, "url": text, text: "x"})).status_code == 200
        await world.modern(alice, "resources/read", {"uri": "mem://open"}, path=f"/mcp?x={len(text)}")
    for request in recorder.requests:
        assert request.head.split(b"\r\n")[0] == b"POST /mcp HTTP/1.1"
        assert b"evil" not in request.head.lower()


async def test_what_an_author_says_anew_is_what_counts_and_a_twin_in_another_case_is_another_tool(
    world: World, recorder: Recorder
) -> None:
    """A read that becomes a delete is one from the next look; a new name gets no rights of the old one."""
    offered: list[dict[str, Any]] = [{"name": "plain", "inputSchema": {}, "annotations": {"readOnlyHint": True}}]

    def answer(request: Request) -> bytes:
        if request.method == "tools/list":
            return result(request, {"tools": offered, "resultType": "complete"})
        return default(request)

    recorder.answer = answer
    bob = await world.key("bob")
    assert (await world.call(bob, "plain")).status_code == 200
    offered.append({"name": "Plain", "inputSchema": {}})
    assert await world.listed(bob) == ["plain", "whoami", "connection_info"]
    assert (await world.call(bob, "Plain")).status_code == 400
    offered[0] = {**offered[0], "annotations": {"destructiveHint": True}}
    assert await world.listed(bob) == ["whoami", "connection_info"]
    recorder.forget()
    assert (await world.call(bob, "plain")).status_code == 400
    assert recorder.seen() == []

"""Stdio servers behind the gateway (feature G4): whose process answers whom, and what a bad one can do."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import _world
from tests.gateway.deployment import READ, server
from tests.gateway.world import World, answered, messages

from doorward.credentials.signing_keys import SigningKeys
from doorward.model import ProcessPer, RuleKind, Server, StdioCommand, ToolRule
from doorward.storage import servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("G4")]

SERVER = Path(__file__).with_name("stdio_server.py")
RULES = (
    ToolRule(match="*", requires=frozenset({READ})),
    ToolRule(kind=RuleKind.RESOURCE, match="note://{name}", requires=frozenset({READ})),
)
Make = Callable[..., Any]


@pytest.fixture
def stdio(furnished: tuple[Path, SigningKeys], tmp_path: Path) -> Make:
    """Return what runs a gateway in front of a stdio server that is declared as the arguments say."""
    (tmp_path / "starts").mkdir()

    @asynccontextmanager
    async def running(options: dict[str, Any] | None = None, **more: Any) -> AsyncIterator[World]:
        command = (sys.executable, "-I", "-S", str(SERVER), str(tmp_path / "starts"))
        spec = StdioCommand(**{"command": command, **more})
        made = await _world(furnished, tmp_path, "http://127.0.0.1:9/mcp")
        if options is not None:
            made = replace(made, options=options)
        await made.database.write(lambda tx: servers.put_server(tx, of(spec)))
        try:
            async with made.running():
                made.starts = tmp_path / "starts"  # type: ignore[attr-defined]
                yield made
        finally:
            await made.database.close()

    return running


def of(spec: StdioCommand) -> Server:
    return replace(server(f"stdio:s1#{hash(spec)}"), stdio=spec, rules=RULES)


def said(response: Any) -> Any:
    assert response.status_code == 200, response.text
    text = answered(response)["content"][0]["text"]
    return json.loads(text) if text[:1] in "[{0123456789" else text


async def opened(world: World, key: str, **capabilities: Any) -> str:
    hello = {"protocolVersion": "2025-06-18", "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}}
    answer = await world.legacy(key, "initialize", hello)
    assert answer.status_code == 200, answer.text
    result = answered(answer)
    assert result["protocolVersion"] == "2025-06-18"
    assert result["serverInfo"]["name"] == "notebook"
    return str(answer.headers["mcp-session-id"])


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def until(what: Callable[[], Any], message: str) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end, message
        await asyncio.sleep(0.02)


async def test_two_people_have_a_process_each_in_both_eras(stdio: Make) -> None:
    async with stdio() as world:
        alice, bob = await world.key("alice"), await world.key("bob")
        assert said(await world.call(alice, "remember", {"text": "of alice"})) == ["of alice"]
        assert said(await world.call(bob, "recall")) == []
        assert said(await world.call(bob, "remember", {"text": "of bob"})) == ["of bob"]
        assert said(await world.call(alice, "recall")) == ["of alice"]
        session = await opened(world, alice)
        old = await world.legacy(alice, "tools/call", {"name": "recall", "arguments": {}}, session=session)
        assert said(old) == ["of alice"]
        bare = await world.legacy(bob, "tools/call", {"name": "recall", "arguments": {}})
        assert said(bare) == ["of bob"]
        first, second = await world.call(alice, "place"), await world.call(bob, "place")
        assert said(first)["pid"] != said(second)["pid"]
        # The gateway itself lists, in a process of its own.
        assert len(list(world.starts.iterdir())) == 3


async def test_two_keys_of_one_person_do_not_share_a_process(stdio: Make) -> None:
    async with stdio() as world:
        one, other = await world.key("alice"), await world.key("alice")
        await world.call(one, "remember", {"text": "secret of the first key"})
        assert said(await world.call(other, "recall")) == []


async def test_discovery_lists_and_resources_of_2026_07_28(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        described = answered(await world.modern(key, "server/discover"))
        assert described["supportedVersions"] == ["2026-07-28"]
        assert described["_meta"]["io.modelcontextprotocol/serverInfo"]["version"] == "1.2.3"
        assert described["cacheScope"] == "private"
        assert {"remember", "recall", "whoami"} <= set(await world.listed(key))
        assert await world.listed(key, "resources/list") == ["note://first"]
        read = answered(await world.modern(key, "resources/read", {"uri": "note://first"}))
        assert read["resultType"] == "complete"
        assert answered(await world.call(key, "recall"))["resultType"] == "complete"


async def test_one_that_crashes_hurts_nobody_else_and_comes_back(stdio: Make) -> None:
    async with stdio() as world:
        alice, bob = await world.key("alice"), await world.key("bob")
        await world.call(alice, "remember", {"text": "kept"})
        session = await opened(world, bob)
        broken = await world.call(bob, "crash")
        assert broken.status_code == 502
        assert said(await world.call(alice, "recall")) == ["kept"]
        assert said(await world.call(bob, "recall")) == []
        gone = await world.legacy(bob, "ping", session=session)
        assert gone.status_code == 404, "a session of the process that is gone is over, so that the client starts again"


async def test_a_process_that_never_starts_is_not_tried_at_every_call(stdio: Make) -> None:
    async with stdio(env=(("BROKEN", "1"),)) as world:
        key = await world.key("alice")
        for _ in range(8):
            assert (await world.call(key, "recall")).status_code == 502
        assert len(list(world.starts.iterdir())) <= 3


async def test_the_environment_is_what_was_declared_and_nothing_is_inherited(stdio: Make, tmp_path: Path) -> None:
    os.environ["DOORWARD_TEST_SECRET"] = "not for servers"
    held = (tmp_path / "held").open("w")
    os.set_inheritable(held.fileno(), True)
    cwd = str(tmp_path / "work" / "{tenant}" / "{user}")
    async with stdio(env=(("WHO", "{tenant}/{user}"),), cwd=cwd) as world:
        key = await world.key("alice")
        assert said(await world.call(key, "environment")) == {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "WHO": "acme/u-alice",
        }  # fmt: skip
        place = said(await world.call(key, "place"))
        assert place["cwd"] == str(tmp_path / "work" / "acme" / "u-alice")
        assert place["files"] == []
        assert place["leads"]
    held.close()


async def test_L10_the_process_gets_the_identity_and_never_the_callers_credential(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        forged = {"doorward/identity": "forged", "progressToken": 5, "com.example/kept": 1}
        session = await opened(world, key)
        params = {"name": "meta", "arguments": {}, "_meta": forged}
        meta = said(await world.legacy(key, "tools/call", params, session=session))
        assert meta["doorward/identity"].count(".") == 2
        assert meta["com.example/kept"] == 1
        assert key not in json.dumps(meta)
        modern = said(await world.call(key, "meta"))
        assert list(modern) == ["doorward/identity"], "the envelope of 2026-07-28 is not for an older server"


async def test_K20_answers_never_cross_between_callers_with_the_same_id(stdio: Make) -> None:
    async with stdio(per=ProcessPer.SHARED) as world:
        alice, bob = await world.key("alice"), await world.key("bob")

        async def one(key: str, size: int) -> int:
            return len(answered(await world.call(key, "huge", {"size": size}))["content"][0]["text"])

        sizes = [*range(1, 41)]
        found = await asyncio.gather(*(one(alice if size % 2 else bob, size) for size in sizes))
        assert found == sizes
        assert len(list(world.starts.iterdir())) == 1, "all share one"


async def test_K19_noise_and_foreign_ids_are_dropped(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        assert said(await world.call(key, "noise")) == []
        assert said(await world.call(key, "foreign")) == []
        assert said(await world.call(key, "recall")) == []


async def test_K21_a_session_is_its_callers_alone(stdio: Make) -> None:
    async with stdio(per=ProcessPer.SHARED) as world:
        alice, bob = await world.key("alice"), await world.key("bob")
        session = await opened(world, alice)
        assert (await world.legacy(bob, "ping", session=session)).status_code == 404
        assert (await world.legacy(alice, "ping", session=session)).status_code == 200
        ended = await world.http.delete(
            "/mcp", headers={"authorization": f"Bearer {alice}", "mcp-session-id": session}
        )  # fmt: skip
        assert ended.status_code == 200
        assert (await world.legacy(alice, "ping", session=session)).status_code == 404


async def test_progress_comes_with_the_callers_own_token(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        session = await opened(world, key)
        params = {"name": "count", "arguments": {"to": 3}, "_meta": {"progressToken": "mine"}}
        got = messages(await world.legacy(key, "tools/call", params, session=session, request_id="same"))
        assert [each["params"]["progressToken"] for each in got[:-1]] == ["mine"] * 3
        assert got[-1]["id"] == "same"


async def test_a_client_that_leaves_cancels_what_it_asked_for(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        await world.call(key, "recall")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await world.call(key, "sleep", {"seconds": 2})
        end = time.monotonic() + 10
        while not any(str(note).startswith("cancelled") for note in said(await world.call(key, "recall"))):
            assert time.monotonic() < end, "the process never heard that its caller left"
            await asyncio.sleep(0.02)


async def test_K25_a_call_that_waits_for_a_process_ends_when_its_right_goes(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("bob")
        await world.call(key, "recall")
        call = asyncio.create_task(world.call(key, "sleep", {"seconds": 4}))
        await until(lambda: world.gateway._waiting._calls, "the call did not begin to wait")
        await world.role("bob", "nobody")
        async with asyncio.timeout(3):
            response = await call
        assert (response.status_code, response.json()["error"]["data"]["code"]) == (403, "DW-338")
        await world.role("bob", "editor")
        await until(lambda: not world.gateway._waiting._calls, "the call is still waited for")


async def test_one_that_takes_too_long_is_a_timeout_and_others_go_on(stdio: Make) -> None:
    async with stdio(options={"upstream_timeout": 1.0}) as world:
        key = await world.key("alice")
        slow, quick = await asyncio.gather(
            world.call(key, "sleep", {"seconds": 3}), world.call(key, "remember", {"text": "meanwhile"})
        )
        assert slow.status_code == 504
        assert said(quick) == ["meanwhile"]


async def test_a_line_over_the_limit_ends_the_process_of_its_caller_only(stdio: Make) -> None:
    async with stdio(line=100_000) as world:
        alice, bob = await world.key("alice"), await world.key("bob")
        await world.call(bob, "remember", {"text": "kept"})
        assert (await world.call(alice, "huge", {"size": 300_000})).status_code == 502
        assert said(await world.call(bob, "recall")) == ["kept"]
        assert said(await world.call(alice, "recall")) == []


async def test_memory_is_limited(stdio: Make) -> None:
    async with stdio(memory=64) as world:
        key = await world.key("alice")
        assert said(await world.call(key, "recall")) == []
        # The thread that cannot have as much dies without an answer.
        async with asyncio.timeout(10):
            assert (await world.call(key, "huge", {"size": 1_000})).status_code == 200
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await world.call(key, "huge", {"size": 200_000_000})


async def test_idle_ones_end_with_all_they_started_and_start_again(stdio: Make) -> None:
    async with stdio(idle=1) as world:
        key = await world.key("alice")
        pid, child = said(await world.call(key, "place"))["pid"], said(await world.call(key, "child"))
        assert alive(pid)
        assert alive(child)
        await until(lambda: not alive(pid) and not alive(child), "an idle process, or what it started, lives on")
        assert said(await world.call(key, "place"))["pid"] != pid


async def test_all_end_with_the_gateway(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        pid, child = said(await world.call(key, "place"))["pid"], said(await world.call(key, "child"))
    assert not alive(pid)
    assert not alive(child)


async def test_no_more_than_so_many_and_the_oldest_idle_one_makes_room(stdio: Make) -> None:
    async with stdio(processes=2) as world:
        alice, bob = await world.key("alice"), await world.key("bob")
        pid = said(await world.call(alice, "place"))["pid"]
        await world.call(bob, "recall")
        await until(lambda: not alive(pid) or len(list(world.starts.iterdir())) == 3, "nobody made room")
        busy = [asyncio.create_task(world.call(key, "sleep", {"seconds": 2})) for key in (alice, bob)]
        await until(lambda: len(list(world.starts.glob("busy-*"))) == 2, "the calls did not reach their processes")
        assert (await world.call(await world.key("carol"), "recall")).status_code == 503
        assert [(await task).status_code for task in busy] == [200, 200]


async def test_another_command_is_another_process_at_the_next_call(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        before = said(await world.call(key, "environment"))
        command = (sys.executable, "-I", "-S", str(SERVER))
        changed = of(StdioCommand(command=command, env=(("NEW", "yes"),)))
        await world.database.write(lambda tx: servers.put_server(tx, changed))
        after = said(await world.call(key, "environment"))
        assert "NEW" not in before
        assert after["NEW"] == "yes"


@pytest.mark.parametrize(("spoken", "told"), [("2024-11-05", "2025-03-26"), ("2025-03-26", "2025-03-26")])
async def test_older_servers_are_served_too(stdio: Make, spoken: str, told: str) -> None:
    async with stdio(env=(("SPEAKS", spoken),)) as world:
        key = await world.key("alice")
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        assert answered(await world.legacy(key, "initialize", hello))["protocolVersion"] == told
        assert said(await world.call(key, "recall")) == []


async def test_one_of_an_unknown_revision_is_an_upstream_error(stdio: Make) -> None:
    async with stdio(env=(("SPEAKS", "1999-01-01"),)) as world:
        assert (await world.call(await world.key("alice"), "recall")).status_code == 502


async def test_K19_what_a_server_asks_goes_to_the_session_that_waits_and_can(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        session = await opened(world, key, elicitation={})
        params = {"name": "ask", "arguments": {"method": "elicitation/create"}}
        asked: dict[str, Any] = {}
        sent = {"authorization": f"Bearer {key}", "mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
        accept = {"accept": "application/json, text/event-stream"}
        body = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}
        lines = []
        async with world.http.stream("POST", "/mcp", json=body, headers={**sent, **accept}) as stream:
            async for line in stream.aiter_lines():
                lines.append(line)
                if line.startswith("data: ") and '"elicitation/create"' in line:
                    asked = json.loads(line[6:])
                    reply = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}}
                    taken = await world.post(
                        key, reply, headers={k: v for k, v in sent.items() if k != "authorization"}
                    )
                    assert taken.status_code == 202
        assert asked["id"] != "q-elicitation/create", "an id of the gateway's own"
        assert "decline" in lines[-1] + lines[-2] + lines[-3]
        # Not said at initialize, off by default, a caller of 2026-07-28: the server is told so, and nobody is asked.
        for method in ("sampling/createMessage", "roots/list"):
            old = {"name": "ask", "arguments": {"method": method}}
            assert said(await world.legacy(key, "tools/call", old, session=session))["code"] == -32601
        assert said(await world.call(key, "ask", {"method": "elicitation/create"}))["code"] == -32601


async def test_subscriptions_of_both_eras(stdio: Make) -> None:
    async with stdio() as world:
        key = await world.key("alice")
        session = await opened(world, key)
        await world.legacy(key, "resources/subscribe", {"uri": "note://first"}, session=session)
        heard: dict[str, list[str]] = {"old": [], "new": []}
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["note://first"]}
        listen = {
            "jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen",
            "params": {"notifications": wanted, "_meta": meta},
        }  # fmt: skip
        bearer = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
        modern = {**bearer, "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"}

        async def follow(name: str, request: Any) -> None:
            async with request as stream:
                assert stream.status_code == 200
                async for line in stream.aiter_lines():
                    if line.startswith("data: "):
                        heard[name].append(json.loads(line[6:])["method"].removeprefix("notifications/"))

        tasks = [
            asyncio.create_task(follow("new", world.http.stream("POST", "/mcp", json=listen, headers=modern))),
            asyncio.create_task(
                follow("old", world.http.stream("GET", "/mcp", headers={**bearer, "mcp-session-id": session}))
            ),
        ]
        await until(lambda: heard["new"] == ["subscriptions/acknowledged"], "no acknowledgement")
        end = time.monotonic() + 10
        while len(heard["old"]) < 2:  # Until its stream is open nobody hears.
            await world.call(key, "change")
            assert time.monotonic() < end, heard
            await asyncio.sleep(0.02)
        news = {"tools/list_changed", "resources/updated"}
        await until(lambda: news <= set(heard["new"]) and news <= set(heard["old"]), str(heard))
        await world.call(key, "change", {"uri": "note://other"})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

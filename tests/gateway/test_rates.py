"""Rate limits, quotas and what may be open at once, at the gateway's door (feature D9; security L20)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest
from mcp import MCPError
from tests.gateway.deployment import ACME, READ, WRITE
from tests.gateway.recorder import Recorder, Request, default, stream
from tests.gateway.test_direct import chunked, short, talk
from tests.gateway.world import META, World

from doorward.gateway.places import Places
from doorward.gateway.rates import RateLimits
from doorward.model import SECOND, Rates
from doorward.protocol import faults
from doorward.storage import accounts
from support.official_client import Visit

pytestmark = pytest.mark.anyio


async def limit(world: World, **numbers: int) -> None:
    """Say how often may be called in Acme."""
    tenant = replace(ACME, rates=Rates(**numbers))
    assert await world.database.write(lambda tx: accounts.update_tenant(tx, tenant))


def refused(response: httpx2.Response, of: str) -> str:
    """Check the form of a 429 and return its words."""
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (429, -32005)
    seconds = int(response.headers["retry-after"])
    assert 0 < seconds <= 61 or "day" in error["message"]
    assert error["data"] == {"code": "DW-336", "retryAfter": seconds, "limit": of}
    assert f"Wait {seconds} seconds, then try again. (DW-336)" in error["message"]
    assert response.json()["id"] == 1
    return str(error["message"])


async def test_L20_a_key_over_its_limit_is_told_how_long_to_wait_and_others_are_not_touched(
    world: World, recorder: Recorder
) -> None:
    await limit(world, credential_per_minute=3)
    key, other = await world.key("bob"), await world.key("bob")
    assert [(await world.call(key, "plain")).status_code for _ in range(3)] == [200] * 3
    before = len(recorder.requests)
    response = await world.call(key, "plain")
    assert "this API key made 3 calls in the last minute, and 3 are allowed" in refused(response, "credential")
    assert len(recorder.requests) == before
    assert (world.calls[-1].status, world.calls[-1].decision) == (429, "refused")
    assert "DW-336" in world.calls[-1].reason
    assert (await world.call(other, "plain")).status_code == 200
    world.clock.offset += int(response.headers["retry-after"]) * SECOND
    assert (await world.call(key, "plain")).status_code == 200


async def test_a_refused_call_costs_nothing_more(world: World) -> None:
    await limit(world, credential_per_minute=1)
    key = await world.key("bob")
    assert (await world.call(key, "plain")).status_code == 200
    waits = [int((await world.call(key, "plain")).headers["retry-after"]) for _ in range(5)]
    assert waits == sorted(waits, reverse=True)


async def test_L20_a_users_limit_counts_all_that_the_user_has_in_this_tenant(world: World) -> None:
    await limit(world, user_per_day=2)
    key, token = await world.key("bob"), await world.token("bob", READ, WRITE)
    assert (await world.call(key, "echo")).status_code == 200
    assert (await world.call(token, "echo")).status_code == 200
    for credential in (key, token):
        assert "you made 2 calls in the last day, and 2 are allowed" in refused(
            await world.call(credential, "echo"), "user"
        )
    assert (await world.call(await world.key("alice"), "echo")).status_code == 200


async def test_L20_a_tenants_limit_says_nothing_of_what_others_did(world: World) -> None:
    await limit(world, tenant_per_minute=4)
    alice, bob, mallory = await world.key("alice"), await world.key("bob"), await world.key("mallory")
    for key in (alice, alice, alice, bob):
        assert (await world.call(key, "plain")).status_code == 200
    words = refused(await world.call(bob, "plain"), "tenant")
    assert "your organisation has used up the calls that it may make in a minute" in words
    assert not any(number in words.split("Wait")[0] for number in "0123456789")
    assert (await world.call(mallory, "plain")).status_code == 200


async def test_L20_a_tools_limit_is_for_each_user_and_names_only_tools_that_may_be_called(
    world: World, recorder: Recorder
) -> None:
    await limit(world, tool_per_minute=2)
    bob, alice = await world.key("bob"), await world.key("alice")
    for _ in range(2):
        assert (await world.call(bob, "echo")).status_code == 200
    assert "you called this tool 2 times in the last minute" in refused(await world.call(bob, "echo"), "tool")
    assert (await world.call(bob, "write_note")).status_code == 200
    assert (await world.call(alice, "echo")).status_code == 200
    for name in ("forbidden", "nothing_here"):
        # K1: a limit that only a hidden tool has would tell of it.
        assert {(await world.call(bob, name)).status_code for _ in range(4)} == {400}
    assert [request.message["params"]["name"] for request in recorder.requests if request.method == "tools/call"] == [
        "echo", "echo", "write_note", "echo",
    ]  # fmt: skip


async def test_every_kind_of_message_counts_and_a_notification_too(world: World) -> None:
    await limit(world, credential_per_minute=3)
    key = await world.key("bob")
    await world.listed(key)
    await world.legacy(key, "ping")
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    await world.post(key, note, headers={"mcp-protocol-version": "2025-11-25"})
    assert (await world.modern(key, "tools/list")).status_code == 429
    response = await world.http.get("/mcp", headers={"authorization": f"Bearer {key}", "mcp-session-id": "x"})
    assert response.status_code == 429


async def test_both_ways_of_a_call_spend_from_one_count(world: World) -> None:
    await limit(world, credential_per_minute=2)
    key = await world.key("bob")
    heads = [(await talk(world, way))[0][0] for way in (short(key, "plain"), chunked(key, "plain"))]
    assert all(start.startswith(b"HTTP/1.1 200") for start in heads)
    for way in (short(key, "plain"), chunked(key, "plain")):
        start, body = (await talk(world, way))[0]
        assert start.startswith(b"HTTP/1.1 429 Too Many Requests")
        assert b"retry-after: " in start
        assert b"this API key made 2 calls" in body


async def test_a_changed_limit_holds_from_the_next_call(world: World) -> None:
    key = await world.key("bob")
    for _ in range(3):
        assert (await world.call(key, "plain")).status_code == 200
    await limit(world, credential_per_minute=1)
    assert [(await world.call(key, "plain")).status_code for _ in range(2)] == [200, 429]
    await limit(world)
    assert (await world.call(key, "plain")).status_code == 200


async def test_parallel_calls_get_no_more_than_the_limit(world: World, recorder: Recorder) -> None:
    await limit(world, user_per_minute=10)
    key = await world.key("bob")
    answers = await asyncio.gather(*(world.call(key, "plain") for _ in range(30)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 20
    assert len([request for request in recorder.requests if request.method == "tools/call"]) == 10


async def test_what_several_nodes_share_is_divided_and_idle_counts_are_forgotten(world: World) -> None:
    now = [10**12]
    rates = RateLimits(Rates(credential_per_minute=5), nodes=2, ticks=lambda: now[0])
    caller = await world.gateway._live.caller(await world.key("bob"))
    for _ in range(3):
        rates.spend(caller, 1)
    with pytest.raises(Exception, match="DW-336"):
        rates.spend(caller, 1)
    rates.sweep()
    assert len(rates._windows) == 1
    now[0] += 62 * SECOND
    rates.sweep()
    assert not rates._windows


async def until(met: Callable[[], bool]) -> None:
    """Return when a condition is met; fail after five seconds."""
    for _ in range(500):
        if met():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the condition was not met")


async def opened(world: World, key: str) -> httpx2.Response:
    """Open a listen stream."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
    message["params"] = {"notifications": {"toolsListChanged": True}, "_meta": META}
    request = world.http.build_request(
        "POST", "/mcp", json=message,
        headers={
            "authorization": f"Bearer {key}", "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen",
        },
    )  # fmt: skip
    return await world.http.send(request, stream=True)


async def test_L20_open_streams_are_counted_and_a_closed_one_makes_room(world: World, recorder: Recorder) -> None:
    def answer(request: Request) -> bytes:
        ready = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {}}
        return stream(ready, ends=False) if request.method == "subscriptions/listen" else default(request)

    recorder.answer = answer
    places = Places(2, 3, faults.TOO_MANY_STREAMS)
    world.gateway._messages._ceilings = replace(world.gateway._messages._ceilings, streams=places)
    key, other, alice = await world.key("bob"), await world.key("bob"), await world.key("alice")
    first, second = await opened(world, key), await opened(world, key)
    over = await opened(world, key)
    await over.aread()
    assert (over.status_code, over.json()["error"]["data"]["code"]) == (429, "DW-337")
    assert over.headers["retry-after"] == "5"
    third, of_user = await opened(world, other), await opened(world, other)
    await of_user.aread()
    assert of_user.json()["error"]["data"]["limit"] == "user"
    of_alice = await opened(world, alice)
    assert [each.status_code for each in (first, second, third, of_alice)] == [200] * 4
    await first.aclose()
    async with asyncio.timeout(5):
        while (again := await opened(world, key)).status_code != 200:
            await again.aclose()
            await asyncio.sleep(0.01)
    for each in (second, third, of_alice, again):
        await each.aclose()
    await until(lambda: places.empty)


async def test_L20_calls_that_wait_at_once_are_counted(world: World, recorder: Recorder) -> None:
    recorder.answer = lambda request: (
        b"" if request.message.get("params", {}).get("name") == "echo" else default(request)
    )
    places = Places(1, 0, faults.TOO_MANY_AT_ONCE)
    world.gateway._messages._ceilings = replace(world.gateway._messages._ceilings, calls=places)
    key = await world.key("bob")
    assert (await world.call(key, "plain")).status_code == 200
    waiting = asyncio.create_task(world.call(key, "echo"))
    await until(lambda: not places.empty)
    over = await world.call(key, "plain")
    assert (over.status_code, over.json()["error"]["data"]["code"]) == (429, "DW-339")
    waiting.cancel()
    await until(lambda: places.empty)
    assert (await world.call(key, "plain")).status_code == 200


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_client_hands_the_words_to_its_agent(sdk_world: World, mode: str) -> None:
    world, key = sdk_world, await sdk_world.key("bob")
    async with Visit(f"http://127.0.0.1:{world.port}/mcp", key=key, mode=mode).client() as client:
        await limit(world, tool_per_minute=1)
        await client.call_tool("plain", {})
        with pytest.raises(MCPError, match=r"you called this tool 1 times .* Wait \d+ seconds, then try again"):
            await client.call_tool("plain", {})

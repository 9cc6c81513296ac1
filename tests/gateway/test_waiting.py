"""Calls whose answer is waited for end when their right goes, as open streams do (D3, security K25)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.gateway.deployment import ACME, READ, WRITE, user
from tests.gateway.recorder import Recorder, Request, default, result
from tests.gateway.test_direct import chunked, short, talk
from tests.gateway.world import World

from doorward.model import SECOND
from doorward.storage import api_keys, permissions
from doorward.storage.database import Database, StorageUnavailable

pytestmark = pytest.mark.anyio


def slow(request: Request) -> bytes:
    """Answer no call of a tool but ``plain``."""
    called = request.message.get("params", {}).get("name")
    return b"" if request.method == "tools/call" and called != "plain" else default(request)


@pytest.fixture
async def begun(world: World, recorder: Recorder) -> AsyncIterator[Callable[..., Awaitable[asyncio.Task[Any]]]]:
    """Begin a call and return when the upstream has it."""
    recorder.answer = slow
    tasks = []

    async def begin(token: str, way: Callable[[str, str], bytes] = short) -> asyncio.Task[Any]:
        recorder.forget()
        tasks.append(asyncio.create_task(talk(world, way(token, "echo"))))
        async with asyncio.timeout(5):
            await recorder.came(1, "tools/call")
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def looked(world: World, times: int) -> None:
    """Return when the waiting calls have been decided again so often."""
    waiting, done = world.gateway._waiting, []
    look_again = waiting.look_again

    async def counted(look: Any) -> None:
        await look_again(look)
        done.append(look)

    waiting.look_again = counted  # type: ignore[method-assign]
    for _ in range(300):
        if len(done) >= times:
            return
        await asyncio.sleep(0.02)
    pytest.fail("waiting calls are not looked at")


async def take_the_role(world: World) -> None:
    await world.role("bob", "nobody")


async def revoke_the_key(world: World) -> None:
    for key in await world.database.read(lambda reader: api_keys.api_keys_of_user(reader, user("bob").id)):
        await world.database.write(lambda tx, one=key: api_keys.revoke_api_key(tx, ACME.id, one.id, world.clock()))


@pytest.mark.parametrize("way", [short, chunked])
@pytest.mark.parametrize("change", [take_the_role, revoke_the_key])
async def test_K25_a_waiting_call_ends_within_a_second_of_losing_its_right(
    world: World, recorder: Recorder, begun: Any, way: Any, change: Any
) -> None:
    call = await begun(await world.key("bob"), way)
    others = await begun(await world.key("alice"), way)
    open_before = len(recorder.open)
    await change(world)
    changed = asyncio.get_running_loop().time()
    async with asyncio.timeout(5):
        ((start, body),) = await call
    assert asyncio.get_running_loop().time() - changed < 1.5
    assert start.startswith(b"HTTP/1.1 403")
    assert b"DW-338" in body
    assert b'"id":1' in body
    assert (world.calls[-1].status, world.calls[-1].decision) == (403, "refused")
    for _ in range(100):
        if len(recorder.open) < open_before:
            break
        await asyncio.sleep(0.02)
    assert len(recorder.open) == open_before - 1, "the upstream was not told that nobody waits"
    assert not others.done()
    assert (await world.call(await world.key("alice"), "plain")).status_code == 200


@pytest.mark.parametrize("way", [short, chunked])
async def test_a_waiting_call_that_may_go_on_is_answered(world: World, recorder: Recorder, way: Any) -> None:
    """Looked at twice while it waits: other people's rights change, and its own token's time ends."""
    recorder.answer = slow
    token = await world.token("bob", READ, WRITE)
    answer = asyncio.get_running_loop().create_future()

    def later(request: Request) -> bytes:
        if request.method == "tools/call":
            answer.set_result(request)
        return slow(request)

    recorder.answer = later
    call = asyncio.create_task(talk(world, way(token, "echo")))
    async with asyncio.timeout(5):
        request = await answer
        await world.role("carol", "nobody")
        world.clock.offset += 700 * SECOND
        await looked(world, 2)
        assert not call.done()
        for writer in recorder.open:
            writer.write(result(request, {"content": [], "isError": False, "resultType": "complete"}))
        ((start, _),) = await call
    assert start.startswith(b"HTTP/1.1 200")


async def test_a_busy_upstream_is_not_asked_anything_to_decide_about_its_own_call(
    world: World, recorder: Recorder, begun: Any
) -> None:
    """One that does one thing at a time could not answer, and its call would be ended for that."""
    call = await begun(await world.key("bob"))
    recorder.forget()
    world.clock.offset += 3600 * SECOND
    await world.role("carol", "nobody")
    await looked(world, 1)
    assert not call.done()
    assert recorder.requests == []


async def test_K26_a_waiting_call_that_cannot_be_decided_is_ended(
    world: World, begun: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await begun(await world.key("bob"))

    async def gone(_self: Database, _tenant: object) -> tuple[int, int]:
        raise StorageUnavailable("gone")

    monkeypatch.setattr(type(world.database), "revisions", gone)
    async with asyncio.timeout(5):
        ((start, body),) = await call
    assert start.startswith(b"HTTP/1.1 403")
    assert b"DW-338" in body


async def test_many_waiting_calls_of_one_person_all_end_and_nobody_elses(
    world: World, recorder: Recorder, begun: Any
) -> None:
    del begun
    bob, alice = await world.key("bob"), await world.key("alice")
    calls = {
        name: [asyncio.create_task(talk(world, way(key, "echo"))) for way in (short, chunked) * 10]
        for name, key in (("bob", bob), ("alice", alice))
    }
    async with asyncio.timeout(10):
        await recorder.came(40, "tools/call")
        await world.database.write(lambda tx: permissions.set_membership(tx, ACME.id, user("bob").id, ["nobody"]))
        ended = [(await call)[0][0] for call in calls["bob"]]
    assert all(start.startswith(b"HTTP/1.1 403") for start in ended)
    assert not any(call.done() for call in calls["alice"])
    for call in calls["alice"]:
        call.cancel()

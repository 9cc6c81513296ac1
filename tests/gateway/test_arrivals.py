"""Calls that come in one turn of the loop share one look at the revisions, made after the last of them (decision 0078)."""

import asyncio
import json
import sqlite3
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.recorder import Recorder
from tests.gateway.test_direct import Wire, chunked, message, talk
from tests.gateway.world import MODERN, World

from doorward.gateway.arrivals import Arrivals
from doorward.gateway.direct_exchange import DirectExchange
from doorward.gateway.head import Head
from doorward.gateway.live import Caller, LiveState
from doorward.storage.database import StorageUnavailable

pytestmark = pytest.mark.anyio


def head(token: str) -> Head:
    lines = {
        "host": "127.0.0.1", "authorization": f"Bearer {token}", "content-type": "application/json",
        "mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo",
    }  # fmt: skip
    return Head("/mcp", [(name.encode(), value.encode()) for name, value in lines.items()])


class Line(Wire):
    """Says when the answer is there."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    def answered(self) -> None:
        self.done.set()


async def answered(wire: Line) -> dict[str, Any]:
    async with asyncio.timeout(10):
        await wire.done.wait()
    body: dict[str, Any] = json.loads(wire.out.partition(b"\r\n\r\n")[2])
    return body


def send(world: World, one: Head) -> Line:
    wire = Line()
    world.gateway.direct(wire, asyncio.get_running_loop(), one, message("echo"), "127.0.0.1")
    return wire


async def test_live_a_change_after_a_call_was_read_and_before_it_is_judged_counts(
    world: World, recorder: Recorder, tmp_path: Path
) -> None:
    one = head(await world.key("bob"))
    assert "result" in await answered(send(world, one))
    with closing(sqlite3.connect(tmp_path / "doorward.db")) as elsewhere:
        before = send(world, one)
        # In the same turn of the loop: nothing of the gateway has run since.
        elsewhere.execute("DELETE FROM role_bindings")
        elsewhere.commit()
        after = send(world, one)
    asked = len(recorder.requests)
    assert "error" in await answered(after)
    assert "error" in await answered(before)
    assert len(recorder.requests) == asked


async def test_live_a_change_between_two_turns_counts(world: World, recorder: Recorder, tmp_path: Path) -> None:
    one = head(await world.key("bob"))
    for allowed in (True, False):
        assert ("result" in await answered(send(world, one))) is allowed
        with closing(sqlite3.connect(tmp_path / "doorward.db")) as elsewhere:
            elsewhere.execute("DELETE FROM role_bindings")
            elsewhere.commit()


async def test_live_what_comes_the_long_way_is_judged_by_a_look_of_its_own(
    world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await world.key("bob")
    await answered(send(world, head(key)))
    asked = []
    known = LiveState.known_caller

    def spy(live: LiveState, digest: bytes, *, looked: bool = False) -> Caller | None:
        asked.append(looked)
        return known(live, digest, looked=looked)

    monkeypatch.setattr(LiveState, "known_caller", spy)
    assert "result" in await answered(send(world, head(key)))
    assert b'"result"' in (await talk(world, chunked(key, "echo")))[0][1]
    assert asked == [True, False]


async def test_K26_where_no_look_can_be_made_nothing_is_allowed(
    world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = head(await world.key("bob"))
    await answered(send(world, one))
    asked = len(recorder.requests)

    def gone() -> bool:
        raise StorageUnavailable("no")

    monkeypatch.setattr(world.database, "look", gone)
    wires = [send(world, one), send(world, one)]
    for wire in wires:
        assert "error" in await answered(wire)
        assert wire.out.startswith(b"HTTP/1.1 503")
    assert len(recorder.requests) == asked


async def test_one_look_is_made_for_all_who_came_and_neither_who_left_nor_who_fails_holds_anybody_up() -> None:
    begun, made, looks = [], [], []

    def look() -> bool:
        looks.append(list(begun))
        return True

    async def answer(exchange: DirectExchange) -> None:
        begun.append(exchange.request_id)
        if exchange.request_id == "b":
            raise LookupError

    def noted(exchange: DirectExchange) -> Coroutine[Any, Any, None]:
        made.append(exchange.looked)
        return answer(exchange)

    arrivals, loop = Arrivals(look, noted), asyncio.get_running_loop()
    exchanges = {name: DirectExchange(Wire(), Head("/mcp", []), b"{}", None, name) for name in "abcd"}
    for exchange in exchanges.values():
        arrivals.add(exchange, loop)
    exchanges["c"].leave()
    await asyncio.sleep(0)
    arrivals.add(DirectExchange(Line(), Head("/mcp", []), b"{}", None, "e"), loop)
    await asyncio.sleep(0)
    assert begun == ["a", "b", "d", "e"]
    assert made == [True] * 4
    assert looks == [[], ["a", "b", "d"]]

"""An upstream that is away: who is told what, and when it is tried again."""

import asyncio
import socket

import pytest
from tests.gateway.recorder import Recorder
from tests.gateway.world import World

from doorward.gateway.breaker import FAILURES, RESTS, Breaker
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure

pytestmark = pytest.mark.anyio


def away(breaker: Breaker, now: float) -> bool:
    try:
        breaker.check(now)
    except UpstreamFailure as failure:
        return failure.kind is UpstreamError.RESTING and failure.retry_after >= 1
    return False


def test_it_opens_after_so_many_failures_in_a_row_and_lets_one_probe_through() -> None:
    breaker = Breaker("u")
    for _ in range(FAILURES - 1):
        assert not away(breaker, 0.0)
        breaker.failed(0.0)
    breaker.connected()
    for _ in range(FAILURES):
        assert not away(breaker, 0.0), "a success in between begins the count anew"
        breaker.failed(0.0)
    assert away(breaker, RESTS[0] - 0.1)
    assert not away(breaker, RESTS[0])
    assert away(breaker, RESTS[0]), "one probe at a time"
    breaker.failed(RESTS[0])
    assert away(breaker, RESTS[0] + RESTS[1] - 0.1), "it rests longer each time"
    assert not away(breaker, RESTS[0] + RESTS[1])
    breaker.left()
    assert not away(breaker, RESTS[0] + RESTS[1]), "a probe that nobody waits for is no answer"
    breaker.connected()
    assert not away(breaker, 0.0)
    breaker.failed(0.0)
    assert not away(breaker, 0.0)


async def test_callers_of_an_upstream_that_is_away_are_told_at_once_and_served_when_it_is_back(
    world: World, recorder: Recorder
) -> None:
    key = await world.key("alice")
    port = int(recorder.url.rpartition(":")[2].partition("/")[0])
    assert (await world.call(key, "echo", {"text": "x"})).status_code == 200
    await recorder.stop()
    found = [(await world.call(key, "echo", {"text": "x"})) for _ in range(FAILURES + 4)]
    assert found[0].status_code == 502
    assert (found[-1].status_code, "DW-507" in found[-1].text) == (503, True)
    assert int(found[-1].headers["retry-after"]) >= 1
    assert "127.0.0.1" not in found[-1].text
    server = await asyncio.start_server(recorder._serve, sock=listening(port))
    try:
        async with asyncio.timeout(10):
            while (await world.call(key, "echo", {"text": "x"})).status_code != 200:  # noqa: ASYNC110  (what is away tells nobody that it is back)
                await asyncio.sleep(0.02)
    finally:
        server.close()
        for writer in list(recorder.open):
            writer.close()
    await recorder.start()


async def test_what_one_caller_can_provoke_does_not_count(world: World, recorder: Recorder) -> None:
    key = await world.key("alice")
    await world.call(key, "echo", {"text": "x"})
    whole = recorder.answer
    recorder.answer = lambda request: None if request.method == "tools/call" else whole(request)
    for _ in range(FAILURES + 2):
        assert (await world.call(key, "echo", {"text": "x"})).status_code == 502
    recorder.answer = whole
    assert (await world.call(key, "echo", {"text": "x"})).status_code == 200


def listening(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen()
    return made

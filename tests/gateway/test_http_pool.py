"""The upstream client: reuse, refusals, limits, streams; never twice what may have been done."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.gateway.recorder import CLOSED, Recorder, reply, stream

from doorward.gateway.answer_heads import MAX_KNOWN, MAX_KNOWN_BYTES, KnownHead, KnownHeads
from doorward.gateway.breaker import Breaker
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.http_pool import HttpPool, target

pytestmark = pytest.mark.anyio
OK = reply(200, b"{}")


@pytest.fixture
async def pool() -> AsyncIterator[HttpPool]:
    made = HttpPool(body_limit=100_000, first_byte_timeout=5.0)
    yield made
    await made.close()


async def post(pool: HttpPool, recorder: Recorder, body: bytes = b"{}", *, repeatable: bool = True) -> bytes:
    answer = await pool.send(b"POST", target(recorder.url), [(b"accept", b"x")], body, repeatable=repeatable)
    return answer.body


async def fails(pool: HttpPool, recorder: Recorder, kind: UpstreamError, *, repeatable: bool = False) -> None:
    with pytest.raises(UpstreamFailure) as failure:
        await post(pool, recorder, repeatable=repeatable)
    assert failure.value.kind is kind


async def test_connections_are_used_again(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: OK
    for _ in range(5):
        assert await post(pool, recorder) == b"{}"
    assert recorder.connections == 1
    await asyncio.gather(*(post(pool, recorder) for _ in range(20)))
    assert recorder.connections <= 21


async def test_all_ways_of_framing_a_body_are_read(pool: HttpPool, recorder: Recorder) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    framed = {
        head + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n": b"{}",
        head + b"\r\n{}" + CLOSED: b"{}",
        b"HTTP/1.1 204 No Content\r\n\r\n": b"",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK: b"{}",
        head + b"content-length: 2\r\nconnection: close\r\n\r\n{}": b"{}",
    }
    for sent, body in framed.items():
        recorder.answer = lambda _, sent=sent: sent  # type: ignore[misc]
        assert await post(pool, recorder) == body


async def test_L12_a_header_with_a_line_break_is_refused(pool: HttpPool, recorder: Recorder) -> None:
    for value in (b"a\r\nx: y", b"a\nb", b"a\0b"):
        with pytest.raises(UpstreamFailure):
            await pool.send(b"POST", target(recorder.url), [(b"accept", value)], b"", repeatable=True)
    assert recorder.requests == []


async def test_L11_hop_by_hop_headers_are_not_sent(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: OK
    hostile = [(b"connection", b"authorization"), (b"host", b"evil"), (b"content-length", b"9"), (b"te", b"x")]
    await pool.send(b"POST", target(recorder.url), [*hostile, (b"authorization", b"b")], b"{}", repeatable=True)
    assert [name for name, _ in recorder.requests[0].headers] == ["host", "authorization", "content-length"]
    assert recorder.requests[0].header("host") == target(recorder.url).authority.decode()


async def test_what_breaks_off_or_is_not_http_fails(pool: HttpPool, recorder: Recorder) -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{" + CLOSED
    for answer, kind in (
        (half, UpstreamError.UNREACHABLE),
        (b"nonsense\r\n\r\n", UpstreamError.PROTOCOL),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", UpstreamError.PROTOCOL),
        (reply(200, b"x" * 200_000), UpstreamError.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", UpstreamError.TOO_LARGE),
    ):
        recorder.answer = lambda _, answer=answer: answer  # type: ignore[misc]
        await fails(pool, recorder, kind)


async def test_only_the_repeatable_is_sent_again_and_only_untouched(pool: HttpPool, recorder: Recorder) -> None:
    async def closing_then_ok() -> None:
        recorder.answer = lambda _: OK
        await post(pool, recorder)
        recorder.forget()
        answers = [None, OK]
        recorder.answer = lambda _: answers.pop(0)

    await closing_then_ok()
    assert await post(pool, recorder, repeatable=True) == b"{}"
    assert len(recorder.requests) == 2
    await closing_then_ok()
    await fails(pool, recorder, UpstreamError.UNREACHABLE, repeatable=False)
    assert len(recorder.requests) == 1
    recorder.forget()
    recorder.answer = lambda _: None
    fresh = HttpPool()
    await fails(fresh, recorder, UpstreamError.UNREACHABLE, repeatable=True)
    assert len(recorder.requests) == 1
    await fresh.close()


async def test_silence_and_a_closed_port_fail_in_time(recorder: Recorder) -> None:
    pool = HttpPool(first_byte_timeout=0.2, connect_timeout=0.5)
    recorder.answer = lambda _: b""
    await fails(pool, recorder, UpstreamError.TIMEOUT)
    await recorder.stop()
    await fails(pool, recorder, UpstreamError.UNREACHABLE)
    await pool.close()
    await recorder.start()


async def test_an_answer_after_the_answer_reaches_nobody(pool: HttpPool, recorder: Recorder) -> None:
    first = [reply(200, b'"one"') + reply(200, b'"split"'), reply(200, b'"two"')]
    recorder.answer = lambda _: first.pop(0)
    assert await post(pool, recorder) == b'"one"'
    assert await post(pool, recorder) == b'"two"'
    assert recorder.connections == 2


async def test_an_answer_whose_head_came_before_is_read_as_if_it_had_not(pool: HttpPool, recorder: Recorder) -> None:
    """Whole, with something behind it, and cut off: only the first is taken by its head alone."""
    same = [reply(200, b"%d" % number) for number in range(8)]
    answers = [
        *same[:3],
        same[3],
        same[4] + reply(200, b"9"),
        same[5],
        same[6] + b"x",
        same[7],
    ]
    recorder.answer = lambda _: answers.pop(0)
    assert [await post(pool, recorder) for _ in range(8)] == [b"%d" % number for number in range(8)]
    assert recorder.connections == 3
    answers = [reply(200, b"1")[:-1] + CLOSED]
    await fails(pool, recorder, UpstreamError.UNREACHABLE)


async def test_heads_of_answers_are_kept_only_where_nothing_but_their_bytes_says_how_they_end(
    pool: HttpPool, recorder: Recorder
) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    for sent, again in (
        (b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n1\r\n7\r\n0\r\n\r\n"),
        (b"\r\n{}" + CLOSED, b"\r\n7" + CLOSED),
        (b"content-length: 2\r\nconnection: close\r\n\r\n{}", b"content-length: 2\r\nconnection: close\r\n\r\n77"),
    ):  # fmt: skip
        for answer, body in ((sent, b"{}"), (again, b"7")):
            recorder.answer = lambda _, answer=answer: head + answer  # type: ignore[misc]
            assert (await post(pool, recorder)).startswith(body)
    assert pool._heads._known == {}


async def test_only_so_many_heads_of_answers_are_kept() -> None:
    known = KnownHeads()
    for number in range(MAX_KNOWN + 1):
        known.keep(b"%d" % number, KnownHead(200, {}, 1))
    known.keep(b"x" * (MAX_KNOWN_BYTES + 1), KnownHead(200, {}, 1))
    assert len(known._known) == MAX_KNOWN
    assert known.find(b"0") is None


async def test_a_cancelled_request_closes_its_connection(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: b""
    task = asyncio.ensure_future(post(pool, recorder))
    await recorder.came(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    recorder.answer = lambda _: OK
    assert await post(pool, recorder) == b"{}"
    assert recorder.connections == 2


async def test_a_stream_is_handed_over_at_its_beginning(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: stream("data: 1\n\n", "data: 2\n\n")
    answer = await pool.send(b"GET", target(recorder.url), [], repeatable=True)
    assert answer.streaming
    pieces = []
    while piece := await answer.chunk():
        pieces.append(piece)
    assert b"".join(pieces) == b"data: 1\n\ndata: 2\n\n"
    recorder.answer = lambda _: OK
    assert await post(pool, recorder) == b"{}"
    assert recorder.connections == 1


async def test_a_stream_waits_for_its_reader(pool: HttpPool, recorder: Recorder) -> None:
    size = 8 * 1024 * 1024
    recorder.answer = lambda _: stream("data: " + "x" * size + "\n\n")
    answer = await pool.send(b"GET", target(recorder.url), [], repeatable=True)
    connection = answer._connection
    assert connection is not None
    while not connection._paused:  # noqa: ASYNC110  (nothing tells of it)
        await asyncio.sleep(0.01)
    assert connection._size < 1024 * 1024
    total = 0
    while piece := await answer.chunk():
        total += len(piece)
    assert total == size + 8


async def test_leaving_a_stream_closes_its_connection(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: stream("data: 1\n\n", ends=False)
    answer = await pool.send(b"GET", target(recorder.url), [], repeatable=True)
    await answer.chunk()
    answer.close()
    assert await answer.chunk() == b""
    recorder.answer = lambda _: OK
    await post(pool, recorder)
    assert recorder.connections == 2


async def test_a_stream_that_breaks_off_says_so(pool: HttpPool, recorder: Recorder) -> None:
    recorder.answer = lambda _: stream("data: 1\n\n", ends=False) + CLOSED
    answer = await pool.send(b"GET", target(recorder.url), [], repeatable=True)
    assert await answer.chunk() == b"data: 1\n\n"
    with pytest.raises(UpstreamFailure):
        await answer.chunk()


async def test_too_many_connections_are_refused(recorder: Recorder) -> None:
    pool = HttpPool(per_tenant=2)
    recorder.answer = lambda _: b""
    waiting = [asyncio.ensure_future(post(pool, recorder)) for _ in range(2)]
    await recorder.came(2)
    await fails(pool, recorder, UpstreamError.BUSY)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    recorder.answer = lambda _: OK
    assert await post(pool, recorder) == b"{}"
    await pool.close()


async def test_L20_what_one_tenant_has_open_takes_no_place_from_another_at_the_same_host(recorder: Recorder) -> None:
    pool = HttpPool(per_tenant=2)
    acme, globex = (replace(target(recorder.url), tenant=slug) for slug in ("acme", "globex"))
    recorder.answer = lambda _: OK
    for _ in range(3):
        assert (await pool.send(b"POST", acme, [], b"{}", repeatable=True)).body == b"{}"
    assert recorder.connections == 1
    recorder.answer = lambda _: stream("data: 1\n\n", ends=False)
    # The first goes over the connection that acme's calls left: whose it was does not matter, only who uses it.
    open_ones = [await pool.send(b"GET", globex, [], repeatable=True) for _ in range(2)]
    with pytest.raises(UpstreamFailure) as busy:
        await pool.send(b"GET", globex, [], repeatable=True)
    assert busy.value.kind is UpstreamError.BUSY
    open_ones += [await pool.send(b"GET", acme, [], repeatable=True) for _ in range(2)]
    open_ones[0].close()
    while pool._used[globex.share] == 2:  # noqa: ASYNC110  (nothing tells of it)
        await asyncio.sleep(0)
    open_ones.append(await pool.send(b"GET", globex, [], repeatable=True))
    for answer in open_ones:
        answer.close()
    await pool.close()


async def test_a_host_that_is_reached_again_or_one_of_very_many_is_forgotten(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorward.gateway.http_pool.MAX_BREAKERS", 3)
    pool = HttpPool()
    nobody = [target(f"http://127.0.0.1:{port}/") for port in range(1, 7)]
    for each in nobody:
        with pytest.raises(UpstreamFailure):
            await pool.send(b"GET", each, [], repeatable=True)
    assert list(pool._breakers) == [each.site for each in nobody[3:]]
    pool._remember(target(recorder.url).site, Breaker("failed before"))
    await post(pool, recorder)
    assert target(recorder.url).site not in pool._breakers
    assert not pool._used
    await pool.close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "http:///x",
        "http://u:p@x/",
        "http://x/#f",
        "http://x/ y",
        "http://x/\r\n",
        "mcp",
        "http://ä/",
        "//x/y",
    ],
)
async def test_what_is_no_upstream_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        target(url)


async def test_a_url_becomes_a_target() -> None:
    made = target("https://mcp.example:8443/a/b?c=d")
    assert (made.host, made.port, made.tls, made.path) == ("mcp.example", 8443, True, b"/a/b?c=d")
    assert (target("http://x").port, target("http://x").path) == (80, b"/")

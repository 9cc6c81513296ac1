"""Small messages are answered straight on the connection, and exactly as they are on the long way."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.gateway.recorder import Recorder
from tests.gateway.world import META, MODERN, World

from doorward.gateway.direct_exchange import DirectExchange
from doorward.gateway.head import MAX_KNOWN, MAX_KNOWN_BYTES, Head, KnownHeads

pytestmark = pytest.mark.anyio


def message(tool: str, request_id: int = 1) -> bytes:
    params = {"name": tool, "arguments": {}, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}).encode()


def head(token: str, tool: str, *lines: str, version: str = "1.1") -> bytes:
    usual = (
        "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Content-Type: application/json",
        f"MCP-Protocol-Version: {MODERN}", "Mcp-Method: tools/call", f"Mcp-Name: {tool}",
    )  # fmt: skip
    return "\r\n".join([f"POST /mcp HTTP/{version}", *usual, *lines, "", ""]).encode()


def short(token: str, tool: str, *lines: str, request_id: int = 1, version: str = "1.1") -> bytes:
    body = message(tool, request_id)
    return head(token, tool, f"Content-Length: {len(body)}", *lines, version=version) + body


def chunked(token: str, tool: str) -> bytes:
    body = message(tool)
    return head(token, tool, "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


async def talk(world: World, *pieces: bytes, answers: int = 1, ends: bool = False) -> list[tuple[bytes, bytes]]:
    """Send pieces, each by itself; return head and body of each answer. With ``ends`` the server has to close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    got = []
    try:
        async with asyncio.timeout(10):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            for _ in range(answers):
                start = await reader.readuntil(b"\r\n\r\n")
                length = int(re.search(rb"content-length: (\d+)", start)[1])  # type: ignore[index]
                got.append((start, await reader.readexactly(length)))
            if ends:
                assert await reader.read() == b""
    finally:
        writer.close()
    return got


def same(start: bytes) -> list[bytes]:
    """Return the lines of a head that do not differ from request to request, in an order of their own."""
    varying = (b"x-request-id:", b"date:")
    return sorted(line for line in start.lower().split(b"\r\n") if not line.startswith(varying))


@pytest.mark.parametrize("tool", ["echo", "no_such_tool"])
@pytest.mark.parametrize("token", ["good", "bad"])
async def test_both_ways_answer_alike(world: World, token: str, tool: str) -> None:
    async with world.running():
        presented = await world.key("bob") if token == "good" else "dw_wrong"
        direct, long = (await talk(world, short(presented, tool)))[0], (await talk(world, chunked(presented, tool)))[0]
    assert same(direct[0]) == same(long[0])
    assert direct[1] == long[1]


async def test_L16_a_message_may_come_in_pieces(world: World) -> None:
    async with world.running():
        whole = short(await world.key("bob"), "no_such_tool")
        pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
        assert b"Unknown tool" in (await talk(world, *pieces))[0][1]


async def test_L3_pipelined_messages_are_answered_in_their_order(world: World, recorder: Recorder) -> None:
    async with world.running():
        key = await world.key("bob")
        many = [short(key, "no_such_tool" if n % 2 else "echo", request_id=n) for n in range(6)]
        answers = await talk(world, b"".join(many), answers=6)
    assert [json.loads(body)["id"] for _, body in answers] == list(range(6))


@pytest.mark.parametrize("line, version", [("Connection: close", "1.1"), ("Accept: */*", "1.0")])
async def test_a_connection_that_is_to_be_closed_is_closed(world: World, line: str, version: str) -> None:
    async with world.running():
        asked = short(await world.key("bob"), "no_such_tool", line, version=version)
        assert b"connection: close" in (await talk(world, asked, ends=True))[0][0].lower()


async def test_a_head_that_comes_again_brings_each_body_to_its_own_answer(world: World, recorder: Recorder) -> None:
    async with world.running():
        key = await world.key("bob")
        asked = [(n, ("echo", "no_such_tool")[n // 3 % 2]) for n in range(1, 10)]
        answers = []
        async with open_connection(world) as (reader, writer):
            for n, tool in asked:
                writer.write(short(key, tool, request_id=n))
                answers.append(json.loads(await one_answer(reader)))
    assert [answer["id"] for answer in answers] == [n for n, _ in asked]
    assert ["result" in answer for answer in answers] == [tool == "echo" for _, tool in asked]
    assert [call.name for call in world.calls] == [tool for _, tool in asked]
    assert len({call.request_id for call in world.calls}) == len(asked)


async def test_live_a_head_that_comes_again_is_judged_by_the_rights_of_now(world: World, recorder: Recorder) -> None:
    async with world.running():
        same_bytes = short(await world.key("bob"), "echo")
        async with open_connection(world) as (reader, writer):
            for roles, allowed in ((("viewer",), True), ((), False), (("viewer",), True)):
                await world.role("bob", *roles)
                for _ in range(3):
                    writer.write(same_bytes)
                    assert ("result" in json.loads(await one_answer(reader))) is allowed


async def test_L3_a_known_head_is_found_only_at_the_beginning_of_a_message(world: World, recorder: Recorder) -> None:
    """Pieces, two at once, and a beginning that comes while the one before is answered: as if none were known."""
    async with world.running():
        key = await world.key("bob")
        one, two = short(key, "echo", request_id=1), short(key, "echo", request_id=2)
        sent = (
            [one], [one], [one[:90], one[90:]], [one[:-4], one[-4:]], [one + two], [one + two[:30], two[30:]],
            [one + two[:-2], two[-2:]], [one],
        )  # fmt: skip
        got = []
        async with open_connection(world) as (reader, writer):
            for pieces in sent:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                got.append(
                    [json.loads(await one_answer(reader))["id"] for _ in range(b"".join(pieces).count(b"POST "))]
                )
    assert got == [[1], [1], [1], [1], [1, 2], [1, 2], [1, 2], [1]]


async def test_a_known_head_with_another_length_of_body_is_read_anew(world: World, recorder: Recorder) -> None:
    async with world.running():
        whole = short(await world.key("bob"), "echo")
        async with open_connection(world) as (reader, writer):
            for _ in range(2):
                writer.write(whole)
                await one_answer(reader)
            # A byte too many belongs to the next message, and no message begins so.
            writer.write(whole + b"}")
            assert b"HTTP/1.1 400" in await reader.read()


async def test_J_a_damaged_token_in_a_head_that_comes_again_is_refused_each_time(world: World) -> None:
    async with world.running():
        wrong = short("dw_wrong", "echo")
        for start, _ in await talk(world, wrong, wrong, wrong, answers=3):
            assert start.startswith(b"HTTP/1.1 401")
    assert world.calls == []


async def test_heads_that_are_long_or_many_are_not_all_kept(world: World) -> None:
    known = KnownHeads()
    known.keep(b"x" * (MAX_KNOWN_BYTES + 1), Head("/mcp", []), 1)
    assert known.find(b"x" * (MAX_KNOWN_BYTES + 1)) is None
    for number in range(MAX_KNOWN + 1):
        known.keep(b"%d" % number, Head("/mcp", []), 1)
    assert known.find(b"0") is None
    assert known.find(b"%d" % MAX_KNOWN) is not None


@asynccontextmanager
async def open_connection(world: World) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    start = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(re.search(rb"content-length: (\d+)", start)[1]))  # type: ignore[index]


async def test_a_client_that_leaves_early_is_forgotten_and_the_next_is_served(world: World, recorder: Recorder) -> None:
    async with world.running():
        key = await world.key("bob")
        for size in (10, -1):
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(short(key, "no_such_tool")[:size])
            await writer.drain()
            writer.close()
        assert b"Unknown tool" in (await talk(world, short(key, "no_such_tool")))[0][1]


class Wire:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.out = b""

    def write(self, data: bytes) -> None:
        self.out += data

    async def drain(self) -> None:
        """Never waits."""

    def answered(self) -> None:
        """Nothing follows."""

    def broken_off(self) -> None:
        self.out += b"(broken off)"

    def common_headers(self) -> bytes:
        return b""


def exchange(wire: Wire) -> DirectExchange:
    return DirectExchange(wire, Head("/mcp", []), b"{}", None, "req_1")


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b=1", b"a\nb", b"a\0b"])
async def test_L12_a_header_with_a_line_break_is_never_written(value: bytes) -> None:
    wire = Wire()
    with pytest.raises(ValueError, match="control character"):
        await exchange(wire).answer(200, b"", [(b"mcp-session-id", value)])
    assert wire.out == b""


async def test_an_answer_that_was_begun_and_not_ended_is_broken_off() -> None:
    wire = Wire()
    one = exchange(wire)
    await one.begin(200, [])
    await one.piece(b"abc")
    one.finish()
    assert wire.out.endswith(b"\r\n\r\n3\r\nabc\r\n(broken off)")

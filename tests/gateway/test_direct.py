"""Small messages are answered straight on the connection, and exactly as they are on the long way."""

import asyncio
import json
import re

import pytest
from tests.gateway.recorder import Recorder
from tests.gateway.world import META, MODERN, World

from doorward.gateway.direct_exchange import DirectExchange

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
    return DirectExchange(wire, path="/mcp", headers=[], whole=b"{}", client=None, request_id="req_1")


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

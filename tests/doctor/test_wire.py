"""Over real connections: bounded in time and bytes, and never led into a private network."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from tests.doctor.broken_server import ORIGIN, BrokenServer

from doorward.doctor import http_wire
from doorward.doctor.examine import examine
from doorward.doctor.http_wire import MAX_BODY, HttpWire
from doorward.doctor.record import Status
from doorward.doctor.wire import Request
from support.https_server import HOST, http, https_server, trust

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A7", "pains/C17")]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def wire(seconds: float = 5.0) -> HttpWire:
    return HttpWire(clock=time.time, seconds=seconds)


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            return
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


def saying(*pieces: bytes, hold: bool = False) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if hold:
            await reader.read()

    return talk


async def asked(talk: Talk, *, method: str = "GET", seconds: float = 5.0) -> Any:
    async with talking(talk) as url:
        return await wire(seconds).send(Request(method=method, url=url))


async def test_an_answer_comes_with_its_headers_and_body() -> None:
    found = await asked(saying(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer a\r\nContent-Length: 2\r\n\r\n{}"))
    assert (found.answer.status, found.answer.body, found.answer.cut) == (401, b"{}", False)
    assert found.answer.header("www-authenticate") == "Bearer a"


async def test_an_interim_answer_is_not_the_answer() -> None:
    found = await asked(saying(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    assert found.answer.status == 200
    assert found.answer.header("link") is None


async def test_a_head_is_answered_without_a_body() -> None:
    head = b"HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n"
    assert (await asked(saying(head, hold=True), method="HEAD")).answer.status == 401


async def test_a_body_without_end_is_cut() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    found = await asked(endless)
    assert found.answer.cut
    assert len(found.answer.body) == MAX_BODY


async def test_headers_without_end_are_no_answer() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 4096 + b"\r\n")
            await writer.drain()

    found = await asked(endless)
    assert found.answer is None
    assert "no answer" in found.failure


async def test_a_stream_is_read_to_its_first_message_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    found = await asked(saying(head, b': hello\n\nevent: message\ndata: {"a":\n', b"data: 1}\n\n", hold=True))
    assert found.answer.json() == {"a": 1}
    monkeypatch.setattr(http_wire, "STREAM_SECONDS", 0.1)
    silent = await asked(saying(head, hold=True))
    assert silent.answer.status == 200
    assert silent.answer.cut


@pytest.mark.parametrize(
    "pieces", [(), (b"",), (b"hello\r\n\r\n",), (b"HTTP/1.1 999999 x\r\n\r\n",), (b"HTTP/1.1 200 OK\r\nContent-Le",)]
)
async def test_what_is_no_http_is_said_and_raises_nothing(pieces: tuple[bytes, ...]) -> None:
    found = await asked(saying(*pieces))
    assert found.answer is None
    assert found.failure


async def test_whoever_does_not_answer_is_left_in_time() -> None:
    began = time.monotonic()
    found = await asked(saying(hold=True), seconds=0.2)
    assert found.failure == "no answer within 0.2 seconds"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://nothing.invalid/", "ftp://a/", "http:///x", "http://127.0.0.1:99999/",
     "http://a\r\nb/", "http://127.0.0.1/ö", "https://[bad"],
)  # fmt: skip
async def test_an_address_that_leads_nowhere_is_said(url: str) -> None:
    found = await wire().send(Request(method="GET", url=url))
    assert found.answer is None
    assert found.failure


async def test_a_server_on_the_internet_cannot_make_us_ask_in_our_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, _port: int) -> list[str]:
        return {"public.example": ["93.184.216.34"], "inner.example": ["127.0.0.1"]}[host]

    monkeypatch.setattr(http_wire, "_resolve", resolve)
    found = wire(0.2)
    async with talking(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")) as url:
        port = url.split(":")[2].split("/")[0]
        assert await found._judged("public.example", 80) == ["93.184.216.34"]
        inner = await found.send(Request(method="GET", url=f"http://inner.example:{port}/"))
        assert inner.answer is None
        assert "private network" in inner.failure
        here = await wire().send(Request(method="GET", url=f"http://inner.example:{port}/"))
        assert here.answer.body == b"secret", "who names a private server himself may ask it"


@pytest.mark.requirement("pains/C17")
async def test_a_certificate_that_is_not_good_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(http_wire, "_resolve", resolve)
    async with https_server(trust(HOST)[0]) as server:
        server.answer = http(b"{}")
        url = f"https://{HOST}:{server.port}/mcp"
        report = await examine(url, wire(2.0))
        network, challenge = report.results[:2]
        assert network.status is Status.FAIL
        assert "self-signed" in network.findings[0].got or "unable to get" in network.findings[0].got
        assert "certificate" in challenge.findings[0].got
    assert not report.reached


async def test_the_whole_examination_goes_over_real_connections() -> None:
    server = BrokenServer("no PKCE")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest if each)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = line.split(" ")
        request = Request(method=method, url=f"{ORIGIN}{path}", headers=headers, body=body)
        answer = (await server.send(request)).answer
        assert answer is not None
        origin = f"http://{headers['host']}".encode()
        content = answer.body.replace(ORIGIN.encode(), origin)
        lines = [f"HTTP/1.1 {answer.status} x", f"content-length: {len(content)}"]
        lines += [
            f"{name}: {value.replace(ORIGIN, origin.decode()).replace(quote(ORIGIN, safe=''), quote(origin, safe=''))}"
            for name, value in answer.headers
            if name != "date"
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if method == "HEAD" else content))
        await writer.drain()

    async with talking(talk) as url:
        report = await examine(url, wire())
    failed = {each.check.id: [finding.what for finding in each.findings] for each in report.results if each.findings}
    assert failed.pop("flags") == ["PKCE is not announced"]
    assert report.reached
    assert failed == {}

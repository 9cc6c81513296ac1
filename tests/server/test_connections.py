"""What the server does with bytes before any app is asked (L3, L5, L14, L16)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn

from doorward.connection import MAX_FRUITLESS_BYTES, Connection

pytestmark = pytest.mark.anyio

HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Impatient(Connection):
    """Gives a request hardly any time."""

    seconds = 0.05


Serve = Callable[..., Any]


@pytest.fixture
async def seen() -> list[dict[str, Any]]:
    """The requests that reached the app."""
    return []


@pytest.fixture
async def serve(seen: list[dict[str, Any]]) -> AsyncIterator[Serve]:
    """Serve an app that reads each request and answers 200; returns the port."""
    running: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        seen.append({**scope, "body": body})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def start(protocol: type[Connection] = Connection) -> int:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, lifespan="off", ws="none", log_config=None))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110  (uvicorn offers no event)
            await asyncio.sleep(0)
        running.append((server, task))
        return int(listening.getsockname()[1])

    yield start
    for server, task in running:
        server.should_exit = server.force_exit = True
        await task


async def send(port: int, *pieces: bytes, ends: bool = False) -> bytes:
    """Return what is answered until an empty line, or until the end where the server is to close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            answer = await reader.read() if ends else await reader.readuntil(b"\r\n\r\n")
        except ConnectionError:
            answer = b""
        writer.close()
    return answer


@pytest.mark.parametrize(
    "start, more",
    [
        (HEAD, b"a: b\r\n" * 10_000),
        (HEAD + b"x: ", b"a" * 65_536),
        (b"GET /", b"a" * 65_536),
        (CHUNKED + b"2\r\n{}\r\n0\r\nx: ", b"a" * 65_536),
    ],
    ids=["fields", "one-field", "target", "trailer"],
)
async def test_L14_a_head_without_end_is_cut_off(serve: Serve, start: bytes, more: bytes) -> None:
    port = await serve()
    await send(port, start, *[more] * (4 * MAX_FRUITLESS_BYTES // len(more)), ends=True)


async def test_L14_a_large_body_is_no_large_head(serve: Serve, seen: list[dict[str, Any]]) -> None:
    size = 8 * MAX_FRUITLESS_BYTES
    assert b" 200 " in await send(await serve(), HEAD + b"Content-Length: %d\r\n\r\n" % size, b"a" * size)
    assert len(seen[0]["body"]) == size


@pytest.mark.parametrize("pieces", [[b""], [b"\r\n"], [b"POST /m"], [HEAD], [HEAD + b"Content-Length: 9\r\n\r\n{"]])
async def test_L16_a_request_that_does_not_arrive_is_dropped(serve: Serve, pieces: list[bytes]) -> None:
    assert await send(await serve(Impatient), *pieces, ends=True) == b""


async def test_L16_a_connection_between_two_requests_is_left_alone(serve: Serve, seen: list[dict[str, Any]]) -> None:
    port = await serve(Impatient)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 2 * Impatient.seconds)
    writer.close()
    assert len(seen) == 2


@pytest.mark.parametrize("together", [True, False])
async def test_L3_trailers_are_no_headers(serve: Serve, seen: list[dict[str, Any]], together: bool) -> None:
    pieces = [CHUNKED, b"2\r\n{}\r\n0\r\n", b"Authorization: Bearer x\r\n\r\n"]
    assert b" 200 " in await send(await serve(), *([b"".join(pieces)] if together else pieces))
    assert seen[0]["body"] == b"{}"
    assert b"authorization" not in dict(seen[0]["headers"])


@pytest.mark.parametrize("target", [b"http://evil.example/mcp", b"http://127.0.0.1/mcp", b"/mcp#x", b"mcp"])
async def test_L5_a_target_is_a_path(serve: Serve, seen: list[dict[str, Any]], target: bytes) -> None:
    assert b" 400 " in await send(await serve(), HEAD.replace(b"/mcp", target) + b"\r\n")
    assert seen == []

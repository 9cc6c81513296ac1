"""Short requests answered straight on the connection get the answers that the router gives (decision 0035)."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.authserver.world import AZ, World, basic

from doorward.authserver.routes import DIRECT_PATHS
from doorward.connection import Connection
from doorward.storage.database import Transaction
from doorward.web.direct import DirectPages
from doorward.web.front_door import FrontDoor

pytestmark = pytest.mark.anyio
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
HOST = b"Host: 127.0.0.1\r\n"
VARYING = ("x-request-id", "date", "connection", "server")


def _nothing(_tx: Transaction) -> None:
    """Change nothing."""


class Served:
    """A world behind real sockets; ``direct`` counts the requests that never were ASGI."""

    def __init__(self, world: World, *, more: tuple[Route, ...] = ()) -> None:
        front = world.app
        assert isinstance(front, FrontDoor)
        routes = [route for route in world.server.routes() if route.path in DIRECT_PATHS]
        self.pages, self.as_asgi = DirectPages(front, [*routes, *more]), 0
        self._front = front

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.as_asgi += 1
        await self._front(scope, receive, send)

    @property
    def direct_pages(self) -> DirectPages:
        return self.pages


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Any], Any]]:
    running: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(app: Any) -> int:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(app, http=Connection, lifespan="off", ws="none", log_config=None, proxy_headers=False)
        )
        task = asyncio.create_task(server.serve(sockets=[listening]))
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110  (uvicorn offers no event)
                await asyncio.sleep(0)
        running.append((server, task))
        return int(listening.getsockname()[1])

    yield start
    for server, task in running:
        server.should_exit = server.force_exit = True
        await task


async def ask(port: int, *requests: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send requests over one connection, each after the answer to the one before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        async with asyncio.timeout(10):
            for request in requests:
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                lines = [line.partition(": ") for line in head[1:] if line]
                headers = {name.lower(): value for name, _, value in lines}
                body = await reader.readexactly(int(headers["content-length"]))
                kept = {name: value for name, value in headers.items() if name not in VARYING}
                found.append((int(head[0].split()[1]), kept, body))
    finally:
        writer.close()
    return found


def post(path: bytes, form: dict[str, str], *headers: bytes, chunked: bool = False) -> bytes:
    body, more = urlencode(form).encode(), b"".join(header + b"\r\n" for header in headers)
    start = b"POST %b HTTP/1.1\r\n%b%b%b" % (path, HOST, FORM, more)
    if chunked:
        return start + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return start + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_the_short_way_and_the_routers_give_the_same_answers(world: World, serve: Callable[[Any], Any]) -> None:
    proof = b"Authorization: " + basic("c2", world.secrets["c2"]).encode()
    wrong = b"Authorization: " + basic("c2", "wrong").encode()
    asked: list[tuple[bytes, dict[str, str], tuple[bytes, ...]]] = [
        (b"/oauth/introspect", {"token": "unknown"}, (proof,)),
        (b"/oauth/introspect", {"token": "unknown"}, (wrong,)),
        (b"/oauth/revoke", {"token": "unknown"}, (proof,)),
        (b"/oauth/token", {"grant_type": "refresh_token", "refresh_token": "nonsense"}, (proof,)),
        (b"/oauth/token", {"grant_type": "nonsense"}, (proof, b"Origin: https://elsewhere.example")),
        (b"/oauth/token?client_id=c1", {"grant_type": "authorization_code"}, ()),
        (b"/oauth/token", {"grant_type": "refresh_token"}, (b"Host: other",)),
        (b"/oauth/token", {"grant_type": "refresh_token"}, (b"X-Long: " + b"x" * 17_000,)),
    ]
    app = Served(world)
    port = await serve(app)
    short = await ask(port, *(post(path, form, *headers) for path, form, headers in asked))
    assert app.as_asgi == 0
    by_router = await ask(port, *(post(path, form, *headers, chunked=True) for path, form, headers in asked))
    assert app.as_asgi == len(asked)
    assert [status for status, _, _ in short] == [200, 401, 200, 400, 403, 400, 400, 431]
    for one, other in zip(short, by_router, strict=True):
        assert (one[0], one[1] | {"content-length": ""}) == (other[0], other[1] | {"content-length": ""})
        assert _without_id(one[2]) == _without_id(other[2])


def _without_id(body: bytes) -> bytes:
    return re.sub(rb"req_[A-Za-z0-9_-]+", b"", body)


async def test_an_authorization_request_is_answered_on_the_short_way(world: World, serve: Callable[[Any], Any]) -> None:
    app = Served(world)
    port = await serve(app)
    target = b"/oauth/authorize?" + urlencode(dict(AZ)).encode()
    [(status, headers, _)] = await ask(port, b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HOST))
    assert (status, app.as_asgi) == (303, 0)
    assert headers["location"].startswith("/oauth/consent?request=")
    assert "doorward_browser=" in headers["set-cookie"]
    [(status, _, page)] = await ask(port, b"GET /oauth/authorize HTTP/1.1\r\n%b\r\n" % HOST)
    assert (status, app.as_asgi, b"<html" in page) == (400, 0, True)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /oauth/authorize HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n",
        b"POST /oauth/%74oken HTTP/1.1\r\n" + HOST + FORM + b"Content-Length: 0\r\n\r\n",
        b"DELETE /oauth/token HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /oauth/token HTTP/1.1\r\n" + HOST + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000,
    ],
    ids=["a GET with a body", "an encoded path", "DELETE", "a long body"],
)
async def test_everything_else_goes_by_the_router(world: World, serve: Callable[[Any], Any], request_: bytes) -> None:
    app = Served(world)
    [(status, _, _)] = await ask(await serve(app), request_)
    assert app.as_asgi == 1
    assert 400 <= status < 500


async def test_what_nobody_foresaw_is_answered_and_holds_up_nobody(world: World, serve: Callable[[Any], Any]) -> None:
    async def breaks(request: Request) -> Response:
        await world.database.write(_nothing)
        raise RuntimeError(os.urandom(4).hex())

    async def splits(request: Request) -> Response:
        await world.database.write(_nothing)
        return Response(headers={"x-told": "a\r\nb: c"})

    app = Served(world, more=(Route("/breaks", breaks), Route("/splits", splits)))
    port = await serve(app)
    get = b"GET %b HTTP/1.1\r\n" + HOST + b"\r\n"
    both = await asyncio.gather(
        ask(port, get % b"/splits"), ask(port, get % b"/breaks"), ask(port, get % b"/breaks"), return_exceptions=True
    )
    assert isinstance(both[0], asyncio.IncompleteReadError)  # L12: closed, and no byte of it was sent
    assert [each[0][0] for each in both[1:] if not isinstance(each, BaseException)] == [500, 500]
    assert app.as_asgi == 0

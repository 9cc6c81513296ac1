"""What every request passes first."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from doorward.storage.database import StorageUnavailable
from doorward.web import request_id
from doorward.web.front_door import FrontDoor, router
from support.pages import House

pytestmark = pytest.mark.anyio


async def ask(house: House, raw_path: bytes = b"/errors", *headers: tuple[bytes, bytes], query: bytes = b"") -> Any:
    """Send one request as raw as a server would hand it on; return status, headers and body."""
    got: list[Message] = []

    async def send(message: Message) -> None:
        got.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": raw_path.decode("latin-1"), "raw_path": raw_path,
        "query_string": query, "headers": list(headers), "scheme": "https", "http_version": "1.1",
    }  # fmt: skip
    await house.app(scope, receive, send)
    return got[0]["status"], dict(got[0]["headers"]), b"".join(message.get("body", b"") for message in got[1:])


HOST = (b"host", b"mcp.acme.example")


def breaking(error: Exception) -> Route:
    async def fail(request: Request) -> Response:
        raise error

    return Route("/{rest:path}", fail)


def with_route(house: House, route: Route) -> House:
    house.app = FrontDoor(router([route]), errors=house.errors, entropy=lambda count: b"r" * count, https=True)
    return house


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [b"mcp.acme.example", b"mcp.acme.example"],
        [b"mcp.acme.example", b"evil.example"],
        [b"x/public?"],
        [b"x@y"],
        [b"a b"],
        [b""],
        [b"[::1"],
        [b"host:port"],
        [b"mcp.acme.example:999999"],
    ],
)
async def test_L5_anything_but_one_legal_host_is_refused(house: House, hosts: list[bytes]) -> None:
    status, _, body = await ask(house, b"/errors", *((b"host", host) for host in hosts))
    assert status == 400
    assert b"DW-409" in body


@pytest.mark.parametrize("host", [b"mcp.acme.example", b"mcp.acme.example:8443", b"127.0.0.1:8080", b"[::1]:8080"])
async def test_a_legal_host_is_let_through_whatever_it_names(house: House, host: bytes) -> None:
    status, _, _ = await ask(house, b"/errors", (b"host", host))
    assert status == 200


@pytest.mark.parametrize(
    "path",
    [b"/errors%2fDW-101", b"/errors%5CDW-101", b"/errors\\DW-101", b"/a/%2e%2e/errors", b"/a/.%2E/errors", b"/a/../errors",
     b"/./errors", b"/errors%00", b"//errors"],
)  # fmt: skip
async def test_L6_a_path_that_can_be_read_in_two_ways_is_not_found(house: House, path: bytes) -> None:
    status, _, body = await ask(house, path, HOST)
    assert status == 404
    assert b"DW-406" in body


async def test_headers_beyond_16_KiB_are_refused(house: House) -> None:
    status, _, _ = await ask(house, b"/errors", HOST, (b"x-much", b"a" * 16_500))
    assert status == 431


async def test_a_target_beyond_32_KiB_is_refused(house: House) -> None:
    status, _, _ = await ask(house, b"/errors", HOST, query=b"a" * 33_000)
    assert status == 414


async def test_every_answer_has_a_request_id_of_ours_and_no_type_guessing(house: House) -> None:
    status, headers, body = await ask(house, b"/nowhere", HOST, (b"x-request-id", b"<script>"))
    assert status == 404
    assert headers[b"x-request-id"].startswith(b"req_")
    assert headers[b"x-request-id"] in body
    assert b"script>alert" not in body
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"strict-transport-security"] == b"max-age=31536000"


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        (b"/nowhere", b"*/*", b"text/html"),
        (b"/oauth/nowhere", b"*/*", b"application/json"),
        (b"/oauth", b"", b"application/json"),
        (b"/.well-known/nothing", b"application/json", b"application/json"),
        (b"/api/v1/nothing", b"*/*", b"application/problem+json"),
        (b"/oauth/authorize/x", b"text/html,*/*", b"text/html"),
        (b"/oauthx", b"*/*", b"text/html"),
    ],
)
async def test_an_unknown_path_is_not_found_in_the_callers_form(
    house: House, path: bytes, accept: bytes, kind: bytes
) -> None:
    status, headers, body = await ask(house, path, HOST, (b"accept", accept))
    assert status == 404
    assert headers[b"content-type"].startswith(kind)
    assert b"DW-406" in body


async def test_another_method_is_refused_with_those_that_are_taken(house: House) -> None:
    response = await house.browser().client.delete("/errors")
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    assert "DW-415" in response.text


async def test_what_nobody_foresaw_is_a_page_with_the_request_id_and_without_its_message(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    with_route(house, breaking(RuntimeError("password hunter2")))
    status, headers, body = await ask(house, b"/x", HOST)
    assert status == 500
    assert b"DW-599" in body
    assert headers[b"x-request-id"] in body
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert headers[b"x-request-id"].decode() in logged
    assert "hunter2" not in logged + body.decode()


async def test_what_nobody_foresaw_is_json_for_a_program(house: House) -> None:
    with_route(house, breaking(RuntimeError("password hunter2")))
    status, headers, body = await ask(house, b"/oauth/token", HOST)
    assert status == 500
    assert headers[b"content-type"] == b"application/json"
    assert b'"error":"server_error"' in body
    assert b"hunter2" not in body


@pytest.mark.parametrize("path", [b"/settings/keys", b"/oauth/token"])
async def test_an_absent_database_is_503_in_the_callers_form(house: House, path: bytes) -> None:
    with_route(house, breaking(StorageUnavailable()))
    status, headers, body = await ask(house, path, HOST)
    assert status == 503
    assert headers[b"retry-after"] == b"1"
    assert b"DW-501" in body


async def test_a_failure_in_the_middle_of_an_answer_ends_it_quietly(house: House) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    house.app = FrontDoor(half, errors=house.errors, entropy=lambda count: b"r" * count, https=False)
    status, headers, body = await ask(house, b"/x", HOST)
    assert (status, body) == (200, b"")
    assert b"strict-transport-security" not in headers


async def test_what_is_no_request_passes_through() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    door = FrontDoor(app, errors=None, entropy=bytes, https=True)  # type: ignore[arg-type]
    await door({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
    assert request_id.of({}) == "req_none"


async def test_a_client_that_goes_away_in_the_middle_of_its_body_is_no_fault_of_ours(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    async def read(request: Request) -> Response:
        return Response(await request.body())

    with_route(house, Route("/{rest:path}", read, methods=["POST"]))
    messages = iter([{"type": "http.request", "body": b"a=", "more_body": True}, {"type": "http.disconnect"}])
    got: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        got.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/sign-in", "raw_path": b"/sign-in", "query_string": b"",
        "headers": [HOST], "scheme": "https", "http_version": "1.1",
    }  # fmt: skip
    await house.app(scope, receive, send)
    assert got[0]["status"] == 400
    assert "unexpected" not in capsys.readouterr().out

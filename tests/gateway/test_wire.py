"""What reaches the upstream, and what is refused before it could (groups K and L)."""

import json
from typing import Any

import pytest
from tests.gateway.deployment import READ
from tests.gateway.recorder import Recorder
from tests.gateway.world import META, MODERN, World

pytestmark = pytest.mark.anyio

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}, "_meta": META}}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
CALL_HEADERS = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo"}


async def refused(world: World, recorder: Recorder, body: Any, codes: set[int], headers: Any = CALL_HEADERS) -> None:
    """Send a body that must be refused with one of ``codes``, and never reach the upstream."""
    token = await world.key("alice")
    await world.listed(token)
    recorder.forget()
    response = await world.post(token, body, headers=headers)
    assert response.status_code == 400, (body, response.text)
    assert response.json()["error"]["code"] in codes, (body, response.text)
    assert recorder.seen() == []


async def test_K5_batches_are_refused(world: World, recorder: Recorder) -> None:
    for body in ([LIST, CALL], [], [CALL], [[CALL]]):
        await refused(world, recorder, body, {-32600})


async def test_K6_duplicate_keys_are_refused(world: World, recorder: Recorder) -> None:
    params = json.dumps(CALL["params"])
    for body in (
        '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{},"method":"tools/call"}',
        f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{}},"params":{params}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"drop_db"}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"a":2}}}',
    ):
        await refused(world, recorder, body.encode(), {-32600, -32700})


async def test_K7_keys_of_another_case_or_form_are_refused(world: World, recorder: Recorder) -> None:
    for extra in ('"Method":"tools/call"', '"method\\u0000":"x"', '"param\u017f":{}', '"other":1'):
        body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{}},{extra}}}'
        await refused(world, recorder, body.encode(), {-32600})
    for extra in ('"NAME":"drop_db"', '"n\\u0061me":"drop_db"', '"Arguments":{}'):
        body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo",{extra}}}}}'
        await refused(world, recorder, body.encode(), {-32600})


async def test_K8_headers_that_disagree_with_the_body_are_refused(world: World, recorder: Recorder) -> None:
    for changed in (
        {"mcp-method": "tools/list"},
        {"mcp-name": "drop_db"},
        {"mcp-name": "=?base64?ZHJvcF9kYg==?="},
        {"mcp-name": "=?base64?!!?="},
        {"mcp-name": "=?BASE64?ZWNobw==?="},
        {"mcp-protocol-version": "2025-11-25"},
    ):
        await refused(world, recorder, CALL, {-32020, -32022}, CALL_HEADERS | changed)
    for missing in CALL_HEADERS:
        rest = {name: value for name, value in CALL_HEADERS.items() if name != missing}
        await refused(world, recorder, CALL, {-32020}, rest)


async def test_K8_repeated_routing_headers_are_refused(world: World, recorder: Recorder) -> None:
    token = await world.key("alice")
    for name in ("mcp-name", "mcp-method", "mcp-protocol-version"):
        headers = [*CALL_HEADERS.items(), (name, CALL_HEADERS[name]), ("authorization", f"Bearer {token}")]
        whole = [("accept", "application/json"), ("content-type", "application/json"), *headers]
        response = await world.http.post("/mcp", json=CALL, headers=whole)
        assert (response.status_code, response.json()["error"]["code"]) in {(400, -32020), (400, -32022)}
    assert "tools/call" not in recorder.seen()


async def test_K8_param_headers_agree_with_the_arguments(world: World, recorder: Recorder) -> None:
    token = await world.key("alice")

    async def send(region: str | None, *sent: str) -> int:
        params = {"name": "regional", "arguments": {"region": region} if region else {}, "_meta": META}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = [
            ("authorization", f"Bearer {token}"), ("accept", "application/json"), ("content-type", "application/json"),
            ("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "regional"),
            *(("mcp-param-region", value) for value in sent),
        ]  # fmt: skip
        return (await world.http.post("/mcp", json=message, headers=headers)).status_code

    assert await send("eu", "eu") == 200
    assert recorder.requests[-1].header("mcp-param-region") == "eu"
    assert await send("eu", "=?base64?ZXU=?=") == 200
    assert await send(None) == 200
    for wrong in (("eu", "us"), ("eu",), ("eu", "eu", "eu"), (None, "eu"), ("eu", "=?base64?!?=")):
        assert await send(*wrong) == 400


async def test_K9_an_unknown_version_is_refused_and_an_old_one_is_judged_alike(
    world: World, recorder: Recorder
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop_db"}}
    for version in ("2024-11-05", "garbage", "2025-11-25, 2025-11-25"):
        await refused(world, recorder, message, {-32022}, {"mcp-protocol-version": version})
    bob = await world.key("bob")
    for headers in ({}, {"mcp-protocol-version": "2025-03-26"}):
        response = await world.post(bob, message, headers=headers)
        assert response.json()["error"]["code"] == -32602
    assert recorder.seen() == []


async def test_K12_values_of_another_type_are_refused(world: World, recorder: Recorder) -> None:
    bodies: list[Any] = [
        CALL | {"method": ["tools/call"]},
        CALL | {"params": ["echo"]},
        CALL | {"params": "echo"},
        CALL | {"id": None},
        CALL | {"id": 1.5},
        CALL | {"id": {}},
        b'{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"tools/list"}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
        b'"text"',
        *(CALL | {"params": {"name": name, "_meta": META}} for name in (1, None, ["echo"], {"toString": "echo"}, "")),
        CALL | {"params": {"name": "echo", "arguments": [1], "_meta": META}},
    ]
    for body in bodies:
        await refused(world, recorder, body, {-32600, -32602, -32700, -32020})


async def test_L7_and_L10_the_upstream_sees_nothing_of_the_clients_headers(world: World, recorder: Recorder) -> None:
    token = await world.key("bob")
    hostile = {
        "cookie": "session=1", "proxy-authorization": "Basic eA==", "dpop": "x", "x-api-key": token, "x-user": "alice",
        "x_user": "alice", "x-forwarded-user": "alice", "x-tenant": "globex", "x-mcp-scopes": "admin:delete",
        "forwarded": "for=1.1.1.1", "x-forwarded-for": "1.1.1.1", "user-agent": "spy", "last-event-id": "7",
        "mcp-session-id": "stolen", "origin": "http://localhost:1", "referer": "http://localhost/",
    }  # fmt: skip
    path = f"/mcp?access_token={token}"
    response = await world.post(token, CALL, path=path, headers={**CALL_HEADERS, **hostile})
    assert response.status_code == 200
    request = recorder.requests[-1]
    assert token.encode() not in request.head + request.body
    names = [name for name, _ in request.headers]
    assert names == [
        "host", "accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "authorization",
        "content-length",
    ]  # fmt: skip
    assert request.head.startswith(b"POST /mcp HTTP/1.1\r\n")


async def test_L10_the_identity_says_who_is_calling_and_only_for_this_upstream(
    world: World, recorder: Recorder
) -> None:
    token = await world.token("bob", READ)
    await world.post(token, CALL, headers=CALL_HEADERS)
    identity = (recorder.requests[-1].header("authorization") or "").removeprefix("Bearer ")
    claims = world.keys.verify(identity, "doorward-identity+jwt")
    assert claims["sub"] == "u-bob"
    assert (claims["aud"], claims["tenant"], claims["client"]) == (recorder.url, "acme", "c1")
    assert claims["scopes"] == ["documents:read"]
    assert claims["exp"] - claims["iat"] <= 60
    assert (await world.post(identity, CALL, headers=CALL_HEADERS)).status_code == 401


async def test_L11_named_hop_by_hop_headers_do_not_remove_ours(world: World, recorder: Recorder) -> None:
    token = await world.key("bob")
    named = {
        "connection": "close, Authorization, Mcp-Name",
        "te": "trailers",
        "upgrade": "h2c",
        "keep-alive": "timeout=5",
    }
    assert (await world.post(token, CALL, headers={**CALL_HEADERS, **named})).status_code == 200
    request = recorder.requests[-1]
    assert request.header("mcp-name") == "echo"
    assert (request.header("authorization") or "").startswith("Bearer ey")
    assert {"connection", "te", "upgrade", "keep-alive"}.isdisjoint(name for name, _ in request.headers)


async def test_L12_a_line_break_in_a_name_makes_no_header(world: World, recorder: Recorder) -> None:
    token = await world.key("alice")
    body = {"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": "p\r\nx-evil: 1", "_meta": META}}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "prompts/get", "mcp-name": "=?base64?cA0KeC1ldmlsOiAx?="}
    response = await world.post(token, body, headers=headers)
    assert response.status_code == 400
    assert "x-evil" not in response.headers
    assert recorder.seen() == []


async def test_L13_compressed_bodies_are_not_taken(world: World) -> None:
    token = await world.key("bob")
    for encoding in ("gzip", "gzip, gzip", "identity"):
        response = await world.post(token, CALL, headers={**CALL_HEADERS, "content-encoding": encoding})
        assert response.status_code == 415


async def test_L14_a_large_body_is_413_in_json_rpc_form(world: World, recorder: Recorder) -> None:
    token = await world.key("bob")

    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 10_000

    whole = await world.post(token, b" " * 200_000, headers=CALL_HEADERS)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    chunked = await world.http.post("/mcp", content=endless(), headers=headers)
    for response in (whole, chunked):
        assert response.status_code == 413
        assert response.json()["error"]["data"]["code"] == "DW-329"
    assert recorder.requests == []


async def test_L18_foreign_pages_are_refused(world: World, recorder: Recorder) -> None:
    token = await world.key("bob")
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil",
        "https://app.example.evil",
    ):
        response = await world.post(token, CALL, headers={**CALL_HEADERS, "origin": origin})
        assert response.status_code == 403, origin
        assert "access-control-allow-origin" not in response.headers
        bare = await world.post(None, CALL, headers={**CALL_HEADERS, "origin": origin})
        assert bare.status_code == 401
        assert "access-control-allow-origin" not in bare.headers
    assert recorder.requests == []


async def test_L18_our_pages_loopback_and_configured_ones_may_call(world: World) -> None:
    token = await world.key("bob")
    for origin in (
        "https://app.example",
        "http://localhost:6274",
        "http://127.0.0.1:1",
        "http://[::1]:9",
        "http://127.0.0.1:8080",
    ):
        response = await world.post(token, CALL, headers={**CALL_HEADERS, "origin": origin})
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, origin)
        assert "Mcp-Session-Id" in response.headers["access-control-expose-headers"]
        preflight = await world.http.options(
            "/mcp", headers={"origin": origin, "access-control-request-method": "POST"}
        )
        assert preflight.status_code == 204
        assert "mcp-session-id" in preflight.headers["access-control-allow-headers"]
    foreign = await world.http.options("/mcp", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in foreign.headers


async def test_L18_other_content_types_and_cookies_are_not_taken(world: World, recorder: Recorder) -> None:
    token = await world.key("bob")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", ""):
        response = await world.post(token, CALL, headers={**CALL_HEADERS, "content-type": kind})
        assert response.status_code == 415
    cookies = {"cookie": f"__Host-doorward_session={token}; authorization=Bearer {token}"}
    assert (await world.post(None, CALL, headers={**CALL_HEADERS, **cookies})).status_code == 401
    assert recorder.requests == []


async def test_L18_a_name_that_was_rebound_to_loopback_is_refused(world: World) -> None:
    token = await world.key("bob")
    response = await world.post(token, CALL, headers={**CALL_HEADERS, "host": "evil.example"})
    assert response.status_code == 421

"""Bytes that two readers could take for different requests, and requests that ask for another way in (group L)."""

import asyncio
import json

import pytest
from tests.gateway.deployment import READ
from tests.gateway.recorder import Recorder
from tests.gateway.world import META, MODERN, World

pytestmark = pytest.mark.anyio

BODY = json.dumps({
    "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {}, "_meta": META},
}).encode()  # fmt: skip
LENGTH = f"Content-Length: {len(BODY)}"


def head(token: str, *lines: str, start: str = "POST /mcp HTTP/1.1", host: str = "Host: 127.0.0.1") -> bytes:
    usual = (
        host, f"Authorization: Bearer {token}", "Content-Type: application/json", f"MCP-Protocol-Version: {MODERN}",
        "Mcp-Method: tools/call", "Mcp-Name: echo",
    )  # fmt: skip
    return "\r\n".join([start, *(line for line in usual if line), *lines, "", ""]).encode("latin-1")


async def answers(world: World, data: bytes, *, patience: float = 0.3) -> list[int]:
    """Return the status of every answer to ``data``; the server may close or wait for more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(data)
    got = b""
    try:
        async with asyncio.timeout(patience):
            while piece := await reader.read(65_536):
                got += piece
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return [int(line[9:12]) for line in got.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


async def refused(world: World, recorder: Recorder, data: bytes) -> None:
    """Send what must be refused, once and for all that came with it, before anybody is asked."""
    recorder.forget()
    statuses = await answers(world, data)
    assert len(statuses) <= 1, (statuses, data)
    assert not statuses or statuses[0] in {400, 404, 405, 415, 421, 426, 501}, (statuses, data)
    assert recorder.seen() == [], data


@pytest.fixture
async def token(world: World) -> str:
    return await world.key("bob")


async def test_the_plain_forms_are_good(world: World, recorder: Recorder, token: str) -> None:
    last = "Connection: close"
    assert await answers(world, head(token, LENGTH, last) + BODY, patience=5) == [200]
    chunked = head(token, "Transfer-Encoding: chunked", last) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    assert await answers(world, chunked, patience=5) == [200]
    assert recorder.seen() == ["tools/call"] * 2


@pytest.mark.parametrize(
    "coding", ["chunked", "Chunked", "xchunked", "chunked, identity", "identity, chunked", "\tchunked"]
)
@pytest.mark.parametrize("length_first", [True, False])
async def test_L1_a_length_and_a_coding_are_not_both_believed(
    world: World, recorder: Recorder, token: str, coding: str, length_first: bool
) -> None:
    """What one reader takes for the end of the first request, another takes for the middle of its body."""
    second = head(token, LENGTH) + BODY
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    for length in (len(chunks), len(BODY), 0, len(chunks) + len(second)):
        both = [f"Content-Length: {length}", f"Transfer-Encoding: {coding}"]
        await refused(world, recorder, head(token, *(both if length_first else reversed(both))) + chunks + second)


@pytest.mark.parametrize(
    "lines",
    [
        [LENGTH, f"Content-Length: {len(BODY) - 1}"], [LENGTH, LENGTH], [f"Content-Length: +{len(BODY)}"],
        [f"Content-Length: {len(BODY)}, {len(BODY)}"], [f"Content-Length: {hex(len(BODY))}"], ["Content-Length: -1"],
        ["Content-Length: " + "9" * 30], [f"Content-Length: {len(BODY)} 1"], [f"Content-Length: {len(BODY)};x"],
        ["Content-Length: "], ["Content-Length: \u00b2"], [f"Content-Length : {len(BODY)}"], ["Content-Length: 1_0"],
    ],
)  # fmt: skip
async def test_L2_an_odd_length_is_refused(world: World, recorder: Recorder, token: str, lines: list[str]) -> None:
    await refused(world, recorder, head(token, *lines) + BODY + head(token, LENGTH) + BODY)


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n", b"-1\r\n", b"%x\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), b"1" * 20 + b"\r\n{",
        b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), b"%x\r\n%bXX0\r\n\r\n" % (len(BODY), BODY),
        b" %x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), b"%x;a\nb\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    ],
)  # fmt: skip
async def test_L3_odd_chunks_are_refused(world: World, recorder: Recorder, token: str, chunks: bytes) -> None:
    await refused(world, recorder, head(token, "Transfer-Encoding: chunked") + chunks + head(token, LENGTH) + BODY)


async def test_L4_a_line_has_one_end_and_one_beginning(world: World, recorder: Recorder, token: str) -> None:
    good = head(token, LENGTH)
    for bad in (
        good.replace(b"\r\n", b"\n"),
        good.replace(b"Mcp-Name: echo\r\n", b"Mcp-Name: echo\n"),
        good.replace(b"Mcp-Name: echo\r\n", b"Mcp-Name: echo\r"),
        good.replace(b"Mcp-Name: echo", b"Mcp-Name: ec\x00ho"),
        good.replace(b"Mcp-Name: echo", b"Mcp-Name: ec\rho"),
        good.replace(b"Mcp-Name: echo", b"Mcp-Name: x\r\n echo"),
        good.replace(b"Mcp-Name: echo", b"X: 1\r\n Authorization: Bearer x"),
        good.replace(b"Mcp-Name: echo", b"Mcp-Name : echo"),
        good.replace(b"Mcp-Name: echo", b" Mcp-Name: echo"),
        good.replace(b"Mcp-Name: echo", b"Mcp-Name"),
        good.replace(b"Mcp-Name: echo", b": echo"),
        good.replace(b"Mcp-Name", b"Mcp\x00Name"),
        good.replace(b"POST /mcp", b"POST /m\x00cp"),
        good.replace(b"HTTP/1.1", b"HTTP/1.2"),
        good.replace(b"HTTP/1.1", b"HTTP/9.9"),
    ):
        assert bad != good
        await refused(world, recorder, bad + BODY)


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "HTTP/2.0", "TLS/1.2", "connect-ip"])
async def test_L17_nothing_is_upgraded(world: World, recorder: Recorder, token: str, protocol: str) -> None:
    """The request is answered as an ordinary one with the ordinary checks, or refused; there is never a tunnel."""
    lines = [
        "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQAAP__",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ]  # fmt: skip
    for start in ("GET /mcp HTTP/1.1", "POST /mcp HTTP/1.1"):
        for presented, fine in ((token, {200, 400, 405, 426}), ("dw_wrong", {400, 401, 426})):
            more = [LENGTH] if start.startswith("POST") else []
            request = head(presented, *lines, *more, start=start)
            statuses = await answers(world, request + (BODY if more else b"") + b"\x81\x05hello")
            assert statuses, (start, presented)
            assert statuses[0] in fine, (statuses, start)
            assert 101 not in statuses
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    assert set(await answers(world, preface)) <= {400}
    recorder.forget()


LIES = {
    "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "x-forwarded-uri": "/other",
    "x-forwarded-prefix": "/globex", "x-forwarded-port": "443", "x-forwarded-for": "203.0.113.9",
    "forwarded": "for=203.0.113.9;host=evil.example;proto=https", "x-original-url": "/globex/mcp",
    "x-rewrite-url": "/globex/mcp", "x-original-host": "evil.example", "x-host": "evil.example",
    "x-http-method-override": "DELETE", "x-method-override": "DELETE", "x-real-ip": "203.0.113.9",
}  # fmt: skip


async def test_L8_what_a_proxy_might_say_changes_nothing(world: World, recorder: Recorder) -> None:
    key, foreign = await world.key("bob"), await world.key("mallory")
    for token, path, status in (
        (None, "/mcp", 401), ("dw_wrong", "/mcp", 401), (key, "/mcp", 200), (key, "/acme/mcp", 200),
        (key, "/globex/mcp", 401), (foreign, "/acme/mcp", 401), (key, "/nowhere/at/all", 404),
    ):  # fmt: skip
        said = {"name": "echo", "arguments": {}}
        plain, lying = [
            await world.modern(token, "tools/call", said, path=path, headers=more) for more in ({}, LIES)
        ]  # fmt: skip
        assert plain.status_code == lying.status_code == status, path
        assert plain.text == lying.text
        assert plain.headers.get("www-authenticate") == lying.headers.get("www-authenticate")
    assert "evil.example" not in str([request.head for request in recorder.requests])
    assert "203.0.113.9" not in str(world.calls)
    assert "203.0.113.9" not in str(world.touched)


async def test_L9_no_method_agent_or_path_gets_around_the_credential(world: World, recorder: Recorder) -> None:
    key = await world.key("bob", READ)
    health = {"user-agent": "GoogleHC/1.0"}
    agents = [health, {"user-agent": "kube-probe/1.30"}, {"x-http-method-override": "OPTIONS"}, {"x-healthz": "1"}]
    for headers in agents:
        assert (await world.modern(None, "tools/call", {"name": "echo"}, headers=headers)).status_code == 401
    for path in ("/mcp/healthz", "/mcp/health", "/mcp/../healthz", "/healthz/../mcp", "/mcp;/healthz", "/mcp%2fhealthz", "/mcp/",
                 "/mcp.json", "/mcp/.well-known/x", "//mcp", "/MCP"):  # fmt: skip
        request = head(key, LENGTH, "Connection: close", start=f"POST {path} HTTP/1.1") + BODY
        assert (await answers(world, request))[0] in {400, 401, 404}, path
    for method in ("OPTIONS", "HEAD", "TRACE", "PUT", "PATCH", "CONNECT", "PROPFIND", "GET", "DELETE", "QUERY"):
        for presented in (None, key):
            response = await world.http.request(
                method, "/mcp", content=b"" if method in {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"} else BODY,
                headers={"content-type": "application/json", **({"authorization": f"Bearer {presented}"} if presented else {})},
            )  # fmt: skip
            allowed = {204} if method == "OPTIONS" else ({400, 405} if presented else {400, 401, 405})
            assert response.status_code in allowed, (method, presented, response.status_code)
            assert "tools" not in response.text
    assert recorder.seen() == []

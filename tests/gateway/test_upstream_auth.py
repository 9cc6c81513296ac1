"""What the gateway shows to upstreams besides its identity token (``product.md`` D6)."""

import os
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.deployment import server
from tests.gateway.recorder import Recorder
from tests.gateway.test_stdio import Make, said, stdio
from tests.gateway.world import SEALER, World

from doorward.credentials import upstream_secrets
from doorward.model import AuthKind, UpstreamCredential
from doorward.storage import servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

__all__ = ["stdio"]
BEARER = UpstreamCredential(kind=AuthKind.BEARER, secret="WIKI")
HEADER = UpstreamCredential(kind=AuthKind.HEADER, secret="WIKI", header="x-api-key")
NONE = UpstreamCredential(kind=AuthKind.NONE)
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
    ("tools/list", {}),
    ("prompts/get", {"name": "p_open"}),
    ("resources/read", {"uri": "mem://open"}),
    ("resources/templates/list", {}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p_open"}, "argument": {"name": "a", "value": "b"}}),
)


async def keep(world: World, value: str, name: str = "WIKI") -> None:
    sealed = upstream_secrets.seal(name, value, sealer=SEALER, entropy=os.urandom)
    await world.database.write(lambda tx: upstream_secrets.set_secret(tx, name, sealed, now=world.clock()))


async def declare(world: World, auth: UpstreamCredential) -> None:
    await world.database.write(lambda tx: servers.put_server(tx, replace(server(world.upstream), auth=auth)))


@pytest.mark.parametrize(
    ("auth", "sent"),
    [
        (BEARER, {b"authorization": b"Bearer of the wiki"}),
        (HEADER, {b"x-api-key": b"of the wiki"}),
        (NONE, {}),
    ],
)
async def test_K16_the_same_credential_for_every_method_and_nothing_else(
    world: World, recorder: Recorder, auth: UpstreamCredential, sent: dict[bytes, bytes]
) -> None:
    await keep(world, "of the wiki")
    await declare(world, auth)
    key = await world.key("alice")
    for method, params in METHODS:
        assert (await world.modern(key, method, params)).status_code == 200, method
    assert {request.method for request in recorder.requests} >= {method for method, _ in METHODS}
    for request in recorder.requests:
        shown = {name.encode(): value.encode() for name, value in request.headers}
        secret = {name: value for name, value in shown.items() if name in {b"authorization", b"x-api-key"}}
        assert secret == sent, request.method
        assert key.encode() not in b" ".join(shown.values())


async def test_another_value_is_used_at_the_next_call_and_a_removed_one_never_again(
    world: World, recorder: Recorder
) -> None:
    await keep(world, "first")
    await declare(world, BEARER)
    key = await world.key("alice")
    await world.call(key, "echo", {"text": "x"})
    await keep(world, "second")
    await world.call(key, "echo", {"text": "x"})
    assert [each.header("authorization") for each in recorder.requests if each.method == "tools/call"] == [
        "Bearer first",
        "Bearer second",
    ]
    recorder.requests.clear()
    await world.database.write(lambda tx: upstream_secrets.remove_secret(tx, "WIKI", now=world.clock()))
    refused = await world.call(key, "echo", {"text": "x"})
    assert refused.status_code == 502
    assert "DW-506" in refused.text
    assert "WIKI" not in refused.text
    assert recorder.requests == []


async def test_one_that_was_sealed_for_another_name_or_breaks_a_header_is_not_sent(
    world: World, recorder: Recorder
) -> None:
    sealed = upstream_secrets.seal("OTHER", "value", sealer=SEALER, entropy=os.urandom)
    await world.database.write(lambda tx: upstream_secrets.set_secret(tx, "WIKI", sealed, now=world.clock()))
    await declare(world, BEARER)
    key = await world.key("alice")
    assert (await world.call(key, "echo", {"text": "x"})).status_code == 502
    await keep(world, "a\r\nx-evil: 1")
    assert (await world.call(key, "echo", {"text": "x"})).status_code == 502
    assert recorder.requests == []


@pytest.mark.parametrize("status", [401, 403])
async def test_K19_an_upstream_that_refuses_the_credential_is_no_challenge_to_the_client(
    world: World, recorder: Recorder, status: int
) -> None:
    await keep(world, "wrong")
    await declare(world, BEARER)
    key = await world.key("alice")
    await world.call(key, "echo", {"text": "x"})
    head = f"HTTP/1.1 {status} No\r\nwww-authenticate: Bearer realm=elsewhere\r\ncontent-length: 0\r\n\r\n"
    recorder.answer = lambda _request: head.encode()
    refused = await world.call(key, "echo", {"text": "x"})
    assert refused.status_code == 502
    assert "www-authenticate" not in refused.headers
    assert "DW-503" in refused.text


async def test_a_process_gets_its_secrets_in_the_environment_and_they_are_not_logged(
    stdio: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stdio(secrets=(("TOKEN", "WIKI"),)) as world:
        key = await world.key("alice")
        assert "DW-506" in (await world.call(key, "environment")).text
        await keep(world, "s3cret-value")
        assert said(await world.call(key, "environment"))["TOKEN"] == "s3cret-value"
        await keep(world, "another-value")
        assert said(await world.call(key, "environment"))["TOKEN"] == "another-value"
        await keep(world, "s3cret-value")
        await world.call(key, "crash")
    logged = capsys.readouterr().out
    assert "crashing with ***, as was asked" in logged
    assert "s3cret-value" not in logged

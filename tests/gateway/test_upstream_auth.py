"""What the gateway shows to upstreams besides its identity token (feature D6)."""

import os
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.gateway.deployment import FOLDER, READ, server
from tests.gateway.recorder import Recorder, Request, result
from tests.gateway.test_stdio import Make, said, stdio
from tests.gateway.world import SEALER, World, answered

from doorward.credentials import upstream_secrets
from doorward.model import AuthKind, ResourceArgument, ResourceId, RuleKind, ToolRule, UpstreamCredential
from doorward.storage import servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

__all__ = ["stdio"]
BEARER = UpstreamCredential(kind=AuthKind.BEARER, secret="WIKI")
HEADER = UpstreamCredential(kind=AuthKind.HEADER, secret="WIKI", header="x-api-key")
NONE = UpstreamCredential(kind=AuthKind.NONE)
PLACED = "mem://notes/{folder}/{note}"
PLACED_RULES = tuple(
    ToolRule(
        kind=kind,
        match=match,
        requires=frozenset({READ}),
        resources=(ResourceArgument(pointer="/folder", type="folder"),),
    )
    for kind, match in ((RuleKind.RESOURCE, PLACED), (RuleKind.PROMPT, "p_placed"))
)
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


async def declare(world: World, auth: UpstreamCredential, *more: ToolRule) -> None:
    known = server(world.upstream)
    wanted = replace(known, auth=auth, rules=(*more, *known.rules))
    await world.database.write(lambda tx: servers.put_server(tx, wanted))


def offering(request: Request) -> bytes | None:
    """Answer a list of templates or prompts with those that name a folder."""
    lists: dict[str, dict[str, Any]] = {
        "resources/templates/list": {"resourceTemplates": [{"uriTemplate": PLACED, "name": "Notes"}]},
        "prompts/list": {"prompts": [{"name": "p_placed"}]},
    }
    listed = lists.get(request.method)
    return None if listed is None else result(request, {**listed, "resultType": "complete"})


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


@pytest.mark.requirement("D5")
async def test_who_is_limited_reaches_nothing_without_a_place_where_the_server_is_not_told(
    world: World, recorder: Recorder
) -> None:
    await keep(world, "of the wiki")
    limited, whole = await world.key("bob", resources=frozenset({FOLDER})), await world.key("bob")
    assert "echo" in await world.listed(limited), "our token tells it where"
    await declare(world, BEARER)
    assert await world.listed(limited) == ["write_note", "whoami", "connection_info"]
    assert {"echo", "write_note"} <= set(await world.listed(whole))
    before = len(recorder.requests)
    hidden, foreign = await world.call(limited, "echo"), await world.call(limited, "no_such_tool")
    assert hidden.text == foreign.text.replace("no_such_tool", "echo")
    missing = answered(await world.call(limited, "write_note"))
    assert missing["isError"] is True
    assert answered(await world.call(limited, "write_note", {"folder": "f2"})) == missing
    assert "tools/call" not in {each.method for each in recorder.requests[before:]}
    assert answered(await world.call(limited, "write_note", {"folder": "f1"}))["isError"] is False
    assert answered(await world.call(whole, "write_note"))["isError"] is False
    assert answered(await world.call(whole, "echo"))["isError"] is False


@pytest.mark.requirement("D5")
async def test_of_a_credential_of_whose_part_nothing_is_left_nothing_is_left(world: World, recorder: Recorder) -> None:
    limited = await world.key("bob", resources=frozenset({ResourceId("gone")}))
    assert await world.listed(limited) == ["whoami", "connection_info"]
    before = len(recorder.requests)
    assert (await world.call(limited, "echo")).status_code == 400
    assert len(recorder.requests) == before


@pytest.mark.requirement("D5")
@pytest.mark.parametrize(
    ("argument", "chosen"),
    [
        ("folder", {}),
        ("note", {}),
        ("folder", {"folder": "f1"}),
        ("folder", {"folder": ""}),
        ("note", {"folder": "f2"}),
    ],
)
@pytest.mark.parametrize("ref", [{"type": "ref/resource", "uri": PLACED}, {"type": "ref/prompt", "name": "p_placed"}])
async def test_nothing_is_completed_for_who_is_limited_without_a_place_where_the_server_is_not_told(
    world: World, recorder: Recorder, ref: dict[str, str], argument: str, chosen: dict[str, str]
) -> None:
    honest = recorder.answer
    recorder.answer = lambda request: offering(request) or honest(request)
    await keep(world, "of the wiki")
    limited, whole = await world.key("bob", resources=frozenset({FOLDER})), await world.key("bob")
    await declare(world, BEARER, *PLACED_RULES)

    async def complete(token: str, named: dict[str, str], *what: Any) -> httpx2.Response:
        params = {"ref": named, "argument": {"name": what[0], "value": ""}, "context": {"arguments": what[1]}}
        return await world.modern(token, "completion/complete", params)

    assert (await complete(limited, ref, "note", {"folder": "f1"})).status_code == 200
    assert (await complete(whole, ref, "folder", {})).status_code == 200
    before = len(recorder.requests)
    refused = await complete(limited, ref, argument, chosen)
    assert refused.status_code == 400
    assert "completion/complete" not in {each.method for each in recorder.requests[before:]}

"""What an upstream shows to some callers only: listed is usable, and nothing else is (D2, K13)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.deployment import RULES, server
from tests.gateway.recorder import LISTS, TOOLS, Recorder, Request, default, result
from tests.gateway.world import World, answered

from doorward.model import RuleKind
from doorward.storage import servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D2")]

PERSONAL: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "tools/list": ("tools", [{"name": "ask_me", "inputSchema": {}, "annotations": {"readOnlyHint": True}}]),
    "prompts/list": ("prompts", [{"name": "p_mine"}]),
    "resources/list": ("resources", [{"uri": "mine://1"}, {"uri": "mem://secret"}]),
    "resources/templates/list": ("resourceTemplates", [{"uriTemplate": "mine://by/{name}"}]),
}
OPEN = tuple(rule for rule in RULES if rule.kind is RuleKind.TOOL)


def personal(request: Request) -> bytes:
    """Show everybody but the gateway itself more than it shows the gateway."""
    if request.method in PERSONAL and not Recorder._own(request):
        member, more = PERSONAL[request.method]
        return result(request, {member: [*LISTS[request.method][1], *more], "resultType": "complete"})
    return default(request)


async def forget_rules(world: World, *rules: Any) -> None:
    await world.database.write(
        lambda tx: servers.put_server(tx, replace(server(world.upstream), rules=(*OPEN, *rules)))
    )


USES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("prompts/list", "prompts/get", {"name": "p_mine"}),
    ("resources/list", "resources/read", {"uri": "mine://1"}),
    ("resources/templates/list", "resources/read", {"uri": "mine://by/ada"}),
    (
        "resources/templates/list", "completion/complete",
        {"ref": {"type": "ref/resource", "uri": "mine://by/{name}"}, "argument": {"name": "name", "value": ""}},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("listing", "method", "params"), USES)
async def test_what_a_caller_was_shown_that_caller_may_use(
    world: World, recorder: Recorder, listing: str, method: str, params: dict[str, Any]
) -> None:
    recorder.answer = personal
    await forget_rules(world)
    one, other, third = await world.key("bob"), await world.key("bob"), await world.key("bob")
    assert (await world.modern(one, method, params)).status_code == 400, "nobody was shown it"
    # Two keys with the same rights: what is kept of a list for one counts for the other as well.
    for token in (one, other):
        await world.modern(token, listing)
        assert (await world.modern(token, method, params)).status_code == 200
    recorder.forget()
    assert (await world.modern(third, method, params)).status_code == 400
    assert method not in [request.method for request in recorder.requests]


async def test_a_tool_that_only_clients_are_shown_stays_usable_when_the_gateway_looks_again(
    world: World, recorder: Recorder
) -> None:
    recorder.answer = personal
    bob = await world.key("bob")
    assert "ask_me" in await world.listed(bob)
    assert (await world.call(bob, "ask_me")).status_code == 200
    # An unknown name makes the gateway list again.
    assert (await world.call(bob, "nothing")).status_code == 400
    world.clock.offset += 700 * 1_000_000
    assert (await world.call(bob, "nothing")).status_code == 400
    assert (await world.call(bob, "ask_me")).status_code == 200
    carol = await world.key("carol")
    assert (await world.call(carol, "ask_me")).status_code == 400, "the rule decides, shown or not"


async def test_K13_a_link_is_read_only_where_no_rule_speaks_of_resources(world: World, recorder: Recorder) -> None:
    def linking(request: Request) -> bytes:
        if request.method != "tools/call":
            return default(request)
        links = [
            {"type": "resource_link", "uri": uri, "name": "x"} for uri in request.message["params"]["arguments"]["uris"]
        ]
        return result(request, {"content": [{"type": "text", "text": "x"}, *links, 7], "resultType": "complete"})

    recorder.answer = linking
    bob = await world.key("bob")
    uris = ["made://1", "MEM://secret"]
    for rules, status in ((RULES, 400), (OPEN, 200)):
        await world.database.write(
            lambda tx, rules=rules: servers.put_server(tx, replace(server(world.upstream), rules=rules))
        )  # type: ignore[misc]
        assert answered(await world.call(bob, "echo", {"uris": uris}))["content"]
        for uri in uris:
            assert (await world.modern(bob, "resources/read", {"uri": uri})).status_code == status, uri
    other = await world.key("bob")
    assert (await world.modern(other, "resources/read", {"uri": "made://1"})).status_code == 400


async def test_the_gateways_own_session_says_that_it_can_do_all_that_a_client_can(
    world: World, recorder: Recorder
) -> None:
    def old(request: Request) -> bytes:
        params = request.message.get("params", {})
        if request.method == "server/discover":
            return result(request, {}).replace(b'"result":{}', b'"error":{"code":-32601,"message":"no"}')
        if request.method == "initialize":
            able = set(params["capabilities"])
            seen.append(able)
            return result(
                request, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}, "mcp-session-id: up"
            )
        return result(request, {"tools": TOOLS}) if request.method == "tools/list" else default(request)

    seen: list[set[str]] = []
    recorder.answer = old
    bob = await world.key("bob")
    assert (await world.legacy(bob, "tools/call", {"name": "echo", "arguments": {}})).status_code == 200
    assert seen == [{"roots", "sampling", "elicitation", "tasks"}, set()]

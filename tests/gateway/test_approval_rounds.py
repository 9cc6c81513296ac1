"""Approvals and multi round-trip requests of 2026-07-28: our question, and an upstream's within an approved call (D8)."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.gateway.approving import BY_OTHERS, LINK, OPENS, SELF, call, decided, made, need, nodes, pending, words
from tests.gateway.deployment import ADMIN
from tests.gateway.recorder import Recorder, Request, default, result
from tests.gateway.test_tasks import new, old
from tests.gateway.test_waiting import looked
from tests.gateway.world import TERMS, World, answered

from doorward.model import SECOND, ToolRule

__all__ = ["nodes"]
pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D8")]
WHAT = {"database": "orders"}
ACCEPTED = {"doorward-approval": {"action": "accept"}}


async def question(world: World, token: str) -> tuple[str, str]:
    """Call as a client that opens addresses; return the approval's id and the state."""
    asked = answered(await call(world, token, WHAT, capabilities=OPENS))
    assert asked["resultType"] == "input_required"
    (request,) = asked["inputRequests"].values()
    assert (request["method"], request["params"]["mode"]) == ("elicitation/create", "url")
    found = LINK.fullmatch(request["params"]["url"])
    assert found is not None
    return found[1], asked["requestState"]


async def back(world: World, token: str, state: Any, arguments: Any = None, **more: Any) -> httpx2.Response:
    """Retry as the client does once its person was shown the page."""
    given = {"requestState": state, "inputResponses": ACCEPTED, **more}
    return await call(world, token, arguments or WHAT, capabilities=OPENS, **given)


async def test_a_client_that_opens_addresses_is_asked_to_and_its_retry_is_made(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, two = nodes
    key = await one.key("alice")
    approval_id, state = await question(one, key)
    waiting = await back(two, key, state)
    assert pending(waiting) == approval_id, "not asked twice in one call: that would only turn in circles"
    assert made(recorder) == 0
    await decided(two, approval_id)
    assert not answered(await back(two, key, state))["isError"]
    sent = recorder.requests[-1].message["params"]
    assert sent.keys() == {"name", "arguments", "_meta"}, "what is ours goes no further"
    assert "(DW-365)" in words(await back(one, key, state)), "and it is used"
    assert made(recorder) == 1


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}, {"elicitation": 1}])
async def test_other_clients_get_the_address_as_text(nodes: tuple[World, World], capabilities: Any) -> None:
    one, _ = nodes
    key = await one.key("alice")
    assert pending(await call(one, key, WHAT, capabilities=capabilities))


async def test_a_session_of_2025_11_25_is_told_by_the_error_that_says_what_to_open(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, two = nodes
    recorder.answer = old([])
    key = await one.key("alice")

    async def opened(capabilities: Any) -> str:
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "x", "version": "1"},
        }
        return str((await one.legacy(key, "initialize", hello)).headers["mcp-session-id"])

    session = await opened(OPENS)
    what = {"name": "drop_db", "arguments": WHAT}
    error = (await one.legacy(key, "tools/call", what, session=session)).json()["error"]
    assert (error["code"], error["data"]["code"]) == (-32042, "DW-360")
    (elicitation,) = error["data"]["elicitations"]
    found = LINK.fullmatch(elicitation["url"])
    assert found is not None
    assert (elicitation["mode"], elicitation["elicitationId"]) == ("url", found[1])
    assert pending(await two.legacy(key, "tools/call", what, session=await opened({}))) == found[1], "as text there"
    assert made(recorder) == 0
    await decided(one, found[1])
    assert not answered(await two.legacy(key, "tools/call", what, session=session)).get("isError")
    assert made(recorder) == 1
    await decided(one, pending(await call(one, key, WHAT)), approve=False)
    assert "(DW-361)" in words(await one.legacy(key, "tools/call", what, session=session))


async def test_K17_our_state_comes_back_from_the_same_caller_for_the_same_call_only(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, _ = nodes
    await need(one, SELF, ToolRule(match="plain", requires=frozenset({ADMIN}), approval=SELF))
    await one.role("bob", "owner")
    key, other, bob = [await one.key(name) for name in ("alice", "alice", "bob")]
    token = await one.token("alice", ADMIN)
    approval_id, state = await question(one, key)
    await decided(one, approval_id)
    for who in (other, bob, token):
        assert (await back(one, who, state)).status_code == 400
    for wrong in (f"A{state}", state[:-1], state.partition(".")[0], f"{approval_id} 0", "", 7, None):
        assert (await back(one, key, wrong)).status_code == 400, wrong
    assert (await back(one, key, state, {"database": "users"})).status_code == 400
    assert (await back(one, key, state, tool="plain")).status_code == 400
    legacy = {"name": "drop_db", "arguments": {}, "requestState": state}
    assert (await one.legacy(key, "tools/call", legacy)).status_code == 400
    assert made(recorder) == 0
    one.clock.offset += TERMS.seconds * SECOND
    assert "(DW-365)" in words(await back(one, key, state)), "late"
    assert made(recorder) == 0


def asking(request: Request) -> bytes:
    """Be an upstream that asks something back until the retry answers it; a third round for whom it says so."""
    params = request.message.get("params", {})
    if request.method != "tools/call":
        return default(request)
    if params.get("requestState") == "last" or params.get("inputResponses", {}).get("sure", {}).get("action") == "no":
        return default(request)
    state = {"first": "last"}.get(params.get("requestState"), "first")
    wanted = {"method": "elicitation/create", "params": {"mode": "form", "message": "Sure?", "requestedSchema": {}}}
    asked = {"resultType": "input_required", "inputRequests": {"sure": wanted}, "requestState": state}
    return result(request, asked)


async def test_what_the_server_asks_in_an_approved_call_needs_no_other_approval(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, two = nodes
    recorder.answer = asking
    key = await one.key("alice")
    await decided(one, pending(await call(one, key, WHAT)))
    first = answered(await call(one, key, WHAT))
    assert first["inputRequests"].keys() == {"sure"}
    sure = {"sure": {"action": "accept", "content": {}}}
    second = answered(await back(two, key, first["requestState"], inputResponses=sure))
    assert recorder.requests[-1].message["params"]["requestState"] == "first"
    assert recorder.requests[-1].message["params"]["inputResponses"] == sure
    assert second["resultType"] == "input_required"
    assert not answered(await back(one, key, second["requestState"], inputResponses=sure))["isError"]
    assert made(recorder) == 3
    for state in (first["requestState"], second["requestState"]):
        # Each round once: an upstream that keeps no count would delete again.
        answers = await asyncio.gather(*(back(node, key, state, inputResponses=sure) for node in nodes))
        assert all("(DW-365)" in words(each) for each in answers)
    assert "(DW-360)" in words(await call(one, key, WHAT)), "from the beginning, it is another call"
    assert made(recorder) == 3


async def test_a_round_is_good_once_and_in_time(nodes: tuple[World, World], recorder: Recorder) -> None:
    one, two = nodes
    recorder.answer = asking
    key = await one.key("alice")
    await decided(one, pending(await call(one, key, WHAT)))
    state = answered(await call(one, key, WHAT))["requestState"]
    answers = await asyncio.gather(*(back(node, key, state) for _ in range(10) for node in nodes))
    assert sum("inputRequests" in answered(each) for each in answers) == 1
    assert made(recorder) == 2
    later = next(answered(each) for each in answers if "inputRequests" in answered(each))["requestState"]
    assert (await back(one, key, later, {"database": "users"})).status_code == 400
    for world in nodes:
        world.clock.offset += TERMS.seconds * SECOND
    assert "(DW-365)" in words(await back(two, key, later))
    assert made(recorder) == 2


async def test_without_the_rule_what_we_asked_before_is_no_obstacle(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, two = nodes
    key = await one.key("alice")
    _, state = await question(one, key)
    await need(one, None)
    assert not answered(await back(two, key, state))["isError"]
    assert "requestState" not in recorder.requests[-1].message["params"]


@pytest.mark.requirement("D3")
async def test_an_approved_call_under_way_goes_on_until_what_it_needed_is_taken_away(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, _ = nodes
    key = await one.key("alice")
    await decided(one, pending(await call(one, key, WHAT)))
    recorder.answer = lambda request: b"" if request.method == "tools/call" else default(request)
    under_way = asyncio.create_task(call(one, key, WHAT))
    async with asyncio.timeout(5):
        await recorder.came(1, "tools/call")
    await one.role("carol", "owner")
    await looked(one, 2)
    assert not under_way.done(), "what changed is no matter of this call"
    await need(one, BY_OTHERS)
    ended = (await under_way).json()["error"]
    assert ended["data"]["code"] == "DW-338"


async def test_a_task_of_an_approved_call_is_come_back_to_without_another(
    nodes: tuple[World, World], recorder: Recorder
) -> None:
    one, two = nodes
    recorder.answer = new([])
    key = await one.key("alice")
    await decided(one, pending(await call(one, key, WHAT)))
    begun = answered(await call(one, key, WHAT))
    assert begun["resultType"] == "task"
    done = answered(await two.modern(key, "tasks/get", {"taskId": begun["taskId"]}))
    assert done["status"] == "completed"
    assert pending(await call(one, key, WHAT)), "another call is another one"
    await one.role("alice", "viewer")
    assert (await two.modern(key, "tasks/get", {"taskId": begun["taskId"]})).status_code != 200

"""What is explained is what the gateway does: the same calls, made and explained (feature D7)."""

import pytest
from tests.gateway.deployment import FOLDER, READ, WRITE, user
from tests.gateway.world import World

from doorward.gateway.why import Asked, CannotExplain, explain_for, told
from doorward.model import RuleKind
from doorward.policy.decide import Denied
from doorward.policy.why import Explanation

pytestmark = pytest.mark.anyio

TOOLS = (
    ("echo", {}),
    ("write_note", {}),
    ("write_note", {"folder": "f1"}),
    ("write_note", {"folder": "f2"}),
    ("write_note", {"folder": "missing"}),
    ("drop_db", {}),
    ("forbidden", {}),
)


async def explained(world: World, who: str, **more: object) -> Explanation:
    asked = {"tenant": "acme", "email": user(who).email, "server": "s1", "kind": RuleKind.TOOL, **more}
    return await world.database.write(
        lambda tx: explain_for(tx, Asked(**asked), actor_id=None, by="test", now=world.clock(), cause=None)  # type: ignore[arg-type]
    )


@pytest.mark.requirement("D7")
@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
async def test_keys_are_explained_as_their_calls_are_decided(world: World, name: str) -> None:
    for scopes, limit in (((), None), ((READ,), None), ((READ, WRITE), frozenset({FOLDER}))):
        key = await world.key(name, *scopes, resources=limit)
        for tool, arguments in TOOLS:
            await world.call(key, tool, arguments)
            logged = world.calls[-1]
            found = await explained(world, name, name=tool, arguments=arguments, key=logged.credential_id)
            if isinstance(found.decision, Denied):
                assert logged.reason == f"{found.decision.reason}: {found.decision.detail}"
            else:
                assert (logged.decision, found.verdict) == ("allowed", "allowed")


@pytest.mark.requirement("D7")
async def test_a_connection_is_explained_with_its_step_up_and_what_was_unticked(world: World) -> None:
    token = await world.token("alice", READ)
    await world.call(token, "write_note")
    found = await explained(world, "alice", name="write_note", connection=world.calls[-1].credential_id)
    assert (world.calls[-1].decision, found.verdict) == ("reachable", "reachable")
    assert told(found, RuleKind.TOOL) == "HTTP 403 insufficient_scope with scope=documents:write."
    token = await world.token("alice", READ, declined=frozenset({WRITE}))
    await world.call(token, "write_note")
    found = await explained(world, "alice", name="write_note", connection=world.calls[-1].credential_id)
    assert found.reason == "declined"
    assert world.calls[-1].reason.startswith("declined: ")


@pytest.mark.requirement("D7")
async def test_roles_at_places_are_named(world: World) -> None:
    await world.role("bob")
    await world.place("bob", ("editor", FOLDER))
    found = await explained(world, "bob", name="write_note", arguments={"folder": "f2"})
    assert found.reason == "not_here"
    assert found.remedy == "Give bob@test.example a role that holds documents:write at folder f2."
    assert "editor at folder f1: documents:read documents:write s1:read" in found.steps[3].detail
    assert found.steps[5].detail == "It names folder f2."


@pytest.mark.requirement("D7")
async def test_somebody_elses_credential_is_not_there(world: World) -> None:
    await world.call(await world.key("mallory", resources=None), "echo")
    theirs = world.calls[-1].credential_id
    for name in ("alice", "mallory"):
        with pytest.raises(CannotExplain, match="no such API key"):
            await explained(world, name, name="echo", key=theirs)
    await world.call(await world.token("mallory", READ), "echo")
    for name in ("alice", "mallory"):
        with pytest.raises(CannotExplain, match="no such connection"):
            await explained(world, name, name="echo", connection=world.calls[-1].credential_id)
    with pytest.raises(CannotExplain, match="no member"):
        await explained(world, "mallory", name="echo")


@pytest.mark.requirement("D7")
async def test_an_ended_connection_says_why_it_ended(world: World) -> None:
    await world.call(await world.token("alice", READ), "echo")
    held = world.calls[-1].credential_id
    world.clock.offset += 7200 * 1_000_000
    found = await explained(world, "alice", name="echo", connection=held)
    assert found.summary == f"Denied: connection {held} has ended."

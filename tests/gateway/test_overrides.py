"""Overrides of tool rules by a tenant: for everybody, a role, a user, one key or one connection (feature D4)."""

from typing import Any

import pytest
from tests.gateway.deployment import ACME, ADMIN, FOLDER, READ, S1, S2, WRITE, user
from tests.gateway.world import World

from doorward.gateway.why import Asked, explain_for
from doorward.model import Effect, Override, Permission, RuleKind, ServerId, SubjectKind, TenantId
from doorward.policy.overrides import about
from doorward.storage import overrides

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D4")]


def deny(match: str, **more: Any) -> Override:
    given = {"id": "o", "tenant_id": ACME.id, "server_id": S1, "effect": Effect.DENY, **more}
    return Override(match=match, **given)


def require(match: str, *requires: Permission, **more: Any) -> Override:
    return deny(match, effect=Effect.REQUIRE, requires=frozenset(requires), **more)


async def say(world: World, *said: Override) -> None:
    """Make these the overrides of the tenant."""
    numbered = [Override(**{**_fields(each), "id": f"o{number}"}) for number, each in enumerate(said)]
    await world.database.write(lambda tx: overrides.replace_overrides(tx, ACME.id, numbered))


def _fields(each: Override) -> dict[str, Any]:
    return {name: getattr(each, name) for name in Override.__slots__}


async def test_D3_a_denial_is_in_force_on_the_next_call_and_looks_like_a_missing_tool(world: World) -> None:
    alice = await world.key("alice")
    assert (await world.call(alice, "echo")).status_code == 200
    await say(world, deny("ec*"))
    hidden, missing = await world.call(alice, "echo"), await world.call(alice, "nothing")
    assert (hidden.status_code, hidden.text.replace("echo", "nothing")) == (missing.status_code, missing.text)
    assert world.calls[-2].reason == "override: the tenant's override 'ec*' denies it for everybody"
    assert "echo" not in await world.listed(alice)
    await say(world)
    assert (await world.call(alice, "echo")).status_code == 200


async def test_it_holds_for_whom_it_names(world: World) -> None:
    alice, other, bob = await world.key("alice"), await world.key("alice"), await world.key("bob")
    await world.call(alice, "echo")
    key_id = world.calls[-1].credential_id
    app = await world.token("alice", READ, WRITE)
    await world.call(app, "echo")
    connection_id = world.calls[-1].credential_id
    held = {"alice": alice, "other": other, "bob": bob, "app": app}
    for subject, whom, refused in (
        (SubjectKind.EVERYBODY, "", {"alice", "other", "bob", "app"}),
        (SubjectKind.USER, user("alice").id, {"alice", "other", "app"}),
        (SubjectKind.ROLE, "editor", {"bob"}),
        (SubjectKind.ROLE, "viewer", set()),
        (SubjectKind.KEY, key_id, {"alice"}),
        (SubjectKind.CONNECTION, connection_id, {"app"}),
        (SubjectKind.KEY, connection_id, set()),
    ):
        await say(world, deny("echo", subject=subject, subject_id=whom))
        found = {name for name, token in held.items() if "echo" not in await world.listed(token)}
        assert found == refused, (subject, whom)


async def test_a_role_at_a_node_counts_as_held(world: World) -> None:
    await world.role("bob")
    await world.place("bob", ("editor", FOLDER))
    bob = await world.key("bob")
    assert "echo" in await world.listed(bob)
    await say(world, deny("echo", subject=SubjectKind.ROLE, subject_id="editor"))
    assert "echo" not in await world.listed(bob)


async def test_more_permissions_are_asked_of_role_and_credential_alike(world: World) -> None:
    await say(world, require("echo", ADMIN))
    assert "echo" in await world.listed(await world.key("alice"))
    assert "echo" not in await world.listed(await world.key("bob"))
    app = await world.token("alice", READ)
    stepped = await world.call(app, "echo")
    assert stepped.status_code == 403
    assert 'scope="admin:delete documents:read"' in stepped.headers["www-authenticate"]


async def test_a_denial_wins_over_what_is_required_and_other_tenants_are_not_touched(world: World) -> None:
    await say(world, require("*", READ), deny("echo"))
    assert "echo" not in await world.listed(await world.key("alice"))
    assert "echo" in await world.listed(await world.key("mallory"))
    assert "write_note" in await world.listed(await world.key("alice"))


@pytest.mark.requirement("D2")
async def test_K16_prompts_resources_and_templates_obey_too(world: World) -> None:
    alice = await world.key("alice")
    await say(
        world,
        deny("p_*", kind=RuleKind.PROMPT),
        deny("mem://open", kind=RuleKind.RESOURCE),
        deny("mem://vault/{item}", kind=RuleKind.RESOURCE),
    )
    assert await world.listed(alice, "prompts/list") == []
    assert "mem://open" not in await world.listed(alice, "resources/list")
    assert await world.listed(alice, "resources/templates/list") == ["mem://docs/{document}"]
    read = await world.modern(alice, "resources/read", {"uri": "mem://vault/gold"})
    assert read.json()["error"]["message"] == "Unknown resource: mem://vault/gold"


@pytest.mark.requirement("D7")
async def test_why_names_the_override(world: World) -> None:
    await say(world, require("echo", ADMIN, subject=SubjectKind.USER, subject_id=user("bob").id))
    asked = Asked(tenant="acme", email=user("bob").email, server="s1", kind=RuleKind.TOOL, name="echo")
    now = world.clock()
    found = await world.database.write(lambda tx: explain_for(tx, asked, actor_id=None, by="test", now=now, cause=None))
    assert found.reason == "no_right"
    assert "It needs admin:delete documents:read. The tenant's override echo says: needs admin:delete too" in (
        found.steps[2].detail
    )
    await say(world, deny("e*"))
    found = await world.database.write(lambda tx: explain_for(tx, asked, actor_id=None, by="test", now=now, cause=None))
    assert (found.reason, found.remedy) == ("override", "Remove or change the tenant's override.")
    assert "The tenant's override e* says: denied" in found.steps[2].detail


@pytest.mark.parametrize(
    ("kind", "match", "name", "fits"),
    [
        (RuleKind.TOOL, "drop_*", "drop_all", True),
        (RuleKind.TOOL, "drop_*", "Drop_all", False),
        (RuleKind.PROMPT, "p?", "pa", True),
        (RuleKind.RESOURCE, "m://vault/{x}", "m://vault/1", True),
        (RuleKind.RESOURCE, "m://vault/{x}", "m://open", False),
        (RuleKind.RESOURCE, "m://vault/{x}", "m://open/../vault/1", True),
        (RuleKind.RESOURCE, "m://vault/{x}", "m://v%61ult/1", True),
        (RuleKind.RESOURCE, "m://vault/{x}", "m://" + "a" * 2000, True),
    ],
)
def test_I8_no_other_spelling_slips_past_a_denial(kind: RuleKind, match: str, name: str, fits: bool) -> None:
    said = deny(match, kind=kind, tenant_id=TenantId("t"))
    assert bool(about([said], S1, kind, name)) is fits
    assert about([said], ServerId(S2), kind, name) == ()
    other = RuleKind.PROMPT if kind is RuleKind.TOOL else RuleKind.TOOL
    assert about([said], S1, other, name) == ()

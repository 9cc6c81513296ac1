"""The gateway's own tools (feature A9): answered here in every revision, and tools like others for every rule."""

from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.approving import decided, pending
from tests.gateway.deployment import ACME, FOLDER, READ, S1, WRITE, server, user
from tests.gateway.recorder import Recorder, default, result
from tests.gateway.world import World, answered

from doorward.gateway.why import Asked, explain_for
from doorward.model import Approvers, Effect, Override, Rates, RuleKind, SubjectKind
from doorward.policy.why import Explanation
from doorward.storage import accounts, overrides, servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A9")]
OURS = ("whoami", "connection_info")


async def say(world: World, *said: Override) -> None:
    await world.database.write(lambda tx: overrides.replace_overrides(tx, ACME.id, said))


def override(effect: Effect, **more: Any) -> Override:
    given: dict[str, Any] = {"id": "o", "tenant_id": ACME.id, "server_id": S1, "match": "connection_*", **more}
    return Override(effect=effect, **given)


async def explained(world: World, name: str) -> Explanation:
    asked = Asked(tenant="acme", email=user("bob").email, server=S1, kind=RuleKind.TOOL, name=name)
    return await world.database.write(
        lambda tx: explain_for(tx, asked, actor_id=None, by="test", now=world.clock(), cause=None)
    )  # fmt: skip


async def test_a_connection_tells_what_it_lacks_and_how_to_get_it(world: World, recorder: Recorder) -> None:
    bob = await world.token("bob", READ, declined=frozenset({WRITE}))
    await world.listed(bob)
    recorder.forget()
    answer = answered(await world.call(bob, "connection_info"))
    known = answer["structuredContent"]
    assert known["server"] == {"slug": "s1", "name": "Memory"}
    assert known["tenant"]["slug"] == "acme"
    assert known["credential"]["client_id"] == "c1"
    assert known["credential"]["expires_at"].endswith("Z")
    assert known["protocol_version"] == "2026-07-28"
    assert known["scopes"] == [READ]
    assert [(one["scope"], one["where"]) for one in known["missing"]] == [(WRITE, None), ("s1:read", None)]
    assert "tick it" in known["missing"][0]["how"]
    assert "your app then asks" in known["missing"][1]["how"]
    assert "documents:write: Change documents" in answer["content"][0]["text"]
    assert (world.calls[-1].decision, world.calls[-1].name) == ("allowed", "connection_info")
    assert recorder.seen() == []


async def test_a_key_is_told_the_page_where_its_person_makes_another(world: World) -> None:
    key = await world.key("bob", READ, resources=frozenset({FOLDER}))
    answer = answered(await world.call(key, "connection_info"))
    known = answer["structuredContent"]
    assert {one["where"] for one in known["missing"]} == {"http://127.0.0.1:8080/settings/keys"}
    assert known["pages"]["apps"] == "http://127.0.0.1:8080/settings/apps"
    assert known["credential"]["expires_at"] is None
    assert known["resources"] == [{"type": "folder", "key": "f1", "name": "One"}]
    assert known["limited_to_resources"] is True
    assert "Only in:\n- folder One (f1)" in answer["content"][0]["text"]
    assert "http://127.0.0.1:8080/settings/keys" in answer["content"][0]["text"]


async def test_what_somebody_has_no_right_to_is_not_told(world: World) -> None:
    """K1: the names of permissions tell what there is."""
    carol = await world.key("carol", READ)
    for name in OURS:
        assert "admin:delete" not in (await world.call(carol, name)).text


async def test_they_are_listed_as_harmless_and_answered_in_the_older_revisions(
    world: World, recorder: Recorder
) -> None:
    recorder.answer = lambda request: (
        result(
            request, {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "r", "version": "1"}}
        )
        if request.method == "initialize"
        else default(request)
    )
    bob = await world.key("bob", READ)
    tools = {tool["name"]: tool for tool in answered(await world.legacy(bob, "tools/list"))["tools"]}
    for name in OURS:
        hints = tools[name]["annotations"]
        assert (hints["readOnlyHint"], hints["destructiveHint"]) == (True, False)
        told = answered(await world.legacy(bob, "tools/call", {"name": name}))
        assert told["structuredContent"]["tenant"]["slug"] == "acme"
        assert "resultType" not in told
    assert "tools/call" not in recorder.seen()


async def test_a_server_may_go_without_and_its_own_tool_of_that_name_comes_first(
    world: World, recorder: Recorder
) -> None:
    bob = await world.key("bob")
    bare = replace(server(world.upstream), builtin_tools=False)
    await world.database.write(lambda tx: servers.put_server(tx, bare))
    assert not set(OURS) & set(await world.listed(bob))
    hidden, missing = await world.call(bob, "connection_info"), await world.call(bob, "connection_inf0")
    assert (hidden.status_code, hidden.text.replace("info", "inf0")) == (missing.status_code, missing.text)
    await world.database.write(lambda tx: servers.put_server(tx, server(world.upstream)))
    theirs = [{"name": "connection_info", "title": "Theirs", "annotations": {"destructiveHint": True}}]
    recorder.answer = lambda request: (
        result(request, {"tools": theirs}) if request.method == "tools/list" else default(request)
    )
    alice = await world.key("alice")
    world.clock.offset += 61_000_000
    assert [tool.get("title") for tool in answered(await world.modern(alice, "tools/list"))["tools"]] == ["Who am I?"]
    refused = await world.call(bob, "connection_info")
    assert "Unknown tool" in refused.text, "theirs needs a right that nobody has; ours does not stand in for it"
    explanation = await explained(world, "connection_info")
    assert explanation.verdict == "denied"


async def test_a_tenants_overrides_hold_for_them_too(world: World) -> None:
    bob, token = await world.key("bob"), await world.token("bob", READ)
    await say(world, override(Effect.DENY))
    hidden, missing = await world.call(bob, "connection_info"), await world.call(bob, "connection_inf0")
    assert (hidden.status_code, hidden.text.replace("info", "inf0")) == (missing.status_code, missing.text)
    assert "connection_info" not in await world.listed(bob)
    assert "whoami" in await world.listed(bob)
    assert (await explained(world, "connection_info")).reason == "override"
    await say(world, override(Effect.REQUIRE, requires=frozenset({WRITE})))
    assert not answered(await world.call(bob, "connection_info"))["isError"]
    stepped = await world.call(token, "connection_info")
    assert stepped.status_code == 403
    assert f'scope="{WRITE}"' in stepped.headers["www-authenticate"]
    assert "connection_info" in await world.listed(token), "listed is allowed or reachable"
    await say(
        world, override(Effect.APPROVAL, approval=Approvers(), subject=SubjectKind.USER, subject_id=user("bob").id)
    )
    asked = await world.call(bob, "connection_info")
    await decided(world, pending(asked), by="bob")
    assert not answered(await world.call(bob, "connection_info"))["isError"]
    assert pending(await world.call(bob, "connection_info"))
    assert (await explained(world, "connection_info")).verdict == "needs_approval"


async def test_they_count_as_calls_of_a_tool(world: World) -> None:
    limits = replace(ACME, rates=Rates(tool_per_minute=2))
    await world.database.write(lambda tx: accounts.update_tenant(tx, limits))
    bob = await world.key("bob")
    statuses = [(await world.call(bob, "connection_info")).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await world.call(bob, "whoami")).status_code == 200


async def test_why_tells_that_they_are_the_gateways_own(world: World) -> None:
    explanation = await explained(world, "whoami")
    assert explanation.verdict == "allowed"
    assert "the gateway's own" in next(step.detail for step in explanation.steps if step.stage.value == "rule")
    await world.database.write(lambda tx: servers.put_server(tx, replace(server(world.upstream), builtin_tools=False)))
    assert (await explained(world, "whoami")).reason != ""

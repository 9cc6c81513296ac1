"""Roles bound at nodes of the tree, and rules whose arguments name several nodes (D1, D5, D10)."""

import base64
import json
from typing import Any

import pytest
from tests.gateway.deployment import DOCUMENT, FOLDER, OTHER_FOLDER, READ, WRITE
from tests.gateway.recorder import Recorder
from tests.gateway.world import World, answered

from doorward.gateway.target import target_of
from doorward.model import Resource, ResourceArgument, ResourceId, TenantId
from doorward.policy.decide import NoTarget, Target, Unresolvable
from doorward.policy.rules import ResourceTree

pytestmark = pytest.mark.anyio

TREE = ResourceTree(
    Resource(id=ResourceId(key), tenant_id=TenantId("t"), type=kind, key=key, name=key)
    for kind, key in (("doc", "d1"), ("doc", "d2"), ("folder", "f1"))
)
EACH = ResourceArgument(pointer="/ids/*", type="doc")
INTO = ResourceArgument(pointer="/into", type="folder")
ITEM = ResourceArgument(pointer="/items/*/id", type="doc")


def nodes(*keys: str) -> Target:
    return Target(frozenset(ResourceId(key) for key in keys))


@pytest.mark.parametrize(
    ("named", "arguments", "expected"),
    [
        ((EACH,), {"ids": ["d1", "d2"]}, nodes("d1", "d2")),
        ((EACH,), {"ids": ["d1", "d9"]}, Unresolvable()),
        ((EACH,), {"ids": ["d1", None]}, Unresolvable()),
        ((EACH,), {"ids": ["d1", ["d2"]]}, Unresolvable()),
        ((EACH,), {"ids": "d1"}, Unresolvable()),
        ((EACH,), {"ids": {"0": "d1"}}, Unresolvable()),
        ((EACH,), {"ids": []}, NoTarget()),
        ((EACH,), {}, NoTarget()),
        ((EACH,), {"IDS": ["d1"]}, Unresolvable()),
        ((EACH, INTO), {"ids": ["d1"], "into": "f1"}, nodes("d1", "f1")),
        ((EACH, INTO), {"ids": ["d1"]}, nodes("d1")),
        ((EACH, INTO), {"ids": ["d1"], "into": "d2"}, Unresolvable()),
        ((ITEM,), {"items": [{"id": "d1"}, {"id": "d2", "note": "x"}]}, nodes("d1", "d2")),
        ((ITEM,), {"items": [{"id": "d1"}, {"Id": "d2"}]}, Unresolvable()),
        ((ITEM,), {"items": [{"id": "d1"}, {}]}, Unresolvable()),
        ((), {"ids": ["d9"]}, NoTarget()),
    ],
)
def test_D5_every_node_that_arguments_name_counts(named: Any, arguments: Any, expected: Any) -> None:
    assert target_of(named, arguments, TREE) == expected


def identity(recorder: Recorder) -> dict[str, Any]:
    """Return what the upstream was told of the caller of the last request."""
    token = (recorder.requests[-1].header("authorization") or "").removeprefix("Bearer ")
    body = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


async def test_D1_a_role_at_a_folder_reaches_that_folder_and_nothing_else(world: World, recorder: Recorder) -> None:
    await world.role("bob")
    bob = await world.key("bob")
    assert await world.listed(bob) == ["whoami", "connection_info"]
    await world.place("bob", ("editor", FOLDER))
    assert {"echo", "write_note"} <= set(await world.listed(bob))
    assert answered(await world.call(bob, "write_note", {"folder": "f1"}))["isError"] is False
    assert identity(recorder)["resources"] == [{"type": "folder", "key": "f1"}]
    elsewhere = await world.call(bob, "write_note", {"folder": "f2"})
    missing = await world.call(bob, "write_note", {"folder": "f9"})
    assert answered(elsewhere)["isError"] is True
    assert elsewhere.text == missing.text
    assert "mem://docs/{document}" in await world.listed(bob, "resources/templates/list")
    await world.place("bob")
    assert await world.listed(bob) == ["whoami", "connection_info"]


async def test_D5_a_call_about_no_node_carries_where_the_right_holds(world: World, recorder: Recorder) -> None:
    await world.role("bob", "viewer")
    await world.place("bob", ("editor", FOLDER))
    bob = await world.key("bob")
    await world.call(bob, "echo")
    told = identity(recorder)
    assert "resources" not in told
    assert (str(READ) in told["scopes"], str(WRITE) in told["scopes"]) == (True, False)
    await world.call(bob, "write_note")
    told = identity(recorder)
    assert told["resources"] == [{"type": "folder", "key": "f1"}]
    assert {str(READ), str(WRITE)} <= set(told["scopes"])


async def test_D1_a_credential_narrows_a_place_further_and_never_widens_it(world: World, recorder: Recorder) -> None:
    await world.role("bob")
    await world.place("bob", ("editor", FOLDER))
    below = await world.key("bob", resources=frozenset({DOCUMENT, OTHER_FOLDER}))
    await world.call(below, "write_note")
    assert identity(recorder)["resources"] == [{"type": "document", "key": "d1"}]
    assert answered(await world.call(below, "write_note", {"folder": "f1"}))["isError"] is True
    assert answered(await world.call(below, "write_note", {"folder": "f2"}))["isError"] is True
    apart = await world.key("bob", resources=frozenset({OTHER_FOLDER}))
    assert await world.listed(apart) == ["whoami", "connection_info"]
    assert (await world.call(apart, "write_note")).status_code == 400


async def test_A9_whoami_says_that_rights_hold_in_a_part_only(world: World) -> None:
    await world.role("bob")
    await world.place("bob", ("editor", FOLDER))
    known = answered(await world.call(await world.key("bob"), "whoami"))["structuredContent"]
    assert str(WRITE) in known["scopes"]
    assert known["limited_to_resources"] is True

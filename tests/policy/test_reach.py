"""Where somebody may do something: roles at the tenant, roles at nodes, and what the credential is narrowed to."""

from dataclasses import replace
from random import Random

import pytest
from tests.policy import reference
from tests.policy.test_decide import EDITOR, NOW, OTHER, PROJECT, READ, READING, TREE, WORKSPACE, WRITE, WRITING, reason
from tests.policy.test_reference import who_of
from tests.policy.world import NODES, random_world

from doorward.model import Resource, ResourceId, TenantId
from doorward.policy.decide import Allowed, DenialReason, NoTarget, Reachable, Target, decide
from doorward.policy.reach import held_anywhere, held_in, held_throughout, overlap, reach_at_all
from doorward.policy.rules import ResourceTree

BOTH = frozenset({READ, WRITE})
PLACED = replace(EDITOR, permissions=frozenset(), placed=((WORKSPACE, BOTH),))
"""Editor of the workspace, and nothing elsewhere."""


def at(*nodes: str) -> Target:
    return Target(frozenset(ResourceId(node) for node in nodes))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (at(WORKSPACE), None),
        (at(PROJECT), None),
        (at(WORKSPACE, PROJECT), None),
        (at(OTHER), DenialReason.NOT_HERE),
        (at(PROJECT, OTHER), DenialReason.NOT_HERE),
        (at("gone"), DenialReason.UNRESOLVABLE),
        (at(PROJECT, "gone"), DenialReason.UNRESOLVABLE),
        (NoTarget(), None),
    ],
)
def test_D1_a_role_at_a_node_holds_there_and_below(target: Target, expected: DenialReason | None) -> None:
    assert reason(PLACED, replace(READING, target=target)) == expected


def test_D1_what_is_held_nowhere_is_refused_like_what_does_not_exist() -> None:
    assert reason(replace(PLACED, placed=()), READING) is DenialReason.NO_RIGHT
    split = replace(PLACED, placed=((WORKSPACE, frozenset({READ})), (OTHER, frozenset({WRITE}))), scopes=BOTH)
    assert reason(split, WRITING) is DenialReason.NO_RIGHT


def test_D1_rights_add_up_along_the_path() -> None:
    principal = replace(PLACED, placed=((WORKSPACE, frozenset({READ})), (PROJECT, frozenset({WRITE}))), scopes=BOTH)
    assert decide(principal, replace(WRITING, target=at(PROJECT)), TREE, NOW) == Allowed(
        "update_document", frozenset({PROJECT})
    )
    assert reason(principal, replace(WRITING, target=at(WORKSPACE))) is DenialReason.NOT_HERE


def test_D1_a_credential_elsewhere_than_the_right_reaches_nothing() -> None:
    assert reason(replace(PLACED, resources=frozenset({OTHER})), READING) is DenialReason.NO_RIGHT
    below = replace(PLACED, resources=frozenset({PROJECT}))
    assert decide(below, READING, TREE, NOW) == Allowed("get_document", frozenset({PROJECT}))
    assert reason(below, replace(READING, target=at(WORKSPACE))) is DenialReason.OUTSIDE_RESOURCES


def test_B17_a_step_up_is_offered_where_the_person_may_somewhere() -> None:
    assert isinstance(decide(PLACED, WRITING, TREE, NOW), Reachable)


def test_D10_a_node_that_moves_takes_on_the_rights_of_its_new_place() -> None:
    moved = ResourceTree(
        Resource(id=node, tenant_id=TenantId("acme"), type="project", key=node, name=node, parent_id=parent)
        for node, parent in ((WORKSPACE, None), (PROJECT, OTHER), (OTHER, None))
    )
    asked = replace(READING, target=at(PROJECT))
    assert isinstance(decide(PLACED, asked, TREE, NOW), Allowed)
    assert not isinstance(decide(PLACED, asked, moved, NOW), Allowed)


def test_D10_a_node_that_is_gone_gives_nothing() -> None:
    assert decide(PLACED, READING, ResourceTree(()), NOW) != decide(PLACED, READING, TREE, NOW)
    assert reach_at_all(PLACED, ResourceTree(())) == frozenset()


def test_what_an_upstream_is_told_holds_in_all_that_it_is_told_of() -> None:
    principal = replace(EDITOR, permissions=frozenset({READ}), placed=((WORKSPACE, frozenset({WRITE})),))
    assert held_anywhere(principal) == BOTH
    assert held_throughout(principal, None, TREE) == {READ}
    assert held_throughout(principal, frozenset({PROJECT}), TREE) == BOTH
    assert held_throughout(principal, frozenset({PROJECT, OTHER}), TREE) == {READ}
    assert reach_at_all(principal, TREE) is None
    assert reach_at_all(PLACED, TREE) == {WORKSPACE}


def test_overlap_is_the_smaller_of_two_subtrees() -> None:
    assert overlap(None, None, TREE) is None
    assert overlap(frozenset({WORKSPACE}), None, TREE) == {WORKSPACE}
    assert overlap(frozenset({WORKSPACE}), frozenset({PROJECT, OTHER}), TREE) == {PROJECT}


def test_where_it_is_allowed_is_exactly_where_the_reference_allows_it() -> None:
    chance, limited = Random(11), 0
    for _ in range(3_000):
        world = random_world(chance)
        world = world.asking(target=NoTarget()).being(overrides=())
        decision = decide(world.principal, world.question, world.tree, NOW)
        if not isinstance(decision, Allowed):
            continue
        assert decision.within == overlap(
            held_in(world.principal, world.question.requires, world.tree), world.principal.resources, world.tree
        )
        parents = {node.id: node.parent_id for node in world.resources}
        requires, who = list(world.question.requires), who_of(world)
        for node in NODES:
            inside = node in world.tree if decision.within is None else world.tree.within(node, decision.within)
            assert inside == reference.may_at(who, requires, node, parents), (world, node)
        limited += bool(decision.within)
    assert limited > 200

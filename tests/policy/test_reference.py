"""The engine and the reference evaluator agree on 10 000 random cases; the invariants hold on as many others."""

import os
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from tests.policy import reference
from tests.policy.world import CATALOGUE, NODES, NOW, World, random_approvers, random_override, random_world

from doorward.model import Approvers, UserId
from doorward.policy.approvals import may_decide
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Denied,
    Everywhere,
    NeedsApproval,
    NoTarget,
    Reachable,
    Target,
    Unresolvable,
    decide,
    visible,
)
from doorward.policy.reach import held_anywhere


def worlds(seed: int, count: int = 3_000) -> list[World]:
    chance = Random(seed)
    return [random_world(chance) for _ in range(count)]


def engine(world: World) -> Decision:
    return decide(world.principal, world.question, world.tree, NOW)


def who_of(world: World) -> dict[str, Any]:
    principal = world.principal
    return {
        "rights": reference.rights(list(world.patterns), list(CATALOGUE)),
        "placed": {node: reference.rights(list(patterns), list(CATALOGUE)) for node, patterns in world.placed.items()},
        "scopes": list(principal.scopes),
        "declined": list(principal.declined),
        "can_step_up": principal.can_step_up,
        "roots": None if principal.resources is None else list(principal.resources),
        "servers": list(principal.servers),
        "expires": principal.expires_at,
        "overrides": [
            {
                "server": each.server_id,
                "kind": each.kind.value,
                "match": each.match,
                "effect": each.effect.value,
                "requires": list(each.requires),
                "approval": approval_of(each.approval),
            }
            for each in principal.overrides
        ],
    }


def approval_of(asked: Approvers | None) -> dict[str, Any] | None:
    return None if asked is None else {"permissions": list(asked.permissions), "by_another": asked.by_another}


def by_reference(world: World) -> str:
    target = world.question.target
    words = {NoTarget: None, Everywhere: "everywhere", Unresolvable: False}
    asked = list(target.resource_ids) if isinstance(target, Target) else words[type(target)]
    question = world.question
    ask = {
        "server": question.server_id,
        "kind": question.kind.value,
        "name": question.name,
        "requires": list(question.requires),
        "approval": approval_of(question.approval),
        "open": question.open,
        "targets": asked,
    }
    return reference.answer(who_of(world), ask, {node.id: node.parent_id for node in world.resources}, NOW)


def listed(world: World) -> bool:
    about_all = isinstance(world.question.target, Everywhere)
    return visible(engine(world if about_all else world.asking(target=NoTarget())))


def word(decision: Decision) -> str:
    return "approval" if isinstance(decision, NeedsApproval) else type(decision).__name__.lower()


YES: dict[type, int] = {Allowed: 2, NeedsApproval: 1, Reachable: 0, Denied: 0}
"""How much of a yes an answer is."""
CASES = int(os.environ.get("POLICY_CASES", "10000"))
"""``make policy-fuzz`` asks for ten million."""


def test_engine_and_reference_agree() -> None:
    seen: Counter[str] = Counter()
    chance = Random(1)
    for world in (random_world(chance) for _ in range(CASES)):
        decision = engine(world)
        assert word(decision) == by_reference(world), world
        seen[decision.reason if isinstance(decision, Denied) else word(decision)] += 1
    assert set(seen) == {"allowed", "approval", "reachable", *DenialReason}, (
        "a random world that never meets an answer proves little"
    )
    assert min(seen.values()) >= 100


def test_nothing_is_allowed_that_is_not_granted_on_every_side() -> None:
    for world in worlds(3):
        if isinstance(engine(world), (Allowed, NeedsApproval)):
            assert world.question.requires or world.question.open
            assert world.question.requires <= held_anywhere(world.principal) & world.principal.scopes


def test_taking_something_away_never_allows_or_lists_more() -> None:
    chance = Random(4)
    for world in worlds(5):
        for less in _less(world, chance):
            assert YES[type(engine(less))] <= YES[type(engine(world))], (world, less)
            assert listed(world) or not listed(less), (world, less)


def _less(world: World, chance: Random) -> list[World]:
    principal = world.principal
    one = chance.choice(CATALOGUE)
    roots = frozenset(NODES) if principal.resources is None else principal.resources
    return [
        world.being(permissions=principal.permissions - {one}),
        world.being(placed=principal.placed[1:]),
        world.being(declined=principal.declined | {one}),
        world.being(resources=roots - {chance.choice(NODES)}),
        world.being(servers=frozenset()),
        world.being(can_step_up=False),
        world.being(overrides=(*principal.overrides, random_override(chance))),
        world.being(expires_at=NOW),
        world.asking(approval=random_approvers(chance)) if world.question.approval is None else world,
        world.asking(requires=world.question.requires | {one} if world.question.requires else frozenset()),
    ]


@pytest.mark.requirement("D8")
def test_who_may_approve_is_who_the_reference_lets() -> None:
    seen: Counter[tuple[bool, bool]] = Counter()
    chance = Random(10)
    for world in (random_world(chance) for _ in range(CASES)):
        decision = engine(world)
        if not isinstance(decision, NeedsApproval):
            continue
        ask = {"server": world.question.server_id, "kind": world.question.kind.value, "name": world.question.name}
        mine = [each for each in who_of(world)["overrides"] if reference.is_about(each, ask)]
        asked = reference.approvers({"approval": approval_of(world.question.approval)}, mine)
        held = frozenset(permission for permission in CATALOGUE if chance.random() < 0.7)
        own = chance.random() < 0.5
        decider = UserId("user" if own else "other")
        may = may_decide(decision.approvers, decider=decider, asker=world.principal.user_id, held=held)
        assert may == reference.may_approve(asked, list(held), own=own), world
        seen[may, own] += 1
    assert len(seen) == 4
    assert min(seen.values()) >= 20


def test_a_scope_less_never_allows_more() -> None:
    for world in worlds(6):
        before = engine(world)
        for scope in world.principal.scopes:
            after = engine(world.being(scopes=world.principal.scopes - {scope}))
            assert YES[type(after)] <= YES[type(before)]


def test_whatever_may_be_called_is_listed() -> None:
    for world in worlds(7):
        if visible(engine(world)):
            assert listed(world)


def test_hidden_things_are_refused_alike_for_every_target() -> None:
    for world in worlds(8):
        without_target = engine(world.asking(target=NoTarget()))
        decision = engine(world)
        # Where the server is told nothing, what is not listed comes first, and nobody learns more from it.
        told_nothing = isinstance(decision, Denied) and decision.reason is DenialReason.EVERYWHERE
        if not YES[type(without_target)] and not told_nothing:
            assert decision == without_target


def test_a_step_up_to_all_it_asks_for_leads_to_the_call() -> None:
    for world in worlds(9):
        decision = engine(world)
        if isinstance(decision, Reachable):
            assert decision.scopes >= world.question.requires
            assert decision.missing == decision.scopes - world.principal.scopes
            after = replace(world.principal, scopes=world.principal.scopes | decision.scopes)
            assert not isinstance(engine(replace(world, principal=after)), Reachable)

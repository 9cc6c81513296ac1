"""An explanation says what ``decide`` says, and at which question it stopped."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from tests.policy.world import CATALOGUE, NODES, NOW, World, random_world

from doorward.model import Resource, ToolState
from doorward.policy.decide import Allowed, DenialReason, Denied, NoTarget, Reachable, Target, Unresolvable, decide
from doorward.policy.why import Explanation, Facts, Outcome, RoleHeld, Stage, explain, no_credential, not_offered

KEY = Facts(
    roles=(
        RoleHeld(name="editor", place=None, permissions=frozenset(CATALOGUE[:2])),
        RoleHeld(name="owner", place=NODES[0], permissions=frozenset(CATALOGUE)),
    ),
    credential="key ci",
    server="wiki",
    rule="Tool rule 1 of server wiki: get_*",
)


def told(world: World, facts: Facts = KEY) -> Explanation:
    return explain(world.principal, world.question, world.tree, NOW, facts)


def outcomes(explanation: Explanation) -> dict[Stage, Outcome]:
    return {step.stage: step.outcome for step in explanation.steps}


@pytest.mark.requirement("D7", "pains/C25")
def test_every_explanation_is_the_decision_and_names_the_question_it_stopped_at() -> None:
    chance, seen = Random(71), Counter[str]()
    for world in (random_world(chance) for _ in range(6_000)):
        explanation = told(world)
        decision = decide(world.principal, world.question, world.tree, NOW)
        assert explanation.decision == decision
        found = list(outcomes(explanation).values())
        if isinstance(decision, Allowed):
            assert set(found) == {Outcome.PASS}
            assert (explanation.verdict, explanation.remedy) == ("allowed", "")
        else:
            stop = found.index(Outcome.FAIL)
            assert found[:stop] == [Outcome.PASS] * stop
            assert found[stop + 1 :] == [Outcome.SKIP] * (len(found) - stop - 1)
            assert explanation.remedy
        seen[explanation.reason or explanation.verdict] += 1
    assert set(seen) == {"allowed", "needs_approval", "reachable", *DenialReason}


EVERYTHING = frozenset(CATALOGUE)
CURES: dict[DenialReason, Callable[[World], World]] = {
    DenialReason.EXPIRED: lambda world: world.being(expires_at=None),
    DenialReason.SERVER: lambda world: world.being(servers=frozenset({world.question.server_id})),
    DenialReason.NO_RULE: lambda world: world.asking(requires=frozenset(CATALOGUE[:1])).being(overrides=()),
    DenialReason.OVERRIDE: lambda world: world.being(overrides=()),
    DenialReason.NO_RIGHT: lambda world: world.being(permissions=EVERYTHING, resources=None),
    DenialReason.EVERYWHERE: lambda world: world.being(permissions=EVERYTHING, resources=None),
    DenialReason.NOT_HERE: lambda world: world.being(resources=None, permissions=EVERYTHING),
    DenialReason.SCOPE: lambda world: world.being(scopes=EVERYTHING),
    DenialReason.DECLINED: lambda world: world.being(scopes=EVERYTHING),
    DenialReason.OUTSIDE_RESOURCES: lambda world: world.being(resources=None, permissions=EVERYTHING),
    DenialReason.UNRESOLVABLE: lambda world: world.asking(target=NoTarget()),
}
"""What mends each refusal."""


@pytest.mark.requirement("D7")
def test_mending_the_question_that_failed_gets_further() -> None:
    chance = Random(72)
    for world in (random_world(chance) for _ in range(3_000)):
        before = told(world)
        if isinstance(before.decision, Denied):
            after = told(CURES[before.decision.reason](world))
            assert passed(after) > passed(before), (before, after)


def passed(explanation: Explanation) -> int:
    return list(outcomes(explanation).values()).count(Outcome.PASS)


def detail(explanation: Explanation, stage: Stage) -> str:
    return next(step.detail for step in explanation.steps if step.stage is stage)


def plain() -> World:
    """Return a world in which all is well, about no resource."""
    chance = Random(1)
    world = random_world(chance)
    nodes = tuple(
        Resource(id=node, tenant_id=world.principal.tenant_id, type="project", key=f"k-{node}", name=node)
        for node in NODES[:3]
    )
    principal = replace(
        world.principal,
        permissions=frozenset(CATALOGUE),
        placed=(),
        scopes=frozenset(CATALOGUE),
        declined=frozenset(),
        resources=None,
        servers=frozenset({world.question.server_id}),
        expires_at=None,
        overrides=(),
        can_step_up=True,
    )
    question = replace(world.question, requires=frozenset(CATALOGUE[:1]), rule="get_*", target=NoTarget())
    return replace(world, principal=principal, question=question, resources=nodes)


def test_words_name_roles_places_scopes_and_resources() -> None:
    here = plain().asking(target=Target(frozenset({NODES[1]}))).being(resources=frozenset({NODES[1]}))
    explanation = told(here)
    assert explanation.summary == "Allowed by get_* within project k-node1."
    assert "owner at project k-node0: " in detail(explanation, Stage.RIGHT)
    assert detail(explanation, Stage.PLACE) == (
        "It names project k-node1. The credential reaches project k-node1."
    )  # fmt: skip
    assert detail(explanation, Stage.SCOPE).startswith("key ci holds documents:delete documents:read")


def test_words_for_what_is_not_there() -> None:
    foreign = plain().asking(target=Unresolvable())
    assert detail(told(foreign), Stage.PLACE) == "It names something that cannot be resolved."
    assert told(foreign).remedy.startswith("Name a resource of the tenant's tree")
    gone = plain().being(resources=frozenset({NODES[5], NODES[1]})).asking(target=Target(frozenset({NODES[0]})))
    assert f"a resource that is gone ({NODES[5]})" in detail(told(gone), Stage.PLACE)
    assert told(gone).remedy.startswith("Use a credential that reaches project k-node0")
    nobody = told(plain(), replace(KEY, roles=(), credential=None))
    assert detail(nobody, Stage.RIGHT) == "The person has no role"
    assert detail(nobody, Stage.SCOPE) == "No credential: as if everything were granted"
    assert told(plain().asking(requires=frozenset())).summary == "Denied at step 3: rule 'get_*' allows nobody."


def test_a_step_up_and_an_unticked_scope_are_told_apart() -> None:
    less = plain().being(scopes=frozenset())
    reachable = told(less)
    assert isinstance(reachable.decision, Reachable)
    assert reachable.summary == "Not yet: user@acme.example may, but key ci lacks documents:read."
    assert reachable.remedy == "The client may ask for documents:read; the person then approves on the consent page."
    unticked = told(less.being(declined=frozenset(CATALOGUE[:1])))
    assert unticked.reason == "declined"
    assert detail(unticked, Stage.SCOPE) == "key ci holds nothing; unticked: documents:read"
    assert "documents:read" in told(less.being(can_step_up=False)).remedy


def test_a_credential_that_stands_for_nobody() -> None:
    dead = no_credential("ines@acme.example", "key ci", "api key k is revoked")
    assert (dead.verdict, dead.reason, dead.summary) == ("denied", "credential", "Denied: api key k is revoked.")
    assert [step.outcome for step in dead.steps] == [Outcome.FAIL]
    assert no_credential("ines@acme.example", None, "x").steps[0].title == "Nobody comes in with ines@acme.example"


def test_a_tool_that_nobody_approved_is_missing_for_everybody() -> None:
    explanation = not_offered("drop", ToolState.HELD)
    assert (explanation.verdict, explanation.reason) == ("denied", DenialReason.NO_RULE.value)
    assert outcomes(explanation) == {Stage.RULE: Outcome.FAIL}
    assert explanation.summary == "Denied for everybody: the newest version of drop is held."
    assert "doorward tools approve" in explanation.remedy

"""Each answer of the decider, one by one, and the order in which it refuses."""

from dataclasses import replace

import pytest

from doorward.model import (
    ClientId,
    CredentialKind,
    Instant,
    Permission,
    Principal,
    Resource,
    ResourceId,
    RuleKind,
    ServerId,
    TenantId,
    UserId,
)
from doorward.policy.decide import (
    Allowed,
    DenialReason,
    Denied,
    Everywhere,
    NoTarget,
    Question,
    Reachable,
    Target,
    Targets,
    Unresolvable,
    decide,
    visible,
)
from doorward.policy.rules import ResourceTree

READ, WRITE, DELETE = Permission("documents:read"), Permission("documents:write"), Permission("documents:delete")
HARBOUR = ServerId("harbour")
NOW = Instant(1_000)
WORKSPACE, PROJECT, OTHER = ResourceId("workspace"), ResourceId("project"), ResourceId("other")
TREE = ResourceTree(
    Resource(id=node, tenant_id=TenantId("acme"), type="project", key=node, name=node, parent_id=parent)
    for node, parent in ((WORKSPACE, None), (PROJECT, WORKSPACE), (OTHER, None))
)
EDITOR = Principal(
    user_id=UserId("omar"),
    user_email="omar@acme.example",
    user_name="Omar",
    tenant_id=TenantId("acme"),
    tenant_slug="acme",
    tenant_name="Acme",
    permissions=frozenset({READ, WRITE}),
    credential=CredentialKind.ACCESS_TOKEN,
    credential_id="connection",
    credential_name="Client",
    client_id=ClientId("client"),
    scopes=frozenset({READ}),
    declined=frozenset(),
    can_step_up=True,
    resources=None,
    servers=frozenset({HARBOUR}),
    expires_at=Instant(NOW + 1),
)
READING = Question(
    server_id=HARBOUR, kind=RuleKind.TOOL, name="get_document", requires=frozenset({READ}), rule="get_document"
)
WRITING = Question(
    server_id=HARBOUR,
    kind=RuleKind.TOOL,
    name="get_document",
    requires=frozenset({READ, WRITE}),
    rule="update_document",
)


def reason(principal: Principal, question: Question) -> DenialReason | None:
    decision = decide(principal, question, TREE, NOW)
    assert visible(decision) is not isinstance(decision, Denied)
    return decision.reason if isinstance(decision, Denied) else None


def test_right_and_scope_allow() -> None:
    assert decide(EDITOR, READING, TREE, NOW) == Allowed("get_document")


def test_a_scope_that_was_not_asked_for_is_reachable_with_all_the_call_needs() -> None:
    assert decide(EDITOR, WRITING, TREE, NOW) == Reachable(frozenset({READ, WRITE}), frozenset({WRITE}))


def test_an_unticked_scope_is_denied() -> None:
    assert reason(replace(EDITOR, declined=frozenset({WRITE})), WRITING) is DenialReason.DECLINED


def test_an_api_key_cannot_reach_beyond_its_scopes() -> None:
    assert reason(replace(EDITOR, can_step_up=False), WRITING) is DenialReason.SCOPE


def test_J14_a_scope_does_not_stand_for_a_right_that_was_taken_away() -> None:
    lowered = replace(EDITOR, permissions=frozenset({READ}), scopes=frozenset({READ, WRITE}))
    assert reason(lowered, WRITING) is DenialReason.NO_RIGHT


def test_a_rule_that_requires_nothing_allows_nobody() -> None:
    assert reason(EDITOR, replace(READING, requires=frozenset())) is DenialReason.NO_RULE


@pytest.mark.parametrize(("expires", "expected"), [(NOW, DenialReason.EXPIRED), (NOW + 1, None), (None, None)])
def test_a_credential_ends_at_its_instant(expires: Instant | None, expected: DenialReason | None) -> None:
    assert reason(replace(EDITOR, expires_at=expires), READING) is expected


def test_a_server_that_is_not_enabled_is_refused() -> None:
    assert reason(replace(EDITOR, servers=frozenset()), READING) is DenialReason.SERVER


@pytest.mark.parametrize(
    ("roots", "target", "expected"),
    [
        (None, Target(frozenset({OTHER})), None),
        (None, Unresolvable(), DenialReason.UNRESOLVABLE),
        (None, Target(frozenset({ResourceId("gone")})), DenialReason.UNRESOLVABLE),
        (frozenset({WORKSPACE}), NoTarget(), None),
        (frozenset({WORKSPACE}), Target(frozenset({WORKSPACE})), None),
        (frozenset({WORKSPACE}), Target(frozenset({PROJECT})), None),
        (frozenset({PROJECT}), Target(frozenset({WORKSPACE})), DenialReason.OUTSIDE_RESOURCES),
        (frozenset({WORKSPACE}), Target(frozenset({OTHER})), DenialReason.OUTSIDE_RESOURCES),
        (frozenset({WORKSPACE}), Unresolvable(), DenialReason.UNRESOLVABLE),
        (None, Everywhere(), None),
        (frozenset({WORKSPACE}), Everywhere(), DenialReason.EVERYWHERE),
        (frozenset(), Everywhere(), DenialReason.NO_RIGHT),
        (frozenset(), NoTarget(), DenialReason.NO_RIGHT),
        (frozenset({ResourceId("gone")}), NoTarget(), DenialReason.NO_RIGHT),
        (frozenset(), Target(frozenset({PROJECT})), DenialReason.NO_RIGHT),
    ],
)
def test_targets(roots: frozenset[ResourceId] | None, target: Targets, expected: DenialReason | None) -> None:
    assert reason(replace(EDITOR, resources=roots), replace(READING, target=target)) is expected


def test_an_allowed_call_names_its_target() -> None:
    assert decide(EDITOR, replace(READING, target=Target(frozenset({PROJECT}))), TREE, NOW) == Allowed("get_document")


@pytest.mark.parametrize(
    "target",
    [Target(frozenset({PROJECT})), Target(frozenset({OTHER})), Target(frozenset({ResourceId("gone")})), Unresolvable()],
)
@pytest.mark.parametrize(
    ("principal", "question"),
    [
        (EDITOR, replace(READING, requires=frozenset({DELETE}))),
        (EDITOR, WRITING),
        (replace(EDITOR, can_step_up=False), WRITING),
        (replace(EDITOR, declined=frozenset({WRITE})), WRITING),
    ],
    ids=["no right", "reachable", "key without the scope", "unticked"],
)
def test_who_may_not_do_it_cannot_learn_what_exists(
    principal: Principal, question: Question, target: Target | Unresolvable
) -> None:
    narrowed = replace(principal, resources=frozenset({WORKSPACE}))
    without = decide(narrowed, question, TREE, NOW)
    assert decide(narrowed, replace(question, target=target), TREE, NOW) == without


def test_the_first_reason_in_the_order_is_given() -> None:
    worst = replace(EDITOR, expires_at=NOW, servers=frozenset(), permissions=frozenset())
    nothing = replace(READING, requires=frozenset())
    assert reason(worst, nothing) is DenialReason.EXPIRED
    assert reason(replace(worst, expires_at=None), nothing) is DenialReason.SERVER
    assert reason(replace(worst, expires_at=None, servers=EDITOR.servers), nothing) is DenialReason.NO_RULE
    assert reason(replace(worst, expires_at=None, servers=EDITOR.servers), WRITING) is DenialReason.NO_RIGHT


def test_details_name_what_is_missing_for_the_log() -> None:
    decision = decide(EDITOR, replace(READING, requires=frozenset({READ, DELETE})), TREE, NOW)
    assert decision == Denied(DenialReason.NO_RIGHT, "the owner has no documents:delete")

"""Who has to approve a call, which call an approval is bound to, and how it stands with it: the pure part (D8)."""

from typing import Any

import pytest
from tests.policy.world import CATALOGUE

from doorward.model import (
    Approval,
    ApprovalId,
    ApprovalState,
    Approvers,
    CredentialKind,
    Instant,
    ServerId,
    TenantId,
    UserId,
)
from doorward.policy.approvals import arguments_hash, canonical, combined, may_decide, state_of

ALICE, BOB = UserId("alice"), UserId("bob")
READ, WRITE = CATALOGUE[:2]
NOW = Instant(1_000)


def approval(**changes: Any) -> Approval:
    said = {
        "id": ApprovalId("a"), "tenant_id": TenantId("t"), "user_id": ALICE, "credential": CredentialKind.API_KEY,
        "credential_id": "k", "credential_name": "ci", "client_id": None, "server_id": ServerId("s"), "tool": "drop",
        "digest": "d", "description": "", "arguments_hash": "h", "arguments": "sealed", "approvers": Approvers(),
        "created_at": Instant(0), "expires_at": Instant(NOW + 1),
    }  # fmt: skip
    return Approval(**(said | changes))


def test_what_several_rules_want_is_wanted_together() -> None:
    assert combined([]) is None
    assert combined([None, None]) is None
    assert combined([None, Approvers()]) == Approvers()
    first, second = Approvers(permissions=frozenset({READ})), Approvers(permissions=frozenset({WRITE}), by_another=True)
    assert combined([first, None, second]) == Approvers(permissions=frozenset({READ, WRITE}), by_another=True)


@pytest.mark.parametrize(
    ("needed", "decider", "held", "may"),
    [
        (Approvers(), ALICE, (), True),
        (Approvers(), BOB, CATALOGUE, False),
        (Approvers(permissions=frozenset({READ, WRITE})), BOB, (READ, WRITE), True),
        (Approvers(permissions=frozenset({READ, WRITE})), BOB, (READ,), False),
        (Approvers(permissions=frozenset({READ})), ALICE, (READ,), True),
        (Approvers(permissions=frozenset({READ}), by_another=True), ALICE, (READ,), False),
        (Approvers(permissions=frozenset({READ}), by_another=True), BOB, (READ,), True),
    ],
)
def test_only_who_is_wanted_decides(needed: Approvers, decider: UserId, held: tuple[Any, ...], may: bool) -> None:
    assert may_decide(needed, decider=decider, asker=ALICE, held=frozenset(held)) is may


def test_an_approval_is_bound_to_the_arguments_whatever_their_order() -> None:
    text = canonical({"b": [1, {"d": "ü", "c": None}], "a": True})
    assert text == r'{"a":true,"b":[1,{"c":null,"d":"\u00fc"}]}'
    assert canonical({"a": True, "b": [1, {"c": None, "d": "ü"}]}) == text
    assert canonical({"a": 1}) != canonical({"a": 1.0}), "a tool may tell them apart"
    assert arguments_hash("{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ApprovalState.WAITING),
        ({"expires_at": NOW}, ApprovalState.EXPIRED),
        ({"decided_at": NOW, "approved": True}, ApprovalState.APPROVED),
        ({"decided_at": NOW, "approved": True, "expires_at": NOW}, ApprovalState.EXPIRED),
        ({"decided_at": NOW}, ApprovalState.DENIED),
        ({"decided_at": NOW, "expires_at": NOW}, ApprovalState.DENIED),
        ({"decided_at": NOW, "approved": True, "rounds": 1, "expires_at": NOW}, ApprovalState.USED),
    ],
    ids=str,
)
def test_an_approval_waits_is_good_once_or_is_over(changes: dict[str, Any], state: ApprovalState) -> None:
    assert state_of(approval(**changes), NOW) is state

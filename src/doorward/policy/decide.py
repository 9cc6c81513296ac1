"""The one decider of ``product.md`` D1, D2 and D5: may this principal do this, now?

Allowed by nothing but: live rights of the owner, scopes of the credential, and a target inside its resources. The
order of the refusals is part of the rule. What a caller may not know of comes first, so that it never learns from a
later refusal: without the right or the scope, all targets look alike, be they there, foreign or missing (K1, D10).
"""

from dataclasses import dataclass
from enum import StrEnum

from doorward.model import Instant, Permission, Principal, ResourceId, ServerId
from doorward.policy.rules import ResourceTree


class DenialReason(StrEnum):
    """Why not. For logs and the administrator's page; callers never see it as such."""

    EXPIRED = "expired"
    SERVER = "server"
    NO_RULE = "no_rule"
    NO_RIGHT = "no_right"
    SCOPE = "scope"
    DECLINED = "declined"
    UNRESOLVABLE = "unresolvable"
    OUTSIDE_RESOURCES = "outside_resources"


@dataclass(frozen=True, slots=True)
class NoTarget:
    """The question is about no particular resource: a listing, or a call whose rule names no argument."""


@dataclass(frozen=True, slots=True)
class Target:
    """The rule's argument names this node."""

    resource_id: ResourceId


@dataclass(frozen=True, slots=True)
class Unresolvable:
    """The rule names an argument, but it is missing, has no text, or names no node of the tenant's tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a thing at ``server_id`` that needs ``requires``; ``rule`` is the rule's ``match``, for people."""

    server_id: ServerId
    requires: frozenset[Permission]
    rule: str
    target: NoTarget | Target | Unresolvable = NoTarget()


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, by this rule."""

    rule: str
    target: ResourceId | None


@dataclass(frozen=True, slots=True)
class Reachable:
    """The person may, the client has not asked yet.

    ``scopes`` is all that the call needs (B17), ``missing`` what the credential lacks of it.
    """

    scopes: frozenset[Permission]
    missing: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Denied:
    """No. ``detail`` is private: it names what is missing."""

    reason: DenialReason
    detail: str


Decision = Allowed | Reachable | Denied


def decide(principal: Principal, question: Question, tree: ResourceTree, now: Instant) -> Decision:
    """Return the decision. ``tree`` is the tenant's whole tree, ``now`` the start of the call."""
    refused = _no_access(principal, question, now)
    if refused is not None:
        return refused
    missing = question.requires - principal.scopes
    if missing:
        return _without_scope(principal, question, missing)
    return _at_target(principal, question, tree)


def visible(decision: Decision) -> bool:
    """Say whether a list shows it: what may be called, and what a step-up reaches (D2)."""
    return not isinstance(decision, Denied)


def _no_access(principal: Principal, question: Question, now: Instant) -> Denied | None:
    if principal.expires_at is not None and principal.expires_at <= now:
        return Denied(DenialReason.EXPIRED, "the credential has expired")
    if question.server_id not in principal.servers:
        return Denied(DenialReason.SERVER, f"server {question.server_id} is not enabled for this credential")
    if not question.requires:
        return Denied(DenialReason.NO_RULE, f"rule {question.rule!r} allows nobody")
    lacking = question.requires - principal.permissions
    if lacking:
        return Denied(DenialReason.NO_RIGHT, f"the owner has no {_names(lacking)}")
    return None


def _without_scope(principal: Principal, question: Question, missing: frozenset[Permission]) -> Reachable | Denied:
    if not principal.can_step_up:
        return Denied(DenialReason.SCOPE, f"the key has no {_names(missing)}")
    declined = missing & principal.declined
    if declined:
        return Denied(DenialReason.DECLINED, f"the person unticked {_names(declined)}")
    return Reachable(scopes=question.requires, missing=missing)


def _at_target(principal: Principal, question: Question, tree: ResourceTree) -> Allowed | Denied:
    target = question.target
    if isinstance(target, NoTarget):
        return Allowed(question.rule, None)
    if isinstance(target, Unresolvable) or tree.get(target.resource_id) is None:
        return Denied(DenialReason.UNRESOLVABLE, "the argument names no resource of the tenant")
    if principal.resources is not None and not tree.within(target.resource_id, principal.resources):
        return Denied(DenialReason.OUTSIDE_RESOURCES, f"resource {target.resource_id} is outside the credential's")
    return Allowed(question.rule, target.resource_id)


def _names(permissions: frozenset[Permission]) -> str:
    return " ".join(sorted(permissions))

"""The one decider of features D1, D2, D5 and D8: may this principal do this, now?

Allowed by nothing but: live rights of the owner, scopes of the credential, and a target inside its resources. The
order of the refusals is part of the rule. What a caller may not know of comes first, so that it never learns from a
later refusal: without the right or the scope, all targets look alike, be they there, foreign or missing (K1, D10).
Whether somebody has to approve the call comes last: nobody is asked about what may not be done.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from doorward.model import Approvers, Effect, Instant, Permission, Principal, ResourceId, RuleKind, ServerId
from doorward.policy.approvals import combined
from doorward.policy.overrides import about
from doorward.policy.reach import Roots, held_anywhere, held_in, overlap
from doorward.policy.rules import ResourceTree


class DenialReason(StrEnum):
    """Why not. For logs and the administrator's page; callers never see it as such."""

    EXPIRED = "expired"
    SERVER = "server"
    NO_RULE = "no_rule"
    OVERRIDE = "override"
    NO_RIGHT = "no_right"
    EVERYWHERE = "everywhere"
    SCOPE = "scope"
    DECLINED = "declined"
    UNRESOLVABLE = "unresolvable"
    OUTSIDE_RESOURCES = "outside_resources"
    NOT_HERE = "not_here"


@dataclass(frozen=True, slots=True)
class NoTarget:
    """No particular resource: a listing, or a call that names none, with which the server is told where it may act."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """No place is named, and the server does not learn where the caller may act: it acts in the whole tenant."""


@dataclass(frozen=True, slots=True)
class Target:
    """The rule's arguments name these nodes, at least one; every one of them counts."""

    resource_ids: frozenset[ResourceId]


@dataclass(frozen=True, slots=True)
class Unresolvable:
    """One of the rule's arguments has no text, another spelling beside it, or names no node of the tenant's tree."""


Targets = NoTarget | Everywhere | Target | Unresolvable


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a thing at ``server_id`` that needs ``requires``; ``rule`` is the rule's ``match``, for people.

    ``name`` is a tool's or prompt's name, or a resource's URI.
    """

    server_id: ServerId
    kind: RuleKind
    name: str
    requires: frozenset[Permission]
    rule: str
    target: Targets = NoTarget()
    approval: Approvers | None = None
    """Who has to approve each call, by the rule."""
    open: bool = False
    """Whoever is let in may, without any permission, but for what overrides say: the gateway's own tools."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, by this rule. ``within`` is where the owner may do it and the credential reaches."""

    rule: str
    within: Roots = None


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Yes, by this rule and as far as ``within``, once one of ``approvers`` has approved this very call."""

    rule: str
    within: Roots
    approvers: Approvers


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


Decision = Allowed | NeedsApproval | Reachable | Denied


def decide(principal: Principal, question: Question, tree: ResourceTree, now: Instant) -> Decision:
    """Return the decision. ``tree`` is the tenant's whole tree, ``now`` the start of the call."""
    refused = _no_access(principal, question, now)
    if refused is not None:
        return refused
    if principal.overrides:
        narrowed = overridden(principal, question)
        if isinstance(narrowed, Denied):
            return narrowed
        question = narrowed
    held = held_in(principal, question.requires, tree)
    within = overlap(held, principal.resources, tree)
    refused = _nowhere(principal, question, held, within)
    if refused is not None:
        return refused
    missing = question.requires - principal.scopes
    if missing:
        return _without_scope(principal, question, missing)
    refused = _at_target(principal, question.target, held, tree)
    return _allowed(question, within) if refused is None else refused


def overridden(principal: Principal, question: Question) -> Question | Denied:
    """Return the question with all that the tenant's overrides require of this caller, approvals too; a denial wins."""
    found = about(principal.overrides, question.server_id, question.kind, question.name)
    for each in found:
        if each.effect is Effect.DENY:
            whom = f" for {each.subject.value} {each.subject_id}".rstrip()
            return Denied(DenialReason.OVERRIDE, f"the tenant's override {each.match!r} denies it{whom}")
    return replace(
        question,
        requires=question.requires.union(*(each.requires for each in found)),
        approval=combined([question.approval, *(each.approval for each in found)]),
    )


def visible(decision: Decision) -> bool:
    """Say whether a list shows it: what may be called, also after an approval, and what a step-up reaches (D2)."""
    return not isinstance(decision, Denied)


def _no_access(principal: Principal, question: Question, now: Instant) -> Denied | None:
    if principal.expires_at is not None and principal.expires_at <= now:
        return Denied(DenialReason.EXPIRED, "the credential has expired")
    if question.server_id not in principal.servers:
        return Denied(DenialReason.SERVER, f"server {question.server_id} is not enabled for this credential")
    if not question.requires and not question.open:
        return Denied(DenialReason.NO_RULE, f"rule {question.rule!r} allows nobody")
    return None


def _nowhere(principal: Principal, question: Question, held: Roots, within: Roots) -> Denied | None:
    if within is None or not question.requires:
        return None
    if within:
        # Before the scopes: a step-up would end here all the same, and what is listed is allowed or reachable.
        limited = isinstance(question.target, Everywhere)
        return Denied(DenialReason.EVERYWHERE, "the server is not told where the caller may act") if limited else None
    lacking = question.requires - held_anywhere(principal)
    if lacking:
        return Denied(DenialReason.NO_RIGHT, f"the owner has no {_names(lacking)}")
    if held is None:
        return Denied(DenialReason.NO_RIGHT, "nothing is left of what the credential is limited to")
    where = "within the credential's resources" if held else "at any one place"
    return Denied(DenialReason.NO_RIGHT, f"the owner has {_names(question.requires)} only elsewhere: not {where}")


def _without_scope(principal: Principal, question: Question, missing: frozenset[Permission]) -> Reachable | Denied:
    if not principal.can_step_up:
        return Denied(DenialReason.SCOPE, f"the key has no {_names(missing)}")
    declined = missing & principal.declined
    if declined:
        return Denied(DenialReason.DECLINED, f"the person unticked {_names(declined)}")
    return Reachable(scopes=question.requires, missing=missing)


def _at_target(principal: Principal, target: Targets, held: Roots, tree: ResourceTree) -> Denied | None:
    if isinstance(target, (NoTarget, Everywhere)):
        return None
    if isinstance(target, Unresolvable) or not all(each in tree for each in target.resource_ids):
        return Denied(DenialReason.UNRESOLVABLE, "an argument names no resource of the tenant")
    for each in sorted(target.resource_ids):
        if principal.resources is not None and not tree.within(each, principal.resources):
            return Denied(DenialReason.OUTSIDE_RESOURCES, f"resource {each} is outside the credential's")
        if held is not None and not tree.within(each, held):
            return Denied(DenialReason.NOT_HERE, f"the owner may do this elsewhere, not at resource {each}")
    return None


def _allowed(question: Question, within: Roots) -> Allowed | NeedsApproval:
    if question.approval is None:
        return Allowed(question.rule, within)
    return NeedsApproval(question.rule, within, question.approval)


def _names(permissions: frozenset[Permission]) -> str:
    return " ".join(sorted(permissions))

"""What is said of each question that ``decide`` asks, of its answer, and of what would have to change. Pure words.

Nothing here decides: ``why`` puts these beside the answer of ``decide``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.model import (
    Approvers,
    Effect,
    Override,
    Permission,
    Principal,
    ResourceId,
    SubjectKind,
)
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Everywhere,
    NeedsApproval,
    NoTarget,
    Question,
    Reachable,
    Target,
    Unresolvable,
)
from doorward.policy.overrides import about
from doorward.policy.rules import ResourceTree


class Stage(StrEnum):
    """The questions, in the order in which ``decide`` asks them."""

    CREDENTIAL = "credential"
    SERVER = "server"
    RULE = "rule"
    RIGHT = "right"
    SCOPE = "scope"
    PLACE = "place"
    APPROVAL = "approval"


STOPS: Final[Mapping[DenialReason, Stage]] = {
    DenialReason.EXPIRED: Stage.CREDENTIAL,
    DenialReason.SERVER: Stage.SERVER,
    DenialReason.NO_RULE: Stage.RULE,
    DenialReason.OVERRIDE: Stage.RULE,
    DenialReason.NO_RIGHT: Stage.RIGHT,
    DenialReason.EVERYWHERE: Stage.RIGHT,
    DenialReason.SCOPE: Stage.SCOPE,
    DenialReason.DECLINED: Stage.SCOPE,
    DenialReason.UNRESOLVABLE: Stage.PLACE,
    DenialReason.OUTSIDE_RESOURCES: Stage.PLACE,
    DenialReason.NOT_HERE: Stage.PLACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleHeld:
    """A role of the owner with what it gives; ``place`` is the node it is bound to, None for the whole tenant."""

    name: str
    place: ResourceId | None
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ``decide`` does not need to know, and a reader does."""

    roles: tuple[RoleHeld, ...]
    credential: str | None
    """Its words, like ``key ci``; None: no credential, as if everything were granted."""
    server: str
    rule: str
    """Which rule it is and why that one."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to say something about."""

    principal: Principal
    question: Question
    tree: ResourceTree
    facts: Facts

    @property
    def credential(self) -> str:
        """Return the words for what the caller comes with."""
        return self.facts.credential or "no credential: as if everything were granted"

    def node(self, resource_id: ResourceId) -> str:
        """Return the words for a resource."""
        found = self.tree.get(resource_id)
        return f"a resource that is gone ({resource_id})" if found is None else f"{found.type} {found.key}"

    def nodes(self, ids: Iterable[ResourceId]) -> str:
        """Return the words for some resources."""
        return ", ".join(sorted(map(self.node, ids))) or "nothing"


def _credential(known: Known) -> tuple[str, str]:
    who = f"{known.principal.user_email} in tenant {known.principal.tenant_slug}"
    return "The credential stands for an active person and has not expired", f"{who}, with {known.credential}"


def _server(known: Known) -> tuple[str, str]:
    return "The tenant has enabled the server, and the credential is for it", f"Server {known.facts.server}"


def _rule(known: Known) -> tuple[str, str]:
    question = known.question
    found = about(known.principal.overrides, question.server_id, question.kind, question.name)
    more = "".join(f". The tenant's override {each.match} says: {_effect(each)}" for each in found)
    title = "A rule says what is needed, and no override of the tenant denies it"
    return title, f"{known.facts.rule}. It needs {_names(question.requires)}{more}"


def _effect(override: Override) -> str:
    whom = "" if override.subject is SubjectKind.EVERYBODY else f" for {override.subject.value} {override.subject_id}"
    return f"{_EFFECTS[override.effect](override)}{whom}"


_EFFECTS: Final[Mapping[Effect, Callable[[Override], str]]] = {
    Effect.DENY: lambda _: "denied",
    Effect.REQUIRE: lambda override: f"needs {_names(override.requires)} too",
    Effect.APPROVAL: lambda override: f"each call is approved by {_approvers(override.approval or Approvers())}",
}


def _right(known: Known) -> tuple[str, str]:
    held = [
        f"{role.name}{'' if role.place is None else f' at {known.node(role.place)}'}: {_names(role.permissions)}"
        for role in known.facts.roles
    ]
    return "The person's roles give it", "; ".join(held) or "The person has no role"


def _scope(known: Known) -> tuple[str, str]:
    title = "The credential was given it"
    if known.facts.credential is None:
        return title, "No credential: as if everything were granted"
    unticked = f"; unticked: {_names(known.principal.declined)}" if known.principal.declined else ""
    return title, f"{known.facts.credential} holds {_names(known.principal.scopes)}{unticked}"


def _place(known: Known) -> tuple[str, str]:
    target, limits = known.question.target, known.principal.resources
    reach = "" if limits is None else f" The credential reaches {known.nodes(limits)}."
    if isinstance(target, Everywhere):
        return "What it names is within reach", f"It names no resource and acts in the whole tenant.{reach}"
    if isinstance(target, NoTarget):
        return "What it names is within reach", f"It names no resource: the server is told where it may act.{reach}"
    named = (
        "something that cannot be resolved" if isinstance(target, Unresolvable) else known.nodes(target.resource_ids)
    )
    return "What it names is within reach", f"It names {named}.{reach}"


def _approval(known: Known) -> tuple[str, str]:
    asked = known.question.approval
    title = "Nobody has to approve the call first"
    return title, "No approval is asked for" if asked is None else f"Each call is approved by {_approvers(asked)}"


def _approvers(asked: Approvers) -> str:
    """Return whom an approval asks, in words."""
    who = f"somebody with {_names(asked.permissions)}" if asked.permissions else "the person it is made for"
    return f"{who}, who is not the person it is made for" if asked.by_another else who


WORDS: Final[Mapping[Stage, Callable[[Known], tuple[str, str]]]] = {
    Stage.CREDENTIAL: _credential,
    Stage.SERVER: _server,
    Stage.RULE: _rule,
    Stage.RIGHT: _right,
    Stage.SCOPE: _scope,
    Stage.PLACE: _place,
    Stage.APPROVAL: _approval,
}


def summary(decision: Decision, known: Known) -> str:
    """Return the decision in one sentence."""
    if isinstance(decision, Allowed):
        where = "" if decision.within is None else f" within {known.nodes(decision.within)}"
        return f"Allowed by {decision.rule}{where}."
    if isinstance(decision, NeedsApproval):
        return f"Allowed by {decision.rule}, once approved by {_approvers(decision.approvers)}."
    if isinstance(decision, Reachable):
        return f"Not yet: {known.principal.user_email} may, but {known.credential} lacks {_names(decision.missing)}."
    number = list(Stage).index(STOPS[decision.reason]) + 1
    return f"Denied at step {number}: {decision.detail}."


def remedy(decision: Decision, known: Known) -> str:
    """Return what would have to change; empty where it is allowed."""
    if isinstance(decision, Allowed):
        return ""
    if isinstance(decision, NeedsApproval):
        return "Each call is approved on the page Approvals; or take the approval out of the rule or the override."
    if isinstance(decision, Reachable):
        return f"The client may ask for {_names(decision.missing)}; the person then approves on the consent page."
    return _REMEDIES[decision.reason](known)


def _names(permissions: Iterable[Permission]) -> str:
    return " ".join(sorted(permissions)) or "nothing"


def _missing_scope(known: Known) -> str:
    lacking = _names(known.question.requires - known.principal.scopes)
    return f"A key never gets more than it was made with: make a new one that holds {lacking}."


def _missing_right(known: Known) -> str:
    who, needed = known.principal.user_email, _names(known.question.requires)
    return f"Give {who} a role that holds {needed}, at the tenant or at a place that the credential reaches."


def _everywhere(known: Known) -> str:
    return (
        f"Use a credential and a role for the whole tenant; or name in the rule the argument that says where; or let"
        f" {known.facts.server} take the identity token, which tells it where it may act."
    )


def _outside(known: Known) -> str:
    return f"Use a credential that reaches {_target(known)}, or none that is limited to other resources."


def _not_here(known: Known) -> str:
    needed = _names(known.question.requires)
    return f"Give {known.principal.user_email} a role that holds {needed} at {_target(known)}."


def _target(known: Known) -> str:
    target = known.question.target
    return known.nodes(target.resource_ids) if isinstance(target, Target) else known.nodes(())


_REMEDIES: Final[Mapping[DenialReason, Callable[[Known], str]]] = {
    DenialReason.EXPIRED: lambda _: "Let the client refresh, connect again, or make a new key.",
    DenialReason.SERVER: lambda known: (
        f"Enable server {known.facts.server} for the tenant; a connection is for the one server it was made at."
    ),
    DenialReason.NO_RULE: lambda _: "Write a rule for it that requires a permission.",
    DenialReason.OVERRIDE: lambda _: "Remove or change the tenant's override.",
    DenialReason.NO_RIGHT: _missing_right,
    DenialReason.EVERYWHERE: _everywhere,
    DenialReason.SCOPE: _missing_scope,
    DenialReason.DECLINED: lambda _: "The person disconnects the app, connects it again and leaves this ticked.",
    DenialReason.UNRESOLVABLE: lambda _: "Name a resource of the tenant's tree, in the one spelling; or push it there.",
    DenialReason.OUTSIDE_RESOURCES: _outside,
    DenialReason.NOT_HERE: _not_here,
}

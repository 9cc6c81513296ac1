"""Why a decision is what it is (``product.md`` D7), in words for an administrator.

Nothing is decided here: ``decide`` is asked, and its answer says at which question it stopped. What is said about each
question comes from the same records that ``decide`` read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.model import Effect, Instant, Override, Permission, Principal, ResourceId, SubjectKind, ToolState
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Denied,
    NoTarget,
    Question,
    Reachable,
    Target,
    Unresolvable,
    decide,
    overridden,
)
from doorward.policy.overrides import about
from doorward.policy.rules import ResourceTree


class Outcome(StrEnum):
    """What became of one question on the way."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    SKIP = "skip"
    """Not asked: an earlier one was answered with no."""


class Stage(StrEnum):
    """The questions, in the order in which ``decide`` asks them."""

    CREDENTIAL = "credential"
    SERVER = "server"
    RULE = "rule"
    RIGHT = "right"
    SCOPE = "scope"
    PLACE = "place"


_STOPS: Final[Mapping[DenialReason, Stage]] = {
    DenialReason.EXPIRED: Stage.CREDENTIAL,
    DenialReason.SERVER: Stage.SERVER,
    DenialReason.NO_RULE: Stage.RULE,
    DenialReason.OVERRIDE: Stage.RULE,
    DenialReason.NO_RIGHT: Stage.RIGHT,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question, what it was answered with, and what the answer rests on."""

    stage: Stage
    outcome: Outcome
    title: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was decided, step by step. ``decision`` is None where no credential stands for anybody: then nothing was decided."""

    decision: Decision | None
    steps: tuple[Step, ...]
    summary: str
    remedy: str
    """What would have to change; empty where it is allowed."""

    @property
    def verdict(self) -> str:
        """Return ``allowed``, ``reachable`` or ``denied``."""
        return "denied" if self.decision is None else type(self.decision).__name__.lower()

    @property
    def reason(self) -> str:
        """Return the reason of a refusal as the call log names it; else empty."""
        if self.decision is None:
            return "credential"
        return self.decision.reason.value if isinstance(self.decision, Denied) else ""


def explain(principal: Principal, question: Question, tree: ResourceTree, now: Instant, facts: Facts) -> Explanation:
    """Return what ``decide`` answers, question by question. The arguments are those of ``decide``."""
    decision = decide(principal, question, tree, now)
    stop = _stop(decision)
    asked = overridden(principal, question)
    known = _Known(principal, question if isinstance(asked, Denied) else asked, tree, facts)
    steps = tuple(_step(stage, stop, *_WORDS[stage](known)) for stage in Stage)
    return Explanation(
        decision=decision, steps=steps, summary=_summary(decision, known), remedy=_remedy(decision, known)
    )  # fmt: skip


def no_credential(owner: str, credential: str | None, reason: str) -> Explanation:
    """Return the explanation of a credential that stands for nobody: revoked, expired, or its owner is not active."""
    name = credential or owner
    step = Step(stage=Stage.CREDENTIAL, outcome=Outcome.FAIL, title=f"Nobody comes in with {name}", detail=reason)
    return Explanation(
        decision=None,
        steps=(step,),
        summary=f"Denied: {reason}.",
        remedy="Use a credential that is alive, of an active user in an active tenant.",
    )


def not_offered(name: str, state: ToolState) -> Explanation:
    """Return the explanation of a tool that is missing for everybody, because nobody approved this version of it."""
    step = Step(
        stage=Stage.RULE,
        outcome=Outcome.FAIL,
        title="The tool was approved, or its server's policy lets new and changed tools in",
        detail=f"The newest version of {name} is {state.value}",
    )
    return Explanation(
        decision=Denied(DenialReason.NO_RULE, f"the tool is {state.value}"),
        steps=(step,),
        summary=f"Denied for everybody: the newest version of {name} is {state.value}.",
        remedy="Look at what the server says of it and approve it: doorward tools approve.",
    )


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    question: Question
    tree: ResourceTree
    facts: Facts

    @property
    def credential(self) -> str:
        return self.facts.credential or "no credential: as if everything were granted"

    def node(self, resource_id: ResourceId) -> str:
        found = self.tree.get(resource_id)
        return f"a resource that is gone ({resource_id})" if found is None else f"{found.type} {found.key}"

    def nodes(self, ids: Iterable[ResourceId]) -> str:
        return ", ".join(sorted(map(self.node, ids))) or "nothing"


def _stop(decision: Decision) -> Stage | None:
    if isinstance(decision, Allowed):
        return None
    return Stage.SCOPE if isinstance(decision, Reachable) else _STOPS[decision.reason]


def _step(stage: Stage, stop: Stage | None, title: str, detail: str) -> Step:
    order = list(Stage)
    if stop is None or order.index(stage) < order.index(stop):
        outcome = Outcome.PASS
    else:
        outcome = Outcome.FAIL if stage is stop else Outcome.SKIP
    return Step(stage=stage, outcome=outcome, title=title, detail=detail)


def _credential(known: _Known) -> tuple[str, str]:
    who = f"{known.principal.user_email} in tenant {known.principal.tenant_slug}"
    return "The credential stands for an active person and has not expired", f"{who}, with {known.credential}"


def _server(known: _Known) -> tuple[str, str]:
    return "The tenant has enabled the server, and the credential is for it", f"Server {known.facts.server}"


def _rule(known: _Known) -> tuple[str, str]:
    question = known.question
    found = about(known.principal.overrides, question.server_id, question.kind, question.name)
    more = "".join(f". The tenant's override {each.match} says: {_effect(each)}" for each in found)
    title = "A rule says what is needed, and no override of the tenant denies it"
    return title, f"{known.facts.rule}. It needs {_names(question.requires)}{more}"


def _effect(override: Override) -> str:
    whom = "" if override.subject is SubjectKind.EVERYBODY else f" for {override.subject.value} {override.subject_id}"
    what = "denied" if override.effect is Effect.DENY else f"needs {_names(override.requires)} too"
    return f"{what}{whom}"


def _right(known: _Known) -> tuple[str, str]:
    held = [
        f"{role.name}{'' if role.place is None else f' at {known.node(role.place)}'}: {_names(role.permissions)}"
        for role in known.facts.roles
    ]
    return "The person's roles give it", "; ".join(held) or "The person has no role"


def _scope(known: _Known) -> tuple[str, str]:
    title = "The credential was given it"
    if known.facts.credential is None:
        return title, "No credential: as if everything were granted"
    unticked = f"; unticked: {_names(known.principal.declined)}" if known.principal.declined else ""
    return title, f"{known.facts.credential} holds {_names(known.principal.scopes)}{unticked}"


def _place(known: _Known) -> tuple[str, str]:
    target, limits = known.question.target, known.principal.resources
    reach = "" if limits is None else f" The credential reaches {known.nodes(limits)}."
    if isinstance(target, NoTarget):
        return "What it names is within reach", f"It names no resource: the server is told where it may act.{reach}"
    named = (
        "something that cannot be resolved" if isinstance(target, Unresolvable) else known.nodes(target.resource_ids)
    )
    return "What it names is within reach", f"It names {named}.{reach}"


_WORDS: Final[Mapping[Stage, Callable[[_Known], tuple[str, str]]]] = {
    Stage.CREDENTIAL: _credential,
    Stage.SERVER: _server,
    Stage.RULE: _rule,
    Stage.RIGHT: _right,
    Stage.SCOPE: _scope,
    Stage.PLACE: _place,
}


def _summary(decision: Decision, known: _Known) -> str:
    if isinstance(decision, Allowed):
        where = "" if decision.within is None else f" within {known.nodes(decision.within)}"
        return f"Allowed by {decision.rule}{where}."
    if isinstance(decision, Reachable):
        return f"Not yet: {known.principal.user_email} may, but {known.credential} lacks {_names(decision.missing)}."
    number = list(Stage).index(_STOPS[decision.reason]) + 1
    return f"Denied at step {number}: {decision.detail}."


def _remedy(decision: Decision, known: _Known) -> str:
    if isinstance(decision, Allowed):
        return ""
    if isinstance(decision, Reachable):
        return f"The client may ask for {_names(decision.missing)}; the person then approves on the consent page."
    return _REMEDIES[decision.reason](known)


def _names(permissions: Iterable[Permission]) -> str:
    return " ".join(sorted(permissions)) or "nothing"


def _missing_scope(known: _Known) -> str:
    lacking = _names(known.question.requires - known.principal.scopes)
    return f"A key never gets more than it was made with: make a new one that holds {lacking}."


def _missing_right(known: _Known) -> str:
    who, needed = known.principal.user_email, _names(known.question.requires)
    return f"Give {who} a role that holds {needed}, at the tenant or at a place that the credential reaches."


def _outside(known: _Known) -> str:
    return f"Use a credential that reaches {_target(known)}, or none that is limited to other resources."


def _not_here(known: _Known) -> str:
    needed = _names(known.question.requires)
    return f"Give {known.principal.user_email} a role that holds {needed} at {_target(known)}."


def _target(known: _Known) -> str:
    target = known.question.target
    return known.nodes(target.resource_ids) if isinstance(target, Target) else known.nodes(())


_REMEDIES: Final[Mapping[DenialReason, Callable[[_Known], str]]] = {
    DenialReason.EXPIRED: lambda _: "Let the client refresh, connect again, or make a new key.",
    DenialReason.SERVER: lambda known: (
        f"Enable server {known.facts.server} for the tenant; a connection is for the one server it was made at."
    ),
    DenialReason.NO_RULE: lambda _: "Write a rule for it that requires a permission.",
    DenialReason.OVERRIDE: lambda _: "Remove or change the tenant's override.",
    DenialReason.NO_RIGHT: _missing_right,
    DenialReason.SCOPE: _missing_scope,
    DenialReason.DECLINED: lambda _: "The person disconnects the app, connects it again and leaves this ticked.",
    DenialReason.UNRESOLVABLE: lambda _: "Name a resource of the tenant's tree, in the one spelling; or push it there.",
    DenialReason.OUTSIDE_RESOURCES: _outside,
    DenialReason.NOT_HERE: _not_here,
}

"""Why a decision is what it is (feature D7), in words for an administrator.

Nothing is decided here: ``decide`` is asked, and its answer says at which question it stopped. What is said about each
question comes from the same records that ``decide`` read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.model import (
    Instant,
    Principal,
    ToolState,
)
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Denied,
    NeedsApproval,
    Question,
    Reachable,
    decide,
    overridden,
)
from doorward.policy.rules import ResourceTree
from doorward.policy.why_words import STOPS, WORDS, Facts, Known, RoleHeld, Stage, remedy, summary

__all__ = ["Explanation", "Facts", "Outcome", "RoleHeld", "Stage", "explain", "no_credential", "not_offered"]


class Outcome(StrEnum):
    """What became of one question on the way."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    SKIP = "skip"
    """Not asked: an earlier one was answered with no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question, what it was answered with, and what the answer rests on."""

    stage: Stage
    outcome: Outcome
    title: str
    detail: str


_VERDICTS: Final[Mapping[type, str]] = {
    Allowed: "allowed",
    NeedsApproval: "needs_approval",
    Reachable: "reachable",
    Denied: "denied",
    type(None): "denied",
}


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
        """Return ``allowed``, ``needs_approval``, ``reachable`` or ``denied``."""
        return _VERDICTS[type(self.decision)]

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
    known = Known(principal, question if isinstance(asked, Denied) else asked, tree, facts)
    steps = tuple(_step(stage, stop, *WORDS[stage](known)) for stage in Stage)
    return Explanation(
        decision=decision, steps=steps, summary=summary(decision, known), remedy=remedy(decision, known)
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


def _stop(decision: Decision) -> Stage | None:
    if isinstance(decision, Allowed):
        return None
    if isinstance(decision, NeedsApproval):
        return Stage.APPROVAL
    return Stage.SCOPE if isinstance(decision, Reachable) else STOPS[decision.reason]


def _step(stage: Stage, stop: Stage | None, title: str, detail: str) -> Step:
    order = list(Stage)
    if stop is None or order.index(stage) < order.index(stop):
        outcome = Outcome.PASS
    else:
        outcome = Outcome.FAIL if stage is stop else Outcome.SKIP
    return Step(stage=stage, outcome=outcome, title=title, detail=detail)

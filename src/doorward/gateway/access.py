"""The gateway's decision on one message: forward it, answer it here, or ask for more scopes. Pure.

One question for each thing that is named, asked of ``policy.decide`` and of nothing else. What a caller may not know of
is answered exactly like what does not exist, by the same function (K1); nothing is forwarded in either case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from doorward.gateway import answers
from doorward.gateway.answers import Answer
from doorward.gateway.offer import Governed, sampled
from doorward.gateway.target import target_of
from doorward.gateway.whoami import WHOAMI, has_whoami, whoami
from doorward.model import Instant, Permission, PermissionEntry, Principal, ToolRule
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Denied,
    NoTarget,
    Question,
    Reachable,
    decide,
)
from doorward.policy.reach import Roots, reach_at_all
from doorward.policy.rules import ResourceTree
from doorward.protocol import mcp

OUT_OF_REACH = frozenset({DenialReason.OUTSIDE_RESOURCES, DenialReason.UNRESOLVABLE, DenialReason.NOT_HERE})
"""Told as a tool result: the caller may use the tool, and learns nothing of what else there is (D10)."""


class View(NamedTuple):
    """All that a decision may use. ``words`` is the permission catalogue, for people."""

    principal: Principal
    governed: Governed
    tree: ResourceTree
    now: Instant
    words: Mapping[Permission, PermissionEntry]


class Forward(NamedTuple):
    """Send it on. ``rule`` is for the log; ``uris`` replaces what a ``subscriptions/listen`` asks for."""

    rule: str
    within: Roots
    """Where in the tree it may act; what is about no one thing may act wherever the caller may do anything."""
    repeatable: bool = False
    uris: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """HTTP 403 ``insufficient_scope`` with all scopes that the call needs (B17)."""

    scopes: frozenset[Permission]
    reason: str


Verdict = Forward | Answer | Challenge


def judge(ask: mcp.Ask, view: View) -> Verdict:  # noqa: PLR0911, C901  (one line for each kind of message)
    """Return what becomes of ``ask``."""
    if view.governed.server.id not in view.principal.servers:
        return answers.server_not_enabled(ask)
    match ask:
        case mcp.CallTool():
            return _call(ask, view)
        case mcp.NoSuchTool():
            return answers.unknown_tool(ask, ask.name, "no tool can have this name")
        case mcp.GetPrompt():
            return _prompt(ask, ask.name, ask.arguments, view)
        case mcp.ReadResource() | mcp.Subscribe() | mcp.Unsubscribe():
            return _resource(ask, ask.uri, view)
        case mcp.Complete():
            return _complete(ask, view)
        case mcp.Listen():
            allowed = (uri for uri in ask.uris if isinstance(resource_decision(uri, view), Allowed))
            return Forward("subscriptions", _anywhere(view), uris=tuple(allowed))
        case mcp.Unknown():
            return answers.unknown_method(ask, ask.method)
        case mcp.ListTools() | mcp.ListPrompts() | mcp.ListResources() | mcp.ListResourceTemplates():
            return Forward("listing", _anywhere(view), repeatable=True)
        case mcp.Discover() | mcp.Initialize() | mcp.Ping() | mcp.SetLogLevel():
            return Forward("lifecycle", _anywhere(view), repeatable=isinstance(ask, mcp.Discover))
        case mcp.ClientNotification() | mcp.ClientResponse():
            return Forward("lifecycle", _anywhere(view))
        case _ as never:
            assert_never(never)


def _anywhere(view: View) -> Roots:
    return reach_at_all(view.principal, view.tree)


def resource_decision(uri: str, view: View) -> Decision:
    """Return the decision on a resource, listed or read: its URI says which node it is about either way."""
    governing = view.governed.resource(uri)
    if governing is None:
        return Denied(DenialReason.NO_RULE, "not offered")
    return decide_by(governing[0], uri, governing[1], view)


def template_decision(template: str, chosen: Mapping[str, Any], view: View) -> Decision:
    """Return the decision on a resource template, with the values ``chosen`` for some of its variables."""
    rule = view.governed.template(template)
    if rule is None:
        return Denied(DenialReason.NO_RULE, "not offered")
    return decide_by(rule, sampled(template), chosen, view)


def decide_by(rule: ToolRule, name: str, arguments: Mapping[str, Any] | None, view: View) -> Decision:
    """Return the decision on ``name``, which ``rule`` governs; ``arguments=None`` asks for a listing, about no call."""
    target = NoTarget() if arguments is None else target_of(rule.resources, arguments, view.tree)
    question = Question(
        server_id=view.governed.server.id,
        kind=rule.kind,
        name=name,
        requires=rule.requires,
        rule=rule.match,
        target=target,
    )
    return decide(view.principal, question, view.tree, view.now)


def _call(ask: mcp.CallTool, view: View) -> Verdict:
    rule = view.governed.tool(ask.name)
    if rule is None:
        if ask.name == WHOAMI and has_whoami(view.governed):
            return whoami(ask, view.principal, view.governed, view.words)
        return answers.unknown_tool(ask, ask.name, "not offered")
    match decide_by(rule, ask.name, ask.arguments, view):
        case Allowed(rule=name, within=within):
            return Forward(name, within, repeatable=view.governed.offer.tools[ask.name].repeatable)
        case Reachable(scopes=scopes):
            return Challenge(scopes, rule.match)
        case Denied(reason=reason, detail=detail) if reason in OUT_OF_REACH:
            return answers.out_of_reach(ask, f"{reason}: {detail}")
        case Denied(reason=reason, detail=detail):
            return answers.unknown_tool(ask, ask.name, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def _prompt(ask: mcp.GetPrompt | mcp.Complete, name: str, arguments: Mapping[str, Any] | None, view: View) -> Verdict:
    rule = view.governed.prompt(name)
    if rule is None:
        return answers.unknown_prompt(ask, name, "not offered")
    match decide_by(rule, name, arguments, view):
        case Allowed(rule=match, within=within):
            return Forward(match, within, repeatable=True)
        case Reachable(scopes=scopes):
            return Challenge(scopes, rule.match)
        case Denied(reason=reason, detail=detail):
            return answers.unknown_prompt(ask, name, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def _resource(ask: mcp.ReadResource | mcp.Subscribe | mcp.Unsubscribe | mcp.Complete, uri: str, view: View) -> Verdict:
    return _about_resource(ask, uri, resource_decision(uri, view))


def _about_resource(
    ask: mcp.ReadResource | mcp.Subscribe | mcp.Unsubscribe | mcp.Complete, uri: str, decision: Decision
) -> Verdict:  # fmt: skip
    match decision:
        case Allowed(rule=match, within=within):
            return Forward(match, within, repeatable=True)
        case Reachable(scopes=scopes):
            return Challenge(scopes, uri)
        case Denied(reason=reason, detail=detail):
            return answers.unknown_resource(ask, uri, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def _complete(ask: mcp.Complete, view: View) -> Verdict:
    # K14: completing an argument of something hidden would spell out its values; so would completing one within a
    # resource that is out of reach, which the arguments chosen so far name.
    if ask.kind is mcp.RefKind.PROMPT:
        return _prompt(ask, ask.ref, ask.chosen, view)
    if ask.ref in view.governed.offer.templates:
        return _about_resource(ask, ask.ref, template_decision(ask.ref, ask.chosen, view))
    return _resource(ask, ask.ref, view)

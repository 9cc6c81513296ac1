"""The gateway's decision on one message: forward it, answer it here, or ask for more scopes or an approval. Pure.

One question for each thing that is named, asked of ``policy.decide`` and of nothing else. What a caller may not know of
is answered exactly like what does not exist, by the same function (K1); nothing is forwarded in either case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from doorward.gateway import answers
from doorward.gateway.about import About
from doorward.gateway.answers import Answer
from doorward.gateway.offer import Governed, Governing, prompt_rule, resource_rule, sampled, template_rule
from doorward.gateway.own_tools import OWN_TOOLS, own_names, own_tool
from doorward.gateway.seen import NOTHING, Seen
from doorward.gateway.target import target_of_call, target_of_completion, target_of_listing
from doorward.model import Approvers, Instant, Permission, PermissionEntry, Principal, ResourceId, RuleKind, ToolRule
from doorward.policy.decide import (
    Allowed,
    Decision,
    DenialReason,
    Denied,
    NeedsApproval,
    NoTarget,
    Question,
    Reachable,
    Target,
    Targets,
    decide,
    visible,
)
from doorward.policy.reach import Roots, reach_at_all
from doorward.policy.rules import ResourceTree
from doorward.protocol import mcp

OUT_OF_REACH = frozenset({DenialReason.OUTSIDE_RESOURCES, DenialReason.UNRESOLVABLE, DenialReason.NOT_HERE})
"""Told as a tool result: the caller may use the tool, and learns nothing of what else there is (D10)."""

_NOT_OFFERED = Denied(DenialReason.NO_RULE, "not offered")
NO_APPROVAL = "a rule wants an approval, and only calls of tools can have one"


class View(NamedTuple):
    """All that a decision may use. ``words`` is the permission catalogue, for people."""

    principal: Principal
    governed: Governed
    tree: ResourceTree
    now: Instant
    words: Mapping[Permission, PermissionEntry]
    seen: Seen = NOTHING
    """What this caller was shown that is not in the offer."""
    public_url: str = ""
    """Of this deployment: where its pages are."""


class Forward(NamedTuple):
    """Send it on. ``rule`` is for the log; ``uris`` and ``tasks`` replace what a ``subscriptions/listen`` asks for."""

    rule: str
    within: Roots
    """Where in the tree it may act; what is about no one thing may act wherever the caller may do anything."""
    repeatable: bool = False
    uris: tuple[str, ...] | None = None
    tasks: tuple[mcp.Task, ...] = ()


class AskFirst(NamedTuple):
    """Have it approved, and only ``then`` send it on, or answer it (D8)."""

    ask: mcp.CallTool
    then: Forward | Answer
    approvers: Approvers


@dataclass(frozen=True, slots=True)
class Challenge:
    """HTTP 403 ``insufficient_scope`` with all scopes that the call needs (B17)."""

    scopes: frozenset[Permission]
    reason: str


Verdict = Forward | AskFirst | Answer | Challenge


def judge(ask: mcp.Ask, view: View) -> Verdict:  # noqa: PLR0911, PLR0912, C901  (one line for each kind of message)
    """Return what becomes of ``ask``."""
    if view.governed.server.id not in view.principal.servers:
        return answers.server_not_enabled(ask)
    match ask:
        case mcp.CallTool():
            return _call(ask, view)
        case mcp.NoSuchTool():
            return answers.unknown_tool(ask, ask.name, "no tool can have this name")
        case mcp.GetPrompt():
            return _prompt(ask, ask.name, view)
        case mcp.ReadResource() | mcp.Subscribe() | mcp.Unsubscribe():
            return _resource(ask, ask.uri, view)
        case mcp.Complete():
            return _complete(ask, view)
        case mcp.Listen():
            allowed = (uri for uri in ask.uris if isinstance(resource_decision(uri, view), Allowed))
            tasks = tuple(task for task in ask.tasks if isinstance(task_decision(task, view), Allowed))
            return Forward("subscriptions", _anywhere(view), uris=tuple(allowed), tasks=tasks)
        case mcp.UseTask():
            return _use_task(ask, view)
        case mcp.Unknown():
            return answers.unknown_method(ask, ask.method)
        case mcp.ListTools() | mcp.ListPrompts() | mcp.ListResources() | mcp.ListResourceTemplates() | mcp.ListTasks():
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
    governing = _governing(uri, view)
    return _NOT_OFFERED if governing is None else decide_by(governing[0], uri, governing[1], view)


def _governing(uri: str, view: View) -> Governing | None:
    governing = view.governed.resource(uri)
    return resource_rule(view.governed.server, uri) if governing is None and view.seen.has_resource(uri) else governing


def _completed_resource(ask: mcp.Complete, view: View) -> Decision:
    """Return the decision on completing an argument of a resource template, or of a URI."""
    rule, name, chosen = view.governed.template(ask.ref), sampled(ask.ref), ask.chosen
    if rule is None and ask.ref in view.seen.templates:
        rule = template_rule(view.governed.server, ask.ref)
    if rule is None:
        governing = _governing(ask.ref, view)
        if governing is None:
            return _NOT_OFFERED
        (rule, chosen), name = governing, ask.ref
    return _completion(rule, name, ask, chosen, view)


def _completion(rule: ToolRule, name: str, ask: mcp.Complete, chosen: Mapping[str, Any], view: View) -> Decision:
    target = target_of_completion(rule, ask.argument, chosen, view.tree, view.governed.server)
    return _decided(rule, name, target, view)


def task_decision(task: mcp.Task, view: View) -> Allowed | Reachable | Denied:
    """Return the decision on a task: that on its tool as of now, for all that the call was about.

    Who had to approve that call was asked before it began.
    """
    rule = view.governed.tool(task.tool)
    if rule is None:
        return Denied(DenialReason.NO_RULE, "not offered")
    about = None if task.about is None else frozenset(map(ResourceId, task.about))
    if task.named and about:
        return _begun(_decided(rule, task.tool, Target(about), view))
    decision = _begun(_decided(rule, task.tool, NoTarget(), view))
    if isinstance(decision, Allowed) and not _covers(decision.within, about, view.tree):
        return Denied(DenialReason.OUTSIDE_RESOURCES, "it might act where the caller may not any more")
    return decision


def _begun(decision: Decision) -> Allowed | Reachable | Denied:
    return Allowed(decision.rule, decision.within) if isinstance(decision, NeedsApproval) else decision


def _covers(now: Roots, then: Roots, tree: ResourceTree) -> bool:
    return now is None or (then is not None and all(tree.within(node, now) for node in then))


def decide_by(rule: ToolRule, name: str, arguments: Mapping[str, Any] | None, view: View) -> Decision:
    """Return the decision on ``name``, which ``rule`` governs; ``arguments=None`` asks for a listing, about no call."""
    server = view.governed.server
    if arguments is None:
        return _decided(rule, name, target_of_listing(rule, server), view)
    return _decided(rule, name, target_of_call(rule, arguments, view.tree, server), view)


def _decided(rule: ToolRule, name: str, target: Targets, view: View) -> Decision:
    question = Question(
        server_id=view.governed.server.id,
        kind=rule.kind,
        name=name,
        requires=rule.requires,
        rule=rule.match,
        target=target,
        approval=rule.approval,
    )
    return decide(view.principal, question, view.tree, view.now)


def _call(ask: mcp.CallTool, view: View) -> Verdict:
    rule = view.governed.tool(ask.name)
    if rule is None:
        return _own(ask, view)
    match decide_by(rule, ask.name, ask.arguments, view):
        case Allowed(rule=name, within=within):
            return Forward(name, within, repeatable=view.governed.offer.tools[ask.name].repeatable)
        case NeedsApproval(rule=name, within=within, approvers=approvers):
            return AskFirst(ask, Forward(name, within), approvers)
        case Reachable(scopes=scopes):
            return Challenge(scopes, rule.match)
        case Denied(reason=reason, detail=detail) if reason in OUT_OF_REACH or _lacks_place(reason, rule, ask, view):
            return answers.out_of_reach(ask, f"{reason}: {detail}")
        case Denied(reason=reason, detail=detail):
            return answers.unknown_tool(ask, ask.name, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def _lacks_place(reason: DenialReason, rule: ToolRule, ask: mcp.CallTool, view: View) -> bool:
    """Say whether it is only the argument with the place that is missing, of a tool that is listed to the caller."""
    return reason is DenialReason.EVERYWHERE and visible(decide_by(rule, ask.name, None, view))


def _use_task(ask: mcp.UseTask, view: View) -> Verdict:
    if ask.task is None:
        return answers.unknown_task(ask, "not given to this caller")
    match task_decision(ask.task, view):
        case Allowed(rule=match, within=within):
            return Forward(match, within)
        case Reachable(scopes=scopes):
            return Challenge(scopes, ask.task.tool)
        case Denied(reason=reason, detail=detail):
            return answers.unknown_task(ask, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def own_decision(name: str, view: View) -> Decision:
    """Return the decision on a tool of ours."""
    question = Question(
        server_id=view.governed.server.id, kind=RuleKind.TOOL, name=name, requires=frozenset(), rule=name, open=True
    )
    return decide(view.principal, question, view.tree, view.now)


def own_definitions(view: View) -> list[dict[str, Any]]:
    """Return what is listed of our tools to this caller."""
    shown = (name for name in own_names(view.governed) if visible(own_decision(name, view)))
    return [dict(OWN_TOOLS[name].definition) for name in shown]


def own_answer(ask: mcp.CallTool, view: View) -> Answer | None:
    """Return what a tool of ours answers, or None: it is none, or nothing that may be called at once."""
    verdict = _own(ask, view)
    return verdict if isinstance(verdict, Answer) and verdict.called else None


def _own(ask: mcp.CallTool, view: View) -> Verdict:
    tool = own_tool(view.governed, ask.name)
    if tool is None:
        return answers.unknown_tool(ask, ask.name, "not offered")
    about = About(view.principal, view.governed.server, view.words, view.tree, view.public_url)
    match own_decision(ask.name, view):
        case Allowed():
            return tool.answer(ask, about)
        case NeedsApproval(approvers=approvers):
            return AskFirst(ask, tool.answer(ask, about), approvers)
        case Reachable(scopes=scopes):
            return Challenge(scopes, ask.name)
        case Denied(reason=reason, detail=detail):
            return answers.unknown_tool(ask, ask.name, f"{reason}: {detail}")
        case _ as never:
            assert_never(never)


def _prompt(ask: mcp.GetPrompt | mcp.Complete, name: str, view: View) -> Verdict:
    rule = view.governed.prompt(name)
    if rule is None and name in view.seen.prompts:
        rule = prompt_rule(view.governed.server, name)
    if rule is None:
        return answers.unknown_prompt(ask, name, "not offered")
    decision = (
        _completion(rule, name, ask, ask.chosen, view)
        if isinstance(ask, mcp.Complete)
        else decide_by(rule, name, ask.arguments, view)
    )
    match decision:
        case Allowed(rule=match, within=within):
            return Forward(match, within, repeatable=True)
        case Reachable(scopes=scopes):
            return Challenge(scopes, rule.match)
        case Denied(reason=reason, detail=detail):
            return answers.unknown_prompt(ask, name, f"{reason}: {detail}")
        case NeedsApproval():
            return answers.unknown_prompt(ask, name, NO_APPROVAL)
        case _ as never:
            assert_never(never)


def _resource(ask: mcp.ReadResource | mcp.Subscribe | mcp.Unsubscribe, uri: str, view: View) -> Verdict:
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
        case NeedsApproval():
            return answers.unknown_resource(ask, uri, NO_APPROVAL)
        case _ as never:
            assert_never(never)


def _complete(ask: mcp.Complete, view: View) -> Verdict:
    # K14: completing an argument of something hidden would spell out its values; so would completing one within a
    # resource that is out of reach, which the arguments chosen so far name.
    if ask.kind is mcp.RefKind.PROMPT:
        return _prompt(ask, ask.ref, view)
    return _about_resource(ask, ask.ref, _completed_resource(ask, view))

"""Listed = allowed or reachable, for any roles, rules, scopes and choices at consent (D2)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward.gateway.access import Challenge, Forward, View, judge, resource_decision
from doorward.gateway.answers import Answer
from doorward.gateway.narrow import narrow, notification_passes
from doorward.gateway.offer import Governed, offer_of
from doorward.gateway.seen import Seen
from doorward.gateway.sessions import Binding
from doorward.gateway.task_messages import listed as listed_tasks
from doorward.gateway.task_messages import told
from doorward.gateway.tasks import Tasks
from doorward.model import (
    CredentialKind,
    Effect,
    Instant,
    Override,
    Permission,
    Principal,
    Resource,
    ResourceArgument,
    ResourceId,
    RuleKind,
    Server,
    ServerId,
    TenantId,
    ToolRule,
    ToolState,
    UserId,
    Vetting,
)
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree
from doorward.protocol import mcp
from doorward.protocol.mcp import Era

PERMISSIONS = [Permission(p) for p in ("a:read", "a:write", "b:read", "s:read", "s:write", "s:delete")]
NAMES = ["read_a", "read_b", "write_a", "list", "drop", "x.y", "bad name", "a/b"]
URIS = ["m://a", "m://b", "m://docs/d1", "m://docs/d2", "m://docs/none", "m://docs/../a", "other://x"]
TEMPLATES = ["m://docs/{document}", "m://{any}", "other://{x}"]
PLACES = [ResourceId("d1"), ResourceId("d2"), ResourceId("d3"), ResourceId("gone")]
PATTERNS = ["*:*", "*:read", "a:*", "b:*", "s:*", "a:write", "s:read"]
FULL = (Era.MODERN, "2026-07-28", 1)


@st.composite
def trees(draw: st.DrawFn) -> ResourceTree:
    """Three nodes, each at the top or below an earlier one."""
    nodes: list[Resource] = []
    for key in PLACES[:3]:
        parent = draw(st.sampled_from([None, *(node.id for node in nodes)]))
        nodes.append(Resource(id=key, tenant_id=TenantId("t"), type="document", key=key, name=key, parent_id=parent))
    return ResourceTree(nodes)


sets = st.frozensets(st.sampled_from(PERMISSIONS))
roles = st.lists(st.sampled_from(PATTERNS), max_size=3).map(lambda granted: expand(granted, PERMISSIONS))
patterns = st.sampled_from(["*", "read_*", "write_?", "drop", "x.y", "m://docs/{document}", "m://a", "m://{any}"])


@st.composite
def rules(draw: st.DrawFn) -> ToolRule:
    kind = draw(st.sampled_from(list(RuleKind)))
    match = draw(patterns.filter(lambda text: ("://" in text) == (kind is RuleKind.RESOURCE)))
    named = (ResourceArgument(pointer="/document", type="document"),) if draw(st.booleans()) else ()
    return ToolRule(kind=kind, match=match, requires=draw(sets), resources=named)


@st.composite
def overrides(draw: st.DrawFn) -> Override:
    rule, more = draw(rules()), draw(sets)
    return Override(
        id="o", tenant_id=TenantId("t"), server_id=ServerId("s"), kind=rule.kind, match=rule.match,
        effect=Effect.REQUIRE if more else Effect.DENY, requires=more,
    )  # fmt: skip


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    oauth = draw(st.booleans())
    return Principal(
        user_id=UserId("u"), user_email="u@x", user_name="U", tenant_id=TenantId("t"), tenant_slug="t", tenant_name="T",
        permissions=draw(roles), credential=CredentialKind.ACCESS_TOKEN if oauth else CredentialKind.API_KEY,
        credential_id="c", credential_name="C", client_id=None, scopes=draw(sets),
        declined=draw(sets) if oauth else frozenset(), can_step_up=oauth,
        resources=draw(st.none() | st.frozensets(st.sampled_from(PLACES), max_size=2)),
        servers=draw(st.sampled_from([frozenset({ServerId("s")}), frozenset({ServerId("s")}), frozenset()])),
        expires_at=draw(st.sampled_from([None, Instant(5), Instant(50)])),
        placed=tuple((node, draw(roles)) for node in draw(st.sets(st.sampled_from(PLACES)))),
        overrides=tuple(draw(st.lists(overrides(), max_size=2))),
    )  # fmt: skip


@st.composite
def views(draw: st.DrawFn) -> View:
    annotations = st.sampled_from([{}, {"readOnlyHint": True}, {"destructiveHint": True}, {"readOnlyHint": "true"}])
    offer = offer_of(
        [{"name": name, "annotations": draw(annotations)} for name in draw(st.sets(st.sampled_from(NAMES)))],
        [{"name": name} for name in draw(st.sets(st.sampled_from(NAMES)))],
        [{"uri": uri} for uri in draw(st.sets(st.sampled_from(URIS)))],
        [{"uriTemplate": template} for template in draw(st.sets(st.sampled_from(TEMPLATES)))],
    )
    server = Server(
        id=ServerId("s"), slug="s", name="S", paths=("/mcp",), upstream="http://up/mcp",
        rules=tuple(draw(st.lists(rules(), max_size=5))), builtin_tools=draw(st.booleans()),
        new_tools=draw(st.sampled_from(Vetting)),
        known={name: {offer.tools[name].digest: draw(st.sampled_from(ToolState))} for name in draw(st.sets(st.sampled_from(NAMES))) & offer.tools.keys()},
    )  # fmt: skip
    seen = Seen()
    for kind, names in (("prompts", NAMES), ("resources", URIS), ("templates", TEMPLATES)):
        seen.note(kind, sorted(draw(st.sets(st.sampled_from(names), max_size=2))))
    return View(draw(principals()), Governed(server, offer), draw(trees()), Instant(10), {}, seen)


def listed(ask: mcp.Ask, member: str, key: str, names: list[str], view: View, **extra: Any) -> set[str]:
    items = [{key: name, **extra.get(name, {})} for name in names]
    result = narrow(ask, {member: items}, view)
    return {item[key] for item in result[member]} - {"whoami", "connection_info"}


def callable_now(ask: mcp.Ask, view: View) -> bool:
    """Whether it goes through, or through after a step-up."""
    verdict = judge(ask, view)
    assert isinstance(verdict, Forward | Challenge | Answer)
    return isinstance(verdict, Forward | Challenge)


@settings(max_examples=300, deadline=None)
@given(views())
def test_K2_listed_tools_are_those_that_are_allowed_or_reachable(view: View) -> None:
    tools = view.governed.offer.tools
    extra = {name: {"annotations": tool.annotations} for name, tool in tools.items()}
    shown = listed(mcp.ListTools(*FULL, None), "tools", "name", list(tools), view, **extra)
    assert shown == {name for name in tools if callable_now(mcp.CallTool(*FULL, name, {}), view)}


@settings(max_examples=300, deadline=None)
@given(views())
def test_K14_listed_prompts_are_those_that_are_allowed_or_reachable(view: View) -> None:
    prompts = {*view.governed.offer.prompts, *view.seen.prompts}
    shown = listed(mcp.ListPrompts(*FULL, None), "prompts", "name", list(prompts), view)
    # A prompt's name is no tool's: any text is one.
    assert shown == {name for name in prompts if callable_now(mcp.GetPrompt(*FULL, name, {}), view)}


@settings(max_examples=300, deadline=None)
@given(views())
def test_K13_listed_resources_are_those_that_are_allowed_or_reachable(view: View) -> None:
    resources = {*view.governed.offer.resources, *view.seen.resources}
    shown = listed(mcp.ListResources(*FULL, None), "resources", "uri", list(resources), view)
    assert shown == {uri for uri in resources if callable_now(mcp.ReadResource(*FULL, uri), view)}


@settings(max_examples=300, deadline=None)
@given(views())
def test_K13_K14_listed_templates_are_those_that_may_be_completed(view: View) -> None:
    templates = {*view.governed.offer.templates, *view.seen.templates}
    shown = listed(mcp.ListResourceTemplates(*FULL, None), "resourceTemplates", "uriTemplate", list(templates), view)
    ask = lambda ref: mcp.Complete(*FULL, mcp.RefKind.RESOURCE, ref, "document", "", {})  # noqa: E731
    assert shown == {template for template in templates if callable_now(ask(template), view)}


@settings(max_examples=300, deadline=None)
@given(views())
def test_K14_prompts_and_resources_are_completed_exactly_where_they_are_listed(view: View) -> None:
    every_prompt = [*view.governed.offer.prompts, *view.seen.prompts]
    every_resource = [*view.governed.offer.resources, *view.seen.resources]
    prompts = listed(mcp.ListPrompts(*FULL, None), "prompts", "name", every_prompt, view)
    resources = listed(mcp.ListResources(*FULL, None), "resources", "uri", every_resource, view)
    for kind, shown, offered in (
        (mcp.RefKind.PROMPT, prompts, every_prompt), (mcp.RefKind.RESOURCE, resources, every_resource),
    ):  # fmt: skip
        for ref in offered:
            assert callable_now(mcp.Complete(*FULL, kind, ref, "x", "", {}), view) is (ref in shown), ref


@settings(max_examples=300, deadline=None)
@given(views())
def test_K18_news_of_a_resource_reaches_exactly_those_who_may_read_it(view: View) -> None:
    """Old subscriptions, new ones, and the notifications themselves."""
    readable = {uri for uri in URIS if isinstance(judge(mcp.ReadResource(*FULL, uri), view), Forward)}
    shown = listed(mcp.ListResources(*FULL, None), "resources", "uri", list(view.governed.offer.resources), view)
    for uri in URIS:
        for kind in (mcp.Subscribe, mcp.Unsubscribe):
            verdict = judge(kind(Era.LEGACY, "2025-11-25", 1, uri), view)
            assert isinstance(verdict, Forward) is (uri in readable), uri
        message = {"method": "notifications/resources/updated", "params": {"uri": uri}}
        if view.principal.servers:  # Else no stream is open.
            assert notification_passes(message, view) is (uri in readable), uri
    verdict = judge(mcp.Listen(*FULL, tuple(URIS)), view)
    assert isinstance(verdict, Forward) is bool(view.principal.servers)
    if isinstance(verdict, Forward):
        assert set(verdict.uris or ()) == readable
    if view.principal.servers:
        assert readable & view.governed.offer.resources <= shown


ARGUMENTS: list[dict[str, Any]] = [{}, {"document": "d1"}, {"document": "d3"}, {"document": "none"}]


@settings(max_examples=300, deadline=None)
@given(views(), principals(), trees(), st.sampled_from(ARGUMENTS))
def test_K23_a_task_is_listed_told_of_and_used_exactly_where_its_call_would_be_let_through(
    before: View, principal: Principal, tree: ResourceTree, arguments: dict[str, Any]
) -> None:
    """Begun under some rights, used under others: those of now decide, for all that the call was about."""
    after = before._replace(principal=replace(principal, credential=before.principal.credential), tree=tree)
    for name in before.governed.offer.tools:
        call, tasks = mcp.CallTool(*FULL, name, arguments), Tasks(Binding(b"k" * 32))
        begun = judge(call, before)
        if not isinstance(begun, Forward):
            continue
        task = tasks.begun(f"up-{name}", call, begun.within, before)
        presented = tasks.ours(task, before)
        used = judge(tasks.opened(mcp.UseTask(*FULL, presented), after.principal, ServerId("s")), after)
        again = judge(call, after)
        if task.named:
            assert isinstance(used, Forward) is isinstance(again, Forward), name
        else:
            reaches = isinstance(again, Forward) and _covers(again.within, begun.within, tree)
            assert isinstance(used, Forward) is reaches, name
        if isinstance(used, Forward | Challenge):
            assert isinstance(again, Forward | Challenge), name
        if not after.principal.servers:
            continue  # No list is forwarded, and no stream is open.
        shown = listed_tasks(tasks, {"tasks": [{"taskId": task.id}, {"taskId": "up-other"}]}, after)["tasks"]
        news = told({"method": "notifications/tasks/status", "params": {"taskId": task.id}}, tasks, after)
        assert (shown == [{"taskId": presented}]) is (news is not None) is isinstance(used, Forward), name
        listen = judge(tasks.opened(mcp.Listen(*FULL, (), (presented, "x")), after.principal, ServerId("s")), after)
        assert isinstance(listen, Forward)
        assert bool(listen.tasks) is isinstance(used, Forward), name


def _covers(now: Any, then: Any, tree: ResourceTree) -> bool:
    return now is None or (then is not None and all(tree.within(node, now) for node in then))


@settings(max_examples=300, deadline=None)
@given(views())
def test_K13_no_call_reaches_what_its_list_hides(view: View) -> None:
    """Whatever is forwarded is listed; whatever is hidden answers like a name that does not exist."""
    missing = judge(mcp.CallTool(*FULL, "nothing_here", {}), view)
    for name in ("read_a", "drop", "x.y"):
        verdict = judge(mcp.CallTool(*FULL, name, {}), view)
        if isinstance(verdict, Answer) and isinstance(missing, Answer) and verdict.hidden:
            assert str(verdict.message).replace(name, "nothing_here") == str(missing.message)
            assert verdict.status == missing.status
    for uri in URIS:
        verdict = judge(mcp.ReadResource(*FULL, uri), view)
        if isinstance(verdict, Forward):
            assert view.principal.servers
            assert resource_decision(uri, view)


@pytest.mark.parametrize(
    ("template", "uri", "fits"),
    [
        ("m://docs/{id}", "m://docs/1", True),
        ("m://docs/{id}", "m://docs/1/2", False),
        ("m://docs/{+path}", "m://docs/1/2", True),
        ("m://docs{/path*}", "m://docs/1/2", True),
        ("m://docs{?q}", "m://docs?q=1", True),
        ("m://docs{?q}", "m://docs", True),
        ("m://docs/{id}", "m://docs/%41", False),
        ("m://docs/{id}", "m://docs/%20", True),
        ("m://docs/{+path}", "m://docs/../x", False),
        ("m://docs/{+path}", "m://docs/a\\b", False),
        ("m://docs/{+path}", "m://docs/%zz", False),
        ("m://docs/{+path}", "m://docs/%2e%2e/x", False),
    ],
)
def test_K13_a_template_fits_what_it_could_have_made(template: str, uri: str, fits: bool) -> None:
    offer = offer_of([], [], [], [{"uriTemplate": template}])
    server = Server(id=ServerId("s"), slug="s", name="S", paths=(), upstream="http://up/mcp")
    assert (Governed(server, offer).resource(uri) is not None) is fits

"""What of an upstream's answer a caller may see. Pure.

Lists are rebuilt from the members that the protocol knows, so that counts and hints of an upstream's own making cannot
tell of what is left out (K2); nothing that depends on the caller may be cached for others (K4).
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from doorward.gateway.access import View, decide_by, own_definitions, resource_decision
from doorward.gateway.offer import (
    Tool,
    offered,
    prompt_rule,
    resource_rule,
    sampled,
    template_rule,
    text,
    tool_of,
    tool_rule,
)
from doorward.gateway.own_tools import own_names
from doorward.policy.decide import Allowed, visible
from doorward.policy.matching import tool_name_ok
from doorward.protocol import mcp
from doorward.protocol.mcp import Era

Result = dict[str, Any]

_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_UPDATED: Final = "notifications/resources/updated"
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_SERVER_REQUESTS: Final = frozenset({"sampling/createMessage", "elicitation/create", "roots/list", "ping"}) | {
    f"tasks/{what}" for what in ("get", "result", "list", "cancel")
}
"""Those about tasks are about the client's own (2025-11-25)."""


def narrow(ask: mcp.Ask, result: Result, view: View) -> Result:
    """Return the result as this caller may see it. ``result`` is not changed."""
    if isinstance(ask, mcp.CallTool):
        return result  # The hot path: nothing of a tool's own result is ours to judge.
    if isinstance(ask, mcp.Initialize | mcp.Discover):
        result = _capabilities(result, view, ask.era)
    elif type(ask) in _KEPT:
        result = _list(result, _KEPT[type(ask)], view, ask.era)
    return _private(result) if _cacheable(ask) else result


def narrow_replayed(result: Result, view: View) -> Result:
    """Return a result whose request is not known (a resumed stream replays it): any list in it is narrowed (K22)."""
    for member in _JUDGES:
        if isinstance(result.get(member), list):
            result = _list(result, member, view, Era.LEGACY)
    return result


def notification_passes(message: Mapping[str, Any], view: View) -> bool:
    """Say whether a server's notification may reach the caller: news of a resource only where it may be read."""
    method = message["method"]
    if method == _UPDATED:
        params = message.get("params")
        uri = params.get("uri") if isinstance(params, dict) else None
        return isinstance(uri, str) and isinstance(resource_decision(uri, view), Allowed)
    return isinstance(method, str)


def request_passes(method: str, era: Era) -> bool:
    """Say whether a request that the server sends may reach the client: in the older revisions only (K19)."""
    return era is Era.LEGACY and method in _SERVER_REQUESTS


def acknowledged(message: dict[str, Any], allowed: Collection[str], tasks: Mapping[str, str]) -> dict[str, Any]:
    """Return a listen stream's acknowledgement without resources and tasks that were not let through (K18, K23).

    ``tasks`` has our ids by the upstream's.
    """
    params = message.get("params")
    honored = params.get("notifications") if isinstance(params, dict) else None
    if message.get("method") != _ACKNOWLEDGED or not isinstance(params, dict) or not isinstance(honored, dict):
        return message
    uris, ids = honored.get("resourceSubscriptions"), honored.get("taskIds")
    kept = {
        "resourceSubscriptions": [uri for uri in uris if uri in allowed] if isinstance(uris, list) else [],
        "taskIds": [tasks[each] for each in ids if each in tasks] if isinstance(ids, list) else [],
    }
    rest = {name: value for name, value in honored.items() if name not in kept}
    shown = {name: values for name, values in kept.items() if values}
    return {**message, "params": {**params, "notifications": {**rest, **shown}}}


def tool_visible(item: Mapping[str, Any], view: View) -> bool:
    """Say whether a listed tool is shown; the rule follows from what this very list says of it."""
    name = text(item, "name")
    if not tool_name_ok(name):
        return False
    governed, known = view.governed, view.governed.offer.tools.get(name)
    listed = tool_of(item)
    if not offered(governed.server, name, listed):
        return False
    rule = governed.tool(name) if known == listed else tool_rule(governed.server, name, listed.annotations)
    return rule is not None and visible(decide_by(rule, name, None, view))


def news(ask: mcp.Ask, result: Result, view: View) -> Mapping[str, Tool]:
    """Return the tools of a list that are new, or that their author describes otherwise than they are known."""
    tools = result.get("tools") if isinstance(ask, mcp.ListTools) else None
    known = view.governed.offer.tools
    listed = {text(item, "name"): item for item in reversed(tools)} if isinstance(tools, list) else {}
    described = {name: tool_of(item) for name, item in listed.items() if tool_name_ok(name)}
    return {name: tool for name, tool in described.items() if known.get(name) != tool}


def prompt_visible(item: Mapping[str, Any], view: View) -> bool:
    """Say whether a listed prompt is shown."""
    name = text(item, "name")
    rule = prompt_rule(view.governed.server, name)
    return bool(name) and visible(decide_by(rule, name, None, view))


def resource_visible(item: Mapping[str, Any], view: View) -> bool:
    """Say whether a listed resource is shown: exactly if it could be read, or reached."""
    uri = text(item, "uri")
    rule, variables = resource_rule(view.governed.server, uri)
    return bool(uri) and visible(decide_by(rule, uri, variables, view))


def template_visible(item: Mapping[str, Any], view: View) -> bool:
    """Say whether a listed resource template is shown."""
    template = text(item, "uriTemplate")
    rule = template_rule(view.governed.server, template)
    return bool(template) and visible(decide_by(rule, sampled(template), None, view))


_JUDGES: Final[Mapping[str, tuple[str, Callable[[Mapping[str, Any], View], bool]]]] = {
    "tools": ("name", tool_visible),
    "prompts": ("name", prompt_visible),
    "resources": ("uri", resource_visible),
    "resourceTemplates": ("uriTemplate", template_visible),
}
_KEPT: Final[Mapping[type, str]] = {
    mcp.ListTools: "tools",
    mcp.ListPrompts: "prompts",
    mcp.ListResources: "resources",
    mcp.ListResourceTemplates: "resourceTemplates",
}


def _list(result: Result, member: str, view: View, era: Era) -> Result:
    key, judge = _JUDGES[member]
    items = result.get(member)
    # Of two items with one name only the first counts: which one a call would reach is for the upstream to say.
    unique = {text(item, key): item for item in reversed(items if isinstance(items, list) else [])}
    kept = [item for item in reversed(unique.values()) if isinstance(item, dict) and judge(item, view)]
    cursor = result.get("nextCursor")
    if member == "tools" and cursor is None:
        kept += [each for each in own_definitions(view) if each["name"] not in unique]
    narrowed: Result = {member: kept}
    if isinstance(cursor, str):
        narrowed["nextCursor"] = cursor
    if era is Era.MODERN:
        narrowed["resultType"] = "complete"
    meta = result.get("_meta")
    if isinstance(meta, dict) and _SERVER_INFO in meta:
        narrowed["_meta"] = {_SERVER_INFO: meta[_SERVER_INFO]}
    return narrowed


def _capabilities(result: Result, view: View, era: Era) -> Result:
    """Return the server's description with what is served: tasks in the form of the era, tools for our own."""
    offered = result.get("capabilities")
    capabilities = dict(offered) if isinstance(offered, dict) else {}
    extensions = capabilities.get("extensions")
    if era is Era.MODERN:
        capabilities.pop("tasks", None)
    elif isinstance(extensions, dict) and mcp.TASKS_EXTENSION in extensions:
        capabilities["extensions"] = {name: value for name, value in extensions.items() if name != mcp.TASKS_EXTENSION}
    if own_names(view.governed):
        capabilities.setdefault("tools", {})
    return {**result, "capabilities": capabilities}


def _cacheable(ask: mcp.Ask) -> bool:
    return ask.era is Era.MODERN and isinstance(ask, mcp.Listing | mcp.ReadResource | mcp.Discover)


def _private(result: Result) -> Result:
    # MCP 2026-07-28, caching: "public" would let any shared gateway serve one caller's list to another. And what is
    # kept by a client cannot be taken back, so nothing is fresh for longer than the answer itself.
    if result.get("resultType", "complete") != "complete":
        return result
    return {**result, "cacheScope": "private", "ttlMs": 0}

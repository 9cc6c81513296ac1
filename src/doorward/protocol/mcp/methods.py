"""Methods and notifications of each era, and what their ``params`` have to be."""

from collections.abc import Callable, Mapping
from typing import Any

from doorward.protocol import faults
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import INVALID_REQUEST, Id, params_invalid, refuse_twins
from doorward.protocol.mcp.agreement import CAPABILITIES_KEY, MISSING_CLIENT_CAPABILITY
from doorward.protocol.mcp.asks import (
    MAX_SUBSCRIPTIONS,
    MAX_TEXT,
    TASKS_EXTENSION,
    TOOL_NAME,
    Ask,
    CallTool,
    ClientNotification,
    Complete,
    Context,
    Discover,
    Era,
    GetPrompt,
    Initialize,
    Listen,
    ListPrompts,
    ListResources,
    ListResourceTemplates,
    ListTasks,
    ListTools,
    NoSuchTool,
    Ping,
    ReadResource,
    RefKind,
    SetLogLevel,
    Subscribe,
    Unknown,
    Unsubscribe,
    UseTask,
)

_REF_MEMBERS = frozenset({"type", "name", "uri", "title"})
_ARGUMENT_MEMBERS = frozenset({"name", "value"})
_CONTEXT_MEMBERS = frozenset({"arguments"})
_FILTER_MEMBERS = frozenset({
    "toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds",
})  # fmt: skip


def notification(context: Context, method: str, params: Mapping[str, Any]) -> Ask:
    """Return what a message without an id is. Raises ``JsonRpcError`` -32600."""
    known = _MODERN_NOTIFICATIONS if context[0] is Era.MODERN else _LEGACY_NOTIFICATIONS
    if method in known:
        return ClientNotification(*context, method, params)
    if not method.startswith("notifications/"):
        # `tools/call` without an id would be done by a lax server and never be answered, nor decided.
        raise invalid("a request without an id", None)
    return Unknown(*context, method)


def _id_of(context: Context) -> Id | None:
    return context[2]


def _call_tool(context: Context, params: Mapping[str, Any]) -> Ask:
    name = _text(context, params, "name")
    if TOOL_NAME.fullmatch(name) is None:
        return NoSuchTool(*context, name)
    return CallTool(*context, name, _arguments(context, params))


def _get_prompt(context: Context, params: Mapping[str, Any]) -> Ask:
    return GetPrompt(*context, _text(context, params, "name"), _arguments(context, params))


def _read_resource(context: Context, params: Mapping[str, Any]) -> Ask:
    return ReadResource(*context, _text(context, params, "uri"))


def _subscribe(context: Context, params: Mapping[str, Any]) -> Ask:
    return Subscribe(*context, _text(context, params, "uri"))


def _unsubscribe(context: Context, params: Mapping[str, Any]) -> Ask:
    return Unsubscribe(*context, _text(context, params, "uri"))


def _complete(context: Context, params: Mapping[str, Any]) -> Ask:
    ref = _object(context, params, "ref", _REF_MEMBERS)
    argument = _object(context, params, "argument", _ARGUMENT_MEMBERS)
    kind = _text(context, ref, "type")
    if kind not in {"ref/prompt", "ref/resource"}:
        raise params_invalid("ref.type is unknown", _id_of(context))
    target = _text(context, ref, "name" if kind == "ref/prompt" else "uri")
    value = argument.get("value")
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise params_invalid("argument.value is not a string", _id_of(context))
    within = {} if params.get("context") is None else _object(context, params, "context", _CONTEXT_MEMBERS)
    name, chosen = _text(context, argument, "name"), _arguments(context, within)
    return Complete(*context, RefKind(kind), target, name, value, chosen)


def _listen(context: Context, params: Mapping[str, Any]) -> Ask:
    wanted = _object(context, params, "notifications", _FILTER_MEMBERS)
    if wanted.get("taskIds"):
        _require_tasks(context, params)
    return Listen(*context, _texts(context, wanted, "resourceSubscriptions"), _texts(context, wanted, "taskIds"))


def _use_task(context: Context, params: Mapping[str, Any]) -> Ask:
    if context[0] is Era.MODERN:
        _require_tasks(context, params)
    return UseTask(*context, _text(context, params, "taskId"))


def _require_tasks(context: Context, params: Mapping[str, Any]) -> None:
    """Refuse a request about tasks from a client that does not say that it knows them (SEP-2663, protocol errors)."""
    able = params["_meta"][CAPABILITIES_KEY]
    extensions = able.get("extensions") if isinstance(able, dict) else None
    if not isinstance(extensions, dict) or TASKS_EXTENSION not in extensions:
        needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}}
        raise JsonRpcError(
            faults.TASKS_NOT_DECLARED,
            MISSING_CLIENT_CAPABILITY,
            reason="tasks",
            data=needed,
            request_id=_id_of(context),
        )


def _set_log_level(context: Context, params: Mapping[str, Any]) -> Ask:
    return SetLogLevel(*context, _text(context, params, "level"))


def _initialize(context: Context, params: Mapping[str, Any]) -> Ask:
    return Initialize(*context, _text(context, params, "protocolVersion"))


def _listing(kind: Callable[..., Ask]) -> Callable[[Context, Mapping[str, Any]], Ask]:
    def reader(context: Context, params: Mapping[str, Any]) -> Ask:
        cursor = params.get("cursor")
        if cursor is not None and (not isinstance(cursor, str) or len(cursor) > MAX_TEXT):
            raise params_invalid("cursor is not a string", _id_of(context))
        return kind(*context, cursor)

    return reader


def _bare(kind: Callable[..., Ask]) -> Callable[[Context, Mapping[str, Any]], Ask]:
    return lambda context, _params: kind(*context)


_Readers = Mapping[str, Callable[[Context, Mapping[str, Any]], Ask]]
_COMMON_METHODS: _Readers = {
    "tools/call": _call_tool,
    "tools/list": _listing(ListTools),
    "prompts/get": _get_prompt,
    "prompts/list": _listing(ListPrompts),
    "resources/read": _read_resource,
    "resources/list": _listing(ListResources),
    "resources/templates/list": _listing(ListResourceTemplates),
    "completion/complete": _complete,
    "tasks/get": _use_task,
    "tasks/cancel": _use_task,
}
MODERN_METHODS: _Readers = {
    **_COMMON_METHODS,
    "server/discover": _bare(Discover),
    "subscriptions/listen": _listen,
    "tasks/update": _use_task,
}
LEGACY_METHODS: _Readers = {
    **_COMMON_METHODS,
    "initialize": _initialize,
    "ping": _bare(Ping),
    "logging/setLevel": _set_log_level,
    "resources/subscribe": _subscribe,
    "resources/unsubscribe": _unsubscribe,
    "tasks/result": _use_task,
    "tasks/list": _listing(ListTasks),
}
_MODERN_NOTIFICATIONS = frozenset({"notifications/cancelled"})
_LEGACY_NOTIFICATIONS = frozenset({
    "notifications/initialized", "notifications/cancelled", "notifications/progress",
    "notifications/roots/list_changed", "notifications/tasks/status",
})  # fmt: skip


def _text(context: Context, members: Mapping[str, Any], key: str) -> str:
    value = members.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise params_invalid(f"{key} is not a string of acceptable length", _id_of(context))
    return value


def _texts(context: Context, members: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = members.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or len(values) > MAX_SUBSCRIPTIONS:
        raise params_invalid(f"{key} is not a list of acceptable length", _id_of(context))
    if not all(isinstance(value, str) and 0 < len(value) <= MAX_TEXT for value in values):
        raise params_invalid(f"{key} holds something else than texts of acceptable length", _id_of(context))
    return tuple(values)


def _arguments(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = params.get("arguments")
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise params_invalid("arguments is not an object", _id_of(context))
    return arguments


def _object(context: Context, params: Mapping[str, Any], key: str, known: frozenset[str]) -> Mapping[str, Any]:
    value = params.get(key)
    if not isinstance(value, dict):
        raise params_invalid(f"{key} is not an object", _id_of(context))
    refuse_twins(value, known)
    return value


def invalid(reason: str, request_id: Id | None) -> JsonRpcError:
    """Return what is raised for a message that is none of this protocol: -32600."""
    return JsonRpcError(faults.MESSAGE_INVALID, INVALID_REQUEST, reason=reason, request_id=request_id)

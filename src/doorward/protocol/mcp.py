"""What a message asks for, in every protocol revision that is served.

The answer comes from the body alone; routing headers only have to agree with it (MCP 2026-07-28, streamable HTTP,
"Server Validation"; security K8, K9). A name that can not exist, a wrong type, a missing parameter: each is an ``Ask``
or a ``JsonRpcError``, never another exception.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from doorward.protocol import faults
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.jsonrpc import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    Id,
    Notification,
    Response,
    classify,
    params_invalid,
    refuse_twins,
)

MODERN_VERSION = "2026-07-28"
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26")
SUPPORTED_VERSIONS = (MODERN_VERSION, *LEGACY_VERSIONS)
"""Newest first."""

HEADER_MISMATCH = -32020
MISSING_CLIENT_CAPABILITY = -32021
UNSUPPORTED_PROTOCOL_VERSION = -32022

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
NAME_PARAMETERS: Mapping[str, str] = {
    "tools/call": "name", "prompts/get": "name", "resources/read": "uri",
    "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId",
}  # fmt: skip
"""Which parameter ``Mcp-Name`` repeats."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")
MAX_TEXT = 8192
MAX_SUBSCRIPTIONS = 1000
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
RELATED_TASK = "io.modelcontextprotocol/related-task"
"""The member of ``_meta`` that says which task a message belongs to (2025-11-25)."""

_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")
_REF_MEMBERS = frozenset({"type", "name", "uri", "title"})
_ARGUMENT_MEMBERS = frozenset({"name", "value"})
_CONTEXT_MEMBERS = frozenset({"arguments"})
_FILTER_MEMBERS = frozenset({
    "toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds",
})  # fmt: skip


class Era(StrEnum):
    """Whether a message carries its own envelope (2026-07-28), or belongs to a session (older revisions)."""

    MODERN = "modern"
    LEGACY = "legacy"


class RefKind(StrEnum):
    """What a completion is for."""

    PROMPT = "ref/prompt"
    RESOURCE = "ref/resource"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every ask carries.

    ``version`` is None where an older client does not say (Gemini, VS Code); ``id`` is None for notifications.
    """

    era: Era
    version: str | None
    id: Id | None


class CallTool(NamedTuple):
    """``tools/call``; absent or null ``arguments`` are empty.

    A tuple: it is made at every call, and a frozen dataclass takes three times as long to make.
    """

    era: Era
    version: str | None
    id: Id | None
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoSuchTool(_Asked):
    """A call of a tool whose name none can have: answered like any unknown name, never matched or routed (K10)."""

    name: str


@dataclass(frozen=True, slots=True)
class GetPrompt(_Asked):
    """``prompts/get``."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadResource(_Asked):
    """``resources/read``."""

    uri: str


@dataclass(frozen=True, slots=True)
class Subscribe(_Asked):
    """``resources/subscribe`` (older revisions)."""

    uri: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(_Asked):
    """``resources/unsubscribe`` (older revisions)."""

    uri: str


@dataclass(frozen=True, slots=True)
class Listing(_Asked):
    """One of the lists below; ``cursor`` is None for the first page."""

    cursor: str | None


class ListTools(Listing):
    """``tools/list``."""

    __slots__ = ()


class ListResources(Listing):
    """``resources/list``."""

    __slots__ = ()


class ListResourceTemplates(Listing):
    """``resources/templates/list``."""

    __slots__ = ()


class ListPrompts(Listing):
    """``prompts/list``."""

    __slots__ = ()


class ListTasks(Listing):
    """``tasks/list`` (2025-11-25)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A tool call that goes on by itself, as its id tells it: the upstream's own id, and what was allowed.

    ``about`` are the nodes that the call named (``named``), or else where it might act; None is the whole tenant.
    """

    id: str
    tool: str
    named: bool
    about: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class UseTask(_Asked):
    """``tasks/get``, ``tasks/cancel``, ``tasks/result`` (2025-11-25) and ``tasks/update`` (2026-07-28).

    ``presented`` is what the caller says is a task's id; ``task`` is None unless it is known to be one of the caller's.
    """

    presented: str
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Complete(_Asked):
    """``ref`` is a prompt's name or a resource's URI or URI template; ``argument`` is the one to complete.

    ``chosen`` are the other arguments' values so far (``context.arguments``).
    """

    kind: RefKind
    ref: str
    argument: str
    value: str
    chosen: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listen(_Asked):
    """``subscriptions/listen``, a long stream. ``uris`` are the resources whose updates are wanted.

    ``presented`` are the ids of tasks as the caller has them; ``tasks`` those that are known to be the caller's.
    """

    uris: tuple[str, ...]
    presented: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class SetLogLevel(_Asked):
    """``logging/setLevel`` (older revisions)."""

    level: str


@dataclass(frozen=True, slots=True)
class Initialize(_Asked):
    """``requested`` is the version the client would like."""

    requested: str


class Discover(_Asked):
    """``server/discover``."""

    __slots__ = ()


class Ping(_Asked):
    """``ping``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ClientNotification(_Asked):
    """A notification that clients of this era may send."""

    method: str
    params: Mapping[str, Any]


class ClientResponse(_Asked):
    """The answer to a request that the server sent in a session (older revisions only)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unknown(_Asked):
    """A method that is not offered in this era: -32601, HTTP 404 in the modern one."""

    method: str


Ask = (
    CallTool | NoSuchTool | ListTools | UseTask | ListTasks | GetPrompt | ListPrompts | ReadResource | ListResources | ListResourceTemplates
    | Complete | Subscribe | Unsubscribe | Listen | Discover | Initialize | Ping | SetLogLevel | ClientNotification
    | ClientResponse | Unknown
)  # fmt: skip


_Context = tuple[Era, str | None, Id | None]
"""What every ask carries, in its order. No named tuple, which takes ten times as long to make."""


def read(
    message: Mapping[str, Any],
    *,
    protocol_version: str | None,
    mcp_method: Sequence[str] = (),
    mcp_name: Sequence[str] = (),
) -> Ask:
    """Return what a decoded message asks for.

    ``protocol_version`` is the MCP-Protocol-Version header (several joined by a comma are an unknown version);
    ``mcp_method`` and ``mcp_name`` are all values of those headers. Raises ``JsonRpcError``, always with HTTP 400:
    -32600 and -32602 for the shape, -32020 where headers and body disagree, -32022 for the version.
    """
    envelope = classify(message)
    if isinstance(envelope, Response):
        version = _legacy_version(protocol_version, envelope.id)
        if protocol_version == MODERN_VERSION:
            raise _invalid("a response; this revision has none", envelope.id)
        return ClientResponse(Era.LEGACY, version, envelope.id)
    method, params = envelope.method, envelope.params
    request_id = None if isinstance(envelope, Notification) else envelope.id
    meta = params.get("_meta", {})
    if not isinstance(meta, dict):
        raise params_invalid("params._meta is not an object", request_id)
    modern = protocol_version == MODERN_VERSION or VERSION_KEY in meta
    wants_headers = modern and request_id is not None
    if wants_headers:
        _require_envelope(meta, request_id)
    if VERSION_KEY in meta and meta[VERSION_KEY] != protocol_version:
        raise _mismatch("MCP-Protocol-Version is not the version in params._meta", request_id)
    _require_agreement(method, params, mcp_method, mcp_name, request_id, required=wants_headers)
    version = _modern_version(protocol_version, request_id) if modern else _legacy_version(protocol_version, request_id)
    context = (Era.MODERN if modern else Era.LEGACY, version, request_id)
    if request_id is None:
        return _notification(context, method, params)
    reader = (_MODERN_METHODS if modern else _LEGACY_METHODS).get(method)
    return Unknown(*context, method) if reader is None else reader(context, params)


def decode_header(value: str) -> str | None:
    """Return a routing header's value with ``=?base64?…?=`` undone.

    None where that is malformed or not canonical: two spellings of one value would let two readers disagree.
    """
    found = _SENTINEL.fullmatch(value)
    if found is None:
        return value
    try:
        decoded = base64.b64decode(found[1], validate=True)
        text = decoded.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if base64.b64encode(decoded).decode("ascii") == found[1] else None


def _require_envelope(meta: Mapping[str, Any], request_id: Id | None) -> None:
    if VERSION_KEY not in meta or CAPABILITIES_KEY not in meta:
        missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
        raise JsonRpcError(
            faults.ENVELOPE_MISSING, INVALID_PARAMS, reason=f"_meta lacks {', '.join(missing)}", request_id=request_id
        )


def _require_agreement(
    method: str,
    params: Mapping[str, Any],
    mcp_method: Sequence[str],
    mcp_name: Sequence[str],
    request_id: Id | None,
    *,
    required: bool,
) -> None:
    """Refuse routing headers that are repeated or say something else than the body, and missing ones if required."""
    if len(mcp_method) > 1 or len(mcp_name) > 1:
        raise _mismatch("a routing header is repeated", request_id)
    if (required or mcp_method) and not _says(mcp_method, method):
        raise _mismatch("Mcp-Method is not the method", request_id)
    name = params.get(NAME_PARAMETERS.get(method, ""))
    if name is not None and (required or mcp_name) and not _says(mcp_name, name):
        raise _mismatch("Mcp-Name is not the name in params", request_id)


def _says(values: Sequence[str], wanted: str) -> bool:
    """Say whether there is a header and it means ``wanted``, plainly or encoded."""
    if not values:
        return False
    value = values[0]
    return (value if value[:2] != "=?" else decode_header(value)) == wanted


def _modern_version(version: str | None, request_id: Id | None) -> str:
    if version != MODERN_VERSION:
        raise _unsupported(version, request_id, (MODERN_VERSION,))
    return version


def _legacy_version(version: str | None, request_id: Id | None) -> str | None:
    if version is not None and version not in SUPPORTED_VERSIONS:
        raise _unsupported(version, request_id, SUPPORTED_VERSIONS)
    return version


def _notification(context: _Context, method: str, params: Mapping[str, Any]) -> Ask:
    known = _MODERN_NOTIFICATIONS if context[0] is Era.MODERN else _LEGACY_NOTIFICATIONS
    if method in known:
        return ClientNotification(*context, method, params)
    if not method.startswith("notifications/"):
        # `tools/call` without an id would be done by a lax server and never be answered, nor decided.
        raise _invalid("a request without an id", None)
    return Unknown(*context, method)


def _id_of(context: _Context) -> Id | None:
    return context[2]


def _call_tool(context: _Context, params: Mapping[str, Any]) -> Ask:
    name = _text(context, params, "name")
    if TOOL_NAME.fullmatch(name) is None:
        return NoSuchTool(*context, name)
    return CallTool(*context, name, _arguments(context, params))


def _get_prompt(context: _Context, params: Mapping[str, Any]) -> Ask:
    return GetPrompt(*context, _text(context, params, "name"), _arguments(context, params))


def _read_resource(context: _Context, params: Mapping[str, Any]) -> Ask:
    return ReadResource(*context, _text(context, params, "uri"))


def _subscribe(context: _Context, params: Mapping[str, Any]) -> Ask:
    return Subscribe(*context, _text(context, params, "uri"))


def _unsubscribe(context: _Context, params: Mapping[str, Any]) -> Ask:
    return Unsubscribe(*context, _text(context, params, "uri"))


def _complete(context: _Context, params: Mapping[str, Any]) -> Ask:
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


def _listen(context: _Context, params: Mapping[str, Any]) -> Ask:
    wanted = _object(context, params, "notifications", _FILTER_MEMBERS)
    if wanted.get("taskIds"):
        _require_tasks(context, params)
    return Listen(*context, _texts(context, wanted, "resourceSubscriptions"), _texts(context, wanted, "taskIds"))


def _use_task(context: _Context, params: Mapping[str, Any]) -> Ask:
    if context[0] is Era.MODERN:
        _require_tasks(context, params)
    return UseTask(*context, _text(context, params, "taskId"))


def _require_tasks(context: _Context, params: Mapping[str, Any]) -> None:
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


def _set_log_level(context: _Context, params: Mapping[str, Any]) -> Ask:
    return SetLogLevel(*context, _text(context, params, "level"))


def _initialize(context: _Context, params: Mapping[str, Any]) -> Ask:
    return Initialize(*context, _text(context, params, "protocolVersion"))


def _listing(kind: Callable[..., Ask]) -> Callable[[_Context, Mapping[str, Any]], Ask]:
    def reader(context: _Context, params: Mapping[str, Any]) -> Ask:
        cursor = params.get("cursor")
        if cursor is not None and (not isinstance(cursor, str) or len(cursor) > MAX_TEXT):
            raise params_invalid("cursor is not a string", _id_of(context))
        return kind(*context, cursor)

    return reader


def _bare(kind: Callable[..., Ask]) -> Callable[[_Context, Mapping[str, Any]], Ask]:
    return lambda context, _params: kind(*context)


_Readers = Mapping[str, Callable[[_Context, Mapping[str, Any]], Ask]]
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
_MODERN_METHODS: _Readers = {
    **_COMMON_METHODS,
    "server/discover": _bare(Discover),
    "subscriptions/listen": _listen,
    "tasks/update": _use_task,
}
_LEGACY_METHODS: _Readers = {
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


def _text(context: _Context, members: Mapping[str, Any], key: str) -> str:
    value = members.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise params_invalid(f"{key} is not a string of acceptable length", _id_of(context))
    return value


def _texts(context: _Context, members: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = members.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or len(values) > MAX_SUBSCRIPTIONS:
        raise params_invalid(f"{key} is not a list of acceptable length", _id_of(context))
    if not all(isinstance(value, str) and 0 < len(value) <= MAX_TEXT for value in values):
        raise params_invalid(f"{key} holds something else than texts of acceptable length", _id_of(context))
    return tuple(values)


def _arguments(context: _Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = params.get("arguments")
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise params_invalid("arguments is not an object", _id_of(context))
    return arguments


def _object(context: _Context, params: Mapping[str, Any], key: str, known: frozenset[str]) -> Mapping[str, Any]:
    value = params.get(key)
    if not isinstance(value, dict):
        raise params_invalid(f"{key} is not an object", _id_of(context))
    refuse_twins(value, known)
    return value


def _invalid(reason: str, request_id: Id | None) -> JsonRpcError:
    return JsonRpcError(faults.MESSAGE_INVALID, INVALID_REQUEST, reason=reason, request_id=request_id)


def _mismatch(reason: str, request_id: Id | None) -> JsonRpcError:
    return JsonRpcError(faults.HEADER_MISMATCH, HEADER_MISMATCH, reason=reason, request_id=request_id)


def _unsupported(version: str | None, request_id: Id | None, supported: Sequence[str]) -> JsonRpcError:
    # A request that names its version itself is told what `server/discover` lists; the older ones need a handshake.
    data: dict[str, Any] = {"supported": list(supported), "requested": (version or "")[:64]}
    return JsonRpcError(
        faults.VERSION_UNSUPPORTED,
        UNSUPPORTED_PROTOCOL_VERSION,
        reason=f"version {(version or '')[:64]!r}",
        data=data,
        request_id=request_id,
    )

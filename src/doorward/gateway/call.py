"""One MCP message on its way through, and the errors that end it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorward.gateway.access import View
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.held import Key
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.live import Caller
from doorward.gateway.sessions import Binding
from doorward.gateway.upstream import Envelope, Rejected
from doorward.model import Instant, Server
from doorward.protocol import faults, mcp
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import INTERNAL_ERROR, params_invalid, refusal

_OK: Final = 200
_LISTS: Final[Mapping[str, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "resourceTemplates": "resources/templates/list",
}
BAD_GATEWAY, UNAVAILABLE, GATEWAY_TIMEOUT = 502, 503, 504
_FAILURES: Final[Mapping[UpstreamError, tuple[int, Fault]]] = {
    UpstreamError.UNREACHABLE: (BAD_GATEWAY, faults.UPSTREAM_UNREACHABLE),
    UpstreamError.TIMEOUT: (GATEWAY_TIMEOUT, faults.UPSTREAM_TIMEOUT),
    UpstreamError.PROTOCOL: (BAD_GATEWAY, faults.UPSTREAM_ANSWER),
    UpstreamError.TOO_LARGE: (BAD_GATEWAY, faults.UPSTREAM_ANSWER),
    UpstreamError.CREDENTIAL: (BAD_GATEWAY, faults.UPSTREAM_CREDENTIAL),
    UpstreamError.RESTING: (UNAVAILABLE, faults.UPSTREAM_RESTING),
    UpstreamError.BUSY: (UNAVAILABLE, faults.UPSTREAM_UNREACHABLE),
}


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """``message`` is what is forwarded; ``decision`` and ``reason`` are for the log."""

    exchange: Exchange
    token: str
    caller: Caller
    server: Server
    ask: mcp.Ask
    message: dict[str, Any]
    envelope: Envelope
    started: Instant
    view: View = field(init=False)
    held: Key | None = None
    """The gateway's own session that is used, where the client has none."""
    uris: tuple[str, ...] | None = None
    ended: Refusal | None = None
    """Why it was ended while its answer was waited for."""
    decision: str = "allowed"
    reason: str = ""

    @property
    def sent_id(self) -> Any:
        """The id that the upstream was given, and must answer with."""
        return self.message.get("id")

    @property
    def name(self) -> str | None:
        """What the message is about."""
        return thing(self.ask)


def thing(ask: mcp.Ask) -> str | None:
    """Return the tool, prompt or resource that a message names."""
    match ask:
        case mcp.CallTool(name=name) | mcp.NoSuchTool(name=name) | mcp.GetPrompt(name=name):
            return name
        case mcp.ReadResource(uri=uri) | mcp.Subscribe(uri=uri) | mcp.Unsubscribe(uri=uri):
            return uri
        case mcp.Complete(ref=ref):
            return ref
        case _:
            return None


def outgoing(call: Call, binding: Binding) -> dict[str, Any]:
    """Return the message as the upstream gets it. Raises ``JsonRpcError`` for somebody else's state or cursor."""
    message, params = call.message, call.message.get("params")
    if not isinstance(params, dict):
        return message
    changes: dict[str, Any] = {}
    if call.uris is not None:
        wanted = {name: value for name, value in params["notifications"].items() if name != "taskIds"}
        if "resourceSubscriptions" in wanted:
            wanted["resourceSubscriptions"] = list(call.uris)
        changes["notifications"] = wanted
    if "requestState" in params:
        # In the older revisions too, which have none: what is wrapped can be read, and must not come back unwrapped.
        changes["requestState"] = _state(call, binding, params["requestState"])
    if isinstance(call.ask, mcp.Listing) and call.ask.cursor is not None:
        changes["cursor"] = _cursor(call, binding, call.ask.cursor)
    if "task" in params:
        # Tasks are not served here, so a call is made as an ordinary one.
        params = {name: value for name, value in params.items() if name != "task"}
        return {**message, "params": {**params, **changes}}
    return {**message, "params": {**params, **changes}} if changes else message


def incoming(call: Call, binding: Binding, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with its ``requestState`` bound to this caller and thing (K17), its cursor to caller and list.

    Raises ``Rejected`` for one that is no text.
    """
    state = result.get("requestState")
    try:
        if isinstance(call.ask, mcp.Listing):
            result = cursor_bound(result, call.view, binding)
        if not isinstance(state, str):
            return result
        wrapped = binding.wrap_state(
            call.view.principal, call.server.id, call.message["method"], call.name or "", state
        )  # fmt: skip
    except UnicodeEncodeError as broken:
        # Half of a surrogate pair: it could never come back.
        raise Rejected(_OK, "requestState or nextCursor is not text") from broken
    return {**result, "requestState": wrapped}


def cursor_bound(result: dict[str, Any], view: View, binding: Binding) -> dict[str, Any]:
    """Return a list with its ``nextCursor`` bound to the caller and this list (K3).

    Raises ``UnicodeEncodeError`` for half of a surrogate pair.
    """
    cursor = result.get("nextCursor")
    method = next((method for member, method in _LISTS.items() if member in result), None)
    if not isinstance(cursor, str) or method is None:
        return result
    return {
        **result,
        "nextCursor": binding.wrap_cursor(view.principal, view.governed.server.id, method, cursor),
    }


def _cursor(call: Call, binding: Binding, presented: str) -> str:
    cursor = binding.unwrap_cursor(call.view.principal, call.server.id, call.message["method"], presented)
    if cursor is None:
        raise params_invalid("the cursor was not given to this caller for this list", call.ask.id)
    return cursor


def _state(call: Call, binding: Binding, presented: Any) -> str:
    state = None
    if isinstance(presented, str):
        state = binding.unwrap_state(
            call.view.principal, call.server.id, call.message["method"], call.name or "", presented
        )
    if state is None:
        raise params_invalid("requestState was not given to this caller for this", call.ask.id)
    return state


def renumbered(message: dict[str, Any], new_id: str) -> dict[str, Any]:
    """Return the message with an id of ours."""
    return {**message, "id": new_id}


def upstream_refusal(failure: UpstreamFailure | Rejected, request_id: str | int | None) -> Refusal:
    """Return what a client is told of an upstream that did not answer properly."""
    if isinstance(failure, UpstreamFailure):
        status, fault = _FAILURES[failure.kind]
        wait = failure.retry_after
        later = ((b"retry-after", b"%d" % math.ceil(wait)),) if wait else ()
        return Refusal(status, INTERNAL_ERROR, fault, reason=failure.reason, headers=later, request_id=request_id)
    # 401 must not become a challenge: it would tell the client to sign in elsewhere (K19).
    fault = faults.UPSTREAM_REFUSED if failure.status in {401, 403} else faults.UPSTREAM_ANSWER
    return Refusal(BAD_GATEWAY, INTERNAL_ERROR, fault, reason=failure.reason, request_id=request_id)


def rpc_refusal(error: JsonRpcError) -> Refusal:
    """Return a refused message as an HTTP-level refusal, in the words of the protocol's reader."""
    return Refusal(
        error.http_status,
        error.rpc_code,
        error.fault,
        reason=error.reason,
        request_id=error.request_id,
        message=refusal(error),
    )

"""One MCP message on its way through, and the errors that end it."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from doorward.gateway.access import View
from doorward.gateway.approvals.state import INPUT_REQUIRED, Passed, Resumed, again, resumed, theirs, wrapped
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.held import Key
from doorward.gateway.http_connection import UpstreamError, UpstreamFailure
from doorward.gateway.live import Caller
from doorward.gateway.offer import Tool
from doorward.gateway.places import Places
from doorward.gateway.sessions import Binding
from doorward.gateway.upstream import Envelope, Rejected
from doorward.model import SECOND, Approvers, Instant, Principal, Server
from doorward.policy.reach import Roots
from doorward.protocol import faults, mcp
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import INTERNAL_ERROR, Decoded, params_invalid, refusal
from doorward.protocol.mcp import Era

_OK: Final = 200
STATE_LASTS: Final = 3600 * SECOND
"""Long enough for a person to answer in; what has to be shorter is the upstream's to say."""
_LISTS: Final[Mapping[str, str]] = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "resourceTemplates": "resources/templates/list",
    "tasks": "tasks/list",
}
FORBIDDEN, BAD_GATEWAY, UNAVAILABLE, GATEWAY_TIMEOUT = 403, 502, 503, 504
_FAILURES: Final[Mapping[UpstreamError, tuple[int, Fault]]] = {
    UpstreamError.UNREACHABLE: (BAD_GATEWAY, faults.UPSTREAM_UNREACHABLE),
    UpstreamError.TIMEOUT: (GATEWAY_TIMEOUT, faults.UPSTREAM_TIMEOUT),
    UpstreamError.PROTOCOL: (BAD_GATEWAY, faults.UPSTREAM_ANSWER),
    UpstreamError.TOO_LARGE: (BAD_GATEWAY, faults.UPSTREAM_ANSWER),
    UpstreamError.CREDENTIAL: (BAD_GATEWAY, faults.UPSTREAM_CREDENTIAL),
    UpstreamError.NOT_LINKED: (FORBIDDEN, faults.NOT_LINKED),
    UpstreamError.NOT_THEIR_OWN: (FORBIDDEN, faults.KEY_NOT_THEIR_OWN),
    UpstreamError.RENEWING: (UNAVAILABLE, faults.LINK_RENEWING),
    UpstreamError.RENEWED: (UNAVAILABLE, faults.LINK_RENEWED),
    UpstreamError.CLIENT_REFUSED: (BAD_GATEWAY, faults.LINK_CLIENT_REFUSED),
    UpstreamError.RESTING: (UNAVAILABLE, faults.UPSTREAM_RESTING),
    UpstreamError.BUSY: (UNAVAILABLE, faults.UPSTREAM_UNREACHABLE),
}


@dataclass(eq=False)
class Call:
    """``came`` is what came, ``message`` what is forwarded; ``decision`` and ``reason`` are for the log.

    Without slots: what most calls never have then costs them nothing to begin with.
    """

    exchange: Exchange
    token: str
    caller: Caller
    server: Server
    ask: mcp.Ask
    came: Decoded
    message: dict[str, Any]
    envelope: Envelope
    started: Instant
    view: View = field(init=False)
    place: tuple[Places, Principal] | None = field(default=None, init=False)
    """Where it has taken a place, and for whom: its caller may be looked up again while it waits."""
    held: Key | None = field(default=None, init=False)
    """The gateway's own session that is used, where the client has none."""
    uris: tuple[str, ...] | None = field(default=None, init=False)
    tasks: tuple[mcp.Task, ...] = field(default=(), init=False)
    within: Roots = field(default=None, init=False)
    """Where it may act."""
    approvers: Approvers | None = field(default=None, init=False)
    """Who had to approve it, once somebody did."""
    passed: Passed | None = field(default=None, init=False)
    """The approval that was spent on it."""
    approved: Tool | None = field(default=None, init=False)
    """The tool, as it was when that happened."""
    resumed: Resumed | None = field(default=None, init=False)
    """What it brought back of an earlier question of ours."""
    opens_urls: bool = field(default=False, init=False)
    """Whether the client opens addresses for its person, as far as it is known; asked of servers with accounts only."""
    asked_to_link: bool = field(default=False, init=False)
    """Whether its client was asked to open the page that links an account, and has come back."""
    ended: Refusal | None = field(default=None, init=False)
    """Why it was ended while its answer was waited for."""
    decision: str = field(default="allowed", init=False)
    reason: str = field(default="", init=False)

    def take_place(self, places: Places) -> None:
        """Take one of the places for what goes on at once. Raises ``Refusal`` 429."""
        principal = self.caller.principal
        places.take(principal, self.ask.id)
        self.place = places, principal

    def leave_place(self) -> None:
        """Give back what was taken."""
        if self.place is not None:
            places, principal = self.place
            places.give_back(principal)

    @property
    def encoding(self) -> bytes | None:
        """The encoding of ``message``, where it is known."""
        message, encoding = self.came
        return encoding if self.message is message else None

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
    named = _THINGS.get(type(ask))
    found: str | None = None if named is None else named(ask)
    return found


def _tool_of_task(ask: mcp.UseTask) -> str | None:
    return None if ask.task is None else ask.task.tool


_THINGS: Final[Mapping[type, Callable[[Any], str | None]]] = {
    mcp.CallTool: attrgetter("name"),
    mcp.NoSuchTool: attrgetter("name"),
    mcp.GetPrompt: attrgetter("name"),
    mcp.ReadResource: attrgetter("uri"),
    mcp.Subscribe: attrgetter("uri"),
    mcp.Unsubscribe: attrgetter("uri"),
    mcp.Complete: attrgetter("ref"),
    mcp.UseTask: _tool_of_task,
}


def outgoing(call: Call, binding: Binding) -> dict[str, Any]:
    """Return the message as the upstream gets it. Raises ``JsonRpcError`` for somebody else's state or cursor."""
    message, params = call.message, call.message.get("params")
    if not isinstance(params, dict):
        return message
    changes: dict[str, Any] = {}
    if call.uris is not None:
        wanted = params["notifications"]
        if "resourceSubscriptions" in wanted:
            changes["notifications"] = {**wanted, "resourceSubscriptions": list(call.uris)}
    if "requestState" in params:
        call.resumed = _resumed(call, binding, params)
        if call.resumed is not None:
            params = theirs(params, call.resumed)
        else:
            # In the older revisions too, which have none: what is wrapped can be read, and must not come back unwrapped.
            changes["requestState"] = _state(call, binding, params["requestState"])
    if isinstance(call.ask, mcp.Listing) and call.ask.cursor is not None:
        changes["cursor"] = _cursor(call, binding, call.ask.cursor)
    if "task" in params and not (isinstance(call.ask, mcp.CallTool) and _may_ask_for_task(call.ask, params["task"])):
        params = {name: value for name, value in params.items() if name != "task"}
        return {**message, "params": {**params, **changes}}
    return {**message, "params": {**params, **changes}} if changes or call.resumed is not None else message


def _may_ask_for_task(ask: mcp.CallTool, wanted: object) -> bool:
    # 2026-07-28: the server decides, and must not look at this.
    return ask.era is Era.LEGACY and isinstance(wanted, dict)


def incoming(call: Call, binding: Binding, result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with its ``requestState`` bound to this caller and request (K17), its cursor to caller and list.

    Raises ``Rejected`` for one that is no text.
    """
    state = result.get("requestState")
    try:
        if isinstance(call.ask, mcp.Listing):
            result = cursor_bound(result, call.view, binding)
        if call.passed is not None and isinstance(call.ask, mcp.CallTool) and _wants_more(result):
            # In the middle of an approved call: the retry goes on with it, once.
            later = again(call.passed, state)
            bound = wrapped(binding, call.view.principal, call.server.id, call.ask, later)
            return {**result, "requestState": bound}
        if not isinstance(state, str):
            return result
        until = Instant(call.view.now + STATE_LASTS)
        bound = binding.wrap_state(call.view.principal, call.server.id, _request(call), state, until)
    except UnicodeEncodeError as broken:
        # Half of a surrogate pair: it could never come back.
        raise Rejected(_OK, "requestState or nextCursor is not text") from broken
    return {**result, "requestState": bound}


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


def _resumed(call: Call, binding: Binding, params: Mapping[str, Any]) -> Resumed | None:
    if not isinstance(call.ask, mcp.CallTool):
        return None
    return resumed(binding, call.view.principal, call.server.id, call.ask, params)


def _wants_more(result: Mapping[str, Any]) -> bool:
    return result.get("resultType") == INPUT_REQUIRED


def _state(call: Call, binding: Binding, presented: Any) -> str:
    state = None
    if isinstance(presented, str):
        state = binding.unwrap_state(call.view.principal, call.server.id, _request(call), presented, call.view.now)
    if state is None:
        raise params_invalid("requestState was not given to this caller for this", call.ask.id)
    return state


def _request(call: Call) -> tuple[str, ...]:
    """Return what makes a retry the same request: 2026-07-28, multi round-trip requests, server requirement 5."""
    arguments = call.ask.arguments if isinstance(call.ask, mcp.CallTool | mcp.GetPrompt) else {}
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()
    return call.message["method"], call.name or "", digest


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

"""What the gateway answers itself, in JSON-RPC. Pure.

Each answer depends on the message alone, never on why: hidden and missing come out of the same call, byte for byte. The
private ``reason`` goes to the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from doorward.protocol import faults, mcp
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, error_response
from doorward.protocol.mcp import Era

RESOURCE_NOT_FOUND: Final = -32002
"""Older revisions only; 2026-07-28 uses -32602."""
INSUFFICIENT_SCOPE: Final = -32003
NOT_ENABLED: Final = -32004
RATE_LIMITED: Final = -32005
OK, ACCEPTED, BAD_REQUEST, FORBIDDEN, NOT_FOUND = 200, 202, 400, 403, 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of our own. ``message=None`` is an empty body. ``hidden``: it says that a name does not exist.

    ``called``: it is what a tool of ours answers.
    """

    status: int
    message: Mapping[str, Any] | None
    decision: str
    reason: str
    hidden: bool = False
    called: bool = False


def unknown_tool(ask: mcp.CallTool | mcp.NoSuchTool, name: str, reason: str) -> Answer:
    """Return the answer for a tool that is not there, or not for this caller."""
    return _unknown(ask, INVALID_PARAMS, f"Unknown tool: {name}", reason)


def unknown_prompt(ask: mcp.GetPrompt | mcp.Complete, name: str, reason: str) -> Answer:
    """Return the answer for a prompt that is not there, or not for this caller."""
    return _unknown(ask, INVALID_PARAMS, f"Unknown prompt: {name}", reason)


def unknown_resource(
    ask: mcp.ReadResource | mcp.Subscribe | mcp.Unsubscribe | mcp.Complete, uri: str, reason: str
) -> Answer:
    """Return the answer for a resource that is not there, or not for this caller."""
    code = INVALID_PARAMS if ask.era is Era.MODERN else RESOURCE_NOT_FOUND
    return _unknown(ask, code, f"Unknown resource: {uri}", reason, {"uri": uri})


def unknown_task(ask: mcp.UseTask, reason: str) -> Answer:
    """Return the answer for a task that is not there, not this caller's, or of a tool that the caller may not use."""
    return _unknown(ask, INVALID_PARAMS, "Unknown task", reason, fault=faults.TASK_UNKNOWN)


def unknown_method(ask: mcp.Unknown, method: str) -> Answer:
    """Return the answer for a method that is not offered; a notification gets none (JSON-RPC 2.0 section 4.1)."""
    if ask.id is None:
        return Answer(status=ACCEPTED, message=None, decision="ignored", reason=f"notification {method!r}")
    status = NOT_FOUND if ask.era is Era.MODERN else OK
    message = error_response(ask.id, METHOD_NOT_FOUND, "Method not found", {"code": faults.METHOD_UNKNOWN.code})
    return Answer(status=status, message=message, decision="denied", reason=f"unknown method {method!r}")


def out_of_reach(ask: mcp.CallTool, reason: str) -> Answer:
    """Return the tool result for a call outside the credential's resources: foreign and missing alike (D10)."""
    fault = faults.RESOURCE_OUTSIDE
    text = f"{fault.cause} {fault.fix} ({fault.code})"
    return result(ask, {"content": [{"type": "text", "text": text}], "isError": True}, "denied", reason)


def server_not_enabled(ask: mcp.Ask) -> Answer:
    """Return the answer for a server that this tenant, or this credential, may not use at all."""
    message = error(ask.id, NOT_ENABLED, faults.NOT_PERMITTED, "This server is not enabled for your tenant.")
    return Answer(status=FORBIDDEN, message=message, decision="denied", reason="server: not enabled")


def result(ask: mcp.Ask, value: Mapping[str, Any], decision: str, reason: str) -> Answer:
    """Return a result in the form of the asker's revision."""
    whole = {**value, "resultType": "complete"} if ask.era is Era.MODERN else value
    message = {"jsonrpc": "2.0", "id": ask.id, "result": whole}
    return Answer(status=OK, message=message, decision=decision, reason=reason)


def own_result(ask: mcp.CallTool, value: Mapping[str, Any]) -> Answer:
    """Return what a tool of ours answers."""
    return replace(result(ask, value, "allowed", ask.name), called=True)


def error(request_id: str | int | None, code: int, fault: Fault, text: str | None = None) -> dict[str, Any]:
    """Return a JSON-RPC error that carries a fault's words and stable code."""
    return error_response(request_id, code, f"{text or fault.cause} {fault.fix}", {"code": fault.code})


def _unknown(
    ask: mcp.Ask,
    code: int,
    text: str,
    reason: str,
    data: Mapping[str, Any] | None = None,
    fault: Fault = faults.THING_UNKNOWN,
) -> Answer:
    # The HTTP statuses are those of the SDKs' servers: 400 in 2026-07-28, 200 in the older revisions.
    status = BAD_REQUEST if ask.era is Era.MODERN else OK
    message = error_response(ask.id, code, text, {**(data or {}), "code": fault.code})
    return Answer(status=status, message=message, decision="denied", reason=reason, hidden=True)

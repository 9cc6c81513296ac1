"""What is written down of one call once it is over, and how it ended."""

from typing import Final

from doorward.gateway.call import BAD_GATEWAY, Call, rpc_refusal, thing, upstream_refusal
from doorward.gateway.exchange import Refusal
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.upstream import Rejected
from doorward.model import Instant
from doorward.protocol import mcp
from doorward.protocol.errors import JsonRpcError
from doorward.storage.events import CallEvent

MAX_LOGGED: Final = 200
"""Characters of anything that somebody else wrote."""


def call_event(call: Call, now: Instant) -> CallEvent:
    """Return what is written down of ``call``, which is over now."""
    ask, exchange = call.ask, call.exchange
    name: str | None
    if type(ask) is mcp.CallTool:
        method, name = "tools/call", ask.name  # ``mcp.TOOL_NAME`` lets nothing through that could not stand here.
    else:
        method, named = printable(str(call.message.get("method", ""))), thing(ask)
        name = named and printable(named)
    return CallEvent(
        call.started,
        *call.caller.named,
        call.server.id,
        method,
        name,
        call.decision,
        printable(call.reason),
        exchange.status,
        now - call.started,
        exchange.request_id,
        exchange.came_from,
    )


def ended(call: Call, failure: UpstreamFailure | Rejected | JsonRpcError) -> Refusal:
    """Note how ``call`` ended, and return what its client is told."""
    refusal = rpc_refusal(failure) if isinstance(failure, JsonRpcError) else upstream_refusal(failure, call.ask.id)
    note_end(call, refusal)
    return refusal


def note_end(call: Call, refusal: Refusal) -> None:
    """Note that ``call`` was refused, or failed."""
    call.decision = "refused" if refusal.status < BAD_GATEWAY else "failed"
    call.reason = f"{refusal.fault.code}: {refusal.reason}"
    call.exchange.status = refusal.status


def printable(text: str) -> str:
    """Return ``text`` as it may stand in a log: short, and nothing that could forge a line or be unstorable."""
    short = text if len(text) <= MAX_LOGGED else text[:MAX_LOGGED]
    return short if short.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in short)

"""What a client is told of a call that needs an approval: words for the agent, an address for the person. Pure.

Clients that open addresses for their person are asked to (elicitation in URL mode; in 2026-07-28 once for each call);
everybody else gets a tool result with the address in it. Nobody is kept waiting: the retry is the client's.
"""

import math
from typing import Any, Final, assert_never

from doorward.gateway import answers
from doorward.gateway.answers import Answer
from doorward.gateway.approvals.asking import Nobody, Over, TooLong, TooMany, Waits, WasDenied
from doorward.gateway.approvals.state import INPUT_REQUIRED, QUESTION
from doorward.gateway.opens_urls import URL_ELICITATION_REQUIRED
from doorward.model import SECOND, Approval, Approvers, Instant
from doorward.protocol import faults, mcp
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import error_response
from doorward.protocol.mcp import Era

Refused = Waits | WasDenied | Over | TooMany | TooLong | Nobody
DECISION: Final = "approval"
"""In the call log, while somebody has to decide."""


def refused(ask: mcp.CallTool, outcome: Refused, *, public_url: str, now: Instant) -> Answer:
    """Return the tool result for a call that is not made."""
    match outcome:
        case Waits(approval=approval):
            return _result(ask, faults.APPROVAL_NEEDED, _question(approval, public_url, now), DECISION, approval.id)
        case WasDenied(approval=approval):
            return _result(ask, faults.APPROVAL_DENIED, "", "denied", approval.id)
        case Over():
            return _result(ask, faults.APPROVAL_OVER, "", "denied", "")
        case TooMany():
            return _result(ask, faults.APPROVALS_TOO_MANY, f"See {public_url}/approvals", "denied", "")
        case TooLong():
            return _result(ask, faults.APPROVAL_TOO_LONG, "", "denied", "")
        case Nobody():
            return _result(ask, faults.APPROVAL_BY_NOBODY, "", "denied", "")
        case _ as never:
            assert_never(never)


def asked(ask: mcp.CallTool, approval: Approval, state: str, *, public_url: str) -> Answer:
    """Return the request that the client opens the approval's page for its person.

    ``state`` comes back in 2026-07-28; the older revisions have none, and an error says what they open.
    """
    params = {
        "mode": "url",
        "message": f"The tool {ask.name} is not called before somebody approves it. {_who(approval.approvers)}",
        "url": address(approval, public_url),
    }
    message: dict[str, Any]
    if ask.era is Era.MODERN:
        request = {"method": "elicitation/create", "params": params}
        value = {"resultType": INPUT_REQUIRED, "inputRequests": {QUESTION: request}, "requestState": state}
        message = {"jsonrpc": "2.0", "id": ask.id, "result": value}
    else:
        one, code = {**params, "elicitationId": approval.id}, faults.APPROVAL_NEEDED.code
        data = {"elicitations": [one], "code": code}
        message = error_response(ask.id, URL_ELICITATION_REQUIRED, f"{params['message']} ({code})", data)
    return Answer(
        status=answers.OK, message=message, decision=DECISION, reason=_reason(faults.APPROVAL_NEEDED, approval.id)
    )


def address(approval: Approval, public_url: str) -> str:
    """Return where somebody decides."""
    return f"{public_url}/approvals/{approval.id}"


def _question(approval: Approval, public_url: str, now: Instant) -> str:
    minutes = max(1, math.ceil((approval.expires_at - now) / (60 * SECOND)))
    within = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return f"{_who(approval.approvers)} Within {within}: {address(approval, public_url)}"


def _who(approvers: Approvers) -> str:
    another = " other than the person you act for" if approvers.by_another else ""
    if approvers.permissions:
        return f"Somebody{another} who has {' '.join(sorted(approvers.permissions))} decides."
    return "The person you act for decides."


def _result(ask: mcp.CallTool, fault: Fault, more: str, decision: str, which: str) -> Answer:
    text = " ".join(part for part in (fault.cause, more, fault.fix, f"({fault.code})") if part)
    value = {"content": [{"type": "text", "text": text}], "isError": True}
    return answers.result(ask, value, decision, _reason(fault, which))


def _reason(fault: Fault, which: str) -> str:
    return f"{fault.code} {which}".rstrip()

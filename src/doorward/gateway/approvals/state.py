"""What goes out with our question for an approval, and comes back with the retry (MCP 2026-07-28, multi round-trip).

Nothing is decided by it: it only says which approval the call came from, and, where the upstream itself asked for
something in an approved call, which round is next. The wrapper binds it to caller, server, tool and arguments (K17);
how often it is good is counted in the approval's row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway.sessions import Binding
from doorward.model import ApprovalId, Principal, ServerId
from doorward.policy.approvals import arguments_hash, canonical
from doorward.protocol import mcp

INPUT_REQUIRED: Final = "input_required"
QUESTION: Final = "doorward-approval"
"""Our key among ``inputRequests``."""
_VALUE: Final = re.compile(r"(ap_[A-Za-z0-9_-]{22}) (0|[1-9][0-9]{0,8})(?: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What a client brought back. ``rounds`` is how often the call went upstream; ``state`` is the upstream's own."""

    approval_id: ApprovalId
    rounds: int
    state: str | None
    answer: str | None = None
    """What the person did with our question in the client: ``accept``, ``decline``, ``cancel``."""


@dataclass(frozen=True, slots=True)
class Passed:
    """An approval was spent: the call goes upstream for the time number ``rounds``."""

    approval_id: ApprovalId
    rounds: int


def first(approval_id: ApprovalId) -> str:
    """Return what goes out with the question."""
    return f"{approval_id} 0"


def again(passed: Passed, state: Any) -> str:
    """Return what goes out where the upstream asked for something in an approved call, with its own ``state``."""
    value = f"{passed.approval_id} {passed.rounds}"
    return f"{value} {state}" if isinstance(state, str) else value


def wrapped(binding: Binding, principal: Principal, server_id: ServerId, ask: mcp.CallTool, value: str) -> str:
    """Return ``value`` as this caller gets it."""
    return binding.wrap_approval(principal, server_id, ask.name, _digest(ask), value)


def resumed(
    binding: Binding, principal: Principal, server_id: ServerId, ask: mcp.CallTool, params: Mapping[str, Any]
) -> Resumed | None:
    """Return what a call brought back of ours, or None: nothing, or somebody else's, or of another call."""
    presented = params.get("requestState")
    if not isinstance(presented, str):
        return None
    value = binding.unwrap_approval(principal, server_id, ask.name, _digest(ask), presented)
    found = None if value is None else _VALUE.fullmatch(value)
    if found is None:
        return None
    return Resumed(approval_id=ApprovalId(found[1]), rounds=int(found[2]), state=found[3], answer=_answer(params))


def theirs(params: Mapping[str, Any], back: Resumed) -> dict[str, Any]:
    """Return the params as they are for the upstream: without what was ours."""
    rest = {name: value for name, value in params.items() if name not in {"requestState", "inputResponses"}}
    if back.state is not None:
        rest["requestState"] = back.state
    given = params.get("inputResponses")
    if isinstance(given, dict):
        given = {name: value for name, value in given.items() if name != QUESTION}
    return {**rest, "inputResponses": given} if given else rest


def _answer(params: Mapping[str, Any]) -> str | None:
    given = params.get("inputResponses")
    ours = given.get(QUESTION) if isinstance(given, dict) else None
    action = ours.get("action") if isinstance(ours, dict) else None
    return action if isinstance(action, str) else None


def _digest(ask: mcp.CallTool) -> str:
    return arguments_hash(canonical(ask.arguments))

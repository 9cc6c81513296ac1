"""``/api/v1/tenants/{slug}/approvals``: calls that somebody has to approve before they are made (feature D8).

Who decides needs what the rule asks for, too. What asks for the caller's own person is decided at a browser only: a key is
what agents hold.
"""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call
from doorward.api.common import MAYBE_SAID
from doorward.api.problems import Problem, unknown
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Anything, Choice, Each, Flag, Maybe, Members, Said, Shape, Whole, answered
from doorward.gateway.approvals import desk
from doorward.gateway.approvals.asking import by_key
from doorward.gateway.approvals.desk import MayNotDecide, NoSuchApproval, NotWaiting, Viewer
from doorward.gateway.approvals.view import Seen, described
from doorward.model import ApprovalState
from doorward.protocol import faults
from doorward.rights import DECIDE_CALLS

PATH: Final = f"{TENANT}/approvals"
ONE: Final = f"{PATH}/{{approval_id}}"
_SECONDS: Final = Whole(says="Seconds since the epoch.")
_MOST: Final = 10_000
_MEMBERS: Final[dict[str, Shape]] = {
    "id": Said(names="approval_id"), "state": Choice([state.value for state in ApprovalState]), "tenant": Said(), "server": Said(),
    "tool": Said(), "arguments_sha256": Said(), "user": Said(),
    "credential": answered(kind=Said(), id=Said(), name=Said()),
    "approvers": answered(permissions=Each(Said(), most=_MOST), by_another=Flag()),
    "asked_at": _SECONDS, "expires_at": _SECONDS, "decided_at": Maybe(_SECONDS), "decided_by": MAYBE_SAID,
    "used_at": Maybe(_SECONDS), "may_decide": Flag(),
}  # fmt: skip
LISTED: Final = Members(_MEMBERS, needs=tuple(_MEMBERS))
_WHOLE: Final = {**_MEMBERS, "description": Said(), "arguments": Anything(object_only=True)}
WHOLE: Final = Members(_WHOLE, needs=tuple(_WHOLE), says="With its arguments.")


def _list(call: Call) -> dict[str, Any]:
    viewer = _viewer(call)
    waiting = desk.waiting(call.tx, viewer, call.now, call.tenant)
    over = desk.over(call.tx, viewer, call.now, call.tenant)
    return {"waiting": [described(each) for each in waiting], "over": [described(each) for each in over]}


def _show(call: Call) -> dict[str, Any]:
    return described(_of_tenant(call))


def _decide(call: Call, *, approve: bool) -> dict[str, Any]:
    name = _of_tenant(call).approval.id
    return described(desk.decide(call.tx, name, _viewer(call), call.parts.terms, approve=approve, now=call.now))


def _of_tenant(call: Call) -> Seen:
    seen = desk.look(call.tx, call.path["approval_id"], _viewer(call), call.parts.terms, call.now)
    if seen.tenant.id != call.tenant.id:
        # Somebody may belong to several tenants; the address says which one is meant (M2).
        raise NoSuchApproval
    return seen


def _viewer(call: Call) -> Viewer:
    caller = call.caller
    through = "api" if caller.key is None else by_key(caller.key.credential_id)
    return Viewer(user_id=caller.user_id, through=through, key=caller.key, cause=call.cause, session=caller.session)


def _told(status: HTTPStatus, fault: faults.Fault, _refused: Exception) -> Problem:
    return Problem(status, f"{fault.cause} {fault.fix} ({fault.code})", fault=fault)


_route = partial(
    ApiRoute, needs=DECIDE_CALLS, limited="A key that is limited to a part of the tree cannot decide about calls.",
    refusals={
        NoSuchApproval: lambda _: unknown("There is no such approval for this caller."),
        MayNotDecide: partial(_told, HTTPStatus.FORBIDDEN, faults.APPROVAL_NOT_YOURS),
        NotWaiting: partial(_told, HTTPStatus.CONFLICT, faults.APPROVAL_DECIDED),
    },
)  # fmt: skip
_DECIDED: Final = {HTTPStatus.CONFLICT: "It was decided before, or is over."}
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="approvals.list", says="What waits, and the newest that do not.", use=_list,
        answer=answered(waiting=Each(LISTED, most=_MOST), over=Each(LISTED, most=_MOST)),
    ),
    _route(method="GET", path=ONE, name="approvals.show", says="One call, with its arguments.", use=_show, answer=WHOLE),
    _route(
        method="POST", path=f"{ONE}/approve", name="approvals.approve", says="Let the call be made, once.",
        use=partial(_decide, approve=True), answer=WHOLE, also=_DECIDED,
    ),
    _route(
        method="POST", path=f"{ONE}/deny", name="approvals.deny", says="Do not let the call be made.",
        use=partial(_decide, approve=False), answer=WHOLE, also=_DECIDED, fresh=False,
    ),
)  # fmt: skip

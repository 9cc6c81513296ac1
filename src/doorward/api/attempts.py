"""How far clients got on their way in: a tenant's at ``/api/v1/tenants/{slug}/attempts``, one's own at ``/api/v1/me/attempts``.

What a step is, and why some are only likely, says decision 0037. The newest attempts are kept (A8).
"""

from functools import partial
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import MAYBE_SAID, TIME
from doorward.api.problems import unknown
from doorward.api.route import BASE, ONESELF, TENANT, ApiRoute
from doorward.api.shapes import Choice, Each, Flag, Said, Whole, answered
from doorward.authserver import attempts
from doorward.authserver.attempts import Attempt, Seen, State
from doorward.model import UserId
from doorward.rights import MANAGE_CLIENTS
from doorward.storage import accounts
from doorward.web.words import iso

MINE: Final = f"{BASE}/me/attempts"
OF_TENANT: Final = f"{TENANT}/attempts"
_STEP: Final = answered(
    step=Said(), at=TIME, code=MAYBE_SAID, likely=Flag(says="By address and time only."), request_id=Said(), address=Said(),
)  # fmt: skip
ATTEMPT: Final = answered(
    id=Whole(names="attempt_id"), state=Choice([state.value for state in State]), stopped_at=MAYBE_SAID, code=MAYBE_SAID, client=MAYBE_SAID,
    client_name=MAYBE_SAID, user=MAYBE_SAID, began_at=TIME, steps=Each(_STEP, most=10_000),
)  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    return call.page_of_all(_found(call), lambda each: (-each.id,)).told(partial(_described, call))


def _show(call: Call) -> dict[str, Any]:
    found = next((each for each in _found(call) if str(each.id) == call.path["attempt_id"]), None)
    if found is None:
        raise unknown("There is no such attempt for this caller.")
    return _described(call, found)


def _found(call: Call) -> list[Attempt]:
    if call.of_tenant is None:
        return attempts.of_user(call.tx, call.caller.user_id, call.now)
    return attempts.of_tenant(call.tx, call.tenant.id, call.now)


def _described(call: Call, attempt: Attempt) -> dict[str, Any]:
    user_id = attempt.last("user_id")
    user = None if user_id is None else accounts.user_by_id(call.tx, UserId(user_id))
    return {
        "id": attempt.id, "state": attempt.state.value,
        "stopped_at": None if attempt.stopped_at is None else attempt.stopped_at.value, "code": attempt.code,
        "client": attempt.last("client_id"), "client_name": attempt.last("client_name"),
        "user": None if user is None else user.email, "began_at": iso(attempt.began),
        "steps": [_step(each) for each in attempt.seen],
    }  # fmt: skip


def _step(seen: Seen) -> dict[str, Any]:
    step = seen.step
    return {
        "step": step.step.value, "at": iso(step.at), "code": step.code, "likely": seen.likely,
        "request_id": step.request_id, "address": step.address,
    }  # fmt: skip


_own = partial(ApiRoute, method="GET", needs=ONESELF, keys=False, answer=ATTEMPT)
_tenants = partial(
    ApiRoute, method="GET", needs=MANAGE_CLIENTS, answer=ATTEMPT,
    limited="A key that is limited to a part of the tree cannot see the tenant's connection attempts.",
)  # fmt: skip
ROUTES: Final = (
    _own(path=MINE, name="my-attempts.list", says="How far one's own clients got, newest first.", use=_list, pages="attempts"),
    _own(path=f"{MINE}/{{attempt_id}}", name="my-attempts.show", says="One of them.", use=_show),
    _tenants(path=OF_TENANT, name="attempts.list", says="How far clients got, newest first.", use=_list, pages="attempts"),
    _tenants(path=f"{OF_TENANT}/{{attempt_id}}", name="attempts.show", says="One of them.", use=_show),
)  # fmt: skip

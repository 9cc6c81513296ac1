"""``POST /api/v1/tenants/{slug}/explain``: why a call is allowed or denied, as if made now (feature D7).

The answer is what ``doorward explain --json`` prints. That somebody looked at what another person may do is an event.
"""

import json
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call
from doorward.api.common import MAYBE_SAID
from doorward.api.problems import Problem, not_as_described
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Anything, Each, Members, Said, Text, answered
from doorward.gateway.why import Asked, CannotExplain, arguments_of, described, explain_for
from doorward.model import RuleKind
from doorward.protocol import faults
from doorward.rights import EXPLAIN_DECISIONS

PATH: Final = f"{TENANT}/explain"
_KINDS: Final = tuple(kind.value for kind in RuleKind)
_TEXT: Final = Text(most=2000)
_STEP: Final = answered(stage=Said(), outcome=Said(), title=Said(), detail=Said())


def _explain(call: Call) -> dict[str, Any]:
    said = call.body
    kind = next(each for each in RuleKind if each.value in said)
    asked = Asked(
        tenant=call.tenant.slug, email=said["user"], server=said["server"], kind=kind, name=said[kind.value],
        arguments=_arguments(said), key=said.get("key"), connection=said.get("connection"),
    )  # fmt: skip
    explanation = explain_for(
        call.tx, asked, actor_id=call.caller.user_id, by=call.caller.by, now=call.now, cause=call.cause
    )
    return described(explanation, kind)


def _arguments(said: dict[str, Any]) -> dict[str, Any] | None:
    """Return the arguments, which must be what a call may carry."""
    if "arguments" not in said:
        return None
    try:
        return arguments_of(json.dumps(said["arguments"]))
    except (ValueError, RecursionError) as wrong:
        places = [("/arguments", "must be an object that a call may carry")]
        raise not_as_described("The body does not ask about a call.", places) from wrong


def _cannot(wrong: CannotExplain) -> Problem:
    detail = f"Nothing can be explained: {wrong}."
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, fault=faults.API_UNKNOWN)


ROUTES: Final = (
    ApiRoute(
        method="POST", path=PATH, name="decisions.explain", says="Why a call is allowed or denied, as if made now.",
        needs=EXPLAIN_DECISIONS, use=_explain, fresh=False, refusals={CannotExplain: _cannot},
        limited="A key that is limited to a part of the tree cannot ask about the tenant's members.",
        body=Members(
            {
                "user": _TEXT, "server": _TEXT, **dict.fromkeys(_KINDS, _TEXT), "key": _TEXT, "connection": _TEXT,
                "arguments": Anything(object_only=True, says="Of the call."),
            },
            needs=("user", "server"), one_of=_KINDS, not_both=("key", "connection"),
        ),
        answer=answered(
            decision=Said(), reason=MAYBE_SAID, summary=Said(), remedy=MAYBE_SAID,
            told=Said("What the caller is answered."), steps=Each(_STEP),
        ),
    ),
)  # fmt: skip

"""``/api/v1/tenants/{slug}/client-verdicts``: which clients may be let in, as the tenant's administrators say (B3, 0036).

A denial ends what the client has, at its next call. The operator's word holds everywhere and is shown with ``tenant`` null.
"""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import MAYBE_SAID, TIME
from doorward.api.problems import Problem
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Choice, Flag, Members, Text, Whole, answered
from doorward.authserver.client_verdicts import VerdictRefused, Word, decide_client, decide_host, decide_redirect
from doorward.model import ClientId
from doorward.protocol import faults
from doorward.rights import MANAGE_CLIENTS
from doorward.storage import accounts, client_verdicts
from doorward.storage.client_verdicts import EVERYWHERE, Verdict, VerdictKind
from doorward.web.words import iso

PATH: Final = f"{TENANT}/client-verdicts"
_TEXT: Final = Text(most=2000)
VERDICT: Final = answered(
    tenant=MAYBE_SAID, kind=Choice([kind.value for kind in VerdictKind]), client=MAYBE_SAID, value=MAYBE_SAID,
    allowed=Flag(), decided_by=MAYBE_SAID, decided_at=TIME,
)  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    found = client_verdicts.verdicts(call.tx, call.tenant.id)
    return call.page_of_all(found, _mark).told(partial(_described, call))


def _mark(each: Verdict) -> tuple[str, ...]:
    return each.tenant_id, each.kind.value, each.client_id, each.value


def _described(call: Call, verdict: Verdict) -> dict[str, Any]:
    own = verdict.tenant_id != EVERYWHERE
    by = accounts.user_by_id(call.tx, verdict.decided_by) if own and verdict.decided_by is not None else None
    return {
        "tenant": call.tenant.slug if own else None, "kind": verdict.kind.value, "client": verdict.client_id or None,
        "value": verdict.value or None, "allowed": verdict.allowed, "decided_by": None if by is None else by.email,
        "decided_at": iso(verdict.decided_at),
    }  # fmt: skip


def _decide(call: Call) -> dict[str, Any]:
    said = call.body
    word = Word(
        allowed=said["allowed"], tenant_id=call.tenant.id, by=call.caller.user_id, now=call.now,
        cause=call.cause,
    )  # fmt: skip
    if "host" in said:
        return {"ended": decide_host(call.tx, said["host"], word)}
    client_id, directory = ClientId(said["client"]), call.parts.directory
    if "redirect_uri" not in said:
        return {"ended": decide_client(call.tx, client_id, word, directory=directory)}
    ended = decide_redirect(
        call.tx, client_id, said["redirect_uri"], word, directory=directory, vendor_schemes=call.parts.vendor_schemes
    )
    return {"ended": ended}


def _refused(refused: VerdictRefused) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused), fault=faults.API_UNKNOWN)


_route = partial(
    ApiRoute, path=PATH, needs=MANAGE_CLIENTS, refusals={VerdictRefused: _refused},
    limited="A key that is limited to a part of the tree cannot decide about the tenant's apps.",
)  # fmt: skip
ROUTES: Final = (
    _route(
        method="GET", name="client-verdicts.list", says="What was said of clients, as it holds in the tenant.", use=_list,
        answer=VERDICT, pages="verdicts",
    ),
    _route(
        method="POST", name="client-verdicts.decide", use=_decide,
        says="Allow or deny a client, every client at an https host, or one more redirect URI of a client.",
        answer=answered(ended=Whole(says="Connections that ended with it.")),
        body=Members(
            {"client": _TEXT, "redirect_uri": _TEXT, "host": Text(most=260), "allowed": Flag()}, needs=("allowed",),
            one_of=("client", "host"), not_both=("host", "redirect_uri"),
        ),
    ),
)  # fmt: skip

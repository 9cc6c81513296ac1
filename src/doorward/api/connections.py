"""Connected apps: one's own at ``/api/v1/me/connections``, everybody's at ``/api/v1/tenants/{slug}/connections`` (F1, F2).

Nobody gives a connection more than was approved: it is narrowed, named or ended. Whoever let it in is told when somebody
else ends it.
"""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import MAYBE_SAID, MAYBE_TIME, TIME
from doorward.api.problems import Problem, unknown
from doorward.api.route import BASE, ONESELF, TENANT, ApiRoute
from doorward.api.shapes import Choice, Each, Members, Said, Text, Whole, answered
from doorward.authserver import connected
from doorward.authserver.connected import AppRefused, ConnectedApp
from doorward.model import ConnectionId, Permission
from doorward.protocol import faults
from doorward.rights import MANAGE_CLIENTS
from doorward.web.words import iso

MINE: Final = f"{BASE}/me/connections"
OF_TENANT: Final = f"{TENANT}/connections"
_STATES: Final = Choice(["connected", "ended"])
CONNECTION: Final = answered(
    id=Said(names="connection_id"), client=Said(), name=Said("What its person calls it, else what it calls itself."), tenant=Said(),
    user=Said(), url=Said("The one URL that it is good for."), scopes=Each(Said(), most=10_000), state=_STATES,
    created_at=TIME, expires_at=TIME, ended_at=MAYBE_TIME, ended_why=MAYBE_SAID, last_used_at=MAYBE_TIME,
    calls_30_days=Whole(),
)  # fmt: skip
_ENDED: Final = answered(id=Said(), state=_STATES)
_KEEP: Final = Each(Text(most=200), least=1, says="The permissions to keep; the others are taken away for good.")


def described(app: ConnectedApp) -> dict[str, Any]:
    """Return a connection as the API shows it."""
    found = app.connection
    return {
        "id": found.id, "client": found.client_id, "name": app.name, "tenant": app.tenant.slug, "user": app.owner.email,
        "url": found.resource, "scopes": sorted(found.scopes), "state": "ended" if app.over else "connected",
        "created_at": iso(found.created_at), "expires_at": iso(found.expires_at),
        "ended_at": None if found.revoked_at is None else iso(found.revoked_at), "ended_why": found.revoked_reason,
        "last_used_at": None if app.use.last_at is None else iso(app.use.last_at), "calls_30_days": app.use.calls,
    }  # fmt: skip


def _mine(call: Call) -> Page[dict[str, Any]]:
    found = connected.apps_of(call.tx, call.caller.user_id, call.now)
    return call.page_of_all(found, _newest_first).told(described)


def _of_tenant(call: Call) -> Page[dict[str, Any]]:
    at = None if call.after is None else (int(call.after[0]), str(call.after[1]))
    found = connected.apps_from(call.tx, call.tenant.id, call.now, after=at, most=call.most + 1)
    return call.page(found, _oldest_last).told(described)


def _newest_first(app: ConnectedApp) -> tuple[int, str]:
    return -app.connection.created_at, app.connection.id


def _oldest_last(app: ConnectedApp) -> tuple[int, str]:
    return app.connection.created_at, app.connection.id


def _show(call: Call) -> dict[str, Any]:
    return described(_one(call))


def _change(call: Call) -> dict[str, Any]:
    if "keep" in call.body:
        connected.keep_only(
            call.tx, _one(call), frozenset(map(Permission, call.body["keep"])), by=call.user, now=call.now,
            cause=call.cause,
        )  # fmt: skip
    if "name" in call.body:
        connected.rename(call.tx, _one(call), call.body["name"], by=call.user, now=call.now)
    return _show(call)


def _end(call: Call) -> dict[str, str]:
    found = _one(call)
    connected.disconnect(call.tx, found, by=call.user, now=call.now, cause=call.cause, in_person=call.in_person)
    return {"id": found.connection.id, "state": "ended"}


def _one(call: Call) -> ConnectedApp:
    found = connected.app(call.tx, ConnectionId(call.path["connection_id"]), call.caller.user_id, call.now)
    here = call.of_tenant
    # One's own in one's own list, a tenant's in that tenant's: whoever looks after several names the one they mean (M2).
    fits = found is not None and (
        found.owner.id == call.caller.user_id if here is None else found.tenant.id == here.id
    )  # fmt: skip
    if found is None or not fits:
        raise unknown("There is no such connection for this caller.")
    return found


def _refused(refused: AppRefused) -> Problem:
    return Problem(HTTPStatus.CONFLICT, str(refused), fault=faults.API_NOT_AS_DESCRIBED)


_ALSO: Final = {HTTPStatus.CONFLICT: "It is not connected any more, or nothing would be left of it."}
_route = partial(ApiRoute, refusals={AppRefused: _refused}, fresh=False)
_own = partial(_route, needs=ONESELF, keys=False)
_tenants = partial(
    _route, needs=MANAGE_CLIENTS,
    limited="A key that is limited to a part of the tree cannot look after the tenant's apps.",
)  # fmt: skip
ROUTES: Final = (
    _own(
        method="GET", path=MINE, name="my-connections.list", says="The apps that one let in, in every tenant, newest first.",
        use=_mine, answer=CONNECTION, pages="connections",
    ),
    _own(method="GET", path=f"{MINE}/{{connection_id}}", name="my-connections.show", says="One of them.", use=_show, answer=CONNECTION),
    _own(
        method="PATCH", path=f"{MINE}/{{connection_id}}", name="my-connections.change", says="Name it, or take permissions from it.",
        use=_change, answer=CONNECTION, also=_ALSO,
        body=Members({"keep": _KEEP, "name": Text(least=0, most=connected.MAX_LABEL)}, least=1),
    ),
    _own(method="DELETE", path=f"{MINE}/{{connection_id}}", name="my-connections.end", says="Disconnect it, for ever.", use=_end, answer=_ENDED),
    _tenants(
        method="GET", path=OF_TENANT, name="connections.list", says="The apps that anybody let into the tenant, newest first.",
        use=_of_tenant, answer=CONNECTION, pages="connections",
    ),
    _tenants(method="GET", path=f"{OF_TENANT}/{{connection_id}}", name="connections.show", says="One of them.", use=_show, answer=CONNECTION),
    _tenants(
        method="PATCH", path=f"{OF_TENANT}/{{connection_id}}", name="connections.change", says="Take permissions from it.",
        use=_change, answer=CONNECTION, also=_ALSO, body=Members({"keep": _KEEP}, needs=("keep",)),
    ),
    _tenants(
        method="DELETE", path=f"{OF_TENANT}/{{connection_id}}", name="connections.end", says="Disconnect it, for ever; its person is told.",
        use=_end, answer=_ENDED,
    ),
)  # fmt: skip

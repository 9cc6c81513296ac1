"""``/api/v1/tenants/{slug}/invitations``: who is invited to a tenant (features E2, F4).

An invitation is ``{"id", "email", "roles", "at", "state", "created_at", "sent_at", "expires_at"}``; its link goes by mail
and nowhere else. Nothing tells whether the address has an account. Nobody gives more than they, and their key, hold.
"""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.accounts import invitations
from doorward.accounts.invitations import Guest, InvitationRefused, State
from doorward.api.call import Call, Page
from doorward.api.common import EMAIL, PEOPLE, PLACES, ROLES, SAID_PLACES, SAID_ROLES, TIME, places_of
from doorward.api.problems import Problem
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Choice, Members, Said, answered
from doorward.model import Instant, Invitation, Resource
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import permissions
from doorward.web.words import iso

PATH: Final = f"{TENANT}/invitations"
ONE: Final = f"{PATH}/{{invitation_id}}"
STATE: Final = Choice([state.value for state in State])
INVITATION: Final = answered(
    id=Said(names="invitation_id"), email=Said(), roles=SAID_ROLES, at=SAID_PLACES, state=STATE, created_at=TIME, sent_at=TIME,
    expires_at=TIME,
)  # fmt: skip


def described(invitation: Invitation, nodes: list[Resource], now: Instant) -> dict[str, Any]:
    """Return an invitation as the API and ``--json`` show it; never its link."""
    known = {node.id: node for node in nodes}
    return {
        "id": invitation.id,
        "email": invitation.email,
        "roles": list(invitation.roles),
        "at": [
            {"role": each.role, "type": known[each.resource_id].type, "key": known[each.resource_id].key}
            for each in invitation.places
            if each.resource_id in known
        ],
        "state": invitations.state(invitation, now).value,
        "created_at": iso(invitation.created_at),
        "sent_at": iso(invitation.sent_at),
        "expires_at": iso(invitation.expires_at),
    }


def _list(call: Call) -> Page[dict[str, Any]]:
    nodes = permissions.resources_of_tenant(call.tx, call.tenant.id)
    found = invitations.listed(call.tx, call.tenant, call.actor())
    page = call.page_of_all(found, lambda each: (-each.created_at, each.id))
    return page.told(lambda each: described(each, nodes, call.now))


def _invite(call: Call) -> dict[str, Any]:
    said = call.body
    guest = Guest(email=said["email"], roles=tuple(said.get("roles", ())), places=places_of(said.get("at", [])))
    sent = invitations.invite(call.tx, call.tenant, guest, call.actor(), call.parts.mailing, now=call.now)
    return _told(call, sent.invitation)


def _resend(call: Call) -> dict[str, Any]:
    name = call.path["invitation_id"]
    sent = invitations.send_again(call.tx, call.tenant, name, call.actor(), call.parts.mailing, now=call.now)
    return _told(call, sent.invitation)


def _revoke(call: Call) -> dict[str, Any]:
    name = call.path["invitation_id"]
    invitations.revoke(call.tx, call.tenant, name, call.actor(), now=call.now)
    return {"id": name, "state": "revoked"}


def _told(call: Call, invitation: Invitation) -> dict[str, Any]:
    return described(invitation, permissions.resources_of_tenant(call.tx, call.tenant.id), call.now)


def _refused(refused: InvitationRefused) -> Problem:
    later = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Problem(HTTPStatus(refused.status), refused.public, headers=later, fault=refused.fault)


_ALSO: Final = {
    HTTPStatus.CONFLICT: "It has ended, or mail cannot be sent from here.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much mail was sent; `Retry-After` says when more goes.",
}
_route = partial(
    ApiRoute, needs=MANAGE_MEMBERS, refusals={**PEOPLE, InvitationRefused: _refused},
    limited="A key that is limited to a part of the tree cannot invite people.",
)  # fmt: skip
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="invitations.list", says="Who is and was invited, newest first.", use=_list,
        answer=INVITATION, pages="invitations",
    ),
    _route(
        method="POST", path=PATH, name="invitations.create", says="Invite somebody by mail.", use=_invite,
        answer=INVITATION, status=HTTPStatus.CREATED, also=_ALSO,
        body=Members({"email": EMAIL, "roles": ROLES, "at": PLACES}, needs=("email",)),
    ),
    _route(
        method="DELETE", path=ONE, name="invitations.revoke", says="Take an invitation back.", use=_revoke,
        answer=answered(id=Said(), state=STATE), also=_ALSO, fresh=False,
    ),
    _route(
        method="POST", path=f"{ONE}/resend", name="invitations.resend", says="Send a new link; the old one ends.",
        use=_resend, answer=INVITATION, also=_ALSO,
    ),
)  # fmt: skip

"""``/api/v1/tenants/{slug}/members``: who belongs to a tenant, with which roles, and how they leave (C6, E2, F4).

A member is ``{"id", "email", "name", "kind", "status", "roles", "at"}``; what ended is told as ``{"ended": {kind: count}}``.
The caller never gives, takes or touches more than they, and their key, hold themselves.
"""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.accounts import leaving, members
from doorward.accounts.leaving import Left
from doorward.accounts.members import Member, Newcomer, Wanted
from doorward.api.call import Call, Page
from doorward.api.common import LAST_OWNER, NAME, PEOPLE, PLACES, ROLES, SAID_PLACES, SAID_ROLES, places_of
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Choice, MapOf, Members, Said, Whole, answered
from doorward.model import OwnerKind, Status, UserId
from doorward.rights import MANAGE_MEMBERS

PATH: Final = f"{TENANT}/members"
ONE: Final = f"{PATH}/{{user}}"
SERVICE_ACCOUNTS: Final = f"{TENANT}/service-accounts"
MEMBER: Final = answered(
    "A person or service account of the tenant.", id=Said(names="user"), email=Said(), name=Said(),
    kind=Choice([kind.value for kind in OwnerKind]), status=Choice([status.value for status in Status]),
    roles=SAID_ROLES, at=SAID_PLACES,
)  # fmt: skip
ENDED: Final = answered(ended=MapOf(Whole(), "What ended with it, by kind."))


def described(member: Member) -> dict[str, Any]:
    """Return a member as the API and ``--json`` show them."""
    user = member.user
    return {
        "id": user.id, "email": user.email, "name": user.name, "kind": user.kind.value, "status": user.status.value,
        "roles": list(member.roles),
        "at": [{"role": each.role, "type": each.type, "key": each.key} for each in member.places],
    }  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    found = members.members(call.tx, call.tenant)
    return call.page_of_all(found, lambda each: (each.user.email, each.user.id)).told(described)


def _show(call: Call) -> dict[str, Any]:
    return described(members.member_by(call.tx, call.tenant, call.path["user"]))


def _remove(call: Call) -> dict[str, Any]:
    user_id = UserId(call.path["user"])
    return _ended(leaving.leave_tenant(call.tx, user_id, call.tenant, call.actor(), now=call.now))


def _end(action: Callable[..., Left], call: Call) -> dict[str, Any]:
    return _ended(action(call.tx, UserId(call.path["user"]), call.actor(), tenant=call.tenant, now=call.now))


def _roles(call: Call) -> dict[str, Any]:
    places = places_of(call.body["at"]) if "at" in call.body else None
    wanted = Wanted(roles=call.body["roles"], places=places)
    user_id = UserId(call.path["user"])
    return described(members.set_roles(call.tx, call.tenant, user_id, wanted, call.actor(), now=call.now))


def _add(call: Call) -> dict[str, Any]:
    newcomer = Newcomer(name=call.body["name"], kind=OwnerKind.SERVICE, roles=call.body.get("roles", []))
    made = members.add_member(
        call.tx, call.tenant, newcomer, call.actor(), now=call.now, entropy=call.parts.entropy
    )  # fmt: skip
    return described(made)


def _ended(left: Left) -> dict[str, Any]:
    return {"ended": dict(left.ended)}


_route = partial(
    ApiRoute, needs=MANAGE_MEMBERS, refusals=PEOPLE,
    limited="A key that is limited to a part of the tree cannot change the tenant's members.",
)  # fmt: skip
ROUTES: Final = (
    _route(method="GET", path=PATH, name="members.list", says="The members of the tenant.", use=_list, answer=MEMBER, pages="members"),
    _route(method="GET", path=ONE, name="members.show", says="One member, by id or address.", use=_show, answer=MEMBER),
    _route(
        method="DELETE", path=ONE, name="members.remove", says="Take them out of the tenant, with all that they hold in it.",
        use=_remove, answer=ENDED, also=LAST_OWNER,
    ),
    _route(
        method="PUT", path=f"{ONE}/roles", name="members.roles", use=_roles, answer=MEMBER, also=LAST_OWNER,
        says="Give exactly these roles; without `at`, those at nodes stay.",
        body=Members({"roles": ROLES, "at": PLACES}, needs=("roles",)),
    ),
    _route(
        method="POST", path=f"{ONE}/deactivate", name="members.deactivate", use=partial(_end, leaving.deactivate),
        says="Close the whole account, where it is this tenant's alone.", answer=ENDED, also=LAST_OWNER,
    ),
    _route(
        method="POST", path=f"{ONE}/activate", name="members.activate", use=partial(_end, leaving.activate),
        says="Open it again; what had ended stays ended.", answer=ENDED, also=LAST_OWNER,
    ),
    _route(
        method="DELETE", path=f"{ONE}/account", name="members.delete", use=partial(_end, leaving.delete),
        says="Delete the whole account, where it is this tenant's alone.", answer=ENDED, also=LAST_OWNER,
    ),
    _route(
        method="POST", path=SERVICE_ACCOUNTS, name="members.add-service-account", use=_add, answer=MEMBER,
        says="Make a service account.", status=HTTPStatus.CREATED,
        body=Members({"name": NAME, "roles": ROLES}, needs=("name",)),
    ),
)  # fmt: skip

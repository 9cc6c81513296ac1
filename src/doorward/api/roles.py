"""``/api/v1/tenants/{slug}/roles``: the roles of a tenant, what they give, and who has them where (F2, D1).

Who has which role is said at ``members``. Nobody makes, changes or deletes a role that holds more than they, and their key,
hold themselves.
"""

from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.accounts import roles
from doorward.accounts.roles import MOST_PATTERNS, HeldRole, Holder
from doorward.api.call import Call, Page
from doorward.api.common import MAYBE_SAID, NAME, PEOPLE, SAID_NODES
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Each, Flag, Members, Said, Shape, Text, Whole, answered
from doorward.model import Role
from doorward.rights import MANAGE_MEMBERS

PATH: Final = f"{TENANT}/roles"
ONE: Final = f"{PATH}/{{role}}"
_GIVES: Final = Each(Text(most=200), most=MOST_PATTERNS, says="Permissions or patterns like `documents:*`.")
_ROLE: Final[dict[str, Shape]] = {
    "id": Said(),
    "name": Said(names="role"),
    "built_in": Flag(),
    "permissions": Each(Said(), most=10_000),
}
LISTED: Final = answered(**_ROLE, held_by=Whole(says="How many members have it somewhere."))
WHOLE: Final = answered(
    **_ROLE,
    holders=Each(
        answered(id=Said(names="user"), email=Said(), everywhere=Flag(says="At the tenant itself."), at=SAID_NODES), most=100_000
    ),
)  # fmt: skip


def _list(call: Call) -> Page[dict[str, Any]]:
    found = roles.listed(call.tx, call.tenant)
    return call.page_of_all(found, lambda each: (each.role.name,)).told(_listed)


def _listed(held: HeldRole) -> dict[str, Any]:
    return {**_described(held.role), "held_by": held.count}


def _show(call: Call) -> dict[str, Any]:
    return _whole(call, roles.role_by(call.tx, call.tenant, call.path["role"]))


def _make(call: Call) -> dict[str, Any]:
    said = call.body
    made = roles.make(
        call.tx, call.tenant, said["name"], said["permissions"], call.actor(), now=call.now, entropy=call.parts.entropy
    )
    return _whole(call, made)


def _change(call: Call) -> dict[str, Any]:
    gives = call.body["permissions"]
    changed = roles.change(call.tx, call.tenant, call.path["role"], gives, call.actor(), now=call.now)
    return _whole(call, changed)


def _remove(call: Call) -> dict[str, Any]:
    move_to = call.query.get("move_to")
    gone = roles.remove(call.tx, call.tenant, call.path["role"], call.actor(), move_to=move_to, now=call.now)
    return {"name": gone.role.name, "moved": len(gone.moved), "moved_to": gone.moved_to}


def _whole(call: Call, role: Role) -> dict[str, Any]:
    holders = roles.holders(call.tx, call.tenant, role)
    return {**_described(role), "holders": [_holder(each) for each in holders]}


def _described(role: Role) -> dict[str, Any]:
    return {
        "id": role.id, "name": role.name, "built_in": roles.is_built_in(role), "permissions": list(role.permissions),
    }  # fmt: skip


def _holder(holder: Holder) -> dict[str, Any]:
    nodes = [{"type": node.type, "key": node.key} for node in holder.nodes]
    user = holder.user
    return {"id": user.id, "email": user.email, "everywhere": holder.everywhere, "at": nodes}


_route = partial(
    ApiRoute, needs=MANAGE_MEMBERS, refusals=PEOPLE,
    limited="A key that is limited to a part of the tree cannot look after the tenant's roles.",
)  # fmt: skip
_BUILT_IN: Final = "It is built in, and the same in every tenant."
ROUTES: Final = (
    _route(
        method="GET", path=PATH, name="roles.list", says="The roles of the tenant, by name.", use=_list, answer=LISTED,
        pages="roles",
    ),
    _route(
        method="POST", path=PATH, name="roles.create", says="Make a role.", use=_make, answer=WHOLE,
        status=HTTPStatus.CREATED, body=Members({"name": NAME, "permissions": _GIVES}, needs=("name", "permissions")),
    ),
    _route(method="GET", path=ONE, name="roles.show", says="One role, and who has it where.", use=_show, answer=WHOLE),
    _route(
        method="PUT", path=f"{ONE}/permissions", name="roles.change", use=_change, answer=WHOLE,
        says="Let it give exactly these, from the next call on.", also={HTTPStatus.CONFLICT: _BUILT_IN},
        body=Members({"permissions": _GIVES}, needs=("permissions",)),
    ),
    _route(
        method="DELETE", path=ONE, name="roles.remove", use=_remove, query=Members({"move_to": NAME}),
        says="Delete it; who has it gets the role `move_to` in its place.",
        answer=answered(name=Said(), moved=Whole(), moved_to=MAYBE_SAID),
        also={HTTPStatus.CONFLICT: f"Somebody has it, or was invited with it, and nothing is said of them. {_BUILT_IN}"},
    ),
)  # fmt: skip

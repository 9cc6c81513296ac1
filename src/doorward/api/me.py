"""``GET /api/v1/me``: who asks, where they belong, and what they may look after there (F4)."""

from typing import Any, Final

from doorward.accounts import ways_in
from doorward.api.call import Call
from doorward.api.callers import form_token
from doorward.api.common import MAYBE_SAID, SAID_ROLES
from doorward.api.route import BASE, ONESELF, ApiRoute
from doorward.api.shapes import Choice, Each, Maybe, Said, answered
from doorward.model import Membership, Tenant
from doorward.rights import held
from doorward.storage import accounts

PATH: Final = f"{BASE}/me"
_TENANT: Final = answered(
    slug=Said(names="slug"), name=Said(), roles=SAID_ROLES, may=Each(Said("What of this API they may use there.")),
)  # fmt: skip


def _me(call: Call) -> dict[str, Any]:
    user, caller = call.user, call.caller
    if caller.session is None:
        found = [
            (tenant, membership)
            for tenant, membership in accounts.memberships_of_user(call.tx, user.id)
            if caller.key is not None and tenant.id == caller.key.tenant_id
        ]
    else:
        # Where the way by which they signed in is not taken, they may do nothing now.
        found = ways_in.open_memberships(call.tx, caller.session)
    return {
        "user": {"id": user.id, "email": user.email, "name": user.name, "kind": user.kind.value},
        "through": "session" if caller.key is None else "key",
        "key": None if caller.key is None else caller.key.credential_id,
        "csrf": None if caller.session is None else form_token(call.parts.fingerprinter, caller.session),
        "tenants": [_tenant(call, tenant, membership) for tenant, membership in found],
    }


def _tenant(call: Call, tenant: Tenant, membership: Membership) -> dict[str, Any]:
    rights, key = held(call.tx, tenant.id, call.caller.user_id), call.caller.key
    # A key that is limited to a part of the tree is good for nothing at the tenant itself.
    may = rights if key is None else rights & key.scopes if key.resources is None else frozenset()
    return {"slug": tenant.slug, "name": tenant.name, "roles": list(membership.roles), "may": sorted(may)}


ROUTES: Final = (
    ApiRoute(
        method="GET", path=PATH, name="me.show", says="Who asks, their tenants, and what they may do there.",
        needs=ONESELF, use=_me, limited="",
        answer=answered(
            user=answered(id=Said(names="user"), email=Said(), name=Said(), kind=Said()), through=Choice(["session", "key"]),
            key=Maybe(Said(names="key_id")), csrf=MAYBE_SAID, tenants=Each(_TENANT, most=10_000),
        ),
    ),
)  # fmt: skip

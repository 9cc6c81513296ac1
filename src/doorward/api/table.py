"""Every route of the management API, but ``POST /api/leaks``, which takes a signature and no credential. A new module's ``ROUTES`` are added here, and nowhere else."""

from typing import Any, Final

from doorward.api import (
    approvals,
    attempts,
    client_verdicts,
    clients,
    connections,
    domains,
    explain,
    invitations,
    me,
    members,
    openapi,
    own_servers,
    resources,
    roles,
    servers,
    tenant_keys,
    watching,
)
from doorward.api.call import Call
from doorward.api.route import BASE, ONESELF, ApiRoute
from doorward.api.shapes import Anything


def _described(call: Call) -> dict[str, Any]:
    return openapi.document(ROUTES, call.parts.public_url)


ROUTES: Final[tuple[ApiRoute, ...]] = (
    *me.ROUTES,
    # For whoever has a credential that is good here: what there is inside is nobody else's business (N16).
    ApiRoute(
        method="GET", path=f"{BASE}/openapi.json", name="openapi.show", says="This description, as OpenAPI 3.1.",
        needs=ONESELF, use=_described, answer=Anything(object_only=True), limited="",
    ),
    *approvals.ROUTES,
    *clients.ROUTES,
    *explain.ROUTES,
    *invitations.ROUTES,
    *tenant_keys.ROUTES,
    *members.ROUTES,
    *roles.ROUTES,
    *resources.ROUTES,
    *domains.ROUTES,
    *connections.ROUTES,
    *client_verdicts.ROUTES,
    *attempts.ROUTES,
    *servers.ROUTES,
    *own_servers.ROUTES,
    *watching.ROUTES,
)  # fmt: skip

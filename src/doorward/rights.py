"""What a person may do to a tenant itself, now: one question, one place that answers it (feature D1).

Roles hold these permissions like any other, wildcards included; they need no entry in the deployment's catalogue. Only
roles bound at the whole tenant count: who looks after one project does not look after the tenant.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from doorward.model import Permission, Tenant, TenantId, UserId
from doorward.policy.permission import expand
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader

MANAGE_RESOURCES: Final = Permission("resources:manage")
MANAGE_CLIENTS: Final = Permission("clients:manage")
REGISTER_CLIENTS: Final = Permission("clients:register")
MANAGE_MEMBERS: Final = Permission("members:manage")
EXPLAIN_DECISIONS: Final = Permission("decisions:explain")
DECIDE_CALLS: Final = Permission("approvals:decide")
MANAGE_KEYS: Final = Permission("keys:manage")
CREATE_KEYS: Final = Permission("keys:create")
# Not `…:read`: viewers have that of everything.
SEE_USAGE: Final = Permission("usage:view")
SEE_AUDIT: Final = Permission("audit:view")
MANAGE_TENANT: Final = Permission("tenant:manage")
MANAGE_SERVERS: Final = Permission("servers:manage")
ADMINISTRATION: Final[Mapping[Permission, str]] = MappingProxyType({
    MANAGE_RESOURCES: "Change the resource tree, or push it from the product that the resources live in.",
    MANAGE_CLIENTS: "See everybody's connection attempts and connections, allow or deny apps, and register them for the tenant.",
    REGISTER_CLIENTS: "Register apps that nobody but oneself can let in.",
    MANAGE_MEMBERS: "Invite people, make roles and give them to members, make service accounts, deactivate and remove: never beyond one's own rights.",
    EXPLAIN_DECISIONS: "Ask why a call of any member is allowed or denied.",
    DECIDE_CALLS: "Approve or deny calls, where their rule asks for this; over the API always.",
    MANAGE_KEYS: "See, make and end the API keys of everybody, and say how keys are made.",
    MANAGE_SERVERS: "See the servers and their tools, try tools, add servers for the tenant, and say what is denied beyond their rules.",
    CREATE_KEYS: "Make API keys for oneself, where the tenant says that it takes a permission.",
    SEE_USAGE: "See how much everybody calls what; one's own use needs no permission.",
    SEE_AUDIT: "Read, search and export the audit log and the log of calls.",
    MANAGE_TENANT: "Change the tenant's own settings: its name, how its people sign in, its limits.",
})  # fmt: skip
"""What each lets one do, for the documentation; it has a line for each."""


def may(reader: Reader, tenant_id: TenantId, user_id: UserId, permission: Permission) -> bool:
    """Say whether this person has ``permission`` in the whole tenant."""
    return permission in held(reader, tenant_id, user_id)


def held(reader: Reader, tenant_id: TenantId, user_id: UserId) -> frozenset[Permission]:
    """Return what of ``ADMINISTRATION`` this person has in the whole tenant."""
    return expand(permissions.role_permissions(reader, tenant_id, user_id), ADMINISTRATION)


def tenants_with(reader: Reader, user_id: UserId, permission: Permission) -> list[Tenant]:
    """Return the tenants in which this person has ``permission``, by name."""
    found = accounts.memberships_of_user(reader, user_id)
    return [tenant for tenant, _ in found if may(reader, tenant.id, user_id, permission)]

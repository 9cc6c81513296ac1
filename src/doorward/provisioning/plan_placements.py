"""The roles that a document binds to members at nodes of their tenant's tree."""

from collections.abc import Collection
from functools import partial

from doorward.model import Placement, Resource, Tenant
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.provisioning.change import Change, Writing
from doorward.provisioning.document import MemberDeclared, PlaceDeclared, TenantDeclared
from doorward.provisioning.plan_tenants import tenant_of
from doorward.provisioning.reading import refuse
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader


def plan_placements(reader: Reader, declared: TenantDeclared) -> list[Change]:
    """Return what has to change at nodes; a member without ``at`` keeps what there is. Raises ``DocumentError``."""
    tenant = accounts.tenant_by_slug(reader, declared.slug)
    nodes = [] if tenant is None else permissions.resources_of_tenant(reader, tenant.id)
    roles = [] if tenant is None else permissions.roles_of_tenant(reader, tenant.id)
    known = {(node.type, node.key) for node in nodes} | {node.name for node in declared.resources}
    names = {*BUILT_IN_ROLES, *(role.name for role in roles), *(role.name for role in declared.roles)}
    changes = []
    for member in declared.members:
        if member.at is None:
            continue
        _check(member.at, known, names)
        if _stored(reader, tenant, member, nodes) != {(place.role, place.node) for place in member.at}:
            changes.append(_change(declared, member))
    return changes


def _check(at: Collection[PlaceDeclared], known: Collection[tuple[str, str]], roles: Collection[str]) -> None:
    for place in at:
        if place.role not in roles:
            refuse(place.path, f"there is no role {place.role!r}", f"Known here: {', '.join(sorted(roles))}")
        if place.node not in known:
            refuse(place.path, f"there is no resource {' '.join(place.node)}", "Declare it in resources, or push it")


def _stored(
    reader: Reader, tenant: Tenant | None, member: MemberDeclared, nodes: Collection[Resource]
) -> set[tuple[str, tuple[str, str]]]:
    user = accounts.user_by_email(reader, member.email)
    if tenant is None or user is None:
        return set()
    names = {node.id: (node.type, node.key) for node in nodes}
    placed = permissions.placements_of_tenant(reader, tenant.id).get(user.id, ())
    return {(each.role, names[each.resource_id]) for each in placed}


def _change(declared: TenantDeclared, member: MemberDeclared) -> Change:
    places = (
        ", ".join(f"{place.role} at {' '.join(place.node)}" for place in member.at or ()) or "no role at a resource"
    )
    return Change(
        text=f"tenant {declared.slug}: member {member.email}: {places}",
        event="membership:changed",
        subject=member.email,
        tenant=declared.slug,
        run=partial(_place, declared, member),
    )


def _place(declared: TenantDeclared, member: MemberDeclared, writing: Writing) -> None:
    tenant, user = tenant_of(writing, declared.slug), accounts.user_by_email(writing.tx, member.email)
    if user is None:
        raise LookupError(member.email)
    ids = {(node.type, node.key): node.id for node in permissions.resources_of_tenant(writing.tx, tenant.id)}
    placements = [Placement(role=place.role, resource_id=ids[place.node]) for place in member.at or ()]
    permissions.set_placements(writing.tx, tenant.id, user.id, placements)

"""The permission catalogue, roles, who holds them, and each tenant's tree of resources."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

import sqlalchemy as sa

from doorward.model import (
    Permission,
    PermissionEntry,
    Placement,
    Resource,
    ResourceId,
    Role,
    RoleId,
    Status,
    TenantId,
    UserId,
)
from doorward.storage.database import Conflict, Reader, Transaction
from doorward.storage.schema import (
    memberships,
    permission_catalogue,
    resources,
    role_bindings,
    role_placements,
    roles,
    tenants,
    users,
)
from doorward.storage.schema import role_permissions as permissions_of_roles
from doorward.storage.statements import Row, Statement, delete, insert, insert_if_absent, select, upsert

_catalogue = permission_catalogue.c
_PUT_ENTRY: Final = upsert(
    permission_catalogue, [_catalogue.permission], [_catalogue.words, _catalogue.is_default, _catalogue.destructive]
)
_CATALOGUE: Final = select(permission_catalogue, order=[_catalogue.permission])

_PUT_ROLE: Final = upsert(roles, [roles.c.tenant_id, roles.c.name], [roles.c.built_in])
_ROLE_IDS: Final = select(roles, roles.c.tenant_id)
_CLEAR_ROLE: Final = delete(permissions_of_roles, permissions_of_roles.c.role_id)
_ADD_TO_ROLE: Final = insert_if_absent(permissions_of_roles)
_ROLES: Final = Statement(
    sa.select(roles, permissions_of_roles.c.permission)
    .select_from(roles.outerjoin(permissions_of_roles, permissions_of_roles.c.role_id == roles.c.id))
    .where(roles.c.tenant_id == sa.bindparam("tenant_id"))
    .order_by(roles.c.name, permissions_of_roles.c.permission)
)

_ADD_MEMBER: Final = insert_if_absent(memberships)
_MEMBER: Final = select(memberships, memberships.c.tenant_id, memberships.c.user_id)
_UNBIND: Final = delete(role_bindings, role_bindings.c.tenant_id, role_bindings.c.user_id)
_BIND: Final = insert(role_bindings)
_RIGHTS: Final = Statement(
    sa.select(permissions_of_roles.c.permission)
    .select_from(
        role_bindings.join(permissions_of_roles, permissions_of_roles.c.role_id == role_bindings.c.role_id)
        .join(users, users.c.id == role_bindings.c.user_id)
        .join(tenants, tenants.c.id == role_bindings.c.tenant_id)
    )
    .where(
        role_bindings.c.tenant_id == sa.bindparam("tenant_id"),
        role_bindings.c.user_id == sa.bindparam("user_id"),
        users.c.status == Status.ACTIVE.value,
        tenants.c.status == Status.ACTIVE.value,
    )
    .distinct()
)

_ROLES_HELD: Final = Statement(
    sa.select(roles.c.name)
    .select_from(role_bindings.join(roles, roles.c.id == role_bindings.c.role_id))
    .where(role_bindings.c.tenant_id == sa.bindparam("tenant_id"), role_bindings.c.user_id == sa.bindparam("user_id"))
    .order_by(roles.c.name)
)

_PLACED_RIGHTS: Final = Statement(
    sa.select(role_placements.c.resource_id, permissions_of_roles.c.permission)
    .select_from(
        role_placements.join(permissions_of_roles, permissions_of_roles.c.role_id == role_placements.c.role_id)
        .join(users, users.c.id == role_placements.c.user_id)
        .join(tenants, tenants.c.id == role_placements.c.tenant_id)
    )
    .where(
        role_placements.c.tenant_id == sa.bindparam("tenant_id"),
        role_placements.c.user_id == sa.bindparam("user_id"),
        users.c.status == Status.ACTIVE.value,
        tenants.c.status == Status.ACTIVE.value,
    )
    .distinct()
)
_PLACEMENTS: Final = Statement(
    sa.select(role_placements.c.user_id, role_placements.c.resource_id, roles.c.name)
    .select_from(role_placements.join(roles, roles.c.id == role_placements.c.role_id))
    .where(role_placements.c.tenant_id == sa.bindparam("tenant_id"))
    .order_by(role_placements.c.user_id, roles.c.name, role_placements.c.resource_id)
)
_UNPLACE: Final = delete(role_placements, role_placements.c.tenant_id, role_placements.c.user_id)
_PLACE: Final = insert_if_absent(role_placements)

_RESOURCES: Final = select(resources, resources.c.tenant_id, order=[resources.c.type, resources.c.key])
_PUT_RESOURCE: Final = upsert(
    resources, [resources.c.tenant_id, resources.c.type, resources.c.key], [resources.c.name, resources.c.parent_id]
)
_REMOVE_RESOURCE: Final = delete(resources, resources.c.tenant_id, resources.c.id)


def put_catalogue(tx: Transaction, entries: Sequence[PermissionEntry]) -> None:
    """Add or change entries; those not named stay."""
    for entry in entries:
        tx.run(
            _PUT_ENTRY,
            {
                "permission": entry.permission,
                "words": entry.words,
                "is_default": int(entry.is_default),
                "destructive": int(entry.destructive),
            },
        )


def catalogue(reader: Reader) -> list[PermissionEntry]:
    """Return the catalogue, ordered by permission."""
    return list(reader.kept("catalogue", lambda: tuple(_entry(row) for row in reader.all(_CATALOGUE))))


@lru_cache(maxsize=4096)  # equal rows are the same entry
def _entry(row: Row) -> PermissionEntry:
    return PermissionEntry(
        permission=Permission(row.permission),
        words=row.words,
        is_default=bool(row.is_default),
        destructive=bool(row.destructive),
    )


def put_role(tx: Transaction, role: Role) -> None:
    """Add the role, or give the one of that name these permissions; an existing role keeps its id."""
    params = {"id": role.id, "tenant_id": role.tenant_id, "name": role.name, "built_in": int(role.built_in)}
    tx.run(_PUT_ROLE, params)
    role_id = _role_ids(tx, role.tenant_id)[role.name]
    tx.run(_CLEAR_ROLE, {"role_id": role_id})
    for permission in role.permissions:
        tx.run(_ADD_TO_ROLE, {"role_id": role_id, "tenant_id": role.tenant_id, "permission": permission})


def roles_of_tenant(reader: Reader, tenant_id: TenantId) -> list[Role]:
    """Return the roles by name, their permissions sorted."""
    found: dict[str, list[str]] = {}
    rows = reader.all(_ROLES, {"tenant_id": tenant_id})
    for row in rows:
        if row.permission is not None:
            found.setdefault(row.id, []).append(row.permission)
    return [
        Role(
            id=RoleId(row.id),
            tenant_id=tenant_id,
            name=row.name,
            permissions=tuple(found.get(row.id, ())),
            built_in=bool(row.built_in),
        )
        for row in {row.id: row for row in rows}.values()
    ]


def set_membership(tx: Transaction, tenant_id: TenantId, user_id: UserId, role_names: tuple[str, ...]) -> None:
    """Make the user a member with exactly these roles. Raises ``LookupError`` for an unknown role, first of all."""
    known = _role_ids(tx, tenant_id)
    unknown = [name for name in role_names if name not in known]
    if unknown:
        raise LookupError(f"no role {unknown[0]!r} in this tenant")
    place = {"tenant_id": tenant_id, "user_id": user_id}
    tx.run(_ADD_MEMBER, place)
    tx.run(_UNBIND, place)
    for name in dict.fromkeys(role_names):
        tx.run(_BIND, {**place, "role_id": known[name]})


def is_member(reader: Reader, tenant_id: TenantId, user_id: UserId) -> bool:
    """Say whether a user belongs to a tenant, with or without a role there."""
    return bool(reader.all(_MEMBER, {"tenant_id": tenant_id, "user_id": user_id}))


def roles_at_tenant(reader: Reader, tenant_id: TenantId, user_id: UserId) -> tuple[str, ...]:
    """Return the names of the roles that a member has in the whole tenant, whether or not they may be used."""
    return tuple(row.name for row in reader.all(_ROLES_HELD, {"tenant_id": tenant_id, "user_id": user_id}))


def role_permissions(reader: Reader, tenant_id: TenantId, user_id: UserId) -> frozenset[str]:
    """Return all patterns (wildcards as written) that the user's roles give in the whole tenant, now.

    Empty for no membership, no role, and where user or tenant is not active.
    """
    rows = reader.all(_RIGHTS, {"tenant_id": tenant_id, "user_id": user_id})
    return frozenset(row.permission for row in rows)


def set_placements(tx: Transaction, tenant_id: TenantId, user_id: UserId, placements: Collection[Placement]) -> None:
    """Bind exactly these roles to a member at nodes. Raises ``LookupError`` for an unknown role or node, first of all.

    Only a member has places: ``set_membership`` comes first.
    """
    known, nodes = _role_ids(tx, tenant_id), {node.id for node in resources_of_tenant(tx, tenant_id)}
    for each in placements:
        if each.role not in known or each.resource_id not in nodes:
            raise LookupError(f"no role {each.role!r} or no node {each.resource_id!r} in this tenant")
    place = {"tenant_id": tenant_id, "user_id": user_id}
    tx.run(_UNPLACE, place)
    for each in placements:
        tx.run(_PLACE, {**place, "role_id": known[each.role], "resource_id": each.resource_id})


def placements_of_tenant(reader: Reader, tenant_id: TenantId) -> dict[UserId, tuple[Placement, ...]]:
    """Return the roles that are bound at nodes, by member."""
    found: dict[UserId, tuple[Placement, ...]] = {}
    for row in reader.all(_PLACEMENTS, {"tenant_id": tenant_id}):
        placement = Placement(role=row.name, resource_id=ResourceId(row.resource_id))
        found[UserId(row.user_id)] = (*found.get(UserId(row.user_id), ()), placement)
    return found


def placed_permissions(reader: Reader, tenant_id: TenantId, user_id: UserId) -> dict[ResourceId, frozenset[str]]:
    """Return the patterns that roles bound at nodes give there and below, now; empty as for ``role_permissions``."""
    found: dict[ResourceId, set[str]] = {}
    for row in reader.all(_PLACED_RIGHTS, {"tenant_id": tenant_id, "user_id": user_id}):
        found.setdefault(ResourceId(row.resource_id), set()).add(row.permission)
    return {node: frozenset(patterns) for node, patterns in found.items()}


def permissions_anywhere(reader: Reader, tenant_id: TenantId, user_id: UserId) -> frozenset[str]:
    """Return the patterns that the user's roles give at the tenant or at some node of it: what a scope may be for.

    Never for a decision about the tenant itself: that takes ``role_permissions``.
    """

    def read() -> frozenset[str]:
        placed = placed_permissions(reader, tenant_id, user_id).values()
        return role_permissions(reader, tenant_id, user_id).union(*placed)

    return reader.kept(("patterns", tenant_id, user_id), read, tenant_id)


def put_resources(tx: Transaction, tenant_id: TenantId, resources: Sequence[Resource]) -> None:
    """Add nodes, or rename and move those that have the same type and key; these keep their stored id.

    A ``parent_id`` may name a node of the same call by the id given for it there. Raises ``Conflict`` for a parent
    that does not exist.
    """
    stored = {(node.type, node.key): node.id for node in resources_of_tenant(tx, tenant_id)}
    ids = {node.id: stored.get((node.type, node.key), node.id) for node in resources}
    rows = [
        {
            "id": ids[node.id],
            "tenant_id": tenant_id,
            "type": node.type,
            "key": node.key,
            "name": node.name,
            "parent_id": None if node.parent_id is None else ids.get(node.parent_id, node.parent_id),
        }
        for node in resources
    ]
    known = set(stored.values())
    _require_parents(rows, known)
    # First without parents, so that the order of the nodes does not matter.
    tx.run(_PUT_RESOURCE, [{**row, "parent_id": None} for row in rows if row["id"] not in known])
    tx.run(_PUT_RESOURCE, rows)


def remove_resources(tx: Transaction, tenant_id: TenantId, ids: Sequence[ResourceId]) -> int:
    """Remove nodes of this tenant, with everything below them; return how many of the named ones there were."""
    return sum(tx.run(_REMOVE_RESOURCE, {"tenant_id": tenant_id, "id": each}) for each in ids)


def resources_of_tenant(reader: Reader, tenant_id: TenantId) -> list[Resource]:
    """Return all nodes, ordered by type and key."""
    return [
        Resource(
            id=ResourceId(row.id),
            tenant_id=tenant_id,
            type=row.type,
            key=row.key,
            name=row.name,
            parent_id=None if row.parent_id is None else ResourceId(row.parent_id),
        )
        for row in reader.all(_RESOURCES, {"tenant_id": tenant_id})
    ]


def _require_parents(rows: Sequence[dict[str, str | None]], known: set[ResourceId]) -> None:
    # The reference alone would accept another tenant's node as the parent.
    mine = {*known, *(row["id"] for row in rows), None}
    for row in rows:
        if row["parent_id"] not in mine:
            raise Conflict(f"resource {row['type']}:{row['key']} has a parent that is not in this tenant")


def _role_ids(reader: Reader, tenant_id: TenantId) -> dict[str, str]:
    return {row.name: row.id for row in reader.all(_ROLE_IDS, {"tenant_id": tenant_id})}

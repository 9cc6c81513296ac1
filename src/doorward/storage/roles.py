"""Who holds which role where, and the end of a role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorward.model import ResourceId, RoleId, TenantId, UserId
from doorward.storage.database import Reader, Transaction
from doorward.storage.statements import Statement

_COUNTS: Final = Statement(
    "SELECT role_id, COUNT(DISTINCT user_id) AS count FROM ("
    "SELECT role_id, user_id FROM role_bindings WHERE tenant_id = :tenant_id"
    " UNION ALL SELECT role_id, user_id FROM role_placements WHERE tenant_id = :tenant_id) AS held GROUP BY role_id"
)
_HOLDERS: Final = Statement(
    "SELECT held.user_id, held.resource_id FROM ("
    "SELECT user_id, NULL AS resource_id FROM role_bindings WHERE tenant_id = :tenant_id AND role_id = :role_id"
    " UNION ALL SELECT user_id, resource_id FROM role_placements WHERE tenant_id = :tenant_id AND role_id = :role_id"
    ") AS held JOIN users ON users.id = held.user_id ORDER BY users.email, held.resource_id"
)
_FREE: Final = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table} AS held WHERE held.role_id = roles.id)"  # noqa: S608  (constants)
    for table in ("role_bindings", "role_placements")
)
_REMOVE: Final = Statement(
    f"DELETE FROM roles WHERE id = :role_id AND tenant_id = :tenant_id AND built_in = 0 AND {_FREE}"  # noqa: S608
)
_MINE: Final = "WHERE tenant_id = :tenant_id AND role_id = :old"
_MOVE: Final = tuple(
    Statement(text)
    for table, columns in (("role_bindings", "tenant_id, user_id"), ("role_placements", "tenant_id, user_id, resource_id"))
    for text in (
        f"INSERT INTO {table} ({columns}, role_id) SELECT {columns}, :new FROM {table} {_MINE} ON CONFLICT DO NOTHING",  # noqa: S608
        f"DELETE FROM {table} {_MINE}",  # noqa: S608
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody has the role: in the whole tenant (``resource_id`` is None), or at a node and below."""

    user_id: UserId
    resource_id: ResourceId | None


def holders_count(reader: Reader, tenant_id: TenantId) -> dict[RoleId, int]:
    """Return how many members have each role somewhere; a role that nobody has is missing."""
    rows = reader.all(_COUNTS, {"tenant_id": tenant_id})
    return {RoleId(row.role_id): int(row.count) for row in rows}


def holders(reader: Reader, tenant_id: TenantId, role_id: RoleId) -> Sequence[Hold]:
    """Return who has a role where, by address."""
    rows = reader.all(_HOLDERS, {"tenant_id": tenant_id, "role_id": role_id})
    return [Hold(UserId(row.user_id), row.resource_id and ResourceId(row.resource_id)) for row in rows]


def move_holders(tx: Transaction, tenant_id: TenantId, old: RoleId, new: RoleId) -> None:
    """Give everybody who has one role another one in its place, wherever they have it. The caller holds the tenant."""
    for statement in _MOVE:
        given = {"tenant_id": tenant_id, "old": old}
        tx.run(statement, given | {"new": new} if statement in _MOVE[::2] else given)


def remove_role(tx: Transaction, tenant_id: TenantId, role_id: RoleId) -> bool:
    """Delete a role of the tenant's own. False where it is none, or where somebody has it."""
    return tx.run(_REMOVE, {"tenant_id": tenant_id, "role_id": role_id}) == 1

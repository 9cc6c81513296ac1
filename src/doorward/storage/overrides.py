"""What tenants say beyond the rules of their servers, in the order in which they are shown."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from doorward.model import Effect, Override, RuleKind, ServerId, SubjectKind, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import role_bindings, role_placements, roles, tool_overrides
from doorward.storage.statements import Row, Statement, delete, insert, select

_OF_TENANT: Final = select(tool_overrides, tool_overrides.c.tenant_id, order=[tool_overrides.c.position])
_ADD: Final = insert(tool_overrides)
_REMOVE: Final = delete(tool_overrides, tool_overrides.c.tenant_id, tool_overrides.c.id)
_CLEAR: Final = delete(tool_overrides, tool_overrides.c.tenant_id)


def _held(table: sa.Table) -> sa.Select[tuple[str]]:
    return (
        sa.select(roles.c.name)
        .join(table, table.c.role_id == roles.c.id)
        .where(table.c.tenant_id == sa.bindparam("tenant_id"), table.c.user_id == sa.bindparam("user_id"))
    )


_ROLE_NAMES: Final = Statement(sa.union(_held(role_bindings), _held(role_placements)))


def overrides_of_tenant(reader: Reader, tenant_id: TenantId) -> list[Override]:
    """Return the overrides in their order."""
    return [_override(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def placed(reader: Reader, tenant_id: TenantId) -> list[tuple[int, str]]:
    """Return the position and id of each, in their order."""
    return [(row.position, row.id) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def overrides_for(
    reader: Reader, tenant_id: TenantId, user_id: UserId, credential: SubjectKind | None, credential_id: str
) -> tuple[Override, ...]:
    """Return the overrides that hold for somebody with a credential (None: with none)."""
    found = overrides_of_tenant(reader, tenant_id)
    if not found:
        return ()
    rows = reader.all(_ROLE_NAMES, {"tenant_id": tenant_id, "user_id": user_id})
    mine = {(SubjectKind.EVERYBODY, ""), (SubjectKind.USER, user_id), (credential, credential_id)}
    mine |= {(SubjectKind.ROLE, row.name) for row in rows}
    return tuple(each for each in found if (each.subject, each.subject_id) in mine)


def add_override(tx: Transaction, override: Override, position: int) -> None:
    """Add an override. Raises ``Conflict`` for a tenant or server that does not exist."""
    tx.run(
        _ADD,
        {
            "id": override.id,
            "tenant_id": override.tenant_id,
            "position": position,
            "server_id": override.server_id,
            "kind": override.kind.value,
            "match": override.match,
            "effect": override.effect.value,
            "requires": records.joined(override.requires),
            "approval": None if override.approval is None else records.approvers(override.approval),
            "subject": override.subject.value,
            "subject_id": override.subject_id,
        },
    )


def replace_overrides(tx: Transaction, tenant_id: TenantId, overrides: Sequence[Override]) -> None:
    """Make the tenant's overrides exactly these, in this order."""
    tx.run(_CLEAR, {"tenant_id": tenant_id})
    for position, each in enumerate(overrides):
        add_override(tx, each, position)


def remove_override(tx: Transaction, tenant_id: TenantId, override_id: str) -> bool:
    """Remove an override of this tenant. False where there was none."""
    return tx.run(_REMOVE, {"tenant_id": tenant_id, "id": override_id}) == 1


def _override(row: Row) -> Override:
    return Override(
        id=row.id,
        tenant_id=TenantId(row.tenant_id),
        server_id=ServerId(row.server_id),
        kind=RuleKind(row.kind),
        match=row.match,
        effect=Effect(row.effect),
        requires=records.permissions(row.requires),
        approval=None if row.approval is None else records.read_approvers(row.approval),
        subject=SubjectKind(row.subject),
        subject_id=row.subject_id,
    )

"""Which tenants' trees a product pushes: these are not changed on a page, where the next push would undo it."""

from typing import Final

from doorward.model import Instant, TenantId
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import pushed_trees
from doorward.storage.statements import delete, insert_if_absent, select

_MARK: Final = insert_if_absent(pushed_trees)
_MARKED: Final = select(pushed_trees, pushed_trees.c.tenant_id)
_CLEAR: Final = delete(pushed_trees, pushed_trees.c.tenant_id)


def mark_pushed(tx: Transaction, tenant_id: TenantId, now: Instant) -> None:
    """Remember that a product pushes this tree. Again, nothing changes."""
    tx.run(_MARK, {"tenant_id": tenant_id, "since": now})


def pushed_since(reader: Reader, tenant_id: TenantId) -> Instant | None:
    """Return since when a product pushes this tree, or None where none does."""
    row = reader.first(_MARKED, {"tenant_id": tenant_id})
    return None if row is None else Instant(row.since)


def clear_pushed(tx: Transaction, tenant_id: TenantId) -> bool:
    """Forget it. False where nobody pushed."""
    return tx.run(_CLEAR, {"tenant_id": tenant_id}) == 1

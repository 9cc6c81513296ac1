"""Calls that wait for an approval, and approvals that wait for their call (feature D8).

Each is decided once and used once for each round: the row count is the truth.
"""

from typing import Any, Final

import sqlalchemy as sa

from doorward.model import (
    Approval,
    ApprovalId,
    ClientId,
    CredentialKind,
    Instant,
    ServerId,
    TenantId,
    UserId,
)
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import approvals as table
from doorward.storage.statements import Row, Statement, insert, select, update

_NOW: Final = sa.bindparam("now", type_=sa.BigInteger)
_LIMIT: Final = sa.bindparam("limit", type_=sa.Integer)
_CALLER: Final = (table.c.tenant_id, table.c.user_id, table.c.credential, table.c.credential_id)
_CALL: Final = (*_CALLER, table.c.server_id, table.c.tool, table.c.digest, table.c.arguments_hash, table.c.approvers)
_OPEN: Final = (table.c.expires_at > _NOW, table.c.rounds == 0)
_UNDECIDED: Final = (table.c.expires_at > _NOW, table.c.decided_at.is_(None))


def _are(*columns: sa.Column[Any]) -> list[sa.ColumnElement[bool]]:
    return [column == sa.bindparam(column.name) for column in columns]


_INSERT: Final = insert(table)
_BY_ID: Final = select(table, table.c.id)
_OF_CALL: Final = Statement(
    sa.select(table).where(*_are(*_CALL), *_OPEN).order_by(table.c.created_at.desc(), table.c.id).limit(1)
)
_WAITING: Final = Statement(
    sa.select(sa.func.count().label("count")).select_from(table).where(*_are(*_CALLER), *_UNDECIDED)
)
_UNDECIDED_OF_TENANT: Final = Statement(
    sa.select(table).where(*_are(table.c.tenant_id), *_UNDECIDED).order_by(table.c.created_at, table.c.id).limit(_LIMIT)
)
_NEWEST_OF_TENANT: Final = Statement(
    sa.select(table).where(*_are(table.c.tenant_id)).order_by(table.c.created_at.desc(), table.c.id).limit(_LIMIT)
)
_DECIDE: Final = update(
    table,
    [table.c.decided_at, table.c.decided_by, table.c.decided_with, table.c.approved, table.c.expires_at],
    table.c.id,
    *_UNDECIDED,
)
_USE: Final = update(
    table,
    [table.c.used_at, table.c.rounds],
    table.c.id,
    table.c.approved == 1,
    table.c.rounds == sa.bindparam("before", type_=sa.BigInteger),
    table.c.expires_at > _NOW,
)
_WITHDRAW: Final = update(table, [table.c.expires_at], table.c.id, table.c.expires_at > _NOW)


def insert_approval(tx: Transaction, approval: Approval) -> None:
    """Add one that waits."""
    columns = {name: value for name, value in records.columns(approval).items() if name != "approvers"}
    columns["credential"] = approval.credential.value
    tx.run(_INSERT, {**columns, "approvers": records.approvers(approval.approvers), "approved": int(approval.approved)})


def approval_by_id(reader: Reader, approval_id: ApprovalId) -> Approval | None:
    """Return it in whatever state."""
    row = reader.first(_BY_ID, {"id": approval_id})
    return None if row is None else _approval(row)


def open_approval(reader: Reader, like: Approval, now: Instant) -> Approval | None:
    """Return what is open for exactly the call that ``like`` is about: waiting, approved and unused, or denied."""
    bound = {column.name: getattr(like, column.name) for column in _CALL if column is not table.c.approvers}
    bound |= {"credential": like.credential.value, "approvers": records.approvers(like.approvers), "now": now}
    row = reader.first(_OF_CALL, bound)
    return None if row is None else _approval(row)


def waiting_of_caller(reader: Reader, like: Approval, now: Instant) -> int:
    """Return how many calls of the same caller wait for somebody to decide."""
    bound = {column.name: getattr(like, column.name) for column in _CALLER} | {"credential": like.credential.value}
    row = reader.first(_WAITING, {**bound, "now": now})
    return 0 if row is None else int(row.count)


def undecided_of_tenant(reader: Reader, tenant_id: TenantId, now: Instant, limit: int) -> list[Approval]:
    """Return what waits for somebody to decide, oldest first."""
    rows = reader.all(_UNDECIDED_OF_TENANT, {"tenant_id": tenant_id, "now": now, "limit": limit})
    return [_approval(row) for row in rows]


def newest_of_tenant(reader: Reader, tenant_id: TenantId, limit: int) -> list[Approval]:
    """Return the newest, in whatever state, newest first."""
    return [_approval(row) for row in reader.all(_NEWEST_OF_TENANT, {"tenant_id": tenant_id, "limit": limit})]


def decide_approval(  # noqa: PLR0913  (a decision has that many sides)
    tx: Transaction, approval_id: ApprovalId, *, approved: bool, by: UserId | None, through: str, now: Instant,
    expires_at: Instant,
) -> bool:  # fmt: skip
    """Approve or deny. True for exactly one caller ever, and only in time. It then holds until ``expires_at``."""
    bound = {
        "id": approval_id, "decided_at": now, "decided_by": by, "decided_with": through, "approved": int(approved),
        "expires_at": expires_at, "now": now,
    }  # fmt: skip
    return tx.run(_DECIDE, bound) == 1


def use_approval(tx: Transaction, approval_id: ApprovalId, *, rounds: int, now: Instant) -> bool:
    """Spend an approval whose call has had ``rounds`` rounds. True for exactly one caller for each round, in time."""
    bound = {"id": approval_id, "before": rounds, "rounds": rounds + 1, "used_at": now, "now": now}
    return tx.run(_USE, bound) == 1


def withdraw_approval(tx: Transaction, approval_id: ApprovalId, now: Instant) -> bool:
    """End it now, whatever was decided. False where its time was over."""
    return tx.run(_WITHDRAW, {"id": approval_id, "expires_at": now, "now": now}) == 1


def _approval(row: Row) -> Approval:
    return Approval(
        id=ApprovalId(row.id),
        tenant_id=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        credential=CredentialKind(row.credential),
        credential_id=row.credential_id,
        credential_name=row.credential_name,
        client_id=None if row.client_id is None else ClientId(row.client_id),
        server_id=ServerId(row.server_id),
        tool=row.tool,
        digest=row.digest,
        description=row.description,
        arguments_hash=row.arguments_hash,
        arguments=row.arguments,
        approvers=records.read_approvers(row.approvers),
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decided_with=row.decided_with,
        approved=bool(row.approved),
        used_at=row.used_at,
        rounds=row.rounds,
    )

"""Invitations to tenants. Accepted once, and never after they were revoked: the row count is the truth."""

import json
from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, Invitation, Placement, ResourceId, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import invitations
from doorward.storage.statements import Row, Statement, insert, select, update

_INSERT: Final = insert(invitations)
_BY_ID: Final = select(invitations, invitations.c.id)
_OPEN: Final = (invitations.c.accepted_at.is_(None), invitations.c.revoked_at.is_(None))
_IN_TIME: Final = invitations.c.expires_at > sa.bindparam("now", required=True)
_ACCEPT: Final = update(invitations, [invitations.c.accepted_at], invitations.c.id, *_OPEN, _IN_TIME)
_REVOKE: Final = update(invitations, [invitations.c.revoked_at], invitations.c.id, *_OPEN)
_SEND_AGAIN: Final = update(
    invitations, [invitations.c.sent_at, invitations.c.expires_at, invitations.c.invited_by], invitations.c.id, *_OPEN
)  # fmt: skip
_OF_TENANT: Final = select(
    invitations, invitations.c.tenant_id, order=[invitations.c.created_at.desc(), invitations.c.id]
)
_WAITING: Final = Statement(
    sa.select(invitations).where(
        invitations.c.tenant_id == sa.bindparam("tenant_id", required=True),
        invitations.c.email == sa.bindparam("email", required=True),
        *_OPEN,
        _IN_TIME,
    )
)

_WAITING_FOR: Final = Statement(
    sa.select(invitations)
    .where(invitations.c.email == sa.bindparam("email", required=True), *_OPEN, _IN_TIME)
    .order_by(invitations.c.tenant_id, invitations.c.id)
)


def insert_invitation(tx: Transaction, invitation: Invitation) -> None:
    """Add an invitation."""
    places = json.dumps([[place.role, place.resource_id] for place in invitation.places], separators=(",", ":"))
    row = {**records.columns(invitation), "roles": records.listed(invitation.roles), "places": places}
    tx.run(_INSERT, row)


def invitation_by_id(reader: Reader, invitation_id: str) -> Invitation | None:
    """Return the invitation in whatever state."""
    row = reader.first(_BY_ID, {"id": invitation_id})
    return None if row is None else _invitation(row)


def invitations_of_tenant(reader: Reader, tenant_id: TenantId) -> list[Invitation]:
    """Return all that are still kept, newest first."""
    return [_invitation(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def waiting_invitation(reader: Reader, tenant_id: TenantId, email: str, now: Instant) -> Invitation | None:
    """Return the one that this address may accept."""
    row = reader.first(_WAITING, {"tenant_id": tenant_id, "email": email, "now": now})
    return None if row is None else _invitation(row)


def invitations_for(reader: Reader, email: str, now: Instant) -> list[Invitation]:
    """Return all that this address may accept, by tenant."""
    return [_invitation(row) for row in reader.all(_WAITING_FOR, {"email": email, "now": now})]


def accept_invitation(tx: Transaction, invitation_id: str, now: Instant) -> bool:
    """Mark it accepted. True for exactly one caller ever, in time, and never after it was revoked."""
    return tx.run(_ACCEPT, {"id": invitation_id, "accepted_at": now, "now": now}) == 1


def revoke_invitation(tx: Transaction, invitation_id: str, now: Instant) -> bool:
    """Mark it revoked. False where it was accepted or revoked before."""
    return tx.run(_REVOKE, {"id": invitation_id, "revoked_at": now}) == 1


def send_invitation_again(
    tx: Transaction, invitation_id: str, *, sent_at: Instant, expires_at: Instant, invited_by: UserId | None
) -> bool:
    """Let it begin anew, as this person's. False where it was accepted or revoked."""
    bound = {"id": invitation_id, "sent_at": sent_at, "expires_at": expires_at, "invited_by": invited_by}
    return tx.run(_SEND_AGAIN, bound) == 1


def _invitation(row: Row) -> Invitation:
    return Invitation(
        id=row.id,
        tenant_id=TenantId(row.tenant_id),
        email=row.email,
        roles=records.texts(row.roles),
        places=tuple(Placement(role=role, resource_id=ResourceId(node)) for role, node in json.loads(row.places)),
        invited_by=row.invited_by,
        created_at=Instant(row.created_at),
        sent_at=Instant(row.sent_at),
        expires_at=Instant(row.expires_at),
        accepted_at=row.accepted_at,
        revoked_at=row.revoked_at,
    )

"""What becomes of a connection after it was made: it can be narrowed and ended, and never widened (G14, D3)."""

from typing import Final

from doorward import audit
from doorward.accounts import notices
from doorward.model import Cause, Client, Connection, ConnectionId, Instant, Permission, UserId
from doorward.storage import accounts, clients, connections, consents
from doorward.storage.database import Transaction

LEFT_NOTHING: Final = "nothing was left of it"


def narrow(  # noqa: PLR0913
    tx: Transaction, connection: Connection, taken: frozenset[Permission], *, actor_id: UserId, by: str, now: Instant,
    cause: Cause | None,
) -> bool:  # fmt: skip
    """Take ``taken`` from ``connection``; say whether that was anything.

    ``by`` says in the audit trail how: the id of the connection that was approved with it unticked, or ``person``.

    The rest goes on: another installation on the same device may be using it. A connection of which nothing is left
    ends. The tenant must be locked for rights.
    """
    left = connection.scopes - taken
    if left == connection.scopes:
        return False
    if not left:
        return end(tx, connection, LEFT_NOTHING, by="person", actor_id=actor_id, now=now, cause=cause)
    declined = connection.declined | (connection.scopes & taken)
    if not connections.narrow_connection(tx, connection.id, left, declined):
        return False
    audit.record(
        tx, name="connection:narrowed", at=now, tenant_id=connection.tenant_id, actor_id=actor_id,
        subject=connection.id,
        detail={"taken": " ".join(sorted(connection.scopes & taken)), "scopes": " ".join(sorted(left)), "by": by},
        cause=cause,
    )  # fmt: skip
    return True


def end_replayed(  # noqa: PLR0913
    tx: Transaction, connection_id: ConnectionId, kind: str, reason: str, client: Client, *, now: Instant,
    cause: Cause | None,
) -> bool:  # fmt: skip
    """End a connection whose code or refresh token came again, and have its person told; False where it had ended.

    ``kind`` is the event's name and the notice's. The tenant must be locked for rights.
    """
    connection = connections.connection_by_id(tx, connection_id)
    if connection is None or not _ended(tx, connection, reason, now):
        return False
    audit.record(
        tx, name=kind, at=now, tenant_id=connection.tenant_id, subject=connection_id, detail={"client": client.id},
        cause=cause,
    )  # fmt: skip
    _tell(tx, connection, kind, client.name, now)
    return True


def end(  # noqa: PLR0913
    tx: Transaction, connection: Connection, reason: str, *, by: str, now: Instant, actor_id: UserId | None = None,
    notice: str | None = None, cause: Cause | None,
) -> bool:  # fmt: skip
    """End a connection for ever, from its next call on; False where it had ended before.

    ``reason`` is private, ``by`` says in the audit trail who did it. The person is asked before the client comes in again
    (G8), and told of it where ``notice`` names a kind of notice. The tenant must be locked for rights.
    """
    if not _ended(tx, connection, reason, now):
        return False
    audit.record(
        tx, name="connection:revoked", at=now, tenant_id=connection.tenant_id, actor_id=actor_id,
        subject=connection.id, detail={"client": connection.client_id, "by": by}, cause=cause,
    )  # fmt: skip
    if notice is not None:
        client = clients.client_by_id(tx, connection.client_id)
        _tell(tx, connection, notice, connection.client_id if client is None else client.name, now)
    return True


def _ended(tx: Transaction, connection: Connection, reason: str, now: Instant) -> bool:
    if not connections.revoke_connection(tx, connection.id, now, reason):
        return False
    consents.forget_consents(tx, connection.user_id, connection.client_id)
    return True


def _tell(tx: Transaction, connection: Connection, kind: str, client_name: str, now: Instant) -> None:
    tenant = accounts.tenant_by_id(tx, connection.tenant_id)
    told = {"client": client_name, "tenant": "" if tenant is None else tenant.name}
    notices.tell(tx, connection.user_id, kind, connection.id, told, now=now)

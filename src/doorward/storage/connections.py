"""Connections (OAuth grants); what they were issued is in ``issued``.

What may happen once is one conditional statement; the number of rows it changed is the truth (N7).
"""

from typing import Final

import sqlalchemy as sa

from doorward.model import (
    ClientId,
    Connection,
    ConnectionId,
    Fingerprint,
    Instant,
    Permission,
    ServerId,
    TenantId,
    UserId,
)
from doorward.storage import hot, records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import connections
from doorward.storage.statements import Row, Statement, insert, select, update

_INSERT: Final = insert(connections)
_OF_USER: Final = select(connections, connections.c.user_id, order=[connections.c.created_at.desc(), connections.c.id])
_ACTIVATE: Final = update(
    connections,
    [connections.c.activated_at],
    connections.c.id,
    connections.c.activated_at.is_(None),
    connections.c.revoked_at.is_(None),
)
_REVOKE: Final = update(
    connections,
    [connections.c.revoked_at, connections.c.revoked_reason],
    connections.c.id,
    connections.c.revoked_at.is_(None),
)
_CHANGE_SCOPES: Final = update(
    connections, [connections.c.scopes], connections.c.id, connections.c.revoked_at.is_(None)
)
_LIVE_OF_CLIENT: Final = Statement(
    sa.select(connections)
    .where(connections.c.client_id == sa.bindparam("client_id"), connections.c.revoked_at.is_(None))
    .order_by(connections.c.tenant_id, connections.c.id)
)
_LIVE_AT_HOST: Final = Statement(
    "SELECT * FROM connections WHERE revoked_at IS NULL AND (redirect_uri LIKE :within OR redirect_uri = :origin)"
    " ORDER BY tenant_id, id"
)
_NARROW: Final = update(
    connections,
    [connections.c.scopes, connections.c.declined],
    connections.c.id,
    connections.c.revoked_at.is_(None),
)
_LABEL: Final = update(connections, [connections.c.label], connections.c.id, connections.c.revoked_at.is_(None))
_OF_TENANT: Final = Statement(
    sa.select(connections)
    .where(connections.c.tenant_id == sa.bindparam("tenant_id", required=True))
    .order_by(connections.c.revoked_at.is_not(None), connections.c.created_at.desc(), connections.c.id)
    .limit(sa.bindparam("most", required=True))
)
_PAGE_OF_TENANT: Final = Statement(
    "SELECT * FROM connections WHERE tenant_id = :tenant_id AND activated_at IS NOT NULL"
    " AND (created_at, id) < (:after_at, :after_id) ORDER BY created_at DESC, id DESC LIMIT :most"
)
START: Final = (1 << 62, "\U0010ffff")
"""Before the newest connection."""
_ON_DEVICE: Final = select(
    connections,
    connections.c.user_id,
    connections.c.client_id,
    connections.c.browser,
    order=[connections.c.created_at.desc(), connections.c.id],
)
_OF_MACHINE: Final = Statement(
    sa.select(connections)
    .where(
        *(
            connections.c[name] == sa.bindparam(name, required=True)
            for name in ("client_id", "tenant_id", "user_id", "resource")
        ),
        connections.c.revoked_at.is_(None),
        connections.c.expires_at > sa.bindparam("now", required=True),
    )
    .order_by(connections.c.created_at, connections.c.id)
    .limit(1)
)
_REVOKE_OF_CLIENT: Final = update(
    connections,
    [connections.c.revoked_at, connections.c.revoked_reason],
    connections.c.client_id,
    connections.c.revoked_at.is_(None),
)


def insert_connection(tx: Transaction, connection: Connection) -> None:
    """Add an approval. Raises ``Conflict`` where user, tenant, client or server does not exist."""
    params = {
        **records.columns(connection),
        "scopes": records.joined(connection.scopes),
        "declined": records.joined(connection.declined),
        "asked": records.joined(connection.asked),
        "identity": records.joined(connection.identity),
        "resources": records.narrowed(connection.resources),
    }
    tx.run(_INSERT, params)


def connection_by_id(reader: Reader, connection_id: ConnectionId) -> Connection | None:
    """Return the connection in whatever state."""
    row = reader.first(hot.CONNECTION, {"id": connection_id})
    return None if row is None else connection_of(row)


def activate_connection(tx: Transaction, connection_id: ConnectionId, now: Instant) -> bool:
    """Mark that the code was redeemed. False where it was before, or the connection is revoked."""
    return tx.run(_ACTIVATE, {"id": connection_id, "activated_at": now}) == 1


def revoke_connection(tx: Transaction, connection_id: ConnectionId, now: Instant, reason: str) -> bool:
    """End a connection for ever. False where it had ended before; the first reason stays."""
    return tx.run(_REVOKE, {"id": connection_id, "revoked_at": now, "revoked_reason": reason}) == 1


def revoke_connections_of_client(tx: Transaction, client_id: ClientId, now: Instant, reason: str) -> int:
    """End all connections of a client; return how many there were."""
    return tx.run(_REVOKE_OF_CLIENT, {"client_id": client_id, "revoked_at": now, "revoked_reason": reason})


def connections_of_user(reader: Reader, user_id: UserId) -> list[Connection]:
    """Return all connections of a user, newest first, ended ones too."""
    return [connection_of(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def living_of_client(reader: Reader, client_id: ClientId) -> list[Connection]:
    """Return the connections of a client that were not ended, in every tenant."""
    return [connection_of(row) for row in reader.all(_LIVE_OF_CLIENT, {"client_id": client_id})]


def living_at_host(reader: Reader, host: str) -> list[Connection]:
    """Return the connections that were answered at an https host and not ended, in every tenant."""
    # The name of a host holds neither % nor _.
    return [
        connection_of(row)
        for row in reader.all(_LIVE_AT_HOST, {"within": f"https://{host}/%", "origin": f"https://{host}"})
    ]


def connections_of_tenant(reader: Reader, tenant_id: TenantId, *, most: int) -> list[Connection]:
    """Return connections in a tenant, those that were not ended first, newest first. At most so many."""
    return [connection_of(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id, "most": most})]


def page_of_tenant(reader: Reader, tenant_id: TenantId, *, after: tuple[int, str], most: int) -> list[Connection]:
    """Return what was let into a tenant before ``after`` (when, id), newest first, ended or not. At most so many."""
    params = {"tenant_id": tenant_id, "after_at": after[0], "after_id": after[1], "most": most}
    return [connection_of(row) for row in reader.all(_PAGE_OF_TENANT, params)]


def narrow_connection(
    tx: Transaction, connection_id: ConnectionId, scopes: frozenset[Permission], declined: frozenset[Permission]
) -> bool:
    """Set what a living connection is good for, and what was declined. False where it has ended."""
    changed = {"id": connection_id, "scopes": records.joined(scopes), "declined": records.joined(declined)}
    return tx.run(_NARROW, changed) == 1


def label_connection(tx: Transaction, connection_id: ConnectionId, label: str | None) -> bool:
    """Call a living connection something, or with None what its client is called. Changes no right."""
    return tx.run(_LABEL, {"id": connection_id, "label": label}) == 1


def connections_on_device(
    reader: Reader, user_id: UserId, client_id: ClientId, browser: Fingerprint
) -> list[Connection]:
    """Return all connections of a user and client that were approved in one browser, newest first, ended ones too."""
    place = {"user_id": user_id, "client_id": client_id, "browser": browser}
    return [connection_of(row) for row in reader.all(_ON_DEVICE, place)]


def machine_connection(
    reader: Reader, *, client_id: ClientId, tenant_id: TenantId, user_id: UserId, resource: str, now: Instant
) -> Connection | None:
    """Return the living connection of a client that acts by itself for ``user_id``, its service account."""
    bound = {"client_id": client_id, "tenant_id": tenant_id, "user_id": user_id, "resource": resource}
    row = reader.first(_OF_MACHINE, {**bound, "now": now})
    return None if row is None else connection_of(row)


def change_scopes(tx: Transaction, connection_id: ConnectionId, scopes: frozenset[Permission]) -> bool:
    """Set what a living connection's tokens may at most be good for. False where it has ended."""
    return tx.run(_CHANGE_SCOPES, {"id": connection_id, "scopes": records.joined(scopes)}) == 1


def connection_of(row: Row) -> Connection:
    """Return the connection of a row."""
    return Connection(
        id=ConnectionId(row.id),
        tenant_id=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        client_id=ClientId(row.client_id),
        server_id=ServerId(row.server_id),
        resource=row.resource,
        scopes=records.permissions(row.scopes),
        declined=records.permissions(row.declined),
        asked=records.permissions(row.asked),
        identity=frozenset(row.identity.split()),
        authenticated_at=row.authenticated_at,
        resources=records.subtrees(row.resources),
        redirect_uri=row.redirect_uri,
        browser=row.browser,
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        activated_at=row.activated_at,
        revoked_at=row.revoked_at,
        revoked_reason=row.revoked_reason,
        label=row.label,
    )

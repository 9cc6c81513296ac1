"""Connections (OAuth grants), their codes and refresh tokens, and access tokens revoked before their end.

What may happen once is one conditional statement; the number of rows it changed is the truth (C4, C17, N7).
"""

from typing import Final

import sqlalchemy as sa

from doorward.model import (
    AuthorizationCode,
    ClientId,
    Connection,
    ConnectionId,
    Fingerprint,
    Instant,
    Permission,
    RefreshToken,
    RequestId,
    ServerId,
    TenantId,
    UserId,
)
from doorward.storage import hot, records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import authorization_codes as codes
from doorward.storage.schema import claimed_requests, connections
from doorward.storage.schema import revoked_access_tokens as revoked
from doorward.storage.statements import Row, Statement, delete, insert, insert_if_absent, select, update

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
_OF_TENANT: Final = select(
    connections, connections.c.tenant_id, order=[connections.c.created_at.desc(), connections.c.id]
)
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
_FORGET_REQUESTS: Final = delete(claimed_requests, claimed_requests.c.expires_at < sa.bindparam("now"))
_CLAIM: Final = insert_if_absent(claimed_requests)
_INSERT_CODE: Final = insert(codes)
_FAIL_CODE: Final = Statement(
    sa.update(codes)
    .where(codes.c.fingerprint == sa.bindparam("wanted"))
    .values(failed_attempts=codes.c.failed_attempts + 1)
    .returning(codes.c.failed_attempts)
)
_FORGET_REVOKED: Final = delete(revoked, revoked.c.expires_at < sa.bindparam("now"))
_REVOKE_ACCESS_TOKEN: Final = insert_if_absent(revoked)
_REVOKED_ACCESS_TOKENS: Final = Statement(sa.select(revoked.c.jti).where(revoked.c.expires_at > sa.bindparam("now")))


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
    return None if row is None else _connection(row)


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
    return [_connection(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def living_of_client(reader: Reader, client_id: ClientId) -> list[Connection]:
    """Return the connections of a client that were not ended, in every tenant."""
    return [_connection(row) for row in reader.all(_LIVE_OF_CLIENT, {"client_id": client_id})]


def living_at_host(reader: Reader, host: str) -> list[Connection]:
    """Return the connections that were answered at an https host and not ended, in every tenant."""
    # The name of a host holds neither % nor _.
    return [
        _connection(row)
        for row in reader.all(_LIVE_AT_HOST, {"within": f"https://{host}/%", "origin": f"https://{host}"})
    ]


def connections_of_tenant(reader: Reader, tenant_id: TenantId) -> list[Connection]:
    """Return all connections in a tenant, newest first, ended ones too."""
    return [_connection(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id})]


def narrow_connection(
    tx: Transaction, connection_id: ConnectionId, scopes: frozenset[Permission], declined: frozenset[Permission]
) -> bool:
    """Set what a living connection is good for, and what was declined. False where it has ended."""
    changed = {"id": connection_id, "scopes": records.joined(scopes), "declined": records.joined(declined)}
    return tx.run(_NARROW, changed) == 1


def connections_on_device(
    reader: Reader, user_id: UserId, client_id: ClientId, browser: Fingerprint
) -> list[Connection]:
    """Return all connections of a user and client that were approved in one browser, newest first, ended ones too."""
    place = {"user_id": user_id, "client_id": client_id, "browser": browser}
    return [_connection(row) for row in reader.all(_ON_DEVICE, place)]


def machine_connection(
    reader: Reader, *, client_id: ClientId, tenant_id: TenantId, user_id: UserId, resource: str, now: Instant
) -> Connection | None:
    """Return the living connection of a client that acts by itself for ``user_id``, its service account."""
    bound = {"client_id": client_id, "tenant_id": tenant_id, "user_id": user_id, "resource": resource}
    row = reader.first(_OF_MACHINE, {**bound, "now": now})
    return None if row is None else _connection(row)


def change_scopes(tx: Transaction, connection_id: ConnectionId, scopes: frozenset[Permission]) -> bool:
    """Set what a living connection's tokens may at most be good for. False where it has ended."""
    return tx.run(_CHANGE_SCOPES, {"id": connection_id, "scopes": records.joined(scopes)}) == 1


def claim_request(tx: Transaction, request_id: RequestId, now: Instant, expires_at: Instant) -> bool:
    """Say True exactly once per id: an approved form answers once (G5).

    The claim is forgotten after ``expires_at``; the request itself must not be accepted any more then.
    """
    tx.run(_FORGET_REQUESTS, {"now": now})
    return tx.run(_CLAIM, {"id": request_id, "expires_at": expires_at}) == 1


def insert_code(tx: Transaction, code: AuthorizationCode) -> None:
    """Add a code."""
    tx.run(_INSERT_CODE, {**records.columns(code), "redirect_uri_sent": int(code.redirect_uri_sent)})


def code_by_fingerprint(reader: Reader, fingerprint: Fingerprint) -> AuthorizationCode | None:
    """Return the code, used and expired ones too."""
    row = reader.first(hot.CODE, {"fingerprint": fingerprint})
    if row is None:
        return None
    return AuthorizationCode(
        fingerprint=Fingerprint(row.fingerprint),
        connection_id=ConnectionId(row.connection_id),
        tenant_id=TenantId(row.tenant_id),
        client_id=ClientId(row.client_id),
        redirect_uri=row.redirect_uri,
        redirect_uri_sent=bool(row.redirect_uri_sent),
        nonce=row.nonce,
        code_challenge=row.code_challenge,
        resource=row.resource,
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        used_at=row.used_at,
        failed_attempts=row.failed_attempts,
    )


def use_code(tx: Transaction, fingerprint: Fingerprint, now: Instant) -> bool:
    """Mark the code used. True for exactly one caller ever."""
    return tx.run(hot.USE_CODE, {"fingerprint": fingerprint, "used_at": now}) == 1


def fail_code(tx: Transaction, fingerprint: Fingerprint) -> int:
    """Count a failed attempt at redeeming; return how many there are now, 0 for an unknown code."""
    row = tx.first(_FAIL_CODE, {"wanted": fingerprint})
    return 0 if row is None else int(row.failed_attempts)


def insert_refresh_token(tx: Transaction, token: RefreshToken) -> bool:
    """Add a refresh token. False, and nothing changed, where it is there: successors are derived, so it may be."""
    return tx.run(hot.INSERT_REFRESH_TOKEN, _refresh_columns(token)) == 1


def refresh_token_by_fingerprint(reader: Reader, fingerprint: Fingerprint) -> RefreshToken | None:
    """Return the refresh token, used and expired ones too."""
    row = reader.first(hot.REFRESH_TOKEN, {"fingerprint": fingerprint})
    if row is None:
        return None
    return RefreshToken(
        fingerprint=Fingerprint(row.fingerprint),
        connection_id=ConnectionId(row.connection_id),
        tenant_id=TenantId(row.tenant_id),
        client_id=ClientId(row.client_id),
        kid=row.kid,
        parent=row.parent,
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        used_at=row.used_at,
    )


def use_refresh_token(tx: Transaction, fingerprint: Fingerprint, now: Instant) -> bool:
    """Mark the refresh token used. True for exactly one caller ever."""
    return tx.run(hot.USE_REFRESH_TOKEN, {"fingerprint": fingerprint, "used_at": now}) == 1


def revoke_access_token(
    tx: Transaction, jti: str, connection_id: ConnectionId, expires_at: Instant, now: Instant | None = None
) -> bool:
    """Refuse this access token until it expires. False where it was revoked before. With ``now``, tidy up as well."""
    if now is not None:
        tx.run(_FORGET_REVOKED, {"now": now})
    return tx.run(_REVOKE_ACCESS_TOKEN, {"jti": jti, "connection_id": connection_id, "expires_at": expires_at}) == 1


def revoked_access_tokens(reader: Reader, now: Instant) -> frozenset[str]:
    """Return the ``jti`` of all revoked access tokens that have not expired yet."""
    return frozenset(row.jti for row in reader.all(_REVOKED_ACCESS_TOKENS, {"now": now}))


def access_token_revoked(reader: Reader, jti: str) -> bool:
    """Say whether this access token was revoked."""
    return reader.first(hot.ACCESS_TOKEN_REVOKED, {"jti": jti}) is not None


def _refresh_columns(token: RefreshToken) -> dict[str, object]:
    # Written out: on the hottest path, and a third of the time of reading the fields by reflection.
    return {
        "fingerprint": token.fingerprint,
        "connection_id": token.connection_id,
        "tenant_id": token.tenant_id,
        "client_id": token.client_id,
        "kid": token.kid,
        "parent": token.parent,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
    }


def _connection(row: Row) -> Connection:
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
    )

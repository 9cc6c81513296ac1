"""What connections were issued: codes, refresh tokens, and access tokens that were revoked before their end.

What may happen once is one conditional statement; the number of rows it changed is the truth (C4, C17, N7).
"""

from typing import Final

import sqlalchemy as sa

from doorward.model import (
    AuthorizationCode,
    ClientId,
    ConnectionId,
    Fingerprint,
    Instant,
    RefreshToken,
    TenantId,
)
from doorward.storage import hot, records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import authorization_codes as codes
from doorward.storage.schema import revoked_access_tokens as revoked
from doorward.storage.statements import Statement, delete, insert, insert_if_absent

_INSERT_CODE: Final = insert(codes)
_FAIL_CODE: Final = Statement(
    sa.update(codes)
    .where(codes.c.fingerprint == sa.bindparam("wanted"))
    .values(failed_attempts=codes.c.failed_attempts + 1)
    .returning(codes.c.failed_attempts)
)
_FORGET_REVOKED: Final = delete(revoked, revoked.c.expires_at < sa.bindparam("now"))
_REVOKE_ACCESS_TOKEN: Final = insert_if_absent(revoked)


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

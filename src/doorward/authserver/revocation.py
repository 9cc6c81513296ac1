"""Token revocation (RFC 7009; security D1 to D3).

A refresh token takes its whole connection with it, access tokens included; an access token only itself. Whatever is
not a live token of the asking client is answered the same way and changes nothing. The hint is not needed: the form of
a token tells its kind.
"""

from dataclasses import dataclass

from doorward import audit
from doorward.authserver import clients
from doorward.authserver import connections as lives
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.issuer import ACCESS_TOKEN_TYP
from doorward.credentials.secret import Fingerprinter, SecretKind, well_formed
from doorward.credentials.signing_keys import InvalidToken, SigningKeys
from doorward.model import SECOND, Cause, Client, ConnectionId, Instant
from doorward.protocol.client_auth import PresentedClient
from doorward.storage import connections, issued
from doorward.storage.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessTokenClaims:
    """What a signature of ours vouches for; read before the write begins."""

    token_id: str
    connection_id: ConnectionId
    client_id: str
    expires_at: Instant


def read_access_token(keys: SigningKeys, token: str, issuer: str) -> AccessTokenClaims | None:
    """Return the claims of an access token of ours, expired or not, or None for everything else."""
    try:
        claims = keys.verify(token, ACCESS_TOKEN_TYP)
    except InvalidToken:
        return None
    texts = [claims.get(name) for name in ("jti", "connection", "client_id", "iss")]
    if not all(isinstance(text, str) for text in texts) or type(claims.get("exp")) is not int or texts[3] != issuer:
        return None
    return AccessTokenClaims(
        token_id=claims["jti"],
        connection_id=ConnectionId(claims["connection"]),
        client_id=claims["client_id"],
        expires_at=Instant(claims["exp"] * SECOND),
    )


def revoke(  # noqa: PLR0913
    tx: Transaction, token: str, claims: AccessTokenClaims | None, presented: PresentedClient, *,
    directory: ClientDirectory, fingerprinter: Fingerprinter, now: Instant, cause: Cause | None,
) -> bool:  # fmt: skip
    """Revoke ``token`` if it is the client's own; say whether anything changed (for the log only).

    ``claims`` are those of an access token. Raises ``OAuthError`` ``invalid_client``.
    """
    client = clients.authenticated(tx, directory, presented, fingerprinter, now)
    if claims is not None:
        return _revoke_access_token(tx, claims, client, now, cause)
    if not well_formed(token, SecretKind.REFRESH_TOKEN):
        return False
    stored = issued.refresh_token_by_fingerprint(tx, fingerprinter.of(token))
    if stored is None or stored.client_id != client.id:
        return False
    tx.lock_tenant(stored.tenant_id, for_rights=True)
    connection = connections.connection_by_id(tx, stored.connection_id)
    return connection is not None and lives.end(
        tx, connection, "revoked by its client", by="client", now=now, cause=cause
    )


def _revoke_access_token(
    tx: Transaction, claims: AccessTokenClaims, client: Client, now: Instant, cause: Cause | None
) -> bool:
    if claims.client_id != client.id or claims.expires_at <= now:
        return False
    connection = connections.connection_by_id(tx, claims.connection_id)
    if connection is None:
        return False
    tx.lock_tenant(connection.tenant_id, for_rights=True)
    if not issued.revoke_access_token(tx, claims.token_id, claims.connection_id, claims.expires_at, now):
        return False
    audit.record(
        tx, name="access_token:revoked", at=now, tenant_id=connection.tenant_id, subject=claims.token_id,
        detail={"client": client.name, "connection": connection.id}, cause=cause,
    )  # fmt: skip
    return True

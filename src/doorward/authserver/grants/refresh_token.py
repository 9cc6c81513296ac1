"""The refresh token grant: rotation with a replay window (feature B2; security C15 to C23, C25).

The first use of R(n) makes R(n+1), which is derived from R(n). Real clients send R(n) twice: two processes, a lost
answer, a retry. For a fixed time after the first use, and only while nobody has used R(n+1), each replay by the same
client gets that same R(n+1) and a fresh access token: one live leaf, never two. After that a replay means that two
parties hold the token, and the connection ends. Another client's request proves nothing and ends nothing (C20).
"""

from doorward.accounts.notices import REFRESH_REPLAYED
from doorward.authserver import standing
from doorward.authserver.connections import end_replayed
from doorward.authserver.grants.authorization_code import new_refresh_token
from doorward.authserver.grants.outcome import Granted, Refused, TokenRules
from doorward.authserver.grants.who import with_identity
from doorward.credentials.secret import SecretKind, well_formed
from doorward.model import SECOND, Client, Connection, Fingerprint, Instant, Permission, RefreshToken
from doorward.protocol import faults, resource
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import Fault
from doorward.protocol.scope import OIDC_SCOPES
from doorward.protocol.token import RefreshTokenRequest
from doorward.storage import connections, issued, permissions
from doorward.storage.database import Transaction


def refresh(
    tx: Transaction, request: RefreshTokenRequest, client: Client, *, rules: TokenRules, now: Instant
) -> Granted | Refused:
    """Exchange the refresh token of an authenticated client.

    Raises ``OAuthError``: ``invalid_grant``, ``invalid_scope``, ``invalid_target``; then the token is as it was (C21,
    C22).
    """
    token = _find(tx, request.refresh_token, client, rules)
    successor = _successor(request.refresh_token, token, rules)
    fingerprint = rules.fingerprinter.of(successor)
    late = _is_late(tx, token, fingerprint, rules, now)
    tx.lock_tenant(token.tenant_id, for_rights=late)
    if late:
        return _end(tx, token, client, rules, now)
    connection = _live_connection(tx, token, now)
    scopes = _scopes(tx, request, connection, client, rules.issuer.issuer)
    if issued.use_refresh_token(tx, token.fingerprint, now):
        record = new_refresh_token(connection, fingerprint, rules=rules, now=now, parent=token.fingerprint)
        issued.insert_refresh_token(tx, record)
    granted = Granted(connection=connection, scopes=scopes, refresh_token=successor)
    return with_identity(tx, granted, client, asked=request.scope)


def _find(tx: Transaction, text: str, client: Client, rules: TokenRules) -> RefreshToken:
    if not well_formed(text, SecretKind.REFRESH_TOKEN):
        raise _invalid("not a refresh token of ours, or damaged")
    token = issued.refresh_token_by_fingerprint(tx, rules.fingerprinter.of(text))
    if token is None:
        raise _invalid("unknown refresh token")
    if token.client_id != client.id:
        raise _invalid(f"refresh token of another client than {client.id}")
    return token


def _successor(text: str, token: RefreshToken, rules: TokenRules) -> str:
    try:
        return rules.issuer.successor(text, token.kid)
    except KeyError:
        raise _invalid(f"derivation key {token.kid} is gone") from None


def _is_late(tx: Transaction, token: RefreshToken, successor: Fingerprint, rules: TokenRules, now: Instant) -> bool:
    """Say whether the token was used before and its window is over: by time, or by the use of what it gave (C18)."""
    if token.used_at is None:
        return False
    if now > token.used_at + rules.replay_window * SECOND:
        return True
    following = issued.refresh_token_by_fingerprint(tx, successor)
    return following is None or following.used_at is not None


def _end(tx: Transaction, token: RefreshToken, client: Client, rules: TokenRules, now: Instant) -> Refused:
    end_replayed(
        tx,
        token.connection_id,
        REFRESH_REPLAYED,
        "refresh token replayed",
        client,
        now=now,
        cause=rules.cause,
    )
    return Refused(_invalid("a used refresh token came again after its window", faults.REFRESH_REPLAYED))


def _live_connection(tx: Transaction, token: RefreshToken, now: Instant) -> Connection:
    connection = connections.connection_by_id(tx, token.connection_id)
    ended = standing.why_ended(connection, now)
    if connection is None or ended is not None:
        raise _invalid(ended or "no connection", faults.CONNECTION_ENDED)
    if token.expires_at <= now:
        raise _invalid("not refreshed for too long")
    return connection


def _scopes(
    tx: Transaction, request: RefreshTokenRequest, connection: Connection, client: Client, origin: str
) -> frozenset[Permission]:
    # The bare origin names no server and says nothing, here as at the authorization endpoint.
    if request.resource is not None and resource.match(request.resource, [connection.resource, origin]) is None:
        raise OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=f"asked for {request.resource[:200]!r}")
    live = standing.live_scopes(tx, connection, client)
    if not live and not standing.only_signs_in(tx, connection):
        raise _invalid("the user may do nothing of what was approved", faults.CONNECTION_ENDED)
    # Clients repeat what they asked for at first, not what was approved of it: that widens nothing and is dropped, as
    # what nobody knows was (decision 0077.7). What the person never saw is refused (C21).
    asked = frozenset(map(Permission, request.scope or ())) - OIDC_SCOPES
    beyond = asked - connection.scopes - connection.asked
    if beyond and beyond & {entry.permission for entry in permissions.catalogue(tx)}:
        raise OAuthError(faults.SCOPE_WIDENED, "invalid_scope", reason=f"beyond: {sorted(beyond)[:5]}")
    if asked and not asked & live:
        raise OAuthError(faults.SCOPE_WIDENED, "invalid_scope", reason="none of the asked scopes is left")
    # Narrower is for this access token only; the connection keeps what it has (RFC 6749 section 6).
    return asked & live if asked else live


def _invalid(reason: str, fault: Fault = faults.REFRESH_INVALID) -> OAuthError:
    return OAuthError(fault, "invalid_grant", reason=reason)

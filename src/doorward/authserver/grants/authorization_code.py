"""The authorization code grant (OAuth 2.1 section 4.1.3; security C1 to C6, C22, C24, B5 to B10).

Whoever cannot prove to be the client that the code was made for changes nothing by trying: neither is the code spent
(C3) nor the connection ended (C2). A code that its own client redeems twice ends what it gave, unless the second
request came within two seconds: that is a client that sent twice (decision 0077.3).
"""

from typing import Final

from doorward import audit
from doorward.accounts.notices import CODE_REPLAYED
from doorward.authserver import standing
from doorward.authserver.connections import end_replayed
from doorward.authserver.grants.outcome import Granted, Refused, TokenRules
from doorward.authserver.grants.who import with_identity
from doorward.credentials.secret import SecretKind, well_formed
from doorward.model import (
    SECOND,
    AuthorizationCode,
    Client,
    Connection,
    ConnectionId,
    Entropy,
    Fingerprint,
    Instant,
    Permission,
    RefreshToken,
)
from doorward.protocol import faults, pkce, resource
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import Fault
from doorward.protocol.scope import OFFLINE_ACCESS
from doorward.protocol.token import REFRESH_TOKEN, AuthorizationCodeRequest
from doorward.storage import connections, issued
from doorward.storage.database import Transaction

MAX_ATTEMPTS: Final = 5
TWICE_IS_A_MISTAKE: Final = 2 * SECOND


def redeem(
    tx: Transaction, request: AuthorizationCodeRequest, client: Client, *, rules: TokenRules, now: Instant,
    entropy: Entropy,
) -> Granted | Refused:  # fmt: skip
    """Exchange the code of an authenticated client, once.

    Raises ``OAuthError`` (``invalid_grant``, ``invalid_target``) where nothing is to be kept of the attempt.
    """
    code = _find(tx, request.code, client, rules)
    tx.lock_tenant(code.tenant_id, for_rights=code.used_at is not None)
    wrong = _proof_fails(code, request)
    if wrong is not None:
        # Counted while it can still be redeemed, so that nobody tries verifiers at leisure; not spent, so that nobody
        # burns another's code (C3); not counted later, so that nobody silences the alarm of a true replay.
        if code.used_at is None:
            issued.fail_code(tx, code.fingerprint)
        return Refused(_invalid(wrong))
    if request.resource is not None and resource.match(request.resource, [code.resource, rules.issuer.issuer]) is None:
        raise OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=f"asked for {request.resource[:200]!r}")
    if code.used_at is not None:
        return replayed(tx, code.connection_id, code.used_at, client, rules=rules, now=now)
    if code.expires_at <= now:
        raise _invalid("code has expired")
    connection, scopes = live(tx, code.connection_id, client, now)
    if not issued.use_code(tx, code.fingerprint, now):
        raise _invalid("lost the race for this code")
    return activate(tx, connection, scopes, client, rules=rules, now=now, entropy=entropy, nonce=code.nonce)


def _find(tx: Transaction, text: str, client: Client, rules: TokenRules) -> AuthorizationCode:
    if not well_formed(text, SecretKind.AUTHORIZATION_CODE):
        raise _invalid("not a code of ours, or damaged")
    code = issued.code_by_fingerprint(tx, rules.fingerprinter.of(text))
    if code is None:
        raise _invalid("unknown code")
    if code.client_id != client.id:
        raise _invalid(f"code of another client than {client.id}")
    if code.used_at is None and code.failed_attempts >= MAX_ATTEMPTS:
        raise _invalid("too many wrong attempts")
    return code


def _proof_fails(code: AuthorizationCode, request: AuthorizationCodeRequest) -> str | None:
    if not pkce.verify(code.code_challenge, request.code_verifier):
        return "code_verifier does not belong to the challenge"
    # OAuth 2.1 dropped the parameter, 2.0 clients send it: then it is compared, port and all (C6).
    if request.redirect_uri not in (None, code.redirect_uri):
        return "redirect_uri is another one"
    return None


def replayed(
    tx: Transaction, connection_id: ConnectionId, used_at: Instant, client: Client, *, rules: TokenRules, now: Instant
) -> Refused:
    """Answer a used code, of a person's browser or of a device, that came again: what it gave ends (decision 0077.3)."""
    if now - used_at <= TWICE_IS_A_MISTAKE:
        return Refused(_invalid("the same request twice within two seconds"))
    end_replayed(tx, connection_id, CODE_REPLAYED, "code replayed", client, now=now, cause=rules.cause)
    return Refused(_invalid("a used code came again", faults.CODE_REPLAYED))


def live(
    tx: Transaction, connection_id: ConnectionId, client: Client, now: Instant
) -> tuple[Connection, frozenset[Permission]]:
    """Return the approved connection and what it is good for at this moment (C24). Raises ``OAuthError``."""
    connection = connections.connection_by_id(tx, connection_id)
    ended = standing.why_ended(connection, now)
    if connection is None or ended is not None:
        raise _invalid(ended or "no connection", faults.CONNECTION_ENDED)
    scopes = standing.live_scopes(tx, connection, client)
    if not scopes and not standing.only_signs_in(tx, connection):
        raise _invalid("nothing is left of what was approved", faults.CONNECTION_ENDED)
    return connection, scopes


def activate(  # noqa: PLR0913
    tx: Transaction, connection: Connection, scopes: frozenset[Permission], client: Client, *, rules: TokenRules,
    now: Instant, entropy: Entropy, nonce: str | None = None,
) -> Granted:  # fmt: skip
    """Mark the connection as redeemed and return what it gives, with the first refresh token if one belongs to it."""
    connections.activate_connection(tx, connection.id, now)
    audit.record(
        tx, name="connection:activated", at=now, tenant_id=connection.tenant_id, actor_id=connection.user_id,
        subject=connection.id, detail={"client": client.name, "scopes": " ".join(sorted(scopes))},
        cause=rules.cause,
    )  # fmt: skip
    refresh_token = None
    if REFRESH_TOKEN in client.grant_types and OFFLINE_ACCESS not in connection.declined:
        refresh_token = rules.issuer.first_refresh_token(entropy)
        record = new_refresh_token(connection, rules.fingerprinter.of(refresh_token), rules=rules, now=now, parent=None)
        issued.insert_refresh_token(tx, record)
    granted = Granted(connection=connection, scopes=scopes, refresh_token=refresh_token)
    return with_identity(tx, granted, client, nonce=nonce)


def new_refresh_token(
    connection: Connection, fingerprint: Fingerprint, *, rules: TokenRules, now: Instant, parent: Fingerprint | None
) -> RefreshToken:
    """Return the record of a refresh token that is given out now: it dies of idleness, or with its connection."""
    return RefreshToken(
        fingerprint=fingerprint,
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        client_id=connection.client_id,
        kid=rules.issuer.current_kid,
        parent=parent,
        created_at=now,
        expires_at=Instant(min(now + rules.refresh_idle * SECOND, connection.expires_at)),
    )


def _invalid(reason: str, fault: Fault = faults.CODE_INVALID) -> OAuthError:
    return OAuthError(fault, "invalid_grant", reason=reason)

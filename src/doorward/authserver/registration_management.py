"""A confidential client that registered itself reads, changes or ends its registration (RFC 7592; security E11).

Public registrations are shared by everybody with the same metadata: they have no token and never change. So every token
is the wrong one for them, and the answer is the same 401 as for a client that does not exist.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from doorward import audit
from doorward.authserver import connections as lives
from doorward.authserver.registration import described, echoed, management
from doorward.credentials.secret import Fingerprinter, SecretKind, mint
from doorward.model import Cause, Client, ClientAuthMethod, ClientId, ClientKind, Entropy, Fingerprint, Instant, Status
from doorward.protocol import bearer, faults
from doorward.protocol.client_metadata import RegistrationRequest, parse_update, registration_response
from doorward.protocol.errors import BearerError, OAuthError
from doorward.storage import client_verdicts, clients, connections
from doorward.storage.database import Reader, Transaction

_CHALLENGE: Final = 'Bearer error="invalid_token"'


def presented(values: Sequence[str]) -> str:
    """Return the one registration access token of a request. Raises ``OAuthError`` 401."""
    try:
        token = bearer.read([value.encode("latin-1") for value in values])
    except BearerError as wrong:
        raise _refused(wrong.reason) from wrong
    if token is None:
        raise _refused("no registration access token")
    return token


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """One request for one registration."""

    client_id: ClientId
    token: str = field(repr=False)
    issuer: str
    fingerprinter: Fingerprinter
    now: Instant
    cause: Cause | None

    def read(self, reader: Reader) -> dict[str, Any]:
        """Return the registration as it is (section 2.1): without the secret, of which only a fingerprint is kept."""
        client, _ = self._authenticated(reader)
        return self._answer(reader, client, _as_registered(client), self.token)

    def update(
        self, tx: Transaction, body: bytes, *, vendor_schemes: Collection[str], entropy: Entropy
    ) -> dict[str, Any]:
        """Replace the metadata, and the token (section 2.2). Raises ``OAuthError``; then the token is as it was."""
        client, old = self._authenticated(tx)
        asked = parse_update(
            client, body, secret_fits=lambda text: self._has_secret(tx, text), vendor_schemes=vendor_schemes
        )
        token = mint(SecretKind.REGISTRATION, entropy)
        if not clients.replace_registration_token(tx, client.id, old=old, new=self.fingerprinter.of(token)):
            raise _refused("lost the race for this token")
        changed = replace(client, **described(asked))
        if changed != client:
            clients.update_client(tx, changed)
            # What was approved is not there any more; a denial stays (decision 0036).
            client_verdicts.forget_approvals(tx, client.id)
        audit.record(
            tx,
            name="client:updated",
            at=self.now,
            subject=client.id,
            detail={"client": changed.name},
            cause=self.cause,
        )
        return self._answer(tx, changed, asked, token)

    def delete(self, tx: Transaction) -> None:
        """End the registration with its secrets and all its connections (section 2.3; D3). Raises ``OAuthError``."""
        client, token = self._authenticated(tx)
        # In one order, as a denial locks them: two that end the same connections never wait for each other.
        for tenant_id in sorted({each.tenant_id for each in connections.living_of_client(tx, client.id)}):
            tx.lock_tenant(tenant_id, for_rights=True)
        for connection in connections.living_of_client(tx, client.id):
            lives.end(tx, connection, "client deleted", by="client", now=self.now, cause=self.cause)
        if not clients.end_registration(tx, client.id, token=token):
            raise _refused("lost the race for this token")
        audit.record(
            tx,
            name="client:deleted",
            at=self.now,
            subject=client.id,
            detail={"client": client.name},
            cause=self.cause,
        )

    def _authenticated(self, reader: Reader) -> tuple[Client, Fingerprint]:
        mine = self.fingerprinter.of(self.token)
        client, known = clients.client_by_id(reader, self.client_id), clients.registration_token(reader, self.client_id)
        if client is None or known is None or not self.fingerprinter.same(mine, known):
            raise _refused(f"not the token of {self.client_id[:200]!r}")
        if client.kind is not ClientKind.DYNAMIC or client.auth_method is ClientAuthMethod.NONE:
            raise _refused(f"{client.id} is shared, or an administrator's")
        if client.status is not Status.ACTIVE:
            # E11 (CVE-2026-9705): what an administrator disabled cannot bring itself back.
            raise _refused(f"client {client.id} is disabled")
        return client, known

    def _has_secret(self, reader: Reader, text: str) -> bool:
        mine = self.fingerprinter.of(text)
        known = clients.client_secret_fingerprints(reader, self.client_id, self.now)
        return any(self.fingerprinter.same(mine, each) for each in known)

    def _answer(self, reader: Reader, client: Client, asked: RegistrationRequest, token: str) -> dict[str, Any]:
        answer = registration_response(asked, client, scopes=echoed(reader, asked))
        return answer | management(self.issuer, client.id, token)


def _as_registered(client: Client) -> RegistrationRequest:
    return RegistrationRequest(
        name=client.name,
        redirect_uris=client.redirect_uris,
        auth_method=client.auth_method,
        grant_types=client.grant_types,
        scopes=None,
        client_uri=client.client_uri,
        metadata=client.metadata,
        id_token_alg=client.id_token_signed_response_alg,
        post_logout_redirect_uris=client.post_logout_redirect_uris,
    )


def _refused(reason: str) -> OAuthError:
    return OAuthError(
        faults.REGISTRATION_TOKEN, "invalid_token", reason=reason, status=401, www_authenticate=_CHALLENGE
    )

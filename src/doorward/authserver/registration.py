"""Dynamic client registration (RFC 7591; feature B3; security E1 to E14)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from doorward import audit
from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint
from doorward.model import SECOND, Cause, Client, ClientAuthMethod, ClientId, ClientKind, Entropy, Instant
from doorward.protocol import faults
from doorward.protocol.client_metadata import RegistrationRequest, canonical_key, registration_response
from doorward.protocol.discovery import REGISTRATION_PATH
from doorward.protocol.errors import OAuthError
from doorward.protocol.scope import OFFLINE_ACCESS
from doorward.storage import clients, permissions
from doorward.storage.database import Reader, Transaction
from doorward.web.budgets import AddressBudget

PER_MINUTE: Final = 20
PER_HOUR: Final = 100
"""New records from one address."""
PER_HOUR_FROM_ALL: Final = 1000
NOTED_EVERY: Final = 24 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer's members; the secret in it exists nowhere else."""

    answer: dict[str, Any]
    to_be_noted: bool = False
    """The client registered again, for the first time today."""

    @override
    def __repr__(self) -> str:
        return f"Registered(client_id={self.answer['client_id']!r})"


def register(  # noqa: PLR0913
    tx: Transaction, request: RegistrationRequest, *, issuer: str, fingerprinter: Fingerprinter, now: Instant,
    entropy: Entropy, cause: Cause | None,
) -> Registered:  # fmt: skip
    """Store a client that registers itself. It is asked about at every consent, whatever it says of itself (E14).

    A public client with the same metadata (loopback ports left out) is the same client again: repeated registrations
    are normal. A confidential one always gets its own id and secret. The scopes it names are echoed as far as they
    exist and limit nothing: what it may have is decided by people, and it may step up later.
    """
    public = request.auth_method is ClientAuthMethod.NONE
    client = Client(
        id=ClientId("client_" + base64url(entropy(16))),  # E13: not sequential, and unlike a URL
        kind=ClientKind.DYNAMIC,
        created_at=now,
        **described(request),
    )
    secret = None if public else mint(SecretKind.CLIENT_SECRET, entropy)
    stored = clients.insert_client(
        tx,
        client,
        canonical_key=canonical_key(request) if public else None,
        secret_fingerprint=None if secret is None else fingerprinter.of(secret),
    )
    if stored.id != client.id:
        clients.note_registration(tx, stored.id, now)
    else:
        audit.record(
            tx,
            name="client:registered",
            at=now,
            subject=client.id,
            detail={"client": client.name},
            cause=cause,
        )
    answer = registration_response(request, stored, scopes=echoed(tx, request), client_secret=secret)
    if not public:
        token = mint(SecretKind.REGISTRATION, entropy)
        clients.put_registration_token(tx, client.id, fingerprinter.of(token))
        answer |= management(issuer, client.id, token)
    return Registered(answer)


def described(request: RegistrationRequest) -> dict[str, Any]:
    """Return the fields of ``Client`` that its own metadata decides, at registration and at each change."""
    return {
        "name": request.name,
        "redirect_uris": request.redirect_uris,
        "grant_types": request.grant_types,
        "auth_method": request.auth_method,
        "client_uri": request.client_uri,
        "metadata": request.metadata,
        "id_token_signed_response_alg": request.id_token_alg,
        "post_logout_redirect_uris": request.post_logout_redirect_uris,
    }


def management(issuer: str, client_id: ClientId, token: str) -> dict[str, str]:
    """Return where and with what a client manages its registration (RFC 7592 section 3)."""
    uri = f"{issuer}{REGISTRATION_PATH}/{client_id}"
    return {"registration_client_uri": uri, "registration_access_token": token}


def again(reader: Reader, request: RegistrationRequest, *, now: Instant) -> Registered | None:
    """Return the answer for a public client that is known; None where ``register`` would make a new record.

    Whoever repeats a registration adds nothing, so it is answered without a write, and whatever the budgets say: the
    cloud clients of a vendor share their addresses.
    """
    if request.auth_method is not ClientAuthMethod.NONE:
        return None
    found = clients.registered_before(reader, canonical_key(request))
    if found is None:
        return None
    client, registered_at = found
    answer = registration_response(request, client, scopes=echoed(reader, request), client_secret=None)
    return Registered(answer, to_be_noted=registered_at + NOTED_EVERY <= now)


def new_records(now: Callable[[], Instant]) -> AddressBudget:
    """Return the budget for registrations that make a new record (security E8; feature B3)."""
    return AddressBudget(per_minute=PER_MINUTE, per_hour=PER_HOUR, per_hour_from_all=PER_HOUR_FROM_ALL, now=now)


def require_budget(budget: AddressBudget, requester: str) -> None:
    """Take one from the budget. Raises ``OAuthError`` with status 429."""
    wait = budget.wait(requester)
    if wait:
        reason = f"new registrations from {requester}, or from all"
        raise OAuthError(
            faults.REGISTRATION_THROTTLED, "temporarily_unavailable", reason=reason, status=429, retry_after=wait
        )
    budget.spend(requester)


def closed() -> OAuthError:
    """Return the answer of a deployment where clients do not register themselves."""
    return OAuthError(faults.REGISTRATION_CLOSED, "access_denied", reason="registration policy is off", status=403)


def echoed(reader: Reader, request: RegistrationRequest) -> list[str] | None:
    """Return what of the scopes that a client names exists; they limit nothing."""
    if request.scopes is None:
        return None
    known = {str(entry.permission) for entry in permissions.catalogue(reader)} | {OFFLINE_ACCESS}
    return [scope for scope in request.scopes if scope in known] or None

"""The secrets of confidential clients: a new one beside the old, and an end for the old one (C28)."""

from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from doorward import audit
from doorward.credentials.secret import Fingerprinter, SecretKind, mint
from doorward.model import Cause, Client, ClientAuthMethod, ClientId, ClientSecret, Entropy, Instant
from doorward.storage import clients
from doorward.storage.database import Reader, Transaction

MAX_LIVE: Final = 5
"""So many are good at once: more would be forgotten ones."""


class SecretRefused(Exception):  # noqa: N818  (what happened to the wish)
    """Nothing was changed. The message is for the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret at the only moment it is known."""

    text: str
    secret: ClientSecret

    @override
    def __repr__(self) -> str:
        return f"NewSecret({self.secret.id!r})"


def add_client_secret(
    tx: Transaction,
    client_id: ClientId,
    *,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    cause: Cause | None,
    **by: Any,
) -> NewSecret:
    """Make one more secret; those there are stay good. ``by`` is for the audit event. Raises ``SecretRefused``."""
    client = _with_secrets(tx, client_id)
    if sum(is_live(secret, now) for secret in clients.client_secrets_of(tx, client.id)) >= MAX_LIVE:
        raise SecretRefused(f"client {client.id} has {MAX_LIVE} secrets already. Retire one first.")
    text = mint(SecretKind.CLIENT_SECRET, entropy)
    fingerprint = fingerprinter.of(text)
    made = ClientSecret(id=clients.secret_id(fingerprint), client_id=client.id, fingerprint=fingerprint, created_at=now)
    clients.insert_client_secret(tx, made)
    audit.record(
        tx, name="client_secret:created", at=now, subject=client.id, detail={"secret": made.id}, cause=cause, **by
    )
    return NewSecret(text=text, secret=made)


def secrets_of(reader: Reader, client_id: ClientId) -> list[ClientSecret]:
    """Return the secrets of a client, oldest first, retired ones too. Raises ``SecretRefused``."""
    return clients.client_secrets_of(reader, _with_secrets(reader, client_id).id)


def retire_client_secret(
    tx: Transaction,
    client_id: ClientId,
    secret_id: str,
    until: Instant,
    *,
    now: Instant,
    cause: Cause | None,
    **by: Any,
) -> ClientSecret:
    """Let a secret be good until ``until`` and never again; return what it was.

    An end is never put off, so that nothing which was ended comes back. ``by`` is for the audit event. Raises ``SecretRefused``.
    """
    client = _with_secrets(tx, client_id)
    known = {secret.id: secret for secret in clients.client_secrets_of(tx, client.id)}
    if secret_id not in known:
        raise SecretRefused(
            f"client {client.id} has no secret {secret_id[:40]!r}. It has: {', '.join(known) or 'none'}."
        )
    before = known[secret_id]
    if before.expires_at is not None and before.expires_at <= max(until, now):
        raise SecretRefused(f"secret {secret_id} ends earlier already.")
    clients.retire_client_secret(tx, client.id, secret_id, until)
    audit.record(
        tx, name="client_secret:retired", at=now, subject=client.id, detail={"secret": secret_id}, cause=cause, **by
    )
    return before


def is_live(secret: ClientSecret, now: Instant) -> bool:
    """Say whether a secret is good now."""
    return secret.expires_at is None or secret.expires_at > now


def _with_secrets(reader: Reader, client_id: ClientId) -> Client:
    client = clients.client_by_id(reader, client_id)
    if client is None:
        raise SecretRefused(f"there is no client {client_id[:80]!r}. `doorward apply` prints the ids.")
    if client.deleted_at is not None:
        raise SecretRefused(f"client {client.id} was deleted.")
    if client.auth_method not in (ClientAuthMethod.SECRET_BASIC, ClientAuthMethod.SECRET_POST):
        raise SecretRefused(f"client {client.id} uses no secret ({client.auth_method}).")
    return client

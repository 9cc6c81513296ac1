"""OAuth clients, the fingerprints of their secrets, and the assertions they have used."""

from functools import lru_cache
from typing import Final

import sqlalchemy as sa

from doorward.model import (
    Client,
    ClientAuthMethod,
    ClientId,
    ClientKind,
    ClientSecret,
    Fingerprint,
    Instant,
    ServerId,
    Status,
    TenantId,
)
from doorward.storage import records
from doorward.storage.database import Conflict, Reader, Transaction
from doorward.storage.schema import client_secrets, clients, registration_tokens, used_assertions
from doorward.storage.statements import Row, Statement, delete, insert, insert_if_absent, select, update, upsert

_INSERT: Final = insert_if_absent(clients)
_BY_ID: Final = select(clients, clients.c.id)
_BY_CANONICAL_KEY: Final = select(clients, clients.c.canonical_key)
_FIXED: Final = {"id", "kind", "created_at", "registered_at", "canonical_key"}
_UPDATE: Final = update(clients, [column for column in clients.columns if column.name not in _FIXED], clients.c.id)
_NEWEST: Final = Statement(
    sa.select(clients)
    .order_by(clients.c.registered_at.desc(), clients.c.id)
    .limit(sa.bindparam("limit", type_=sa.Integer))
)
_NOTE_REGISTRATION: Final = update(clients, [clients.c.registered_at], clients.c.id)
_SECRETS: Final = select(
    client_secrets, client_secrets.c.client_id, order=[client_secrets.c.created_at, client_secrets.c.id]
)
_INSERT_SECRET: Final = insert(client_secrets)
_RETIRE_SECRET: Final = update(
    client_secrets, [client_secrets.c.expires_at], client_secrets.c.client_id, client_secrets.c.id
)
_ACCESS_TTLS: Final = Statement(
    "SELECT (SELECT access_ttl FROM clients WHERE id = :client_id) AS client,"
    " (SELECT access_ttl FROM tenants WHERE id = :tenant_id) AS tenant"
)
_TOKEN: Final = select(registration_tokens, registration_tokens.c.client_id)
_PUT_TOKEN: Final = upsert(registration_tokens, [registration_tokens.c.client_id], [registration_tokens.c.fingerprint])
_REPLACE_TOKEN: Final = Statement(
    "UPDATE registration_tokens SET fingerprint = :fingerprint WHERE client_id = :client_id AND fingerprint = :old"
)
_REMOVE_TOKEN: Final = Statement("DELETE FROM registration_tokens WHERE client_id = :client_id AND fingerprint = :old")
_REMOVE_SECRETS: Final = delete(client_secrets, client_secrets.c.client_id)
_DISABLE: Final = update(clients, [clients.c.status], clients.c.id)
_REMOVE_UNUSED: Final = Statement(
    "DELETE FROM clients WHERE id = :id AND kind = 'dynamic'"
    " AND NOT EXISTS (SELECT 1 FROM connections WHERE connections.client_id = clients.id)"
)
_FORGET_ASSERTIONS: Final = delete(used_assertions, used_assertions.c.expires_at < sa.bindparam("now"))
_USE_ASSERTION: Final = insert_if_absent(used_assertions)


def insert_client(
    tx: Transaction, client: Client, *, canonical_key: str | None, secret_fingerprint: Fingerprint | None
) -> Client:
    """Add a client and return it; where ``canonical_key`` is known, change nothing and return the stored one.

    That makes dynamic registration idempotent: the same metadata is the same client. Raises ``Conflict`` where only
    the id is taken.
    """
    if tx.run(_INSERT, {**_columns(client), "registered_at": client.created_at, "canonical_key": canonical_key}) == 0:
        row = None if canonical_key is None else tx.first(_BY_CANONICAL_KEY, {"canonical_key": canonical_key})
        if row is None:
            raise Conflict(f"client {client.id} exists")
        return client_of(row)
    if secret_fingerprint is not None:
        made = client.created_at
        insert_client_secret(
            tx,
            ClientSecret(
                id=secret_id(secret_fingerprint), client_id=client.id, fingerprint=secret_fingerprint, created_at=made
            ),
        )
    return client


def client_by_id(reader: Reader, client_id: ClientId) -> Client | None:
    """Return the client, whatever its status."""

    def read() -> Client | None:
        row = reader.first(_BY_ID, {"id": client_id})
        return None if row is None else client_of(row)

    return reader.kept(("client", client_id), read)


def newest_clients(reader: Reader, limit: int) -> list[Client]:
    """Return the clients that registered last, whatever their status."""
    return [client_of(row) for row in reader.all(_NEWEST, {"limit": limit})]


def registered_before(reader: Reader, canonical_key: str) -> tuple[Client, Instant] | None:
    """Return the client with this key, and when it last registered as far as that was noted."""
    row = reader.first(_BY_CANONICAL_KEY, {"canonical_key": canonical_key})
    return None if row is None else (client_of(row), Instant(row.registered_at))


def note_registration(tx: Transaction, client_id: ClientId, now: Instant) -> None:
    """Remember that the client registered again: it is not unused since its birth."""
    tx.run(_NOTE_REGISTRATION, {"id": client_id, "registered_at": now})


def secret_id(fingerprint: Fingerprint) -> str:
    """Return the name by which people tell a secret from its siblings; 40 bits of its keyed hash say nothing of it."""
    return fingerprint[:10]


def insert_client_secret(tx: Transaction, secret: ClientSecret) -> None:
    """Add a secret. Raises ``Conflict`` where there is no such client."""
    tx.run(_INSERT_SECRET, records.columns(secret))


def client_secrets_of(reader: Reader, client_id: ClientId) -> list[ClientSecret]:
    """Return the client's secrets, oldest first, retired ones too."""
    return [
        ClientSecret(
            id=row.id,
            client_id=ClientId(row.client_id),
            fingerprint=Fingerprint(row.fingerprint),
            created_at=Instant(row.created_at),
            expires_at=None if row.expires_at is None else Instant(row.expires_at),
        )
        for row in reader.all(_SECRETS, {"client_id": client_id})
    ]


def client_secret_fingerprints(reader: Reader, client_id: ClientId, now: Instant) -> list[Fingerprint]:
    """Return the fingerprints of the client's secrets that are good now, oldest first."""
    found = client_secrets_of(reader, client_id)
    return [secret.fingerprint for secret in found if secret.expires_at is None or secret.expires_at > now]


def retire_client_secret(tx: Transaction, client_id: ClientId, secret: str, expires_at: Instant) -> bool:
    """Set the end of a secret. False where the client has none with this id."""
    return tx.run(_RETIRE_SECRET, {"client_id": client_id, "id": secret, "expires_at": expires_at}) == 1


def put_registration_token(tx: Transaction, client_id: ClientId, fingerprint: Fingerprint) -> None:
    """Let a client manage its registration with this token, and with none before it."""
    tx.run(_PUT_TOKEN, {"client_id": client_id, "fingerprint": fingerprint})


def registration_token(reader: Reader, client_id: ClientId) -> Fingerprint | None:
    """Return the fingerprint of the token with which a client manages its registration, if it has one."""
    row = reader.first(_TOKEN, {"client_id": client_id})
    return None if row is None else Fingerprint(row.fingerprint)


def replace_registration_token(tx: Transaction, client_id: ClientId, *, old: Fingerprint, new: Fingerprint) -> bool:
    """Put another token in place of ``old``. False where it is not the client's token any more."""
    return tx.run(_REPLACE_TOKEN, {"client_id": client_id, "old": old, "fingerprint": new}) == 1


def end_registration(tx: Transaction, client_id: ClientId, *, token: Fingerprint) -> bool:
    """Take a client's token and secrets away, and the client too where nothing refers to it. False: another token."""
    if tx.run(_REMOVE_TOKEN, {"client_id": client_id, "old": token}) != 1:
        return False
    tx.run(_REMOVE_SECRETS, {"client_id": client_id})
    tx.run(_DISABLE, {"id": client_id, "status": Status.DISABLED.value})
    tx.run(_REMOVE_UNUSED, {"id": client_id})
    return True


def use_assertion(tx: Transaction, client_id: ClientId, jti: str, *, now: Instant, expires_at: Instant) -> bool:
    """Say True exactly once per client and ``jti`` until ``expires_at``; the assertion must be refused after it."""
    tx.run(_FORGET_ASSERTIONS, {"now": now})
    return tx.run(_USE_ASSERTION, {"client_id": client_id, "jti": jti, "expires_at": expires_at}) == 1


def access_ttls(reader: Reader, client_id: ClientId, tenant_id: TenantId) -> list[int]:
    """Return what was said of the lifetime of access tokens, in seconds, for the client and for the tenant."""

    def read() -> tuple[int, ...]:
        row = reader.first(_ACCESS_TTLS, {"client_id": client_id, "tenant_id": tenant_id})
        return () if row is None else tuple(int(said) for said in (row.client, row.tenant) if said is not None)

    return list(reader.kept(("access ttls", client_id, tenant_id), read, tenant_id))


def update_client(tx: Transaction, client: Client) -> bool:
    """Store everything but id, kind and birth. False where there is no such client."""
    return tx.run(_UPDATE, _columns(client)) == 1


def _columns(client: Client) -> dict[str, object]:
    limit = client.scope_limit
    return {
        **records.columns(client),
        "redirect_uris": records.listed(client.redirect_uris),
        "grant_types": records.joined(client.grant_types),
        "scope_limit": None if limit is None else records.joined(limit),
        "metadata": records.mapped(client.metadata),
        "jwks": records.key_list(client.jwks),
        "post_logout_redirect_uris": records.listed(client.post_logout_redirect_uris),
        "introspects": records.joined(client.introspects),
        "resources": records.narrowed(client.resources),
    }


@lru_cache(maxsize=2048)  # equal rows are the same client: nothing is remembered of what a row says now
def client_of(row: Row) -> Client:
    """Return the client of a row."""
    return Client(
        id=ClientId(row.id),
        kind=ClientKind(row.kind),
        name=row.name,
        redirect_uris=records.texts(row.redirect_uris),
        grant_types=frozenset(row.grant_types.split()),
        auth_method=ClientAuthMethod(row.auth_method),
        scope_limit=None if row.scope_limit is None else records.permissions(row.scope_limit),
        client_uri=row.client_uri,
        metadata=records.mapping(row.metadata),
        jwks=records.keys(row.jwks),
        jwks_uri=row.jwks_uri,
        service_account=row.service_account,
        service_tenant=row.service_tenant,
        id_token_signed_response_alg=row.id_token_signed_response_alg,
        post_logout_redirect_uris=records.texts(row.post_logout_redirect_uris),
        introspects=frozenset(map(ServerId, row.introspects.split())),
        access_ttl=row.access_ttl,
        tenant_id=row.tenant_id,
        owner_id=row.owner_id,
        resources=records.subtrees(row.resources),
        deleted_at=row.deleted_at,
        status=Status(row.status),
        created_at=Instant(row.created_at),
    )

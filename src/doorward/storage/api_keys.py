"""API keys and the secrets that they had before. Revoked ones stay in the list for ever and never come back."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from doorward.model import ApiKey, ApiKeyId, Fingerprint, Instant, OldSecret, ServerId, TenantId, UserId
from doorward.storage import hot, records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import api_keys, old_key_secrets
from doorward.storage.statements import Row, Statement, insert, select, update

Use = tuple[ApiKeyId, Instant, str | None, str | None]
"""(id, at, address, client)."""

_LIVING: Final = (api_keys.c.tenant_id, api_keys.c.id, api_keys.c.revoked_at.is_(None))
_INSERT: Final = insert(api_keys)
_BY_ID: Final = select(api_keys, api_keys.c.tenant_id, api_keys.c.id)
_BY_ID_ALONE: Final = select(api_keys, api_keys.c.id)
_OF_USER: Final = select(api_keys, api_keys.c.user_id, order=[api_keys.c.created_at.desc(), api_keys.c.id])
_REVOKE: Final = update(api_keys, [api_keys.c.revoked_at], *_LIVING)
_DISABLE: Final = update(
    api_keys, [api_keys.c.disabled_at, api_keys.c.disabled_by], *_LIVING, api_keys.c.disabled_at.is_(None)
)
_ENABLE: Final = Statement(
    "UPDATE api_keys SET disabled_at = NULL, disabled_by = NULL WHERE tenant_id = :tenant_id AND id = :id"
    " AND revoked_at IS NULL AND disabled_at = :disabled_at"
)
_CHANGE: Final = update(api_keys, [api_keys.c.name, api_keys.c.networks, api_keys.c.servers], *_LIVING)
# The secret that was seen has to be the one that there is: of two who rotate at once, one finds nothing to change.
_ROTATE: Final = Statement(
    "UPDATE api_keys SET fingerprint = :fingerprint, prefix = :prefix, last_four = :last_four, rotated_at = :rotated_at,"
    " rotated_by = :rotated_by, expires_at = :expires_at WHERE tenant_id = :tenant_id AND id = :id AND fingerprint = :seen"
    " AND revoked_at IS NULL"
)
_KEEP_OLD: Final = insert(old_key_secrets)
_END_OLD: Final = Statement(
    "UPDATE old_key_secrets SET ends_at = :ends_at WHERE key_id = :key_id AND ends_at > :ends_at"
)
_BY_OLD_SECRET: Final = select(old_key_secrets, old_key_secrets.c.fingerprint)
_OLD_OF_KEY: Final = Statement(
    "SELECT * FROM old_key_secrets WHERE key_id = :key_id AND ends_at > :now ORDER BY ends_at"
)
# Only forward: uses arrive in batches from several nodes, in any order.
_TOUCH: Final = Statement(
    sa.update(api_keys).where(
        api_keys.c.id == sa.bindparam("id"),
        sa.func.coalesce(api_keys.c.last_used_at, 0) <= sa.bindparam("at", type_=sa.BigInteger),
    ).values(
        last_used_at=sa.bindparam("at", type_=sa.BigInteger),
        last_used_ip=sa.bindparam("ip"),
        last_used_client=sa.bindparam("client"),
    )
)  # fmt: skip


def insert_api_key(tx: Transaction, key: ApiKey) -> None:
    """Add a key. Raises ``Conflict`` where id or fingerprint is taken, or owner or tenant do not exist."""
    params = {
        **records.columns(key),
        "scopes": records.joined(key.scopes),
        "resources": records.narrowed(key.resources),
        "servers": None if key.servers is None else records.listed(sorted(key.servers)),
        "networks": records.listed(key.networks),
        "told_until": None,
    }
    tx.run(_INSERT, params)


def api_key_by_fingerprint(reader: Reader, fingerprint: Fingerprint) -> ApiKey | None:
    """Return the key that has this secret, revoked and expired ones too; not one that had it before."""
    row = reader.first(hot.API_KEY, {"fingerprint": fingerprint})
    return None if row is None else key_of(row)


def old_secret(reader: Reader, fingerprint: Fingerprint) -> OldSecret | None:
    """Return a secret that some key had before, ended ones too while they are remembered."""
    row = reader.first(_BY_OLD_SECRET, {"fingerprint": fingerprint})
    return None if row is None else _old_secret(row)


def old_secrets_of_key(reader: Reader, key_id: ApiKeyId, now: Instant) -> list[OldSecret]:
    """Return the old secrets that are still good, as far as the key itself is."""
    return [_old_secret(row) for row in reader.all(_OLD_OF_KEY, {"key_id": key_id, "now": now})]


def api_key_by_id(reader: Reader, tenant_id: TenantId, key_id: ApiKeyId) -> ApiKey | None:
    """Return the key if it is this tenant's."""
    row = reader.first(_BY_ID, {"tenant_id": tenant_id, "id": key_id})
    return None if row is None else key_of(row)


def api_key_anywhere(reader: Reader, key_id: ApiKeyId) -> ApiKey | None:
    """Return the key, whosesoever it is: for the operator, and for one's own keys in several tenants."""
    row = reader.first(_BY_ID_ALONE, {"id": key_id})
    return None if row is None else key_of(row)


def api_keys_of_user(reader: Reader, user_id: UserId) -> list[ApiKey]:
    """Return the keys of an owner in all tenants, newest first, revoked ones too."""
    return [key_of(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def revoke_api_key(tx: Transaction, tenant_id: TenantId, key_id: ApiKeyId, now: Instant) -> bool:
    """End a key for ever. False where it had ended before or is not this tenant's."""
    return tx.run(_REVOKE, {"tenant_id": tenant_id, "id": key_id, "revoked_at": now}) == 1


def disable_api_key(
    tx: Transaction, tenant_id: TenantId, key_id: ApiKeyId, now: Instant, *, by: UserId | None
) -> bool:  # fmt: skip
    """Refuse a key until it is enabled. False where it was disabled or revoked before, or is not this tenant's."""
    params = {"tenant_id": tenant_id, "id": key_id, "disabled_at": now, "disabled_by": by}
    return tx.run(_DISABLE, params) == 1


def enable_api_key(tx: Transaction, tenant_id: TenantId, key_id: ApiKeyId, *, disabled_at: Instant) -> bool:
    """Take back what was done at ``disabled_at``. False where that is not how it is any more, or it was revoked."""
    return tx.run(_ENABLE, {"tenant_id": tenant_id, "id": key_id, "disabled_at": disabled_at}) == 1


def change_api_key(tx: Transaction, key: ApiKey) -> bool:
    """Store name, networks and servers. False where it was revoked, or is not this tenant's."""
    params = {
        "tenant_id": key.tenant_id, "id": key.id, "name": key.name, "networks": records.listed(key.networks),
        "servers": None if key.servers is None else records.listed(sorted(key.servers)),
    }  # fmt: skip
    return tx.run(_CHANGE, params) == 1


def rotate_api_key(tx: Transaction, key: ApiKey, *, seen: Fingerprint, old: OldSecret) -> bool:
    """Give a key the secret, shown form and end of ``key``; ``old`` and all older ones end with ``old`` at the latest.

    False, and nothing changed, where it was revoked or its secret is not ``seen`` any more.
    """
    params = {
        "tenant_id": key.tenant_id, "id": key.id, "seen": seen, "fingerprint": key.fingerprint, "prefix": key.prefix,
        "last_four": key.last_four, "rotated_at": key.rotated_at, "rotated_by": key.rotated_by,
        "expires_at": key.expires_at,
    }  # fmt: skip
    if tx.run(_ROTATE, params) != 1:
        return False
    tx.run(_END_OLD, {"key_id": key.id, "ends_at": old.ends_at})
    tx.run(_KEEP_OLD, records.columns(old))
    return True


def touch_api_keys(tx: Transaction, uses: Sequence[Use]) -> None:
    """Remember when, from where and by which client keys were last used. Changes no right."""
    if uses:
        tx.run(
            _TOUCH, [{"id": key, "at": at, "ip": ip, "client": client} for key, at, ip, client in sorted(uses, key=_at)]
        )


def _at(use: Use) -> tuple[str, int]:
    # By key first: two nodes that touch the same keys in the same order cannot block each other for ever.
    return use[0], use[1]


def key_of(row: Row) -> ApiKey:
    """Return the key of a row that has all its columns."""
    return ApiKey(
        id=ApiKeyId(row.id),
        tenant_id=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        created_by=UserId(row.created_by),
        name=row.name,
        prefix=row.prefix,
        last_four=row.last_four,
        fingerprint=Fingerprint(row.fingerprint),
        scopes=records.permissions(row.scopes),
        resources=records.subtrees(row.resources),
        servers=None if row.servers is None else frozenset(map(ServerId, records.texts(row.servers))),
        networks=records.texts(row.networks),
        created_at=Instant(row.created_at),
        expires_at=row.expires_at,
        rotated_at=row.rotated_at,
        rotated_by=row.rotated_by,
        disabled_at=row.disabled_at,
        disabled_by=row.disabled_by,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_ip=row.last_used_ip,
        last_used_client=row.last_used_client,
    )


def _old_secret(row: Row) -> OldSecret:
    return OldSecret(
        fingerprint=Fingerprint(row.fingerprint),
        key_id=ApiKeyId(row.key_id),
        tenant_id=TenantId(row.tenant_id),
        last_four=row.last_four,
        replaced_at=Instant(row.replaced_at),
        ends_at=Instant(row.ends_at),
    )

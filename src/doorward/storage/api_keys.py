"""API keys. Revoked ones stay in the list for ever and never come back."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from doorward.model import ApiKey, ApiKeyId, Fingerprint, Instant, TenantId, UserId
from doorward.storage import hot, records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import api_keys
from doorward.storage.statements import Row, Statement, insert, select, update

_INSERT: Final = insert(api_keys)
_BY_ID: Final = select(api_keys, api_keys.c.tenant_id, api_keys.c.id)
_OF_USER: Final = select(api_keys, api_keys.c.user_id, order=[api_keys.c.created_at.desc(), api_keys.c.id])
_REVOKE: Final = update(
    api_keys, [api_keys.c.revoked_at], api_keys.c.tenant_id, api_keys.c.id, api_keys.c.revoked_at.is_(None)
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
    }
    tx.run(_INSERT, params)


def api_key_by_fingerprint(reader: Reader, fingerprint: Fingerprint) -> ApiKey | None:
    """Return the key, revoked and expired ones too."""
    row = reader.first(hot.API_KEY, {"fingerprint": fingerprint})
    return None if row is None else _key(row)


def api_key_by_id(reader: Reader, tenant_id: TenantId, key_id: ApiKeyId) -> ApiKey | None:
    """Return the key if it is this tenant's."""
    row = reader.first(_BY_ID, {"tenant_id": tenant_id, "id": key_id})
    return None if row is None else _key(row)


def api_keys_of_user(reader: Reader, user_id: UserId) -> list[ApiKey]:
    """Return the keys of an owner in all tenants, newest first, revoked ones too."""
    return [_key(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def revoke_api_key(tx: Transaction, tenant_id: TenantId, key_id: ApiKeyId, now: Instant) -> bool:
    """End a key for ever. False where it had ended before or is not this tenant's."""
    return tx.run(_REVOKE, {"tenant_id": tenant_id, "id": key_id, "revoked_at": now}) == 1


def touch_api_keys(tx: Transaction, uses: Sequence[tuple[ApiKeyId, Instant, str | None, str | None]]) -> None:
    """Remember when, from where and by which client keys were last used: (id, at, ip, client). Changes no right."""
    if uses:
        tx.run(
            _TOUCH, [{"id": key, "at": at, "ip": ip, "client": client} for key, at, ip, client in sorted(uses, key=_at)]
        )


def _at(use: tuple[ApiKeyId, Instant, str | None, str | None]) -> tuple[str, int]:
    # By key first: two nodes that touch the same keys in the same order cannot block each other for ever.
    return use[0], use[1]


def _key(row: Row) -> ApiKey:
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
        created_at=Instant(row.created_at),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        last_used_ip=row.last_used_ip,
        last_used_client=row.last_used_client,
    )

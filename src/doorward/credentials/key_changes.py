"""What becomes of a key after it was made: another secret, disabled and enabled, another name or other addresses.

Each looks at the key as it is, then changes it by one conditional statement (C5, C8). The key's id stays for life:
whatever names it (overrides, logs, sessions of the older MCP revisions) goes on through every rotation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from doorward import audit
from doorward.credentials.api_keys import CreatedKey, check_name
from doorward.credentials.key_makers import KeyRefused, Maker, check_end, check_maker, locked
from doorward.credentials.secret import Fingerprinter, mint_for_api_key
from doorward.model import SECOND, ApiKey, ApiKeyId, Cause, Entropy, Instant, OldSecret, ServerId, Tenant
from doorward.protocol import faults
from doorward.storage import accounts, api_keys
from doorward.storage.database import Reader, Transaction

OVERLAPS: Final[Mapping[str, int]] = MappingProxyType({"now": 0, "1h": 3600, "24h": 86_400, "7d": 7 * 86_400})
"""How long an old secret goes on, in seconds, by what people choose."""


@dataclass(frozen=True, slots=True)
class NewServers:
    """Other servers for a key; None: all that its tenant has."""

    ids: frozenset[ServerId] | None


@dataclass(frozen=True, slots=True)
class NewEnd:
    """Another end for a key; None: it does not end."""

    at: Instant | None


def rotate_api_key(  # noqa: PLR0913
    tx: Transaction,
    key_id: ApiKeyId,
    *,
    tenant: Tenant,
    maker: Maker,
    overlap: int,
    end: NewEnd | None = None,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    prefix: str,
    cause: Cause | None,
) -> CreatedKey:
    """Give a key a new secret; the old ones go on for ``overlap`` seconds at most, and not beyond the key's old end.

    ``end`` is as for a new key; without it the end stays. Raises ``KeyRefused``.
    """
    tenant = locked(tx, tenant, for_rights=True)
    key = _living(tx, tenant, key_id, maker, now)
    if key.disabled_at is not None:
        raise KeyRefused("Enable this key first.", "rotation of a disabled key", fault=faults.KEY_ENDED)
    limit = maker.limit(key.user_id)
    if limit is not None and not key.scopes <= limit:
        # Whoever rotates a key sees its secret.
        public = "This key may do what you may not. Its owner can rotate it."
        raise KeyRefused(public, "rotation of a key beyond the maker's rights", fault=faults.KEY_BEYOND)
    expires_at = _checked_end(tenant, key, maker, end, now)
    text, shown = mint_for_api_key(prefix, key.id, entropy)
    fresh = replace(
        key,
        prefix=shown,
        last_four=text[-4:],
        fingerprint=fingerprinter.of(text),
        rotated_at=now,
        rotated_by=maker.shown_to or maker.user_id,
        expires_at=expires_at,
    )
    ends_at = Instant(min(now + overlap * SECOND, key.expires_at or now + overlap * SECOND))
    old = OldSecret(
        fingerprint=key.fingerprint, key_id=key.id, tenant_id=key.tenant_id, last_four=key.last_four, replaced_at=now,
        ends_at=ends_at,
    )  # fmt: skip
    if not api_keys.rotate_api_key(tx, fresh, seen=key.fingerprint, old=old):
        raise _meanwhile()
    _record(tx, "api_key:rotated", key, maker, now=now, cause=cause, overlap=f"{overlap} s")
    return CreatedKey(text, fresh)


def disable_api_key(
    tx: Transaction, key_id: ApiKeyId, *, tenant: Tenant, maker: Maker, now: Instant, cause: Cause | None
) -> bool:  # fmt: skip
    """Refuse a key until it is enabled. False where it is disabled. Raises ``KeyRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    key = _living(tx, tenant, key_id, maker, now)
    if key.disabled_at is not None:
        return False
    if not api_keys.disable_api_key(tx, tenant.id, key.id, now, by=maker.user_id):
        raise _meanwhile()
    _record(tx, "api_key:disabled", key, maker, now=now, cause=cause)
    return True


def enable_api_key(
    tx: Transaction, key_id: ApiKeyId, *, tenant: Tenant, maker: Maker, now: Instant, cause: Cause | None
) -> bool:  # fmt: skip
    """Let a disabled key work again. False where it is not disabled. Raises ``KeyRefused``.

    What an administrator disabled its owner cannot enable.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    key = _living(tx, tenant, key_id, maker, now)
    if key.disabled_at is None:
        return False
    if not maker.manages and key.disabled_by != maker.user_id:
        public = "An administrator disabled this key. Ask them to enable it."
        raise KeyRefused(public, "disabled by somebody else", fault=faults.KEY_HELD)
    if not api_keys.enable_api_key(tx, tenant.id, key.id, disabled_at=key.disabled_at):
        raise _meanwhile()
    _record(tx, "api_key:enabled", key, maker, now=now, cause=cause)
    return True


def change_api_key(  # noqa: PLR0913
    tx: Transaction,
    key_id: ApiKeyId,
    *,
    tenant: Tenant,
    maker: Maker,
    name: str | None,
    networks: tuple[str, ...] | None,
    now: Instant,
    servers: NewServers | None = None,
    cause: Cause | None,
) -> bool:
    """Give a key another name, addresses or servers; None stays. False where nothing differs. Raises ``KeyRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    key = _living(tx, tenant, key_id, maker, now)
    fresh = replace(
        key,
        name=key.name if name is None else check_name(name),
        networks=key.networks if networks is None else networks,
        servers=key.servers if servers is None else servers.ids,
    )
    if fresh == key:
        return False
    if not api_keys.change_api_key(tx, fresh):
        raise _meanwhile()
    ids = "all" if fresh.servers is None else " ".join(sorted(fresh.servers))
    said = {"new_name": fresh.name, "addresses": " ".join(fresh.networks) or "anywhere", "servers": ids}
    _record(tx, "api_key:changed", key, maker, now=now, cause=cause, **said)
    return True


def key_of_tenant(reader: Reader, tenant: Tenant, key_id: ApiKeyId, maker: Maker) -> ApiKey:
    """Return a key that ``maker`` may know of. Raises ``KeyUnknown``, the same for a foreign key and none (I16)."""
    key = api_keys.api_key_by_id(reader, tenant.id, key_id)
    if key is None or not maker.may_change(key.user_id):
        raise KeyUnknown
    return key


class KeyUnknown(Exception):  # noqa: N818  (an answer)
    """There is no such key for whoever asks."""


def _living(tx: Transaction, tenant: Tenant, key_id: ApiKeyId, maker: Maker, now: Instant) -> ApiKey:
    key = key_of_tenant(tx, tenant, key_id, maker)
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise KeyRefused("This key has ended for good.", "change of an ended key", fault=faults.KEY_ENDED)
    return key


def _checked_end(tenant: Tenant, key: ApiKey, maker: Maker, end: NewEnd | None, now: Instant) -> Instant | None:
    if end is not None and end.at != key.expires_at:
        check_maker(tenant.key_policy, maker)
        check_end(tenant.key_policy, maker, end.at, now)
        return end.at
    if maker.until is not None and (key.expires_at is None or key.expires_at > maker.until):
        public = "A key that is rotated with a key has to end with it at the latest."
        raise KeyRefused(public, "beyond the end of the maker's key", fault=faults.KEY_BEYOND, field="expires")
    return key.expires_at


def _meanwhile() -> KeyRefused:
    return KeyRefused("Somebody changed this key at the same moment.", "lost a race", fault=faults.KEY_CHANGED)


def _record(
    tx: Transaction, name: str, key: ApiKey, maker: Maker, *, now: Instant, cause: Cause | None, **detail: str
) -> None:
    owner = accounts.user_by_id(tx, key.user_id)
    said = {"name": key.name, "owner": "" if owner is None else owner.email, **detail}
    audit.record(
        tx, name=name, at=now, tenant_id=key.tenant_id, actor_id=maker.user_id, subject=key.id, detail=said,
        cause=cause,
    )  # fmt: skip

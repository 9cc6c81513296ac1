"""Making and ending API keys (features C1, C3, C5, C7). Page, API and command line call these.

A key never holds more than its owner and its maker may do when it is made; what it may do later is decided live at
every call.
"""

from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.credentials.key_makers import MEMBER, KeyRefused, Maker, check_end, check_maker, locked
from doorward.credentials.secret import Fingerprinter, mint_api_key
from doorward.model import (
    ApiKey,
    ApiKeyId,
    Cause,
    Entropy,
    Instant,
    Permission,
    ResourceId,
    ServerId,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.protocol import faults
from doorward.protocol.plain_text import is_visible
from doorward.storage import api_keys
from doorward.storage.database import Transaction

MAX_NAME_LENGTH: Final = 64

__all__ = ["CreatedKey", "KeyRefused", "check_name", "create_api_key", "is_plain_name", "revoke_api_key"]


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """The only moment at which the key itself exists outside its owner's hands."""

    text: str
    key: ApiKey


def create_api_key(  # noqa: PLR0913  (a key has that many sides)
    tx: Transaction,
    *,
    owner: User,
    tenant: Tenant,
    created_by: UserId,
    name: str,
    scopes: frozenset[Permission] | None,
    resources: frozenset[ResourceId] | None,
    expires_at: Instant | None,
    rights: frozenset[Permission],
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    prefix: str = "dw",
    cause: Cause | None,
    servers: frozenset[ServerId] | None = None,
    networks: tuple[str, ...] = (),
    maker: Maker = MEMBER,
) -> CreatedKey:
    """Make a key for ``owner`` in ``tenant``; ``scopes=None`` means all that owner and maker may do.

    ``rights`` are the owner's live permissions in the tenant, read in this transaction; ``networks`` are as
    ``policy.networks`` writes them. Raises ``KeyRefused``.
    """
    tenant = locked(tx, tenant, for_rights=False)
    check_maker(tenant.key_policy, maker)
    granted = _granted(owner, tenant, scopes, rights, maker)
    check_end(tenant.key_policy, maker, expires_at, now)
    text, shown = mint_api_key(prefix, entropy)
    key = ApiKey(
        id=ApiKeyId(shown.rpartition("_")[2]), tenant_id=tenant.id, user_id=owner.id, created_by=created_by,
        name=check_name(name),
        prefix=shown,
        last_four=text[-4:],
        fingerprint=fingerprinter.of(text),
        scopes=granted,
        resources=resources,
        servers=servers,
        networks=networks,
        created_at=now,
        expires_at=expires_at,
    )  # fmt: skip
    api_keys.insert_api_key(tx, key)
    detail = {"name": key.name, "owner": owner.email, "scopes": " ".join(sorted(granted))}
    audit.record(
        tx, name="api_key:created", at=now, tenant_id=tenant.id, actor_id=created_by, subject=key.id, detail=detail,
        cause=cause,
    )  # fmt: skip
    return CreatedKey(text, key)


def revoke_api_key(
    tx: Transaction, *, tenant_id: TenantId, key_id: ApiKeyId, by: UserId | None, now: Instant,
    cause: Cause | None,
) -> bool:  # fmt: skip
    """End a key for ever, with every secret it has. False where it was ended before or is none of this tenant's."""
    tx.lock_tenant(tenant_id, for_rights=True)
    if not api_keys.revoke_api_key(tx, tenant_id, key_id, now):
        return False
    audit.record(tx, name="api_key:revoked", at=now, tenant_id=tenant_id, actor_id=by, subject=key_id, cause=cause)
    return True


def check_name(name: str) -> str:
    """Return a name as it is kept. Raises ``KeyRefused``."""
    if not is_plain_name(name):
        public = f"Give the key a name of 1 to {MAX_NAME_LENGTH} ordinary characters."
        raise KeyRefused(public, "name refused", field="name")
    return name.strip()


def is_plain_name(name: str) -> bool:
    """Say whether a name is short and free of control, format, bidi and blank characters (E4)."""
    text = name.strip()
    return 0 < len(text) <= MAX_NAME_LENGTH and is_visible(text)


def _granted(
    owner: User, tenant: Tenant, scopes: frozenset[Permission] | None, rights: frozenset[Permission], maker: Maker
) -> frozenset[Permission]:
    if owner.status is not Status.ACTIVE or tenant.status is not Status.ACTIVE:
        raise KeyRefused("This user cannot have keys here.", "owner or tenant is not active", field="user")
    if not rights:
        raise KeyRefused("This user has no role in this tenant.", "owner has no rights in the tenant", field="user")
    limit = maker.limit(owner.id)
    if scopes is None:
        scopes = rights if limit is None else rights & limit
    if not scopes:
        raise KeyRefused("Choose at least one permission.", "no scopes", field="scopes")
    beyond = sorted(scopes - rights)
    if beyond:
        public = f"The owner may not do this: {', '.join(beyond)}."
        raise KeyRefused(public, "scopes beyond the owner's rights", fault=faults.KEY_BEYOND, field="scopes")
    if limit is not None and (more := sorted(scopes - limit)):
        public = f"You may not do this yourself, so you cannot give it: {', '.join(more)}."
        raise KeyRefused(public, "scopes beyond the maker's rights", fault=faults.KEY_BEYOND, field="scopes")
    return scopes

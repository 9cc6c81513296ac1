"""Making and ending API keys (``product.md`` C1, C3, C5, C7). The page and the command line call these.

A key never holds more than its owner may do when it is made; what it may do later is decided live at every call.
"""

from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.credentials.secret import Fingerprinter, mint_api_key
from doorward.model import (
    ApiKey,
    ApiKeyId,
    Entropy,
    Instant,
    Permission,
    ResourceId,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.protocol.plain_text import is_visible
from doorward.storage import api_keys
from doorward.storage.database import Transaction

MAX_NAME_LENGTH: Final = 64


class KeyRefused(Exception):  # noqa: N818  (an answer)
    """No key was made. ``public`` is for the person, ``reason`` for the log."""

    def __init__(self, public: str, reason: str) -> None:
        super().__init__(reason)
        self.public = public
        self.reason = reason


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
    request_id: str | None = None,
) -> CreatedKey:
    """Make a key for ``owner`` in ``tenant``; ``scopes=None`` means all that ``rights`` holds.

    ``rights`` are the owner's live permissions in the tenant, read in this transaction. Raises ``KeyRefused``.
    """
    tx.lock_tenant(tenant.id, for_rights=False)
    granted = rights if scopes is None else scopes
    _check_owner(owner, tenant, rights)
    _check_scopes(granted, rights)
    if expires_at is not None and expires_at <= now:
        raise KeyRefused("Choose an expiry in the future.", "expiry is past")
    if not is_plain_name(name):
        raise KeyRefused(f"Give the key a name of 1 to {MAX_NAME_LENGTH} ordinary characters.", "name refused")
    text, shown = mint_api_key(prefix, entropy)
    key = ApiKey(
        id=ApiKeyId(shown.rpartition("_")[2]), tenant_id=tenant.id, user_id=owner.id, created_by=created_by,
        name=name.strip(),
        prefix=shown,
        last_four=text[-4:],
        fingerprint=fingerprinter.of(text),
        scopes=granted,
        resources=resources,
        created_at=now,
        expires_at=expires_at,
    )  # fmt: skip
    api_keys.insert_api_key(tx, key)
    detail = {"name": key.name, "owner": owner.email, "scopes": " ".join(sorted(granted))}
    audit.record(
        tx, name="api_key:created", at=now, tenant_id=tenant.id, actor_id=created_by, subject=key.id, detail=detail,
        request_id=request_id,
    )  # fmt: skip
    return CreatedKey(text, key)


def revoke_api_key(
    tx: Transaction, *, tenant_id: TenantId, key_id: ApiKeyId, by: UserId | None, now: Instant,
    request_id: str | None = None,
) -> bool:  # fmt: skip
    """End a key for ever. Returns False where it was ended before or is none of this tenant's."""
    tx.lock_tenant(tenant_id, for_rights=True)
    if not api_keys.revoke_api_key(tx, tenant_id, key_id, now):
        return False
    audit.record(
        tx, name="api_key:revoked", at=now, tenant_id=tenant_id, actor_id=by, subject=key_id, request_id=request_id
    )
    return True


def _check_owner(owner: User, tenant: Tenant, rights: frozenset[Permission]) -> None:
    if owner.status is not Status.ACTIVE or tenant.status is not Status.ACTIVE:
        raise KeyRefused("This user cannot have keys here.", "owner or tenant is not active")
    if not rights:
        raise KeyRefused("This user has no role in this tenant.", "owner has no rights in the tenant")


def _check_scopes(granted: frozenset[Permission], rights: frozenset[Permission]) -> None:
    if not granted:
        raise KeyRefused("Choose at least one permission.", "no scopes")
    beyond = sorted(granted - rights)
    if beyond:
        raise KeyRefused(f"The owner may not do this: {', '.join(beyond)}.", "scopes beyond the owner's rights")


def is_plain_name(name: str) -> bool:
    """Say whether a name is short and free of control, format, bidi and blank characters (E4)."""
    text = name.strip()
    return 0 < len(text) <= MAX_NAME_LENGTH and is_visible(text)

"""Who makes and changes API keys, what they may, and what a tenant's policy says to it (C1, C6, C8; security I6)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from doorward.credentials.key_expiry import DAY
from doorward.model import (
    ApiKeyId,
    CredentialKind,
    Instant,
    KeyMakers,
    KeyPolicy,
    NeverEnding,
    Permission,
    Principal,
    Tenant,
    TenantId,
    UserId,
)
from doorward.policy.permission import expand
from doorward.policy.reach import held_anywhere
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.rights import CREATE_KEYS, MANAGE_KEYS, held
from doorward.storage import accounts, api_keys, permissions
from doorward.storage.database import Reader, Transaction


class KeyRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was changed. ``public`` is for the person, ``field`` what it is about ("" for all), ``reason`` for the log."""

    def __init__(self, public: str, reason: str, *, fault: Fault = faults.KEY_WISH, field: str = "") -> None:
        super().__init__(reason)
        self.public = public
        self.reason = reason
        self.fault = fault
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Somebody who makes or changes keys in one tenant. No key reaches further than whoever holds it for a moment."""

    user_id: UserId | None
    """None for the operator at the command line."""
    manages: bool
    """Holds ``keys:manage``."""
    creates: bool
    """Holds ``keys:create``."""
    rights: frozenset[Permission] | None
    """At the tenant, and so in everybody's part of it; None for the operator."""
    anywhere: frozenset[Permission] | None
    """At the tenant or at some node: for keys of their own, which are held to the same nodes."""
    until: Instant | None = None
    """The end of the key that it is made with: a key that is known to somebody for a while must not outlive that."""
    shown_to: UserId | None = None
    """Whoever, beside its owner, was shown the key that it is made with: what they make with it was shown to them too."""

    def may_change(self, owner: UserId) -> bool:
        """Say whether they may look after a key of ``owner`` at all."""
        return self.manages or self.user_id == owner

    def limit(self, owner: UserId) -> frozenset[Permission] | None:
        """Return what a key of ``owner`` may hold at most, for their part; None for anything."""
        return self.anywhere if self.user_id == owner else self.rights


_SOMEBODY: Final = UserId("")
OPERATOR: Final = Maker(user_id=None, manages=True, creates=True, rights=None, anywhere=None)
"""Whoever can read the data directory."""
MEMBER: Final = Maker(user_id=None, manages=False, creates=False, rights=None, anywhere=None)
"""Somebody of whom no more is known than that the caller has checked what they may."""


def person(reader: Reader, tenant_id: TenantId, user_id: UserId) -> Maker:
    """Return a person who is signed in, with what they may in this tenant now."""
    catalogue = [entry.permission for entry in permissions.catalogue(reader)]
    administers = held(reader, tenant_id, user_id)
    return Maker(
        user_id=user_id,
        manages=MANAGE_KEYS in administers,
        creates=CREATE_KEYS in administers,
        rights=held_by(reader, tenant_id, user_id),
        anywhere=expand(permissions.permissions_anywhere(reader, tenant_id, user_id), catalogue),
    )


def held_by(reader: Reader, tenant_id: TenantId, user_id: UserId) -> frozenset[Permission]:
    """Return what of the catalogue somebody may do in all of a tenant, now."""
    catalogue = [entry.permission for entry in permissions.catalogue(reader)]
    return expand(permissions.role_permissions(reader, tenant_id, user_id), catalogue)


def known_to_others(reader: Reader, principal: Principal) -> frozenset[UserId]:
    """Return who else was shown the secret of an API key than its owner: whoever made or rotated it for them.

    Such a key is not its owner's word about themselves: administrators make keys for people who hold more than they.
    """
    if principal.credential is not CredentialKind.API_KEY:
        return frozenset()
    key = api_keys.api_key_by_id(reader, principal.tenant_id, ApiKeyId(principal.credential_id))
    # Unknown means no: a key that is not there any more is nobody's own.
    shown = {_SOMEBODY} if key is None else {key.created_by, key.rotated_by or key.created_by}
    return frozenset(shown - {principal.user_id})


def by_key(principal: Principal, known_to: Collection[UserId]) -> Maker:
    """Return whoever comes with an API key: no more than owner and key both hold, and no longer than the key.

    ``known_to`` is what ``known_to_others`` says of it.
    """
    if principal.credential is not CredentialKind.API_KEY:
        raise KeyRefused("Send an API key.", "not an API key", fault=faults.KEY_MANAGERS)
    rights = principal.permissions & principal.scopes
    return Maker(
        user_id=principal.user_id,
        manages=MANAGE_KEYS in rights,
        creates=CREATE_KEYS in rights,
        rights=rights,
        anywhere=held_anywhere(principal) & principal.scopes,
        until=principal.expires_at,
        shown_to=min(known_to, default=None),
    )


def locked(tx: Transaction, tenant: Tenant, *, for_rights: bool) -> Tenant:
    """Hold the tenant's row until the end, and return it as it is now: what it says of keys may just have changed."""
    tx.lock_tenant(tenant.id, for_rights=for_rights)
    return accounts.tenant_by_id(tx, tenant.id) or tenant


def check_maker(policy: KeyPolicy, maker: Maker) -> None:
    """Refuse who may not make keys in a tenant with this policy. Raises ``KeyRefused``."""
    enough = {
        KeyMakers.MEMBERS: True,
        KeyMakers.PERMITTED: maker.creates or maker.manages,
        KeyMakers.ADMINISTRATORS: maker.manages,
    }
    if not enough[policy.create]:
        public = "In this tenant you cannot make keys yourself. Ask an administrator."
        raise KeyRefused(public, f"policy: keys are for {policy.create}", fault=faults.KEY_MAKERS)


def check_end(policy: KeyPolicy, maker: Maker, end: Instant | None, now: Instant) -> None:
    """Refuse an end that is past, or later than the tenant or the maker's own key allows. Raises ``KeyRefused``."""
    if end is not None and end <= now:
        raise KeyRefused("Choose an end in the future.", "expiry is past", field="expires")
    if maker.until is not None and (end is None or end > maker.until):
        public = "A key that is made with a key ends with it at the latest."
        raise KeyRefused(public, "beyond the end of the maker's key", fault=faults.KEY_BEYOND, field="expires")
    if end is None:
        _check_never(policy, maker)
    elif policy.max_days is not None and end - now > policy.max_days * DAY:
        public = f"In this tenant keys live {_days(policy.max_days)} at most."
        raise KeyRefused(public, "longer than the policy", fault=faults.KEY_TOO_LONG, field="expires")


def _check_never(policy: KeyPolicy, maker: Maker) -> None:
    enough = {
        NeverEnding.MEMBERS: True, NeverEnding.ADMINISTRATORS: maker.manages, NeverEnding.NOBODY: False,
    }  # fmt: skip
    if enough[policy.may_never_end]:
        return
    if policy.may_never_end is NeverEnding.NOBODY:
        public = "In this tenant every key has an end."
    else:
        public = "In this tenant only an administrator can make a key without an end."
    raise KeyRefused(public, "policy: no end", fault=faults.KEY_TOO_LONG, field="expires")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"

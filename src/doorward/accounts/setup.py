"""First set-up: while nobody has an account, one link makes the first tenant and its owner, once (case H24).

The link's secret is derived from a stored nonce and a key outside the database: every node prints the same one, and a
stolen database opens nothing. There is no default name and no default password.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from doorward import audit
from doorward.credentials.api_keys import is_plain_name
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.model import SECOND, Cause, Entropy, Instant, OwnerKind, Role, RoleId, Tenant, TenantId, User, UserId
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.protocol.endpoints import RESERVED_SLUGS, TENANT_SLUG
from doorward.storage import accounts, permissions, setup
from doorward.storage.database import Reader, Transaction

LIFETIME: Final = 86_400 * SECOND
_NONCE_BYTES: Final = 16
_ID_BYTES: Final = 16
OWNER: Final = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOwner:
    """What the page asked for. ``email`` is as it is stored, the password hashed."""

    tenant_name: str
    slug: str
    name: str
    email: str
    password_hash: str


class Setup:
    """Knows the link. ``key`` is of 32 bytes and for this alone."""

    def __init__(self, key: bytes, fingerprinter: Fingerprinter) -> None:
        self._key = key
        self._fingerprinter = fingerprinter

    def link(self, tx: Transaction, *, now: Instant, entropy: Entropy) -> str | None:
        """Return the secret of the link, made anew where it has expired; None where somebody has an account."""
        if setup.anybody(tx):
            return None
        value = setup.open_setup(tx)
        if value is None or _ends(value) <= now:
            value = f"{entropy(_NONCE_BYTES).hex()} {now + LIFETIME}"
            setup.put_setup(tx, value)
        return self._secret(value)

    def is_open(self, reader: Reader, secret: str, now: Instant) -> bool:
        """Say whether this is the link, and may be used now."""
        return self._value(reader, secret, now) is not None

    def use(
        self, tx: Transaction, secret: str, wanted: FirstOwner, *, now: Instant, entropy: Entropy, cause: Cause | None
    ) -> User | None:  # fmt: skip
        """Make the first tenant and its owner; None, and nothing changed, for everybody but the first."""
        value = self._value(tx, secret, now)
        if value is None or not setup.take_setup(tx, value):
            return None
        tenant = Tenant(
            id=TenantId(f"ten_{entropy(_ID_BYTES).hex()}"), slug=wanted.slug, name=wanted.tenant_name, created_at=now
        )
        user = User(
            id=UserId(f"usr_{entropy(_ID_BYTES).hex()}"), email=wanted.email, name=wanted.name,
            kind=OwnerKind.PERSON, created_at=now,
        )  # fmt: skip
        accounts.insert_tenant(tx, tenant)
        for name, patterns in BUILT_IN_ROLES.items():
            role_id = RoleId(f"rol_{entropy(_ID_BYTES).hex()}")
            role = Role(id=role_id, tenant_id=tenant.id, name=name, permissions=patterns, built_in=True)
            permissions.put_role(tx, role)
        accounts.insert_user(tx, user, wanted.password_hash)
        permissions.set_membership(tx, tenant.id, user.id, (OWNER,))
        audit.record(
            tx, name="setup:done", at=now, tenant_id=tenant.id, actor_id=user.id, subject=tenant.id,
            detail={"owner": user.email}, cause=cause,
        )  # fmt: skip
        return user

    def _value(self, reader: Reader, secret: str, now: Instant) -> str | None:
        value = setup.open_setup(reader)
        if value is None or _ends(value) <= now or setup.anybody(reader):
            return None
        one, other = self._fingerprinter.of(secret), self._fingerprinter.of(self._secret(value))
        return value if self._fingerprinter.same(one, other) else None

    def _secret(self, value: str) -> str:
        return base64url(hmac.digest(self._key, value.encode(), sha256))


def why_no_name(name: str) -> str | None:
    """Return what is wrong with the name of a tenant or person; None where it may be one."""
    return None if is_plain_name(name) else "Use 1 to 64 ordinary characters."


def why_no_slug(slug: str) -> str | None:
    """Return what is wrong with the name of a tenant in addresses; None where it may be one."""
    if TENANT_SLUG.fullmatch(slug) is None:
        return "Use small letters a to z, digits and -."
    return "That word is a path of ours. Choose another one." if slug in RESERVED_SLUGS else None


def _ends(value: str) -> int:
    return int(value.rpartition(" ")[2])

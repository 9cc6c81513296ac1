"""The form for a new API key: what may be chosen, what was chosen, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from doorward.credentials.api_keys import MAX_NAME_LENGTH, is_plain_name
from doorward.model import SECOND, Instant, Permission, PermissionEntry, Tenant, User
from doorward.policy.permission import expand
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader

DAY: Final = 86_400 * SECOND
EXPIRIES: Final[Mapping[str, tuple[str, int | None]]] = MappingProxyType({
    "7": ("7 days", 7),
    "30": ("30 days", 30),
    "90": ("90 days", 90),
    "365": ("1 year", 365),
    "never": ("Never", None),
})  # fmt: skip
"""Field value to words and days."""
DEFAULT_EXPIRY: Final = "90"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Where ``user`` may have keys, and what one may do in the chosen ``tenant`` (None: in no tenant at all)."""

    tenants: Sequence[Tenant]
    tenant: Tenant | None
    entries: Sequence[PermissionEntry]

    @property
    def rights(self) -> frozenset[Permission]:
        """What the user may do in the chosen tenant."""
        return frozenset(entry.permission for entry in self.entries)

    @property
    def groups(self) -> list[tuple[str, list[PermissionEntry]]]:
        """The entries by the resource that they are about, with its title; what destroys comes last."""
        found: dict[str, list[PermissionEntry]] = {}
        for entry in sorted(self.entries, key=lambda each: each.destructive):
            title = entry.permission.partition(":")[0].replace("_", " ").replace("-", " ").capitalize()
            found.setdefault(title, []).append(entry)
        return list(found.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyForm:
    """What stands in the form. ``errors`` are by field; '' is the form as a whole."""

    name: str = ""
    scopes: frozenset[str] = frozenset()
    expiry: str = DEFAULT_EXPIRY
    errors: Mapping[str, str] = field(default_factory=dict)


def choices(reader: Reader, user: User, slug: str) -> Choices:
    """Return what ``user`` may choose; ``slug`` is the tenant asked for, else it is the first."""
    tenants = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    tenant = next((each for each in tenants if each.slug == slug), tenants[0] if tenants and not slug else None)
    if tenant is None:
        return Choices(tenants=tenants, tenant=None, entries=[])
    catalogue = permissions.catalogue(reader)
    patterns = permissions.permissions_anywhere(reader, tenant.id, user.id)
    rights = expand(patterns, [entry.permission for entry in catalogue])
    return Choices(tenants=tenants, tenant=tenant, entries=[each for each in catalogue if each.permission in rights])


def blank(offered: Choices) -> KeyForm:
    """Return the form as it is first shown: everything ordinary ticked, nothing that destroys."""
    usual = (entry.permission for entry in offered.entries if entry.is_default and not entry.destructive)
    return KeyForm(scopes=frozenset(usual))


def checked(form: KeyForm) -> KeyForm:
    """Return the form with what is wrong with it, field by field."""
    errors = {}
    if not is_plain_name(form.name):
        errors["name"] = f"Give the key a name of 1 to {MAX_NAME_LENGTH} ordinary characters."
    if not form.scopes:
        errors["scope"] = "Choose at least one permission."
    if form.expiry not in EXPIRIES:
        errors["expiry"] = "Choose when the key ends."
    return KeyForm(name=form.name, scopes=form.scopes, expiry=form.expiry, errors=errors)


def end_of(expiry: str, now: Instant) -> Instant | None:
    """Return when a key with this choice ends; None for never."""
    days = EXPIRIES[expiry][1]
    return None if days is None else Instant(now + days * DAY)

"""What a tenant says of itself, changed by who may (``tenant:manage``): its name, ways in, lifetimes and limits.

``doorward apply`` sets the same; what is said last holds. Keys have a policy of their own (``credentials/key_policies``).
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from doorward import audit
from doorward.accounts import ways_in
from doorward.model import Cause, Instant, Rates, Session, Tenant, TenantId, UserId
from doorward.storage import accounts, identity_providers
from doorward.storage.database import Reader, Transaction

LONGEST_NAME: Final = 100
SHORTEST_TTL: Final = 60
LONGEST_TTL: Final = 30 * 86_400
MOST_CALLS: Final = 1_000_000_000
WORDS: Final = {
    "name": "name",
    "sign_in_methods": "ways of signing in",
    "access_ttl": "access token lifetime",
    "rates": "rate limits",
}


class SettingRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was changed. ``field`` is the one to mend; the message is public."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who changes it: a person, by ``session`` and page, or somebody with a key."""

    user_id: UserId | None
    session: Session | None = None
    cause: Cause | None


def methods(reader: Reader) -> list[tuple[str, str]]:
    """Return every way in that a tenant can name, with what people call it."""
    own = {"password": "Password", "passkey": "Passkey", "link": "Link by mail"}
    return [*own.items(), *((each.slug, each.name) for each in identity_providers.all_providers(reader))]


def named(text: str) -> str:
    """Return a tenant's name. Raises ``SettingRefused``."""
    name = " ".join(text.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise SettingRefused("name", f"A name has 1 to {LONGEST_NAME} characters that can be shown.")
    return name


def whole(field: str, text: str, *, least: int, most: int) -> int | None:
    """Return a number, or None where nothing is written. Raises ``SettingRefused``."""
    if not text.strip():
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 12 and least <= int(digits) <= most):  # noqa: PLR2004
        raise SettingRefused(field, f"Write a whole number from {least} to {most}, or nothing.")
    return int(digits)


def change(tx: Transaction, tenant_id: TenantId, *, by: By, now: Instant, **said: Any) -> Tenant:
    """Set the fields of a tenant that ``said`` names; return it as it is then. What is another than before is in the log.

    That ``by`` may is for the caller to ask, after the tenant is locked here or by itself. Raises ``SettingRefused``, and
    ``LookupError`` where there is no such tenant.
    """
    tx.lock_tenant(tenant_id, for_rights=True)
    stored = accounts.tenant_by_id(tx, tenant_id)
    if stored is None:
        raise LookupError(tenant_id)
    fresh = replace(stored, **said)
    if fresh.sign_in_methods != stored.sign_in_methods:
        _check_ways(tx, fresh, by)
    other = [words for name, words in WORDS.items() if getattr(fresh, name) != getattr(stored, name)]
    if other:
        accounts.update_tenant(tx, fresh)
        detail = {"change": f"tenant {stored.slug}: {', '.join(other)}"}
        if fresh.name != stored.name:
            detail |= {"before": stored.name, "after": fresh.name}
        audit.record(
            tx, name="tenant:changed", at=now, tenant_id=tenant_id, actor_id=by.user_id, subject=stored.slug,
            detail=detail, cause=by.cause,
        )  # fmt: skip
    return fresh


def described(tenant: Tenant) -> dict[str, Any]:
    """Return what a tenant says of itself as data; null: as the deployment has it."""
    rates = {item.name: getattr(tenant.rates, item.name) for item in fields(Rates)}
    return {
        "slug": tenant.slug, "name": tenant.name, "access_ttl": tenant.access_ttl, "rates": rates,
        "sign_in_methods": None if tenant.sign_in_methods is None else list(tenant.sign_in_methods),
    }  # fmt: skip


def _check_ways(reader: Reader, fresh: Tenant, by: By) -> None:
    if fresh.sign_in_methods is None:
        return
    if not fresh.sign_in_methods:
        raise SettingRefused("methods", "Choose at least one way, or nobody could sign in.")
    known = {slug for slug, _ in methods(reader)}
    if not known.issuperset(fresh.sign_in_methods):
        raise SettingRefused("methods", "One of these ways is not there any more. Choose again.")
    if by.session is None or by.user_id is None:
        return
    found = accounts.memberships_of_user(reader, by.user_id)
    mine = next((membership for tenant, membership in found if tenant.id == fresh.id), None)
    if mine is None or not ways_in.allowed_in(reader, fresh, mine, by.session):
        raise SettingRefused("methods", "You came by a way that this leaves out: you would lock yourself out.")

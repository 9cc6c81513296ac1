"""Which ways in are open to whom: the one decider, for every way and every page (feature E1; security H5, H21).

Two rules. Whoever's mail domain a tenant has proven comes through the provider that the tenant names, into whatever
tenant; and whoever acts in a tenant has signed in by means that the tenant allows. Both are asked when a session begins
and again whenever it is used: what is taken away ends sessions at their next page. Owners of that tenant keep their
password and passkeys, so that a provider that fails locks nobody out for good (decision 0063).

``means`` are a word (``password``, ``passkey``, ``link`` and whatever else has its own way), or ``through`` a provider.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.model import (
    Cause,
    IdentityProvider,
    Instant,
    MailDomain,
    Membership,
    ProviderId,
    Session,
    Status,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.protocol import faults
from doorward.protocol.mail_domain import domain_of
from doorward.storage import accounts, identity_providers, mail_domains
from doorward.storage.database import Reader, Transaction
from doorward.web.refused import Refused

WORDS: Final = ("password", "passkey", "link")
"""What a tenant may allow besides providers; no provider has such a slug."""
BREAK_GLASS: Final = frozenset({"password", "passkey"})
"""What owners keep. A mailed link is not among them: whoever runs the provider mostly runs the mail too."""
_THROUGH: Final = "provider:"
_OWNER: Final = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Everybody of a domain comes through ``provider``."""

    domain: MailDomain
    provider: IdentityProvider


def through(provider_id: ProviderId) -> str:
    """Return the means of whoever another system vouches for."""
    return _THROUGH + provider_id


def provider_id_in(means: str) -> ProviderId | None:
    """Return through whom these means lead; None for our own."""
    return ProviderId(means.removeprefix(_THROUGH)) if means.startswith(_THROUGH) else None


def provider_of(reader: Reader, email: str) -> IdentityProvider | None:
    """Return the provider through which whoever has this address has to come, whether or not anybody has it (H6)."""
    rule = _rule(reader, email)
    return None if rule is None else rule.provider


def why_not(reader: Reader, user: User, means: str) -> str | None:
    """Return why ``user`` may not be signed in by these means, now, in private words; None where they may.

    A provider that is disabled lets nobody in, and does not open the ways that it had closed.
    """
    through_id = provider_id_in(means)
    if through_id is not None:
        provider = identity_providers.provider_by_id(reader, through_id)
        if provider is None or provider.status is not Status.ACTIVE:
            return f"provider {through_id} is disabled or gone"
    rule = _rule(reader, user.email)
    if rule is None or rule.provider.id == through_id:
        return None
    if means in BREAK_GLASS and _owns(reader, user.id, rule.domain.tenant_id):
        return None
    return f"{rule.domain.domain} comes through provider {rule.provider.slug}"


def record_broken_glass(tx: Transaction, session: Session, user: User, *, now: Instant, cause: Cause | None) -> None:
    """Write down that somebody came by a way that is kept for owners alone."""
    rule = _rule(tx, user.email)
    broken = {}
    if rule is not None and session.means != through(rule.provider.id):
        broken[rule.domain.tenant_id] = {"domain": rule.domain.domain}
    for tenant, membership in accounts.memberships_of_user(tx, user.id):
        if not _takes(tx, tenant, session.means) and allowed_in(tx, tenant, membership, session):
            broken.setdefault(tenant.id, {"takes": ", ".join(tenant.sign_in_methods or ())})
    for tenant_id, why in broken.items():
        audit.record(
            tx, name="session:broke_glass", at=now, tenant_id=tenant_id, actor_id=user.id, subject=session.id,
            detail={"means": session.means, **why}, cause=cause,
        )  # fmt: skip


def open_memberships(reader: Reader, session: Session) -> list[tuple[Tenant, Membership]]:
    """Return where the person of a session may act by the means that they came by."""
    return [
        (tenant, membership)
        for tenant, membership in accounts.memberships_of_user(reader, session.user_id)
        if allowed_in(reader, tenant, membership, session)
    ]


def may_act(reader: Reader, session: Session, tenant_id: TenantId) -> bool:
    """Say whether the person of a session may act in this tenant by the means that they came by."""
    return any(tenant.id == tenant_id for tenant, _ in open_memberships(reader, session))


def only_open(reader: Reader, session: Session, tenants: Sequence[Tenant]) -> list[Tenant]:
    """Return those of a person's ``tenants`` in which they may act by the means that they came by."""
    return [tenant for tenant in tenants if may_act(reader, session, tenant.id)]


def require_open(reader: Reader, session: Session, tenant_id: TenantId) -> None:
    """Raise ``Refused`` (DW-449) where the person of a session has to sign in another way to act in a tenant.

    A tenant that is none of theirs is not told from one that is open: whoever asks decides about that in its own words.
    """
    mine = [tenant.id for tenant, _ in accounts.memberships_of_user(reader, session.user_id)]
    if tenant_id in mine and not may_act(reader, session, tenant_id):
        raise _elsewhere(f"{tenant_id} does not take {session.means}", back="/settings")


def allowed_in(reader: Reader, tenant: Tenant, membership: Membership, session: Session) -> bool:
    """Say whether a tenant allows the means by which a session began."""
    if _takes(reader, tenant, session.means):
        return True
    return _OWNER in membership.roles and session.means in BREAK_GLASS


def forges_glass(reader: Reader, user_id: UserId, means: str, makes: str) -> bool:
    """Say whether this person, who came by ``means``, would make what some tenant takes from its owners alone.

    Else whoever reads an owner's mail signs in by a link, which the tenant does not take, and adds the password that it
    has to take.
    """
    return means not in BREAK_GLASS and any(
        _OWNER in membership.roles and not _takes(reader, tenant, makes) and not _takes(reader, tenant, means)
        for tenant, membership in accounts.memberships_of_user(reader, user_id)
    )


def require_no_forging(reader: Reader, session: Session, makes: str) -> None:
    """Raise ``Refused`` (DW-449) where the person of a session has to come another way to set up this one."""
    if forges_glass(reader, session.user_id, session.means, makes):
        raise _elsewhere(f"{session.means} makes no {makes} for an owner", back="/settings/security")


def is_open(reader: Reader, tenant_id: TenantId, provider: IdentityProvider) -> bool:
    """Say whether a tenant is there and takes people through this provider."""
    tenant = accounts.tenant_by_id(reader, tenant_id)
    if tenant is None or tenant.status is not Status.ACTIVE:
        return False
    return tenant.sign_in_methods is None or provider.slug in tenant.sign_in_methods


def _elsewhere(reason: str, *, back: str) -> Refused:
    return Refused(
        faults.TENANT_ELSEWHERE, status=403, reason=reason,
        link=(f"/sign-in?switch=1&next={back}", "Sign in another way"),
    )  # fmt: skip


def _takes(reader: Reader, tenant: Tenant, means: str) -> bool:
    """Say whether a tenant takes these means from everybody."""
    return tenant.sign_in_methods is None or _word(reader, means) in tenant.sign_in_methods


def _word(reader: Reader, means: str) -> str | None:
    """Return how a tenant calls these means."""
    through_id = provider_id_in(means)
    if through_id is None:
        return means
    provider = identity_providers.provider_by_id(reader, through_id)
    return None if provider is None else provider.slug


def _rule(reader: Reader, email: str) -> _Rule | None:
    name = domain_of(email)
    domain = None if name is None else mail_domains.proven_domain(reader, name)
    if domain is None or domain.provider_id is None:
        return None
    tenant = accounts.tenant_by_id(reader, domain.tenant_id)
    provider = identity_providers.provider_by_id(reader, domain.provider_id)
    if tenant is None or tenant.status is not Status.ACTIVE or provider is None:
        return None
    return _Rule(domain=domain, provider=provider)


def _owns(reader: Reader, user_id: UserId, tenant_id: TenantId) -> bool:
    return any(
        tenant.id == tenant_id and _OWNER in membership.roles
        for tenant, membership in accounts.memberships_of_user(reader, user_id)
    )

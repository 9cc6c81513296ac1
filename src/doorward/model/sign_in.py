"""How people come in: through which provider, and whose mail domain it is."""

from dataclasses import dataclass
from typing import NewType

from doorward.model.basics import Instant, Status, TenantId, UserId

ProviderId = NewType("ProviderId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """A system that says who somebody is (OpenID Connect), declared for the deployment; tenants choose among them."""

    id: ProviderId
    slug: str
    """Stands in its own redirect URI and never changes."""
    name: str
    template: str
    """What is known of its kind: a key of ``federation.templates``."""
    issuer: str
    client_id: str
    secret: str = ""
    """Which secret of the vault is ours there; empty: a public client."""
    scopes: tuple[str, ...] = ()
    """Asked for besides those of its kind."""
    domains: tuple[str, ...] = ()
    """Mail domains that it speaks for: an address there that it calls verified counts as proven."""
    trust_email: bool = False
    """For these domains it gives out verified addresses only and does not say so."""
    status: Status = Status.ACTIVE
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a user is at an issuer. ``(issuer, subject)`` is unique and all that tells; ``email`` is for people only."""

    issuer: str
    subject: str
    user_id: UserId
    provider_id: ProviderId
    """By which it was last seen."""
    email: str | None = None
    created_at: Instant
    last_used_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class MailDomain:
    """A mail domain that a tenant says is its own. Nothing follows from it before it is proven."""

    tenant_id: TenantId
    domain: str
    challenge: str
    """What its DNS record has to say."""
    provider_id: ProviderId | None = None
    """Through which everybody of the domain has to come."""
    join_role: str | None = None
    """With which role whoever comes through that provider becomes a member."""
    created_at: Instant
    proven_at: Instant | None = None
    proven_by: str | None = None
    """``dns``, or what an administrator of the deployment wrote."""
    checked_at: Instant | None = None
    """When the record was last looked for and an answer came."""
    missing_since: Instant | None = None

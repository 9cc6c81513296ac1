"""OAuth clients and trust in other issuers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from doorward.model.basics import (
    ClientId,
    Fingerprint,
    Instant,
    Permission,
    ResourceId,
    ServerId,
    Status,
    TenantId,
    UserId,
)


class ClientKind(StrEnum):
    """Where an OAuth client's registration comes from."""

    DYNAMIC = "dynamic"
    """RFC 7591."""
    METADATA_DOCUMENT = "metadata_document"
    """Client ID Metadata Document; the client_id is its URL."""
    REGISTERED = "registered"
    """By an administrator (``apply``)."""
    WORKLOAD = "workload"
    """What tokens by a trust rule belong to; its id is the rule's."""


class ClientAuthMethod(StrEnum):
    """``token_endpoint_auth_method`` (RFC 7591 section 2)."""

    NONE = "none"
    SECRET_POST = "client_secret_post"  # noqa: S105  (the name of a method, not a secret)
    SECRET_BASIC = "client_secret_basic"  # noqa: S105
    PRIVATE_KEY_JWT = "private_key_jwt"
    """RFC 7523 section 2.2; nothing secret of the client is known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An OAuth client. ``name`` is what it says of itself and never decides trust."""

    id: ClientId
    kind: ClientKind
    name: str
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    auth_method: ClientAuthMethod = ClientAuthMethod.NONE
    scope_limit: frozenset[Permission] | None = None
    """``None`` means: not limited beyond the user's own rights."""
    client_uri: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    """What was registered, echoed back to the client (RFC 7591 section 3.2.1); never read for a decision."""
    jwks: tuple[Mapping[str, str], ...] = ()
    """Public keys (RFC 7517) that check its assertions; for ``private_key_jwt`` only."""
    jwks_uri: str | None = None
    """Where they are found instead (RFC 7591 section 2). A document's client without a secret may use them too."""
    service_account: UserId | None = None
    """On whose behalf it acts by itself (client credentials), in ``service_tenant`` and nowhere else."""
    service_tenant: TenantId | None = None
    id_token_signed_response_alg: str = "RS256"  # noqa: S105
    """RS256 or ES256 (OIDC Registration section 2)."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Where a browser may be sent after a sign-out that the client asked for (RP-Initiated Logout section 3.1)."""
    introspects: frozenset[ServerId] = frozenset()
    """Servers whose tokens it may ask about, whoever they belong to (RFC 7662)."""
    access_ttl: int | None = None
    """How long its access tokens live, in seconds; None: not said."""
    tenant_id: TenantId | None = None
    """The one tenant that people may let it into; ``None``: any of theirs."""
    owner_id: UserId | None = None
    """Who registered it for themselves: nobody else may let it in. ``None``: it is for all of the tenant."""
    resources: frozenset[ResourceId] | None = None
    """Nodes of ``tenant_id`` that it reaches at most, with what is below; ``None`` means the whole tenant."""
    deleted_at: Instant | None = None
    """Since then it is disabled for ever; its row stays for the records that name it."""
    status: Status = Status.ACTIVE
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """A secret of a confidential client; it may have several, so that one can follow another without a gap."""

    id: str
    client_id: ClientId
    fingerprint: Fingerprint
    created_at: Instant
    expires_at: Instant | None = None
    """From then on it is refused; ``None`` while nobody has retired it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule:
    """Which tokens of another issuer stand for a service account here, and what they get (feature B18)."""

    id: ClientId
    """Also the client that its connections belong to: disabling that client ends all of them."""
    tenant_id: TenantId
    name: str
    issuer: str
    audience: str | None = None
    """``None`` means: one of our own names, the issuer or the token endpoint."""
    claims: Mapping[str, str]
    """What each claim must be; see ``protocol.trust.fits``."""
    pins: tuple[str, ...] = ()
    """Claims that the first token decides for all later ones."""
    pinned: Mapping[str, str] | None = None
    """What it decided; ``None`` while the rule is pending."""
    user_id: UserId
    scopes: frozenset[Permission] | None = None
    """``None`` means: not limited beyond the account's own rights."""
    resources: frozenset[ResourceId] | None = None
    servers: frozenset[ServerId] | None = None
    """``None`` means: all that the tenant has enabled."""
    lifetime: int = 900
    """Seconds that an access token lives."""
    single_use: bool = True
    """Whether each of the issuer's tokens is good for one request only."""
    jwks_uri: str | None = None
    """Where the issuer's keys are, instead of what its discovery document says."""
    jwks: tuple[Mapping[str, str], ...] = ()
    """The issuer's keys themselves, for one that cannot be reached from here."""
    created_at: Instant
    pinned_at: Instant | None = None

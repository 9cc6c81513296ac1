"""What a caller shows, and who that is."""

from dataclasses import dataclass
from enum import StrEnum

from doorward.model.basics import (
    ApiKeyId,
    ClientId,
    Fingerprint,
    Instant,
    Permission,
    ResourceId,
    ServerId,
    SessionId,
    TenantId,
    UserId,
)
from doorward.model.servers import Override


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A long-lived bearer secret of one owner in one tenant. Revoked keys stay in the list and never come back.

    Its id stays when its secret is replaced; see ``OldSecret``.
    """

    id: ApiKeyId
    tenant_id: TenantId
    user_id: UserId
    created_by: UserId
    name: str
    prefix: str
    """What may be shown for ever: kind prefix and public id."""
    last_four: str
    fingerprint: Fingerprint
    scopes: frozenset[Permission]
    resources: frozenset[ResourceId] | None = None
    servers: frozenset[ServerId] | None = None
    """None: all that the tenant has enabled."""
    networks: tuple[str, ...] = ()
    """Where it may be used from, as ``policy.networks`` writes them; empty: anywhere."""
    created_at: Instant
    expires_at: Instant | None = None
    rotated_at: Instant | None = None
    """When it got the secret that it has."""
    rotated_by: UserId | None = None
    """Who was shown it then; None for somebody at the command line."""
    disabled_at: Instant | None = None
    disabled_by: UserId | None = None
    """None while it is disabled: somebody at the command line did it."""
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    last_used_ip: str | None = None
    last_used_client: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OldSecret:
    """A secret that a key had before, and that is good for a while beside the one it has."""

    fingerprint: Fingerprint
    key_id: ApiKeyId
    tenant_id: TenantId
    last_four: str
    replaced_at: Instant
    ends_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser session of the pages. OAuth connections do not depend on it."""

    id: SessionId
    fingerprint: Fingerprint
    user_id: UserId
    created_at: Instant
    expires_at: Instant
    """Absolute end."""
    authenticated_at: Instant
    """When its person last proved who they are."""
    means: str
    """By which way it began; see ``accounts.ways_in``."""
    agent: str
    """What the browser said of itself; for its person to recognise it, never for a decision."""
    address: str
    last_used_at: Instant
    idle_until: Instant
    """It ends then unless it is used before."""


class CredentialKind(StrEnum):
    """What a caller presented."""

    ACCESS_TOKEN = "access_token"  # noqa: S105
    API_KEY = "api_key"
    EXTERNAL = "external"
    """Issued by another system, which vouches for its holder (C9)."""
    SESSION = "session"
    """A person in their browser, who tries a tool on a page of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is calling, after authentication: owner + tenant + credential + what it is narrowed to.

    ``permissions`` are the owner's live rights in the tenant; ``scopes`` is what the credential was granted. What may
    be done is their intersection, decided by ``policy.decide`` and nowhere else.
    """

    user_id: UserId
    user_email: str
    user_name: str
    tenant_id: TenantId
    tenant_slug: str
    tenant_name: str
    permissions: frozenset[Permission]
    """At the tenant, and so at every node."""
    credential: CredentialKind
    credential_id: str
    """The connection's id or the API key's id."""
    credential_name: str
    """The API key's name or the OAuth client's name, for people."""
    client_id: ClientId | None
    scopes: frozenset[Permission]
    declined: frozenset[Permission]
    can_step_up: bool
    """True for OAuth connections: a missing scope can be asked for. False for API keys."""
    resources: frozenset[ResourceId] | None
    servers: frozenset[ServerId]
    """Servers this principal's tenant has enabled and this credential may use."""
    only_servers: bool = False
    """Whether the credential is for some servers only: then it is good at nothing else."""
    expires_at: Instant | None
    """When the presented credential itself ends; checked at every decision."""
    placed: tuple[tuple[ResourceId, frozenset[Permission]], ...] = ()
    """What roles bound at nodes of the tree give there and below, beyond ``permissions``."""
    overrides: tuple[Override, ...] = ()
    """Those of the tenant that hold for this caller."""

"""Users, tenants, and who has which role where."""

from dataclasses import dataclass
from enum import StrEnum

from doorward.model.basics import Instant, Permission, ResourceId, RoleId, Status, TenantId, UserId
from doorward.model.key_policy import KeyPolicy


class OwnerKind(StrEnum):
    """A person, or a service account that can own keys but never signs in."""

    PERSON = "person"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a service account. ``email`` is lower case and unique."""

    id: UserId
    email: str
    name: str
    kind: OwnerKind = OwnerKind.PERSON
    status: Status = Status.ACTIVE
    created_at: Instant
    deleted_at: Instant | None = None
    """Since then nothing is left but what the records of others refer to; it is never active again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How many calls may be made in any minute and in any 24 hours. 0: as many as they like; None: not said here."""

    credential_per_minute: int | None = None
    """By one API key or connection."""
    credential_per_day: int | None = None
    user_per_minute: int | None = None
    """By one user of a tenant, whatever with."""
    user_per_day: int | None = None
    tool_per_minute: int | None = None
    """Of one tool, by one user."""
    tool_per_day: int | None = None
    tenant_per_minute: int | None = None
    """By all of a tenant."""
    tenant_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One customer organisation. ``slug`` appears in URLs and is unique."""

    id: TenantId
    slug: str
    name: str
    access_ttl: int | None = None
    """How long access tokens live here at most, in seconds; None: not said."""
    rates: Rates = Rates()
    """What holds here instead of the deployment's."""
    sign_in_methods: tuple[str, ...] | None = None
    """How members must have signed in to act here: ``password``, ``link``, ``passkey``, slugs of providers. None: anyhow."""
    key_policy: KeyPolicy = KeyPolicy()
    status: Status = Status.ACTIVE
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of permissions of one tenant, as written (wildcards allowed here and nowhere else)."""

    id: RoleId
    tenant_id: TenantId
    name: str
    permissions: tuple[str, ...]
    built_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A role, by name, bound at a node of the tree: it holds there and below."""

    role: str
    resource_id: ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A user's place in a tenant, with the names of the roles bound there. No role means no right."""

    tenant_id: TenantId
    user_id: UserId
    roles: tuple[str, ...]
    """At the tenant: they hold everywhere in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionEntry:
    """One entry of the deployment's permission catalogue, with its words for people."""

    permission: Permission
    words: str
    is_default: bool = True
    """Listed in protected-resource metadata: what an ordinary login asks for."""
    destructive: bool = False
    """Never preselected on the consent page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A node of a tenant's tree. ``(tenant, type, key)`` is unique; ``key`` is the id that tools' arguments use."""

    id: ResourceId
    tenant_id: TenantId
    type: str
    key: str
    name: str
    parent_id: ResourceId | None = None

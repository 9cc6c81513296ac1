"""What a document declares, as records. ``None`` means that the document does not say, so that it stays as it is.

``path`` is where an entry stands in the document; refusals that need the stored state name it too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward.credentials.trust_rules import Wish
from doorward.model import (
    Approvers,
    ClientAuthMethod,
    Effect,
    KeyPolicy,
    OwnerKind,
    Permission,
    Rates,
    RuleKind,
    Status,
    StdioCommand,
    SubjectKind,
    ToolRule,
    UpstreamCredential,
    Vetting,
)
from doorward.provisioning.resource_tree import NodeName, TreeNode


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionDeclared:
    """An entry of the catalogue."""

    path: str
    permission: Permission
    words: str | None
    is_default: bool | None
    destructive: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDeclared:
    """An MCP server. ``rules`` holds the kinds of rule that the document lists, in order; a listed kind is replaced."""

    path: str
    slug: str
    name: str | None
    paths: tuple[str, ...] | None
    upstream: str | None
    stdio: StdioCommand | None
    direct: str | None
    auth: UpstreamCredential | None
    auth_declared: bool
    builtin_tools: bool | None
    new_tools: Vetting | None
    changed_tools: Vetting | None
    status: Status | None
    rules: dict[RuleKind, tuple[ToolRule, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDeclared:
    """An identity provider. What it takes to ask it is always there."""

    path: str
    slug: str
    name: str | None
    template: str
    issuer: str
    client_id: str
    secret: str | None
    scopes: tuple[str, ...] | None
    domains: tuple[str, ...] | None
    trust_email: bool | None
    status: Status | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeclared:
    """A person or a service account."""

    path: str
    email: str
    name: str | None
    password: str | None
    kind: OwnerKind | None
    status: Status | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDeclared:
    """A role of a tenant, with its patterns."""

    path: str
    name: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceDeclared:
    """A role at a node of the tree, named by type and key."""

    path: str
    role: str
    node: NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDeclared:
    """A membership. Empty ``roles`` take all of them away; so does an empty ``at`` for those at resources."""

    path: str
    email: str
    roles: tuple[str, ...]
    at: tuple[PlaceDeclared, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDeclared:
    """An OAuth client that an administrator registers. ``introspects`` names servers by their slugs.

    ``device``: it may ask by a code that a person types elsewhere (RFC 8628).
    """

    path: str
    id: str | None
    name: str
    redirect_uris: tuple[str, ...] | None
    auth_method: ClientAuthMethod
    scopes: frozenset[Permission] | None
    jwks: tuple[Mapping[str, str], ...] | None
    jwks_uri: str | None
    service_account: str | None
    """The e-mail address of the account that the client acts for by itself."""
    introspects: tuple[str, ...] | None
    access_ttl: int | None
    device: bool | None
    post_logout_redirect_uris: tuple[str, ...] | None
    id_token_alg: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustDeclared:
    """A trust rule: which tokens of another issuer stand for a service account."""

    path: str
    wish: Wish
    resources: tuple[NodeName, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideDeclared:
    """What a tenant says beyond a server's rule. ``whom`` is a role's name, an e-mail address or a credential's id."""

    path: str
    server: str
    kind: RuleKind
    match: str
    effect: Effect
    requires: frozenset[Permission]
    approval: Approvers | None
    subject: SubjectKind
    whom: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDeclared:
    """A tenant and what belongs to it. ``servers``, where it is there, is the whole list of what it enables."""

    path: str
    slug: str
    name: str | None
    access_ttl: int | None
    rates: Rates | None
    """Where it is there, it is all that the tenant says of them."""
    keys: KeyPolicy | None
    """Likewise of its API keys."""
    sign_in_declared: bool
    sign_in_methods: tuple[str, ...] | None
    """By which ways people sign in who act here; None, where that is declared: by all."""
    status: Status | None
    servers: tuple[str, ...] | None
    roles: tuple[RoleDeclared, ...]
    members: tuple[MemberDeclared, ...]
    resources: tuple[TreeNode, ...]
    clients: tuple[ClientDeclared, ...]
    trust: tuple[TrustDeclared, ...]
    overrides: tuple[OverrideDeclared, ...] | None
    """The whole list, where it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file."""

    servers: tuple[ServerDeclared, ...]
    permissions: tuple[PermissionDeclared, ...]
    users: tuple[UserDeclared, ...]
    providers: tuple[ProviderDeclared, ...]
    tenants: tuple[TenantDeclared, ...]

"""The nouns of Doorward. Frozen records without behaviour that could fail; everything else passes these around.

Times are ``Instant``: integer microseconds since the Unix epoch, UTC. Secrets never appear here: a record holds at most
a ``Fingerprint`` (the keyed hash that is stored). Permissions are strings of the grammar ``resource:action``
(``policy/permission.py``); wildcards are expanded before they reach a record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

Fingerprint = NewType("Fingerprint", str)
"""Keyed hash (HMAC-SHA-256, hex) of a secret we handed out; the only form of it that is stored."""

Permission = NewType("Permission", str)
"""``resource:action``; the same vocabulary for roles, OAuth scopes, API keys and tool rules."""

UserId = NewType("UserId", str)
TenantId = NewType("TenantId", str)
RoleId = NewType("RoleId", str)
ResourceId = NewType("ResourceId", str)
ServerId = NewType("ServerId", str)
ClientId = NewType("ClientId", str)
ConnectionId = NewType("ConnectionId", str)
ApiKeyId = NewType("ApiKeyId", str)
SessionId = NewType("SessionId", str)
RequestId = NewType("RequestId", str)

Entropy = Callable[[int], bytes]
"""``entropy(n)`` returns n unpredictable bytes. An argument everywhere, so that tests and re-runs can repeat it."""

SECOND = 1_000_000
"""One second, in the unit of ``Instant``."""


class Status(StrEnum):
    """Whether a user, tenant, client or server may be used at all."""

    ACTIVE = "active"
    DISABLED = "disabled"


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


class RuleKind(StrEnum):
    """What sort of upstream thing a rule is about."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceArgument:
    """Which argument names a node of the tree: a JSON pointer (RFC 6901) into the arguments, and the node's type.

    A part of the pointer that is ``*`` stands for every item of a list: ``/document_ids/*``.
    """

    pointer: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """What a tool, resource or prompt of one server needs. The first rule whose ``match`` fits is the rule.

    ``match`` is a glob for tool and prompt names (``*`` and ``?`` only) and a URI template for resources
    (``harbour://documents/{document}``; each variable matches one path segment). An empty ``requires`` allows nobody.
    """

    kind: RuleKind = RuleKind.TOOL
    match: str
    requires: frozenset[Permission]
    resources: tuple[ResourceArgument, ...] = ()
    """Every node that one of them names has to be within reach."""


class AuthKind(StrEnum):
    """How the gateway says who it is to a server, where not by its identity token."""

    BEARER = "bearer"
    HEADER = "header"
    NONE = "none"


class ProcessPer(StrEnum):
    """Who shares one process of a stdio server."""

    PRINCIPAL = "principal"
    """Nobody: each owner, in each tenant, with each client or key, has one of their own."""
    TENANT = "tenant"
    SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioCommand:
    """An MCP server that is a command, spoken to by its standard input and output; no shell is between.

    ``{tenant}`` (slug) and ``{user}`` (id) stand for the caller's in arguments, values of ``env`` and ``cwd``.
    """

    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    """Name and value; besides PATH and LANG, all that the process has."""
    secrets: tuple[tuple[str, str], ...] = ()
    """Name in the environment, and which secret of the vault is its value."""
    cwd: str | None = None
    per: ProcessPer = ProcessPer.PRINCIPAL
    processes: int = 32
    """How many there may be at a time."""
    memory: int = 1024
    """MiB of data that one may have."""
    line: int = 4 * 1024 * 1024
    """Bytes of one message that it may write."""
    idle: int = 600
    """Seconds without use after which one is ended."""
    relays: tuple[str, ...] = ("sampling", "elicitation")
    """What it may ask of clients of the older revisions; never where a process is shared."""


class Effect(StrEnum):
    """What an override does. Neither can allow what the rule does not."""

    DENY = "deny"
    REQUIRE = "require"
    """Permissions beyond those of the rule."""


class SubjectKind(StrEnum):
    """For whom an override holds."""

    EVERYBODY = "everybody"
    ROLE = "role"
    """Whoever has the role of this name, at the tenant or at any node."""
    USER = "user"
    KEY = "key"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a tenant says beyond a server's rule, for some of its callers. All that fit hold; a denial wins (D4)."""

    id: str
    tenant_id: TenantId
    server_id: ServerId
    kind: RuleKind = RuleKind.TOOL
    match: str
    """As in a ``ToolRule``."""
    effect: Effect
    requires: frozenset[Permission] = frozenset()
    subject: SubjectKind = SubjectKind.EVERYBODY
    subject_id: str = ""
    """A role's name, or an id."""


class Vetting(StrEnum):
    """What becomes of a tool that nobody has looked at."""

    ALLOW = "allow"
    """Its rule decides."""
    HOLD = "hold"
    """It is missing for everybody until somebody approves it."""


class ToolState(StrEnum):
    """What was said of one version of a tool."""

    ALLOWED = "allowed"
    HELD = "held"
    BLOCKED = "blocked"
    """With every later version of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCredential:
    """What the gateway shows to a server that does not take its identity token."""

    kind: AuthKind
    secret: str = ""
    """Its name in the vault."""
    header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One MCP server behind the gateway, declared once for the deployment; tenants enable it.

    ``paths`` are templates of our own URL paths: ``/mcp`` (short form: the tenant is picked at consent or is the key's)
    and ``/{tenant}/mcp`` (the URL pins the tenant). ``upstream`` is the absolute Streamable HTTP URL; for a command,
    ``stdio``, it is a text that is another one whenever the command is. ``direct`` is the URL at which clients reach the
    server without us, where they do: tokens for it are good there, where the server asks us, and not at the gateway.
    """

    id: ServerId
    slug: str
    name: str
    paths: tuple[str, ...]
    upstream: str
    rules: tuple[ToolRule, ...] = ()
    builtin_tools: bool = True
    """Whether the gateway adds its own ``whoami`` tool."""
    new_tools: Vetting = Vetting.ALLOW
    changed_tools: Vetting = Vetting.ALLOW
    known: Mapping[str, Mapping[str, ToolState]] = field(default_factory=dict, hash=False)
    """By a tool's name, the versions that were seen, by digest."""
    status: Status = Status.ACTIVE
    stdio: StdioCommand | None = None
    direct: str | None = None
    auth: UpstreamCredential | None = None
    """None: the identity token."""

    @property
    def audience(self) -> str:
        """Whom an identity token is for."""
        return self.upstream if self.stdio is None else f"stdio:{self.slug}"


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
    """Which tokens of another issuer stand for a service account here, and what they get (``product.md`` B18)."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One act of consent (an OAuth grant): one user, one client, one tenant, one server URL."""

    id: ConnectionId
    tenant_id: TenantId
    user_id: UserId
    client_id: ClientId
    server_id: ServerId
    resource: str
    """The server URL that tokens are bound to (RFC 8707): their ``aud``."""
    scopes: frozenset[Permission]
    declined: frozenset[Permission]
    """Shown on the consent page and unticked: hidden, not reachable by step-up."""
    asked: frozenset[Permission] = frozenset()
    """All that the consent page showed, whatever became of it: clients repeat it when they refresh."""
    identity: frozenset[str] = frozenset()
    """What the client is told of the person: ``openid``, ``profile``, ``email``. Empty: no ID token, no userinfo."""
    authenticated_at: Instant | None = None
    """When the person who approved had signed in; stays so at every refresh (OIDC Core section 12.2)."""
    resources: frozenset[ResourceId] | None = None
    """Narrowed to these subtrees; ``None`` means the whole tenant."""
    redirect_uri: str
    browser: Fingerprint | None = None
    """Of the browser in which it was approved, where that stands on the client's own device: what tells a client that
    asks again from the same client on another device. None where that is not known."""
    created_at: Instant
    expires_at: Instant
    """Absolute end: no refresh after it."""
    activated_at: Instant | None = None
    """When its code was redeemed; before that it is only an approval."""
    revoked_at: Instant | None = None
    revoked_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A stored code. Kept after use, so that a replay can be recognised (OAuth 2.1 section 7.5.3)."""

    fingerprint: Fingerprint
    connection_id: ConnectionId
    tenant_id: TenantId
    client_id: ClientId
    redirect_uri: str
    redirect_uri_sent: bool
    """Whether the authorization request named it; then the token request must repeat it if it sends one at all."""
    nonce: str | None = None
    """Of the OpenID request; goes into its ID token."""
    code_challenge: str
    """S256 (RFC 7636 section 4.2); 43 base64url characters."""
    resource: str
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None = None
    failed_attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A device that waits for a person to answer at a browser elsewhere (RFC 8628). ``id`` is no secret."""

    id: RequestId
    device_code: Fingerprint
    user_code: Fingerprint
    client_id: ClientId
    resource: str
    scopes: tuple[str, ...]
    """What the consent page shows, in the order asked."""
    asked_from: str
    """The network address that the device asked from, for the person to compare."""
    created_at: Instant
    expires_at: Instant
    answered_at: Instant | None = None
    connection_id: ConnectionId | None = None
    """What the person approved; answered without one means denied."""
    used_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A stored refresh token. Its successor is derived from it, so losers of a race derive the same one."""

    fingerprint: Fingerprint
    connection_id: ConnectionId
    tenant_id: TenantId
    client_id: ClientId
    kid: str
    """Which derivation key makes its successor."""
    parent: Fingerprint | None
    created_at: Instant
    expires_at: Instant
    """Idle end."""
    used_at: Instant | None = None
    """When it was first exchanged. Replays until ``used_at`` + window get the same successor, while that is unused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A long-lived bearer secret of one owner in one tenant. Revoked keys stay in the list and never come back."""

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
    created_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    last_used_at: Instant | None = None
    last_used_ip: str | None = None
    last_used_client: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser session of the pages. OAuth connections do not depend on it."""

    id: SessionId
    fingerprint: Fingerprint
    user_id: UserId
    created_at: Instant
    expires_at: Instant
    authenticated_at: Instant


class CredentialKind(StrEnum):
    """What a caller presented."""

    ACCESS_TOKEN = "access_token"  # noqa: S105
    API_KEY = "api_key"
    EXTERNAL = "external"
    """Issued by another system, which vouches for its holder (C9)."""


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
    expires_at: Instant | None
    """When the presented credential itself ends; checked at every decision."""
    placed: tuple[tuple[ResourceId, frozenset[Permission]], ...] = ()
    """What roles bound at nodes of the tree give there and below, beyond ``permissions``."""
    overrides: tuple[Override, ...] = ()
    """Those of the tenant that hold for this caller."""

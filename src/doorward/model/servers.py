"""MCP servers behind the gateway, their rules, and what tenants say beyond these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from doorward.model.basics import Permission, ServerId, Status, TenantId


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
class Approvers:
    """Who may approve a call before it is made. Without a permission: the caller's own person, at a browser."""

    permissions: frozenset[Permission] = frozenset()
    """Whoever decides must hold all of them in the whole tenant."""
    by_another: bool = False
    """Never the caller's own person, whatever they hold."""


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
    approval: Approvers | None = None
    """Who has to approve each call; None: nobody."""


class AuthKind(StrEnum):
    """How the gateway says who it is to a server, where not by its identity token."""

    BEARER = "bearer"
    HEADER = "header"
    OAUTH = "oauth"
    """By the caller's own account there: each person links theirs (OAuth, with us as the client)."""
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
    APPROVAL = "approval"
    """Somebody has to approve each call."""


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
    approval: Approvers | None = None
    subject: SubjectKind = SubjectKind.EVERYBODY
    subject_id: str = ""
    """A role's name, or an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a server says of itself: nothing to decide by, but worth knowing when it changes."""

    name: str = ""
    version: str = ""
    revision: str = ""
    """The newest MCP revision that it speaks with the gateway."""


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
    """Its name in the vault; for ``oauth`` that of the client's secret, where ``client_id`` has one."""
    header: str = ""
    client_id: str = ""
    """For ``oauth``: as what an operator registered us; otherwise we register ourselves, or need not."""
    scopes: tuple[str, ...] = ()
    """For ``oauth``: what is asked for; otherwise what the server says that it needs."""
    authorization_server: str = ""
    """For ``oauth``: the issuer, where the server's own word is not to be asked."""


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
    """Whether the gateway adds its own tools, ``whoami`` and ``connection_info``."""
    new_tools: Vetting = Vetting.ALLOW
    changed_tools: Vetting = Vetting.ALLOW
    known: Mapping[str, Mapping[str, ToolState]] = field(default_factory=dict, hash=False)
    """By a tool's name, the versions that were seen, by digest."""
    status: Status = Status.ACTIVE
    stdio: StdioCommand | None = None
    direct: str | None = None
    auth: UpstreamCredential | None = None
    """None: the identity token."""
    tenant_id: TenantId | None = None
    """The tenant that added it for itself; None: the operator declared it for the deployment."""

    @property
    def audience(self) -> str:
        """Whom an identity token is for.

        Never a bare URL for what a tenant added: a token that it gets must not be good at a server of somebody else.
        """
        if self.tenant_id is not None:
            return f"own:{self.slug}"
        return self.upstream if self.stdio is None else f"stdio:{self.slug}"

"""Every knob, its default and its one-line help."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
DAY: Final = 86_400


class SettingsError(Exception):
    """The configuration cannot be used. The message names the key, the cause and the fix."""


def _knob(default: Any, text: str) -> Any:
    if isinstance(default, (dict, list)):
        return field(default_factory=type(default), metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen, and what the world calls us."""

    public_url: str = _knob(
        "", "Origin that clients use, without a path. Empty: http://HOST:PORT. Never taken from a Host header."
    )
    host: str = _knob("127.0.0.1", "Address to listen on.")
    port: int = _knob(8080, "Port to listen on.")
    allowed_origins: list[str] = _knob([], "Browser origins besides loopback that may call bearer-only paths.")
    trusted_proxies: list[str] = _knob(
        [], "Addresses or networks of your own proxies, whose X-Forwarded-For says who asks. Others' is ignored."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where everything is kept."""

    url: str = _knob("", "sqlite:///FILE or postgresql://…. Empty: doorward.db in the data directory.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings:
    """Lifetimes, in seconds."""

    access_ttl: int = _knob(
        3600, "Access token lifetime where neither the client nor the tenant has one; 60 seconds to 30 days."
    )
    code_ttl: int = _knob(60, "Authorization code lifetime; at most 600.")
    refresh_idle: int = _knob(30 * DAY, "A connection that is not refreshed for so long ends.")
    refresh_absolute: int = _knob(180 * DAY, "A connection ends so long after consent, whatever happens.")
    session: int = _knob(14 * DAY, "A browser session ends so long after it began, whatever happens.")
    session_idle: int = _knob(4 * DAY, "A browser session that is not used for so long ends.")
    recent: int = _knob(600, "What guards an account asks for a proof again that is older than this.")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySettings:
    """The keys that sign tokens, in seconds. `doorward keys` shows and changes them by hand."""

    rotate_every: int = _knob(90 * DAY, "A new key follows one that has signed for so long; 0: only by hand.")
    announce: int = _knob(DAY, "A new key is published so long before it signs, for everybody to know it.")
    keep: int = _knob(
        31 * DAY, "An old key is published so long after it signed last; at least an access token's life."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSettings:
    """Dynamic client registration (RFC 7591)."""

    policy: str = _knob(
        "open", "open; approved: an administrator allows each client before anybody can let it in; off: none registers."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSettings:
    """Connection attempts: how far clients got on their way in."""

    days: int = _knob(30, "How long an attempt is kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What was done: how long the logs in the database are kept, in days. 0: for ever."""

    days: int = _knob(0, "How long a security event is kept.")
    call_days: int = _knob(365, "How long a call is kept. Sums of calls are kept for 92 days, whatever stands here.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CimdSettings:
    """Client ID Metadata Documents."""

    policy: str = _knob("open", "open: any valid document; pinned: only those with a copy here; off: none.")
    pinned: dict[str, str] = _knob(
        {}, "Document URL to the file that holds your copy of it: used instead, and never fetched."
    )
    unbundled: list[str] = _knob([], "Document URLs whose bundled copy is not used.")
    allow_loopback: bool = _knob(
        default=False, text="For development: fetch from loopback. Only with a public_url on loopback."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSettings:
    """Workload identity: the issuers that trust rules name."""

    allow_loopback: bool = _knob(
        default=False, text="For development: fetch keys from loopback. Only with a public_url on loopback."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """Calls that somebody has to approve before they are made."""

    ttl: int = _knob(600, "Seconds there are to decide about a call, and then again to make it; 30 to 86400.")
    waiting: int = _knob(20, "Calls of one app or key that may wait for an approval at a time; 1 to 1000.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """Signing in through other systems: the identity providers that `doorward apply` declares."""

    allow_private: bool = _knob(
        default=False,
        text="Ask providers on private addresses too (10.0.0.0/8 and the like), as your own Keycloak may be.",
    )
    allow_loopback: bool = _knob(
        default=False, text="For development: ask providers on loopback. Only with a public_url on loopback."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedAccountSettings:
    """Linked accounts: servers that know people by their own accounts there."""

    allow_loopback: bool = _knob(default=False, text="For development: ask on loopback. Only with a public_url there.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnServerSettings:
    """Servers that tenants add for themselves, on a page: who may, is a permission (servers:manage)."""

    allowed: bool = _knob(default=True, text="Whether tenants may add servers. What is there already goes on.")
    networks: list[str] = _knob(
        [], "Networks besides public addresses where these may be, like 10.1.2.0/24; there also by http."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeySettings:
    """API keys."""

    prefix: str = _knob("dw", "What every key begins with; 2 to 8 lower-case letters or digits. Others are refused.")
    leak_secret_file: str = _knob(
        "", "File with the secrets, one a line, that reports of leaked keys are signed with. Empty: none are taken."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSettings:
    """One system whose bearers are taken: a table [external_bearers.NAME]."""

    prefix: str = _knob("", "What each of its bearers begins with; no credential of ours may.")
    kind: str = _knob("introspection", "introspection (RFC 7662), or profile: a URL that the bearer itself opens.")
    url: str = _knob("", "Where it is asked; https.")
    client_id: str = _knob("", "For introspection: who asks.")
    client_secret_file: str = _knob("", "For introspection: file with the secret of client_id.")
    audience: str = _knob("", "What aud must hold, so that a bearer for another service is refused.")
    email_field: str = _knob("email", "Where its answer says the e-mail address; dots lead into objects.")
    verified_field: str = _knob("email_verified", "Where it says, by true, that the address is verified.")
    trust_email: bool = _knob(default=False, text="The system gives out verified addresses only and does not say so.")
    subject_field: str = _knob("sub", "Where it says who it is, for subjects.")
    subjects: dict[str, str] = _knob(
        {}, "What subject_field says to an e-mail address here; then nobody else comes in."
    )
    tenant: str = _knob("", "Slug of the one tenant of its people.")
    tenant_field: str = _knob("", "Where the answer says the tenant's slug, instead of tenant.")
    scopes: list[str] = _knob([], "What its bearers may do at most, where they have no scopes of their own.")
    scope_field: str = _knob("", "Where the answer says scopes, for scope_map.")
    scope_map: dict[str, str] = _knob({}, "Its scope to ours, separated by spaces; others mean nothing.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Sizes in bytes, times in seconds."""

    body: int = _knob(4 * 1024 * 1024, "Largest MCP message taken from a client.")
    upstream_body: int = _knob(32 * 1024 * 1024, "Largest single answer taken from an MCP server.")
    upstream_timeout: int = _knob(60, "How long an MCP server may take to begin its answer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSettings:
    """How often and how much at once somebody may call. 0: as they like. A tenant may have other numbers."""

    credential_per_minute: int = _knob(0, "Messages from one API key or connection in any minute.")
    credential_per_day: int = _knob(0, "Messages from one API key or connection in any 24 hours.")
    user_per_minute: int = _knob(0, "Messages from one user of a tenant, whatever with, in any minute.")
    user_per_day: int = _knob(0, "Messages from one user of a tenant in any 24 hours.")
    tool_per_minute: int = _knob(0, "Calls of one tool by one user in any minute.")
    tool_per_day: int = _knob(0, "Calls of one tool by one user in any 24 hours.")
    tenant_per_minute: int = _knob(0, "Messages from all of a tenant in any minute.")
    tenant_per_day: int = _knob(0, "Messages from all of a tenant in any 24 hours.")
    nodes: int = _knob(1, "How many servers share the load evenly; each allows its part of the limits above.")
    calls_per_credential: int = _knob(256, "Calls of one API key or connection that wait for an answer at once.")
    calls_per_user: int = _knob(512, "Calls of one user of a tenant that wait for an answer at once.")
    streams_per_credential: int = _knob(32, "Open streams (GET, subscriptions/listen) of one API key or connection.")
    streams_per_user: int = _knob(128, "Open streams of one user of a tenant.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSettings:
    """The pool that hashes passwords beside the event loop."""

    workers: int = _knob(1, "Threads that hash.")
    queue: int = _knob(64, "Sign-ins that may wait; more are answered 503.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How people get links: invitations, new passwords, sign-in."""

    mode: str = _knob("off", "off; smtp; console: written to standard error, for development on loopback.")
    host: str = _knob("", "Mail server.")
    port: int = _knob(587, "Its port.")
    tls: str = _knob("starttls", "starttls; tls: from the first byte; none: for a mail server on loopback only.")
    ca_file: str = _knob("", "File of certificates to trust instead of the system's.")
    username: str = _knob("", "Name to sign in with at the mail server; empty: it asks for none.")
    password_file: str = _knob("", "File with the password for username.")
    sender: str = _knob("", "What letters come from, like Doorward <door@example.com>.")
    per_hour: int = _knob(1000, "Letters that strangers may ask for in an hour, all together.")
    sign_in_links: bool = _knob(default=False, text="People may have a link to sign in e-mailed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Structured logs on standard error."""

    level: str = _knob("info", "debug, info, warning or error.")
    format: str = _knob("text", "text or json.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. ``data_dir`` holds the database and the key file."""

    data_dir: Path = _knob(Path("doorward-data"), "Directory of the database and of doorward.key.")
    server: ServerSettings = field(default_factory=ServerSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    tokens: TokenSettings = field(default_factory=TokenSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    registration: RegistrationSettings = field(default_factory=RegistrationSettings)
    attempts: AttemptSettings = field(default_factory=AttemptSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    cimd: CimdSettings = field(default_factory=CimdSettings)
    workload: WorkloadSettings = field(default_factory=WorkloadSettings)
    approvals: ApprovalSettings = field(default_factory=ApprovalSettings)
    sign_in: SignInSettings = field(default_factory=SignInSettings)
    linked_accounts: LinkedAccountSettings = field(default_factory=LinkedAccountSettings)
    own_servers: OwnServerSettings = field(default_factory=OwnServerSettings)
    api_keys: ApiKeySettings = field(default_factory=ApiKeySettings)
    external_bearers: dict[str, ExternalSettings] = _knob(
        {}, "Other systems whose bearers are taken; see external-bearers.md."
    )
    limits: LimitSettings = field(default_factory=LimitSettings)
    rates: RateSettings = field(default_factory=RateSettings)
    passwords: PasswordSettings = field(default_factory=PasswordSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def public_url(self) -> str:
        """The one origin, without a trailing slash: the issuer, byte for byte."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return self.server.public_url or f"http://{host}:{self.server.port}"

    @property
    def database_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database.url or f"sqlite:///{self.data_dir / 'doorward.db'}"

    @property
    def key_file(self) -> Path:
        """The one secret outside the database: 32 bytes in hexadecimal, mode 0600."""
        return self.data_dir / "doorward.key"

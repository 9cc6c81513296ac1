"""Every knob, its default and its one-line help; the only reader of configuration files and of the environment.

A TOML file with the tables below. Everything has a default; an unknown table or key is an error that names it. The
rest of the program gets plain values from ``bootstrap``, never this module.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})
DAY: Final = 86_400

T = TypeVar("T")


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
    session: int = _knob(14 * DAY, "Browser session lifetime.")


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
class ApiKeySettings:
    """API keys."""

    prefix: str = _knob("dw", "What every key begins with; 2 to 8 lower-case letters or digits.")


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
    cimd: CimdSettings = field(default_factory=CimdSettings)
    workload: WorkloadSettings = field(default_factory=WorkloadSettings)
    api_keys: ApiKeySettings = field(default_factory=ApiKeySettings)
    external_bearers: dict[str, ExternalSettings] = _knob(
        {}, "Other systems whose bearers are taken; see external-bearers.md."
    )
    limits: LimitSettings = field(default_factory=LimitSettings)
    rates: RateSettings = field(default_factory=RateSettings)
    passwords: PasswordSettings = field(default_factory=PasswordSettings)
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


def load(config: Path | None = None, *, data_dir: Path | None = None) -> Settings:
    """Read ``config`` (TOML), or take the defaults; ``data_dir`` stands above the file. Raises ``SettingsError``.

    Relative paths in the file start at the file's own directory.
    """
    settings = Settings()
    if config is not None:
        settings = _table(Settings, _read(config), "")
        base = config.resolve().parent
        pinned = {url: str(base / path) for url, path in settings.cimd.pinned.items()}
        settings = replace(settings, data_dir=base / settings.data_dir, cimd=replace(settings.cimd, pinned=pinned))
    if data_dir is not None:
        settings = replace(settings, data_dir=data_dir)
    settings = replace(settings, data_dir=settings.data_dir.resolve())
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse what cannot work or is not safe. Raises ``SettingsError``."""
    _check_public_url(settings.public_url)
    _check_proxies(settings.server.trusted_proxies)
    if not 1 <= settings.tokens.code_ttl <= 600:  # noqa: PLR2004  (B1: ten minutes at most)
        raise SettingsError("tokens.code_ttl: a code lives 1 to 600 seconds. Set a number in that range.")
    _check_keys(settings)
    if settings.registration.policy not in {"open", "approved", "off"}:
        raise SettingsError('registration.policy: unknown policy. Write "open", "approved" or "off".')
    _check_rates(settings.rates)
    if settings.cimd.policy not in {"open", "pinned", "off"}:
        raise SettingsError('cimd.policy: unknown policy. Write "open", "pinned" or "off".')
    _check_loopback(settings)
    if settings.log.level not in {"debug", "info", "warning", "error"} or settings.log.format not in {"text", "json"}:
        raise SettingsError("log: unknown level or format. Write debug, info, warning or error, and text or json.")
    prefix = settings.api_keys.prefix
    if not (2 <= len(prefix) <= 8 and prefix.isascii() and prefix.isalnum() and prefix == prefix.lower()):  # noqa: PLR2004
        raise SettingsError("api_keys.prefix: 2 to 8 lower-case letters or digits. Choose another prefix.")
    if prefix in {"dwc", "dwr", "dws", "dwk", "dwd", "dwg"}:
        raise SettingsError("api_keys.prefix: used for another kind of secret. Choose another prefix.")


def _check_loopback(settings: Settings) -> None:
    allowed = {"cimd": settings.cimd.allow_loopback, "workload": settings.workload.allow_loopback}
    if urlsplit(settings.public_url).hostname in LOOPBACK_HOSTS:
        return
    for name, allow in allowed.items():
        if allow:
            raise SettingsError(
                f"{name}.allow_loopback: not with this public_url. Only a server on loopback may fetch there."
            )


def _check_public_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise SettingsError(f"server.public_url: {url!r} is not an origin. Write it like https://mcp.example.com.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        # Ruling 5: without TLS neither cookies nor tokens are safe beyond this machine.
        raise SettingsError("server.public_url: http works on loopback only. Use https, or set public_url to it.")


def _check_keys(settings: Settings) -> None:
    keys = settings.keys
    if keys.announce < 300:  # noqa: PLR2004  (the key set may be cached for a minute, by clients for some more)
        raise SettingsError("keys.announce: others must learn of a key before it signs. Set 300 seconds or more.")
    if not 60 <= settings.tokens.access_ttl <= 30 * DAY:  # noqa: PLR2004  (B14)
        raise SettingsError("tokens.access_ttl: an access token lives 60 seconds to 30 days. Set one in that range.")
    if keys.keep < settings.tokens.access_ttl:
        raise SettingsError("keys.keep: shorter than an access token lives. Set tokens.access_ttl or more.")
    if keys.rotate_every and keys.rotate_every <= keys.announce:
        raise SettingsError("keys.rotate_every: a key must sign for a while. Set more than keys.announce, or 0.")


def _check_rates(rates: RateSettings) -> None:
    wrong = [item.name for item in fields(rates) if getattr(rates, item.name) < 0]
    if wrong:
        raise SettingsError(f"rates.{wrong[0]}: less than nothing. Set a number, or 0 for no limit.")
    if not rates.nodes:
        raise SettingsError("rates.nodes: there is one server at least. Set how many share the load.")


def _check_proxies(trusted: list[str]) -> None:
    for text in trusted:
        try:
            network = ip_network(text, strict=False)
        except ValueError as wrong:
            raise SettingsError(
                f"server.trusted_proxies: {text!r} is no address or network. Write it like 10.0.0.7 or 10.0.0.0/24."
            ) from wrong
        if network.prefixlen == 0:
            # Everybody could then say to be anybody.
            raise SettingsError(f"server.trusted_proxies: {text} is everybody. Name your proxies only.")


def _read(config: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise SettingsError(f"{config}: cannot be read ({wrong.strerror}). Check the path.") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{config}: not TOML ({wrong}). Mend the line.") from wrong


def _table(kind: type[T], values: Mapping[str, Any], path: str) -> T:
    """Return ``values`` as a ``kind``; every key must be one of its fields, and of the field's type."""
    default = kind()
    known = {item.name: getattr(default, item.name) for item in fields(kind)}  # type: ignore[arg-type]
    result: dict[str, Any] = {}
    for name, value in values.items():
        where = f"{path}{name}"
        if name not in known:
            raise SettingsError(f"{where}: unknown key. Known here: {', '.join(sorted(known))}.")
        result[name] = _value(known[name], value, where)
    if kind is Settings and "external_bearers" in result:
        result["external_bearers"] = {
            name: _table(ExternalSettings, each, f"external_bearers.{name}.")
            for name, each in result["external_bearers"].items()
        }
    return kind(**result)


def _value(default: Any, value: Any, where: str) -> Any:
    if is_dataclass(default) and isinstance(value, dict):
        return _table(type(default), value, f"{where}.")
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if type(value) is not type(default):
        raise SettingsError(f"{where}: expected {_name(default)}, got {type(value).__name__}. Mend the value.")
    texts = value if isinstance(value, list) else [*value, *value.values()] if isinstance(value, dict) else []
    if (
        where == "external_bearers"
        and isinstance(value, dict)
        and all(isinstance(each, dict) for each in value.values())
    ):
        return value
    if any(not isinstance(text, str) for text in texts):
        raise SettingsError(f"{where}: expected texts. Mend the value.")
    return value


def _name(default: Any) -> str:
    return "a table" if is_dataclass(default) else type(default).__name__

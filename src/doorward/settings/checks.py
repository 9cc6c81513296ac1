"""What settings cannot work together, or are not safe."""

from dataclasses import fields
from ipaddress import ip_network
from urllib.parse import urlsplit

from doorward.settings.knobs import (
    DAY,
    LOOPBACK_HOSTS,
    ApprovalSettings,
    RateSettings,
    Settings,
    SettingsError,
    TokenSettings,
)


def check(settings: Settings) -> None:
    """Refuse what cannot work or is not safe. Raises ``SettingsError``."""
    _check_public_url(settings.public_url)
    _check_proxies(settings.server.trusted_proxies)
    if not 1 <= settings.tokens.code_ttl <= 600:  # noqa: PLR2004  (B1: ten minutes at most)
        raise SettingsError("tokens.code_ttl: a code lives 1 to 600 seconds. Set a number in that range.")
    _check_sessions(settings.tokens)
    _check_keys(settings)
    if settings.registration.policy not in {"open", "approved", "off"}:
        raise SettingsError('registration.policy: unknown policy. Write "open", "approved" or "off".')
    _check_rates(settings.rates)
    if settings.cimd.policy not in {"open", "pinned", "off"}:
        raise SettingsError('cimd.policy: unknown policy. Write "open", "pinned" or "off".')
    _check_loopback(settings)
    _check_approvals(settings.approvals)
    if settings.audit.days < 0 or settings.audit.call_days < 0:
        raise SettingsError("audit: days and call_days are 0, for ever, or more. Set such a number.")
    _check_networks(settings.own_servers.networks)
    if settings.log.level not in {"debug", "info", "warning", "error"} or settings.log.format not in {"text", "json"}:
        raise SettingsError("log: unknown level or format. Write debug, info, warning or error, and text or json.")
    prefix = settings.api_keys.prefix
    if not (2 <= len(prefix) <= 8 and prefix.isascii() and prefix.isalnum() and prefix == prefix.lower()):  # noqa: PLR2004
        raise SettingsError("api_keys.prefix: 2 to 8 lower-case letters or digits. Choose another prefix.")
    if prefix in {"dwc", "dwr", "dws", "dwk", "dwd", "dwg", "dwl"}:
        raise SettingsError("api_keys.prefix: used for another kind of secret. Choose another prefix.")


def _check_sessions(tokens: TokenSettings) -> None:
    if not 60 <= tokens.session_idle <= tokens.session:  # noqa: PLR2004
        raise SettingsError("tokens.session_idle: between 60 seconds and tokens.session. Set a number in that range.")
    if not 60 <= tokens.recent <= 86_400:  # noqa: PLR2004
        raise SettingsError("tokens.recent: between 60 seconds and a day. Set a number in that range.")


def _check_loopback(settings: Settings) -> None:
    if urlsplit(settings.public_url).hostname in LOOPBACK_HOSTS:
        return
    for name in ("cimd", "workload", "sign_in", "linked_accounts"):
        if getattr(settings, name).allow_loopback:
            raise SettingsError(
                f"{name}.allow_loopback: not with this public_url. Only a server on loopback may fetch there."
            )


def _check_approvals(approvals: ApprovalSettings) -> None:
    if not 30 <= approvals.ttl <= DAY:  # noqa: PLR2004
        raise SettingsError("approvals.ttl: 30 seconds to a day. Set a number in that range.")
    if not 1 <= approvals.waiting <= 1000:  # noqa: PLR2004
        raise SettingsError("approvals.waiting: 1 to 1000 calls. Set a number in that range.")


def _check_networks(networks: list[str]) -> None:
    for text in networks:
        try:
            network = ip_network(text, strict=False)
        except ValueError as wrong:
            raise SettingsError(
                f"own_servers.networks: {text!r} is no network. Write it like 10.1.2.0/24 or 10.1.2.7."
            ) from wrong
        if network.prefixlen < 8:  # noqa: PLR2004
            raise SettingsError(f"own_servers.networks: {text} is too much. Name your own networks only.")


def _check_public_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise SettingsError(f"server.public_url: {url!r} is not an origin. Write it like https://mcp.example.com.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        # Decision 0077.5: without TLS neither cookies nor tokens are safe beyond this machine.
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

"""Which redirect URIs may be registered, and when a requested one is a registered one.

Everything is decided on the raw string. Nothing is parsed leniently, folded, decoded or repaired first: the attacks
live in the difference between two parsers (security A3 to A10; ``urlsplit`` drops tabs and newlines). A registered URI
is plain ASCII, so equality of strings is equality of meaning (RFC 3986 section 6.2.1).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import REDIRECT_SCHEME_UNKNOWN, REDIRECT_URI_REFUSED, Fault

MAX_LENGTH = 2048

RESERVED_PARAMETERS = frozenset({
    "code", "state", "iss", "error", "error_description", "error_uri", "session_state", "response", "id_token",
    "access_token", "token_type", "expires_in",
})  # fmt: skip
"""Names we or a mix-up attacker put into an authorization response; a registered URI may not hold them (A28)."""

_DANGEROUS = frozenset({
    "about", "blob", "chrome", "chrome-extension", "content", "data", "file", "filesystem", "ftp", "intent", "jar",
    "javascript", "mailto", "ms-appx", "resource", "sms", "tel", "urn", "vbscript", "view-source", "ws", "wss",
})  # fmt: skip
"""Schemes that run code, read files or leave the browser; refused even where an allow-list names them (E1)."""

# RFC 3986 without '#' (fragment, RFC 6749 s3.1.2), '*' (reads as a wildcard, A10) and anything that is not plain ASCII.
_SAFE = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")
_AUTHORITY = re.compile(r"//([^/?]*)")
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_PORT = re.compile(rf"(?P<host>{_LABEL}(?:\.{_LABEL})*){_PORT}")
_LOOPBACK = re.compile(rf"http://(?P<host>localhost|127\.0\.0\.1|\[::1\]){_PORT}(?P<rest>[/?].*)?", re.DOTALL)
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_MAX_PORT = 65535
_MAX_ENCODINGS = 4
"""How often a path may be percent-encoded over again: each time costs a pass, and nobody means it (E7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectTarget:
    """Where an answer goes, for the consent page. ``host_display`` carries the scheme of private-use URIs."""

    host_display: str
    is_loopback: bool
    scheme: str


def registrable(uri: str, vendor_schemes: Collection[str] = ()) -> None:
    """Accept a redirect URI for registration, or raise ``OAuthError`` ``invalid_redirect_uri``.

    Accepted: https; http on ``localhost``, ``127.0.0.1`` and ``[::1]`` (RFC 8252 section 7.3); private-use schemes that
    contain a dot (RFC 8252 section 7.1) or are in ``vendor_schemes``, compared exactly (decision 0077.2). An undotted scheme
    that is merely unknown raises with ``REDIRECT_SCHEME_UNKNOWN``, so that a registration may leave that one out.
    """
    scheme, rest = _plain(uri)
    if scheme == "http":
        if _loopback(uri) is None:
            raise _refused("http on a host that is not loopback")
    elif scheme == "https":
        _public_host(rest)
    elif "." not in scheme and scheme not in vendor_schemes:
        raise _refused(f"private-use scheme {scheme[:64]!r} is not on the list", REDIRECT_SCHEME_UNKNOWN)
    elif not rest.lstrip("/"):
        raise _refused("a private-use URI without a path")
    _no_dot_segments(rest)
    _no_reserved_parameters(rest)


def matches(registered: Sequence[str], requested: str, *, any_loopback_port: bool) -> bool:
    """Tell whether the requested URI is registered: the same string (RFC 6749 section 3.1.2.3, OAuth 2.1 s2.3.1).

    With ``any_loopback_port`` (public clients, decision 0077.1) a loopback URI also matches a registered loopback URI of the
    same path and query on any port, and the three loopback names are one.
    """
    if requested in registered:
        return True
    wanted = _loopback(requested) if any_loopback_port else None
    return wanted is not None and wanted in map(_loopback, registered)


def describe(uri: str) -> RedirectTarget:
    """Return what the consent page says about a registered redirect URI (MCP authorization, "Localhost …")."""
    scheme, _, rest = uri.partition(":")
    authority = _AUTHORITY.match(rest)
    host = authority[1] if authority else ""
    display = host if scheme in {"http", "https"} else f"{scheme}:" + (f"//{host}" if host else "")
    return RedirectTarget(host_display=display, is_loopback=_loopback(uri) is not None, scheme=scheme)


def without_loopback_port(uri: str) -> str:
    """Return the URI with the port of a loopback host taken out: a native client's port is of one run only."""
    found = _LOOPBACK.fullmatch(uri)
    return uri if found is None else f"http://{found['host']}{found['rest'] or ''}"


def _plain(uri: str) -> tuple[str, str]:
    """Split into scheme and the rest, both of characters that every parser reads alike."""
    if len(uri) > MAX_LENGTH:
        raise _refused(f"{len(uri)} characters")
    found = _SCHEME.match(uri)
    if found is None or _SAFE.fullmatch(uri) is None:
        raise _refused("not an absolute URI of plain characters with a lower-case scheme")
    scheme, rest = found[1], uri[found.end() :]
    if scheme in _DANGEROUS:
        raise _refused(f"dangerous scheme {scheme}")
    authority = _AUTHORITY.match(rest)
    if authority is not None and "@" in authority[1]:
        raise _refused("user name in the authority")
    return scheme, rest


def _public_host(rest: str) -> None:
    """Refuse an https URI without a proper host, and hosts that some parser reads as loopback (A12, E10)."""
    authority = _AUTHORITY.match(rest)
    found = _HOST_PORT.fullmatch(authority[1]) if authority else None
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        raise _refused("https without a plain lower-case host")
    labels = found["host"].split(".")
    if "localhost" in {labels[0], labels[-1]}:
        raise _refused("a host that looks like loopback")
    numeric = _NUMERIC_LABEL.fullmatch(labels[-1]) is not None
    if labels[0] in {"0", "127"} or (numeric and _IPV4.fullmatch(found["host"]) is None):
        raise _refused("a host that is a number or looks like loopback")


def _no_dot_segments(rest: str) -> None:
    """Refuse ``.`` and ``..`` however encoded or suffixed (A4: ``%2e%2e``, ``..;/``), and encoded controls (A9)."""
    path = rest.partition("?")[0]
    for _ in range(_MAX_ENCODINGS):
        path = unquote(path)
    if unquote(path) != path:
        raise _refused("encoded over and over")
    if not path.isprintable() or "\\" in path:
        raise _refused("an encoded control character or backslash")
    if any(segment.partition(";")[0].strip() in {".", ".."} for segment in path.split("/")):
        raise _refused("dot segments")


def _no_reserved_parameters(rest: str) -> None:
    query = rest.partition("?")[2].replace(";", "&")
    names = {name.strip().lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
    if names & RESERVED_PARAMETERS:
        raise _refused(f"reserved parameters {sorted(names & RESERVED_PARAMETERS)}")


def _loopback(uri: str) -> str | None:
    """Return path and query of an http loopback URI ('/' where there is none), or None for every other URI."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return None
    rest = found["rest"] or "/"
    return rest if rest.startswith("/") else "/" + rest


def _refused(reason: str, fault: Fault = REDIRECT_URI_REFUSED) -> OAuthError:
    return OAuthError(fault, "invalid_redirect_uri", reason=reason)

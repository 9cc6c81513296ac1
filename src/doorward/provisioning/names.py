"""The forms of what a person writes into a document: slugs, e-mail addresses, titles, URLs and path templates."""

import re
from typing import Final
from urllib.parse import urlsplit

from doorward.policy.rules import OWN
from doorward.protocol.endpoints import RESERVED_SLUGS, TENANT_SLUG
from doorward.protocol.plain_text import is_visible

MAX_TITLE: Final = 128
MAX_PASSWORD_BYTES: Final = 1024
MIN_PASSWORD: Final = 8
TENANT: Final = "{tenant}"

_SERVER_SLUG: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_EMAIL: Final = re.compile(r"[^@\s\x00-\x20\x7f-\x9f<>\"(),:;\\\[\]]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}")
_OWN_SEGMENTS: Final = RESERVED_SLUGS - {"mcp", "api"}


def title_ok(text: str) -> bool:
    """Say whether ``text`` may be shown to people as a name: short, not blank, no control or direction characters."""
    return 0 < len(text.strip()) <= MAX_TITLE and is_visible(text)


def server_slug_ok(text: str) -> bool:
    """Say whether ``text`` can name a server: it is also the resource part of derived permissions (D4)."""
    return _SERVER_SLUG.fullmatch(text) is not None and text != OWN


def tenant_slug_ok(text: str) -> bool:
    """Say whether ``text`` can be a tenant's slug: one DNS-like label that is no path of our own (decision 0077.13)."""
    return TENANT_SLUG.fullmatch(text) is not None and text not in RESERVED_SLUGS


def email_of(text: str) -> str | None:
    """Return the address in lower case, or None where it is none. Says nothing of whether anybody reads it."""
    email = text.strip().lower()
    return email if _EMAIL.fullmatch(email) else None


def password_ok(text: str) -> bool:
    """Say whether a password is long enough to be one and short enough to be hashed."""
    return len(text) >= MIN_PASSWORD and len(text.encode("utf-8", "replace")) <= MAX_PASSWORD_BYTES


def upstream_ok(text: str) -> bool:
    """Say whether ``text`` is an absolute http(s) URL without credentials and fragment, in printable ASCII."""
    try:
        parts = urlsplit(text)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = text.isascii() and text.isprintable() and " " not in text and "#" not in text and "\\" not in text
    return plain and port_ok and parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc


def path_ok(template: str) -> bool:
    """Say whether ``template`` is a path of plain segments, at most one of them ``{tenant}``, that is none of ours."""
    first, *segments = template.split("/")
    if first or not segments or segments.count(TENANT) > 1 or template.startswith("/api/v1"):
        return False
    return segments[0] not in _OWN_SEGMENTS and all(part == TENANT or _SEGMENT.fullmatch(part) for part in segments)


def paths_clash(one: str, other: str) -> bool:
    """Say whether some URL path would fit both templates."""
    ours, theirs = one.split("/"), other.split("/")
    return len(ours) == len(theirs) and all(_may_equal(mine, its) for mine, its in zip(ours, theirs, strict=True))


def _may_equal(one: str, other: str) -> bool:
    if TENANT in (one, other):
        return one == other or tenant_slug_ok(other if one == TENANT else one)
    return one == other

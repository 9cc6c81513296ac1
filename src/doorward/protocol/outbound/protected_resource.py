"""Where an MCP server says that people sign in: its 401 and its metadata (RFC 9728; MCP authorization, discovery)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from doorward.protocol import resource
from doorward.protocol.discovery import DocumentKind
from doorward.protocol.outbound.reading import https_url, scopes_in, text_in, texts_in

_PARAMETER: Final = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_ESCAPED: Final = re.compile(r"\\(.)")
_BEARER: Final = re.compile(r"bearer(?:\s|$)", re.IGNORECASE)
MAX_CHALLENGE: Final = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a ``WWW-Authenticate: Bearer`` says; empty where it says nothing of it."""

    error: str = ""
    scopes: tuple[str, ...] = ()
    resource_metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResource:
    """What the metadata of an MCP server says."""

    resource: str
    """As it wants to be named in ``resource`` (RFC 8707)."""
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...]


def challenge_of(header: str) -> Asked:
    """Return what a challenge says. Anything but one of ``Bearer`` says nothing."""
    if len(header) > MAX_CHALLENGE or _BEARER.match(header) is None:
        return Asked()
    said: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(header):
        said.setdefault(name.lower(), plain or _ESCAPED.sub(r"\1", quoted))
    return Asked(
        error=said.get("error", ""),
        scopes=scopes_in(said.get("scope", "")),
        resource_metadata=said.get("resource_metadata", ""),
    )


def metadata_urls(upstream: str, challenge: Asked) -> tuple[str, ...]:
    """Return where the metadata of the server at ``upstream`` may be, in the order to look."""
    parts = urlsplit(upstream)
    root = f"{parts.scheme}://{parts.netloc}/.well-known/{DocumentKind.PROTECTED_RESOURCE.value}"
    inserted = (root + parts.path,) if parts.path.strip("/") else ()
    named = (challenge.resource_metadata,) if challenge.resource_metadata else ()
    return tuple(dict.fromkeys((*named, *inserted, root)))


def read(members: Mapping[str, Any], upstream: str) -> ProtectedResource:
    """Return what the document says. Raises ``ValueError``, also for the document of another server.

    Its resource is the server's own URL, or one that this URL lies below (RFC 9728 section 3.3 wants the first; servers
    with several endpoints write the second, and clients take it).
    """
    named = text_in(members, "resource")
    if not _covers(named, upstream):
        raise ValueError("metadata of another resource")
    servers = texts_in(members, "authorization_servers")
    if not servers:
        raise ValueError("metadata without an authorization server")
    return ProtectedResource(
        resource=named,
        authorization_servers=tuple(https_url(each, "authorization server") for each in servers[:8]),
        scopes=texts_in(members, "scopes_supported"),
    )


def _covers(named: str, upstream: str) -> bool:
    theirs, ours = resource.canonical(named), resource.canonical(upstream)
    if theirs is None or ours is None:
        return False
    return ours == theirs or ours.startswith(theirs + "/")

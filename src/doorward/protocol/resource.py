"""Resource indicators (RFC 8707): which of our server URLs a request means.

One form is published and used as ``aud``; on the way in, differences of scheme and host case, of a default port and of
one trailing slash are forgiven (MCP authorization, "Canonical Server URI"; Mistral sends the slash).
"""

import re
from collections.abc import Callable, Collection

MAX_LENGTH = 2048

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>/[\x21\x24-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?"
)
_DEFAULT_PORT = {"http": "80", "https": "443"}


def canonical(text: str) -> str | None:
    """Return the canonical form of an absolute URL, or None: relative, with fragment or user name, or no URL at all."""
    found = _URL.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        return None
    scheme, port = found["scheme"].lower(), found["port"]
    authority = found["host"].lower() + (f":{port}" if port and port != _DEFAULT_PORT.get(scheme) else "")
    return f"{scheme}://{authority}" + (found["rest"] or "").removesuffix("/")


def resolve(requested: str, is_published: Callable[[str], bool]) -> str | None:
    """Return the published form of what was requested, or None. ``is_published`` compares byte for byte."""
    form = canonical(requested)
    candidates = () if form is None else (form, form + "/")
    return next((candidate for candidate in candidates if is_published(candidate)), None)


def match(requested: str, published: Collection[str]) -> str | None:
    """Return the member of ``published`` that was requested, or None."""
    return resolve(requested, published.__contains__)

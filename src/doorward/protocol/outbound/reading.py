"""Members of JSON that strangers wrote, as what they have to be. Raises ``ValueError`` with a reason without values."""

import re
from collections.abc import Mapping
from typing import Any, Final

MAX_TEXT: Final = 2048
MAX_ITEMS: Final = 200
_HTTPS: Final = re.compile(
    r"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?"
    r"(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
"""RFC 6749 section 3.3."""


def text_in(members: Mapping[str, Any], name: str) -> str:
    """Return a text member; '' where there is none or it is no short text."""
    value = members.get(name)
    return value if isinstance(value, str) and len(value) <= MAX_TEXT else ""


def texts_in(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts without repetition; empty where there is none."""
    value = members.get(name)
    found = value[:MAX_ITEMS] if isinstance(value, list) else []
    return tuple(dict.fromkeys(each for each in found if isinstance(each, str) and 0 < len(each) <= MAX_TEXT))


def scopes_in(text: str) -> tuple[str, ...]:
    """Return the scopes of a space-separated list; what cannot be one is left out."""
    return tuple(dict.fromkeys(each for each in text.split(" ")[:MAX_ITEMS] if _SCOPE.fullmatch(each)))


def https_url(text: str, what: str) -> str:
    """Return ``text`` if it is an https URL without credentials and fragment. Raises ``ValueError``.

    A browser is sent to one of them and secrets to others: no other scheme, nothing to be read in two ways.
    """
    if len(text) > MAX_TEXT or _HTTPS.fullmatch(text) is None:
        raise ValueError(f"{what}: no https URL")
    return text

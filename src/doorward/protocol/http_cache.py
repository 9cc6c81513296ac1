"""How long a fetched document is good for (RFC 9111 sections 4.2 and 5.2), within our own bounds."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FLOOR = 5 * 60
"""Seconds. Also for ``no-store``: a login is several requests, and each would fetch again (security F11)."""
CEILING = 24 * 3600

_DIRECTIVE = re.compile(r'([a-z-]+)(?:="?([^",]*)"?)?', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_LONGEST_NUMBER = 10
"""Digits; more is for ever, which the ceiling bounds."""


def freshness(headers: Mapping[str, str]) -> int:
    """Return for how many seconds an answer is fresh, from ``FLOOR`` to ``CEILING``. Header names are lower case."""
    return min(max(_lifetime(headers) - _number(headers.get("age", "")), FLOOR), CEILING)


def etag(headers: Mapping[str, str]) -> str | None:
    """Return the validator to ask again with, if it is one that can be sent back as it is (RFC 9110 section 8.8.3)."""
    value = headers.get("etag", "")
    return value if _ETAG.fullmatch(value) else None


def _lifetime(headers: Mapping[str, str]) -> int:
    told = {name.lower(): value for name, value in _DIRECTIVE.findall(headers.get("cache-control", ""))}
    if told.keys() & {"no-store", "no-cache"} or "*" in headers.get("vary", ""):
        return 0
    if "max-age" in told:
        return _number(told["max-age"])
    expires, date = (_seconds(headers.get(name, "")) for name in ("expires", "date"))
    return 0 if expires is None or date is None else expires - date


def _number(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit()):
        return 0
    return int(digits) if len(digits) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _seconds(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None

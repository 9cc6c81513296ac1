"""How a rule's ``match`` is compared with a name or a URI.

The work is bounded by the pattern's length times the name's, whatever a caller writes into them.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

MAX_NAME: Final = 1024
"""Longer names and URIs (characters) fit no rule; no honest one is that long."""

_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_]{0,63})\}")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]|/\.{1,2}(?:[/?#]|$)")


def tool_name_ok(name: str) -> bool:
    """Say whether ``name`` has the form that MCP gives tool names; anything else is never routed (K10)."""
    return _TOOL_NAME.fullmatch(name) is not None


def glob_fits(pattern: str, name: str) -> bool:
    """Say whether all of ``name`` fits ``pattern``: ``*`` is any text, ``?`` one character, the rest is itself.

    Remembers only the last ``*``, so that no name can make it slow (a regular expression could be).
    """
    at = mark = here = 0
    star = -1
    if len(name) > MAX_NAME:
        return False
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, mark, at = at, here, at + 1
        elif at < len(pattern) and pattern[at] in ("?", name[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            mark += 1
            at, here = star + 1, mark
        else:
            return False
    return pattern[at:].strip("*") == ""


def template_ok(template: str) -> bool:
    """Say whether ``template`` can stand in a rule.

    It is a plain URI whose variables are ``{name}``, each named once, with text between any two.
    """
    names = _VARIABLE.findall(template)
    literal = _VARIABLE.sub("\x01", template)
    plain = "{" not in literal and "}" not in literal and "\x01\x01" not in literal
    return plain and len(set(names)) == len(names) and _unambiguous(literal.replace("\x01", "x"))


def template_variables(template: str, uri: str) -> Mapping[str, str] | None:
    """Return what each ``{name}`` of ``template`` stands for in ``uri``, percent-decoded, or None: it does not fit.

    A variable is one non-empty path segment or a part of one.

    A URI that an upstream could read otherwise than we do fits nothing: dot segments, also encoded; encoded slashes,
    backslashes, controls and percent signs; encodings of characters that need none (RFC 3986 section 6.2.2; I8).
    """
    if len(uri) > MAX_NAME or not _unambiguous(uri):
        return None
    found = _compiled(template).fullmatch(uri)
    return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}


def plain_uri(uri: str) -> bool:
    """Say whether everybody reads ``uri`` alike, so that a pattern which it does not fit is truly not about it."""
    return len(uri) <= MAX_NAME and _unambiguous(uri)


def _unambiguous(uri: str) -> bool:
    return not _FORBIDDEN.search(uri) and all(_escape_ok(found.group(1)) for found in _ESCAPE.finditer(uri))


def _escape_ok(digits: str | None) -> bool:
    char = chr(int(digits, 16)) if digits else "%"
    return digits == "20" or (char > " " and char not in "%/\\\x7f" and char not in _UNRESERVED)


@lru_cache(maxsize=4096)
def _compiled(template: str) -> re.Pattern[str]:
    parts = _VARIABLE.split(template)
    literals, names = parts[::2], parts[1::2]
    expression = re.escape(literals[0])
    for name, literal in zip(names, literals[1:], strict=True):
        expression += f"(?P<{name}>[^/?#]+)" + re.escape(literal)
    return re.compile(expression)

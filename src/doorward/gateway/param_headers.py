"""``Mcp-Param-*`` headers: arguments repeated as headers where a tool's schema says so with ``x-mcp-header``. Pure.

An upstream, or something before it, may act on the header instead of the body. So header and argument must agree
before anything is forwarded (MCP 2026-07-28, Streamable HTTP, "Custom Headers"; K8).
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from doorward.policy.matching import tool_name_ok

PREFIX: Final = "mcp-param-"
MAX_DEPTH: Final = 16
ParamHeaders = tuple[tuple[tuple[str, ...], str], ...]
"""Path of property names to the header's full lower-case name, for each annotated property of a schema."""

_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=")
_DECIMAL: Final = re.compile(r"(-?[0-9]{1,18})(?:\.0{1,18})?")


def declared(schema: Any, path: tuple[str, ...] = ()) -> ParamHeaders:
    """Return the annotated properties that are reached through ``properties`` alone."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(path) >= MAX_DEPTH:
        return ()
    found: list[tuple[tuple[str, ...], str]] = []
    for name, inner in properties.items():
        token = inner.get("x-mcp-header") if isinstance(inner, dict) else None
        if isinstance(token, str) and tool_name_ok(token):
            found.append(((*path, name), PREFIX + token.lower()))
        found += declared(inner, (*path, name))
    return tuple(found)


def mismatch(headers: ParamHeaders, arguments: Mapping[str, Any], sent: Sequence[tuple[str, str]]) -> str | None:
    """Return the name of the first header that does not agree with its argument, or None. ``sent`` is lower case."""
    for path, name in headers:
        values = [value for header, value in sent if header == name]
        argument = _at(arguments, path)
        if argument is None or isinstance(argument, (dict, list)):
            agrees = not values
        else:
            agrees = len(values) == 1 and _agrees(argument, decoded(values[0]))
        if not agrees:
            return name
    return None


def made(headers: ParamHeaders, arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers that agree with ``arguments``."""
    values = [(name, _at(arguments, path)) for path, name in headers]
    return [(name, encoded(_in_text(value))) for name, value in values if isinstance(value, str | int | float)]


def _in_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def decoded(value: str) -> str | None:
    """Return a header value with its ``=?base64?…?=`` form undone; None where that is malformed."""
    found = _SENTINEL.fullmatch(value)
    if found is None:
        return value
    try:
        raw = base64.b64decode(found.group(1), validate=True)
        canonical = base64.b64encode(raw).decode() == found.group(1)
        return raw.decode("utf-8") if canonical else None
    except (binascii.Error, ValueError):
        return None


def encoded(value: str) -> str:
    """Return ``value`` as it may stand in a header: itself, or in base64 where it is not plain printable ASCII."""
    plain = value.isascii() and value.isprintable() and value == value.strip() and not _SENTINEL.fullmatch(value)
    return value if plain else f"=?base64?{base64.b64encode(value.encode('utf-8')).decode()}?="


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        arguments = arguments.get(name) if isinstance(arguments, Mapping) else None
    return arguments


def _agrees(argument: Any, header: str | None) -> bool:
    if header is None:
        return False
    if isinstance(argument, bool):
        return header == ("true" if argument else "false")
    if isinstance(argument, int) or (isinstance(argument, float) and argument.is_integer()):
        found = _DECIMAL.fullmatch(header)
        return header == str(argument) or (found is not None and int(found.group(1)) == int(argument))
    return header == str(argument)

"""Changes one table of a person's TOML file and keeps every other line as it is. Pure.

Works on lines; the result is read again and compared with what was wanted, so that what this does not understand
(inline tables, dotted keys, a text over several lines) is refused and never damaged.
"""

import copy
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from doorward.clients.json_edit import CannotEdit

_HEADER: Final = re.compile(r"\s*\[")


def read(text: str) -> dict[str, Any]:
    """Return what the text says. Raises ``CannotEdit``."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise CannotEdit(f"it is not TOML ({wrong})") from wrong


def put(text: str, path: tuple[str, str], value: Mapping[str, Any]) -> str:
    """Return the text with the table ``path`` holding ``value``, texts only. Raises ``CannotEdit``."""
    at, name = path
    wanted = copy.deepcopy(read(text))
    tables = wanted.setdefault(at, {})
    if not isinstance(tables, dict):
        raise CannotEdit(f"{at} is not a table")
    old = tables.get(name)
    if old == value:
        return text
    tables[name] = dict(value)
    changed = _added(text, at, name, value) if old is None else _changed(text, (at, name), old, value)
    if read(changed) != wanted:
        raise CannotEdit("it is written in a way that cannot be changed safely")
    return changed


def _added(text: str, at: str, name: str, value: Mapping[str, Any]) -> str:
    lines = [f"[{at}.{name}]", *_written(value)]
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    return before + "\n".join(lines) + "\n"


def _changed(text: str, path: tuple[str, str], old: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Change the lines of the table that say something else, one by one; tables within it stay where they are."""
    lines = text.split("\n")
    names = r"\s*\.\s*".join(rf'"?{re.escape(name)}"?' for name in path)
    header = re.compile(rf"\s*\[\s*{names}\s*\]")
    start = next((number for number, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        raise CannotEdit(f"{'.'.join(path)} is written in a way that cannot be changed safely")
    end = next((n for n in range(start + 1, len(lines)) if _HEADER.match(lines[n])), len(lines))
    kept = []
    for line in lines[start + 1 : end]:
        member = _member(line)
        if member is None or (member in value and value[member] == old.get(member)):
            kept.append(line)
        elif member in value:
            kept.append(_line(member, value))
    fresh = [_line(member, value) for member in value if member not in old]
    return "\n".join([*lines[: start + 1], *fresh, *kept, *lines[end:]])


def _member(line: str) -> str | None:
    found = re.match(r"\s*([A-Za-z0-9_-]+)\s*=", line)
    return found[1] if found else None


def _line(member: str, value: Mapping[str, Any]) -> str:
    return f"{member} = {json.dumps(value[member], ensure_ascii=False)}"


def _written(value: Mapping[str, Any]) -> list[str]:
    return [_line(member, value) for member in value]

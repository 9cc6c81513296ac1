"""Changes a person's JSON file and keeps the rest of it byte for byte: order, spaces, comments, trailing commas. Pure.

Clients read their files leniently (JSON with comments), so that parsing and printing would lose what people wrote. The
result is read again and compared with what was wanted; whatever cannot be changed so is refused, never guessed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_GAP: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_DEEPEST: Final = 64
_UNIT: Final = "  "


class CannotEdit(Exception):  # noqa: N818  (an answer)
    """The file is not what it should be; the message says what is wrong with it."""


@dataclass(slots=True)
class _Node:
    """A value in the text, from ``start`` to ``end``. ``comma``: where a trailing comma stands."""

    start: int
    end: int
    value: Any
    members: dict[str, "_Node"] = field(default_factory=dict)
    items: list["_Node"] = field(default_factory=list)
    comma: int | None = None

    @property
    def children(self) -> list["_Node"]:
        return [*self.members.values(), *self.items]


def read(text: str) -> dict[str, Any]:
    """Return what the text says; an empty one is an empty object. Raises ``CannotEdit``."""
    found: dict[str, Any] = _root(text).value if text.strip() else {}
    return found


def put(text: str, path: tuple[str, ...], value: Mapping[str, Any]) -> str:
    """Return the text with ``value`` at ``path``; objects on the way are made. Raises ``CannotEdit``."""
    if not text.strip():
        text = "{}\n"
    wanted = read(text)
    holder = wanted
    for name in path[:-1]:
        holder = holder.setdefault(name, {})
        if not isinstance(holder, dict):
            raise CannotEdit(f"{name} is not an object")
    holder[path[-1]] = dict(value)
    return _checked(_put(text, path, value), wanted)


def add(text: str, name: str, element: Mapping[str, Any], key: str = "id") -> str:
    """Return the text with ``element`` in the list ``name``, in place of one with the same ``key``. Raises ``CannotEdit``."""
    wanted = read(text)
    elements = wanted.setdefault(name, [])
    if not isinstance(elements, list):
        raise CannotEdit(f"{name} is not a list")
    same = [number for number, each in enumerate(elements) if isinstance(each, dict) and each.get(key) == element[key]]
    root = _root(text)
    if same:
        elements[same[0]] = dict(element)
        changed = _replace(text, root, root.members[name].items[same[0]], element)
    elif name in root.members:
        elements.append(dict(element))
        changed = _insert(text, root, root.members[name], _written(element, _indent(text, root.members[name], root)))
    else:
        wanted[name] = [dict(element)]
        changed = _insert(text, root, root, f"{json.dumps(name)}: {_written([element], _UNIT)}")
    return _checked(changed, wanted)


def _put(text: str, path: tuple[str, ...], value: Any) -> str:
    root = node = _root(text)
    for number, name in enumerate(path):
        if name not in node.members:
            for inner in reversed(path[number + 1 :]):
                value = {inner: value}
            member = f"{json.dumps(name)}: {_written(value, _indent(text, node, root))}"
            return _insert(text, root, node, member)
        node = node.members[name]
    return text if node.value == value else _replace(text, root, node, value)


def _replace(text: str, root: _Node, node: _Node, value: Any) -> str:
    line = text[: node.start].rpartition("\n")[2]
    indent = line[: len(line) - len(line.lstrip())] if node is not root else ""
    return text[: node.start] + _written(value, indent) + text[node.end :]


def _insert(text: str, root: _Node, holder: _Node, written: str) -> str:
    """Put a last member or item into an object or list, after the comments at its end."""
    inside = text[: holder.end - 1].rstrip()
    gap = text[len(inside) : holder.end - 1]
    indent = _indent(text, holder, root)
    closing = gap[gap.rindex("\n") :] if "\n" in gap else "\n" + indent.removesuffix(_unit(text, root))
    comma = ""
    if holder.children and holder.comma is None:
        last = holder.children[-1].end
        inside = f"{inside[:last]},{inside[last:]}"
    elif holder.comma is not None:
        comma = ","
    return f"{inside}\n{indent}{written}{comma}{closing}{text[holder.end - 1 :]}"


def _indent(text: str, holder: _Node, root: _Node) -> str:
    """Return what a new child's line begins with."""
    for child in (holder, *holder.children)[1:]:
        before = text[holder.start + 1 : child.start].rpartition("\n")
        if before[1]:
            return before[2][: len(before[2]) - len(before[2].lstrip())]
    line = text[: holder.start].rpartition("\n")[2]
    own = "" if holder is root else line[: len(line) - len(line.lstrip())]
    return own + _unit(text, root)


def _unit(text: str, root: _Node) -> str:
    for child in root.children:
        line = text[: child.start].rpartition("\n")
        if line[1]:
            return line[2][: len(line[2]) - len(line[2].lstrip())] or _UNIT
    return _UNIT


def _written(value: Any, indent: str) -> str:
    unit = "\t" if indent.startswith("\t") else len(_UNIT)
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", f"\n{indent}")


def _checked(text: str, wanted: Mapping[str, Any]) -> str:
    if read(text) != wanted:
        raise CannotEdit("it is written in a way that cannot be changed safely")
    return text


def _root(text: str) -> _Node:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    node = _value(text, start, 0)
    if not isinstance(node.value, dict):
        raise CannotEdit("it does not hold an object")
    if _skip(text, node.end) != len(text):
        raise CannotEdit(f"something follows its end, at character {node.end + 1}")
    return node


def _skip(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> _Node:
    if depth > _DEEPEST:
        raise CannotEdit("it is nested too deeply")
    if text[at : at + 1] in {"{", "["}:
        return _container(text, at, depth)
    found = _STRING.match(text, at) or _SCALAR.match(text, at)
    if found is None:
        raise CannotEdit(f"it is not JSON, at character {at + 1}")
    try:
        return _Node(at, found.end(), json.loads(found[0]))
    except ValueError:
        raise CannotEdit(f"it is not JSON, at character {at + 1}") from None


def _container(text: str, at: int, depth: int) -> _Node:
    is_object = text[at] == "{"
    node = _Node(at, at, {} if is_object else [])
    at = _skip(text, at + 1)
    while text[at : at + 1] != ("}" if is_object else "]"):
        if node.children and node.comma is None:
            raise CannotEdit(f"a comma is missing, at character {at + 1}")
        at = _member(text, at, depth, node) if is_object else _item(text, at, depth, node)
        node.comma = at if text[at : at + 1] == "," else None
        at = _skip(text, at + 1) if node.comma is not None else at
    node.end = at + 1
    return node


def _member(text: str, at: int, depth: int, node: _Node) -> int:
    name = _value(text, at, depth)
    colon = _skip(text, name.end)
    if not isinstance(name.value, str) or text[colon : colon + 1] != ":":
        raise CannotEdit(f"it is not JSON, at character {at + 1}")
    if name.value in node.members:
        raise CannotEdit(f"{name.value[:80]} stands twice")
    child = _value(text, _skip(text, colon + 1), depth + 1)
    node.members[name.value], node.value[name.value] = child, child.value
    return _skip(text, child.end)


def _item(text: str, at: int, depth: int, node: _Node) -> int:
    child = _value(text, at, depth + 1)
    node.items.append(child)
    node.value.append(child.value)
    return _skip(text, child.end)

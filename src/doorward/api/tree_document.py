"""The JSON form of a pushed tree, checked strictly: every fault is named with its place (RFC 6901)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeVar

from doorward.api.problems import Problem
from doorward.provisioning.resource_tree import MAX_NODES, NodeName, TreeNode

_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")
_TITLE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]{1,200}")
_ERRORS_SHOWN: Final = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePatch:
    """A change of a tree."""

    put: list[TreeNode]
    remove: list[NodeName]


def parse_tree(document: Any) -> list[TreeNode]:
    """Return the nodes of ``{"resources": […]}``. Raises ``Problem`` (422)."""
    faults = _Faults()
    members = faults.members(document, "", required={"resources"})
    nodes = faults.each(members.get("resources"), "/resources", faults.node)
    faults.raise_any()
    return nodes


def parse_patch(document: Any) -> TreePatch:
    """Return the change of ``{"put": […], "remove": […]}``; either may be left out. Raises ``Problem`` (422)."""
    faults = _Faults()
    members = faults.members(document, "", optional={"put", "remove"})
    put = faults.each(members.get("put", []), "/put", faults.node)
    remove = faults.each(members.get("remove", []), "/remove", faults.name)
    faults.raise_any()
    return TreePatch(put=put, remove=remove)


class _Faults:
    """Reads values and collects what is wrong with them, each with its JSON pointer."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def raise_any(self) -> None:
        if self.found:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY, "The body does not describe a tree.", errors=self.found[:_ERRORS_SHOWN]
            )

    def members(
        self, value: Any, at: str, *, required: set[str] | None = None, optional: set[str] | None = None
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.found.append((at, "must be an object"))
            return {}
        must, may = required or set(), optional or set()
        self.found.extend((at, f"needs {name!r}") for name in sorted(must - value.keys()))
        # Unknown names are not echoed: they are the sender's text, of any length.
        self.found.extend((at, "has an unknown member") for _ in range(min(1, len(value.keys() - must - may))))
        return value

    def each(self, value: Any, at: str, read: Callable[[Any, str], T | None]) -> list[T]:
        if not isinstance(value, list) or len(value) > MAX_NODES:
            self.found.append((at, f"must be an array of at most {MAX_NODES}"))
            return []
        items = [read(item, f"{at}/{place}") for place, item in enumerate(value)]
        return [item for item in items if item is not None]

    def name(self, value: Any, at: str) -> NodeName | None:
        members = self.members(value, at, required={"type", "key"})
        return self._name(members, at)

    def node(self, value: Any, at: str) -> TreeNode | None:
        members = self.members(value, at, required={"type", "key", "name"}, optional={"parent"})
        name, title = self._name(members, at), self._text(members.get("name"), f"{at}/name", _TITLE)
        parent = None if members.get("parent") is None else self.name(members["parent"], f"{at}/parent")
        return None if name is None or title is None else TreeNode(name=name, title=title, parent=parent)

    def _name(self, members: dict[str, Any], at: str) -> NodeName | None:
        kind = self._text(members.get("type"), f"{at}/type", _TYPE)
        key = self._text(members.get("key"), f"{at}/key", _KEY)
        return None if kind is None or key is None else (kind, key)

    def _text(self, value: Any, at: str, form: re.Pattern[str]) -> str | None:
        if isinstance(value, str) and form.fullmatch(value):
            return value
        self.found.append((at, f"must be a text like {_LIKE[form.pattern]}"))
        return None


_LIKE: Final = {
    _TYPE.pattern: "project: lower case, at most 64 characters",
    _KEY.pattern: "prj-42: printable ASCII without spaces, at most 200 characters",
    _TITLE.pattern: "Spring launch: at most 200 ordinary characters",
}

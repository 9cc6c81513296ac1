"""Reading a document strictly: every fault is named with its place, its cause and its fix.

Refused rather than guessed: unknown and repeated keys, values of another type, and anything larger than
``MAX_CHARACTERS``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Never

MAX_CHARACTERS: Final = 4 * 1024 * 1024


class DocumentError(Exception):
    """The document cannot be used; nothing was changed. The message is ``place: cause. fix``."""


def refuse(path: str, cause: str, fix: str) -> Never:
    """Raise ``DocumentError`` in its one form."""
    raise DocumentError(f"{path or 'document'}: {cause}. {fix}.")


def read_json(text: str) -> "Place":
    """Return the root of a JSON document (RFC 8259). Raises ``DocumentError``."""
    check_size(text)
    try:
        return Place("", json.loads(text, object_pairs_hook=_once))
    except json.JSONDecodeError as wrong:
        refuse(f"line {wrong.lineno}", f"not JSON ({wrong.msg})", "Mend this line")
    except (ValueError, RecursionError) as wrong:
        refuse("", f"not JSON ({type(wrong).__name__})", "Check the file")


def check_size(text: str) -> None:
    """Refuse what is too long to be read. Raises ``DocumentError``."""
    if len(text) > MAX_CHARACTERS:
        refuse("", f"longer than {MAX_CHARACTERS} characters", "Apply it in several files")


@dataclass(frozen=True, slots=True)
class Place:
    """A value and where it stands, like ``tenants[0].members[2].user``."""

    path: str
    value: Any

    def table(self, *known: str) -> dict[str, "Place"]:
        """Return the members of a mapping; each name must be one of ``known``."""
        if not isinstance(self.value, dict):
            self._expected("keys and values")
        for name in self.value:
            if name not in known:
                self.refuse(f"unknown key {str(name)[:80]!r}", f"Known here: {', '.join(known)}")
        start = f"{self.path}." if self.path else ""
        return {name: Place(f"{start}{name}", value) for name, value in self.value.items()}

    def each(self) -> Iterator["Place"]:
        """Yield the items of a list."""
        if not isinstance(self.value, list):
            self._expected("a list")
        for number, value in enumerate(self.value):
            yield Place(f"{self.path}[{number}]", value)

    def text(self) -> str:
        """Return a text."""
        if not isinstance(self.value, str):
            self._expected("a text; put it in quotation marks if it looks like something else")
        return str(self.value)

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            self._expected("true or false")
        return bool(self.value)

    def refuse(self, cause: str, fix: str) -> Never:
        """Raise ``DocumentError`` for this place."""
        refuse(self.path, cause, fix)

    def _expected(self, what: str) -> Never:
        kinds = {dict: "keys and values", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
        self.refuse(f"found {kinds.get(type(self.value), type(self.value).__name__)}", f"Write {what}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        refuse("", f"key {twice[:80]!r} is repeated", "Keep one of them")
    return table

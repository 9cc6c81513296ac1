"""The shapes of what is sent and answered: one description that reads strictly and tells itself as JSON Schema.

``read(value, at, faults)`` adds (JSON pointer of RFC 6901, what is wrong there) to ``faults``; ``schema()`` is JSON Schema
2020-12, as OpenAPI 3.1 takes it. An object that says nothing of further members has none.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from typing_extensions import override

Faults = list[tuple[str, str]]
PLAIN: Final = r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*"
MAX_NAMED: Final = 60
"""Characters of a name that is not ours, said back to whoever sent it."""
MAX_FAULTS: Final = 20
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


class Shape(Protocol):
    """What one value may be."""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong with ``value``, which stands at ``at``."""

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of ``least`` to ``most`` characters. ``pattern`` fits all of it; ``like`` says in words what that means."""

    least: int = 1
    most: int = 200
    pattern: str = PLAIN
    like: str = ""
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if (
            not isinstance(value, str)
            or not self.least <= len(value) <= self.most
            or not re.fullmatch(self.pattern, value)
        ):
            faults.append((at, f"must be {self._words()}"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        # What no text in UTF-8 can hold is not said there: regular expressions of other languages do not know it.
        pattern = self.pattern.replace(r"\ud800-\udfff", "")
        said = {"type": "string", "minLength": self.least, "maxLength": self.most, "pattern": f"^{pattern}$"}
        return {**said, **_says(self.says)}

    def _words(self) -> str:
        return self.like or f"a text of {self.least} to {self.most} characters without control characters"


@dataclass(frozen=True, slots=True)
class Said:
    """A text of an answer. ``form`` is a format of JSON Schema, like ``date-time``; ``names`` as in ``Whole``."""

    says: str = ""
    form: str = ""
    names: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, str):
            faults.append((at, "must be a text"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"type": "string", **({"format": self.form} if self.form else {}), **_says(self.says)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number. ``names``: the variable of paths that an answer's value stands for, as in ``{key_id}``."""

    least: int = 0
    most: int = 2**53 - 1
    says: str = ""
    names: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            faults.append((at, f"must be a whole number from {self.least} to {self.most}"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most, **_says(self.says)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or false."""

    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, bool):
            faults.append((at, "must be true or false"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"type": "boolean", **_says(self.says)}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some texts."""

    values: Collection[str]
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, str) or value not in set(self.values):
            faults.append((at, f"must be one of {', '.join(map(str, self.values))}"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"type": "string", "enum": [str(each) for each in self.values], **_says(self.says)}


@dataclass(frozen=True, slots=True)
class Each:
    """A list of at most ``most`` of one shape."""

    item: Shape
    least: int = 0
    most: int = 200
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            faults.append((at, f"must be a list of {self.least} to {self.most}"))
            return
        for place, item in enumerate(value):
            self.item.read(item, f"{at}/{place}", faults)

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        said = {"type": "array", "items": self.item.schema(), "minItems": self.least, "maxItems": self.most}
        return {**said, **_says(self.says)}


@dataclass(frozen=True, slots=True)
class Maybe:
    """One shape, or null."""

    shape: Shape
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if value is not None:
            self.shape.read(value, at, faults)

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"anyOf": [self.shape.schema(), {"type": "null"}], **_says(self.says)}


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose members have names that are not ours and values of one shape."""

    shape: Shape
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, dict):
            faults.append((at, "must be an object"))
            return
        for name, item in value.items():
            self.shape.read(item, f"{at}/{_escaped(name)}", faults)

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {"type": "object", "additionalProperties": self.shape.schema(), **_says(self.says)}


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever JSON can say; with ``object_only`` an object."""

    object_only: bool = False
    says: str = ""

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if self.object_only and not isinstance(value, dict):
            faults.append((at, "must be an object"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        return {**({"type": "object"} if self.object_only else {}), **_says(self.says)}


@dataclass(frozen=True, slots=True)
class Members:
    """An object with these members and no others (M4). ``needs`` have to be there; ``least`` of all at least."""

    shapes: Mapping[str, Shape]
    needs: Collection[str] = field(default=())
    least: int = 0
    says: str = ""
    one_of: Collection[str] = ()
    """Exactly one of these has to be there."""
    not_both: tuple[str, str] | tuple[()] = ()

    @override
    def __hash__(self) -> int:
        return id(self)

    def read(self, value: Any, at: str, faults: Faults) -> None:
        """Note what is wrong."""
        if not isinstance(value, dict):
            faults.append((at, "must be an object"))
            return
        faults.extend((f"{at}/{name}", "is needed") for name in self.needs if name not in value)
        if len(value) < self.least:
            faults.append((at, f"must have at least {self.least} of {', '.join(self.shapes)}"))
        if self.one_of and len(value.keys() & set(self.one_of)) != 1:
            faults.append((at, f"must have exactly one of {', '.join(self.one_of)}"))
        if self.not_both and value.keys() >= set(self.not_both):
            faults.append((at, f"may have one of {' and '.join(self.not_both)}, not both"))
        for name, item in value.items():
            if name in self.shapes:
                self.shapes[name].read(item, f"{at}/{name}", faults)
            else:
                faults.append((f"{at}/{_escaped(name)}", "is not known here"))

    def schema(self) -> dict[str, Any]:
        """Return it as JSON Schema."""
        shown = {name: shape.schema() for name, shape in self.shapes.items()}
        said: dict[str, Any] = {"type": "object", "properties": shown, "additionalProperties": False}
        if self.needs:
            said["required"] = list(self.needs)
        if self.least:
            said["minProperties"] = self.least
        if self.one_of:
            said["oneOf"] = [{"required": [name]} for name in self.one_of]
        if self.not_both:
            said["not"] = {"required": list(self.not_both)}
        return {**said, **_says(self.says)}


def answered(says: str = "", /, **shapes: Shape) -> Members:
    """Return the shape of an answer: all of these members."""
    return Members(shapes, needs=tuple(shapes), says=says)


def read(shape: Shape, value: Any) -> Faults:
    """Return what is wrong with ``value``: nothing, or the first faults with their places."""
    faults: Faults = []
    shape.read(value, "", faults)
    return faults[:MAX_FAULTS]


def read_query(shape: Members, pairs: Sequence[tuple[str, str]]) -> tuple[dict[str, Any], Faults]:
    """Return what a query says, with whole numbers as numbers, and what is wrong with it."""
    said: dict[str, Any] = {}
    faults: Faults = []
    for name, text in pairs:
        if name in said:
            # Two readers could take different ones.
            faults.append((f"/{_escaped(name)}", "is said twice"))
        number = isinstance(shape.shapes.get(name), Whole) and _WHOLE.fullmatch(text)
        said[name] = int(text) if number else text
    return said, [*faults, *read(shape, said)][:MAX_FAULTS]


def _says(words: str) -> dict[str, str]:
    return {"description": words} if words else {}


def _escaped(name: str) -> str:
    """Return a name as a part of a JSON pointer. It is the sender's: short, and with nothing invisible in it."""
    shown = "".join(each if each.isprintable() else "?" for each in name[:MAX_NAMED])
    return shown.replace("~", "~0").replace("/", "~1")

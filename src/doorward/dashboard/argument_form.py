"""A form for the arguments of a tool, made of its input schema: plain fields where they say all, else JSON. Pure.

The schema is a stranger's: what it says is shown as text, and what it says of forms is taken as a hint. The server
itself looks at what is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doorward.gateway.tool_views import plain
from doorward.gateway.why import arguments_of

MOST_FIELDS: Final = 60
PREFIX: Final = "arg."
WHOLE: Final = "arguments"
"""The field for all arguments at once, where the schema makes no plain form."""
_MAX_OPTIONS: Final = 200
_MAX_WORDS: Final = 600


class ArgumentInvalid(Exception):  # noqa: N818  (an answer)
    """A field does not hold what it is for; the message is for whoever filled it in."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentField:
    """``kind``: text, integer, number, boolean, choice or json. ``field`` is its name in the form."""

    name: str
    kind: str
    required: bool
    words: str
    options: Sequence[str] = ()

    @property
    def field(self) -> str:
        """Its name in the form."""
        return PREFIX + self.name

    @property
    def label(self) -> str:
        """Its name for people."""
        return plain(self.name)


def fields_of(schema: Any) -> Sequence[ArgumentField] | None:
    """Return the fields for a schema; None where all arguments are written as one JSON object."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or len(properties) > MOST_FIELDS:
        return None
    required = schema.get("required")
    needed = {each for each in required if isinstance(each, str)} if isinstance(required, list) else set()
    found = [_field(name, inner, required=name in needed) for name, inner in properties.items()]
    return sorted(found, key=lambda each: not each.required)


def read_arguments(fields: Sequence[ArgumentField] | None, sent: Callable[[str], str]) -> dict[str, Any]:
    """Return the arguments of a filled form; ``sent(name)`` is '' for a field that is empty. Raises ``ArgumentInvalid``.

    What is left empty is left out, but for a required text.
    """
    if fields is None:
        text = sent(WHOLE)
        try:
            return arguments_of(text) if text.strip() else {}
        except ValueError as wrong:
            raise ArgumentInvalid(WHOLE, "This is no strict JSON object") from wrong
    found = {}
    for each in fields:
        text = sent(each.field)
        if text.strip() or (each.required and each.kind == "text"):
            found[each.name] = _value(each, text)
        elif each.required:
            raise ArgumentInvalid(each.field, "The tool needs this")
    return found


def _field(name: str, inner: Any, *, required: bool) -> ArgumentField:
    said: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    options = said.get("enum")
    words = said.get("description")
    choice = isinstance(options, list) and 0 < len(options) <= _MAX_OPTIONS and all(type(o) is str for o in options)
    kind = said.get("type")
    kinds = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    return ArgumentField(
        name=name,
        kind="choice" if choice else kinds.get(kind, "json") if isinstance(kind, str) else "json",
        required=required,
        words=plain(words[:_MAX_WORDS]) if isinstance(words, str) else "",
        options=tuple(options) if choice and isinstance(options, list) else (),
    )


def _value(each: ArgumentField, text: str) -> Any:
    match each.kind:
        case "text":
            return text
        case "choice":
            if text not in each.options:
                raise ArgumentInvalid(each.field, "Choose one of the values")
            return text
        case "boolean":
            if text not in {"true", "false"}:
                raise ArgumentInvalid(each.field, "Choose yes or no")
            return text == "true"
        case "json":
            return _json(each, text, "This is no strict JSON value")
        case _:
            return _number(each, text)


def _number(each: ArgumentField, text: str) -> int | float:
    words = "Write a whole number" if each.kind == "integer" else "Write a number"
    value = _json(each, text.strip(), words)
    if type(value) not in {int, float} or (each.kind == "integer" and type(value) is not int):
        raise ArgumentInvalid(each.field, words)
    number: int | float = value
    return number


def _json(each: ArgumentField, text: str, words: str) -> Any:
    try:
        found = arguments_of(f'{{"value": {text}}}')
    except ValueError as wrong:
        raise ArgumentInvalid(each.field, words) from wrong
    if found.keys() != {"value"}:
        raise ArgumentInvalid(each.field, words)  # Something like `1, "more": 2`.
    return found["value"]

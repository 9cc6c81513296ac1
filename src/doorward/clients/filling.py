"""Puts the values of one deployment and person into a guide: steps, configuration and install link. Pure.

Values are checked first, so that none can end a string or a line of JSON, TOML, a shell or a program.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from doorward.clients.guides import Config, Guide, Snippet, Step, Trouble, Way

PLACEHOLDER: Final = "YOUR_KEY"
DEFAULT_ENV: Final = "DOORWARD_KEY"
_PLACE: Final = re.compile(r"\{(url|name|env|key)\}")
_SAFE: Final = {
    "url": re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,253}(?:/[A-Za-z0-9._~-]{1,100}){0,12}/?"),
    "name": re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?"),
    "env": re.compile(r"[A-Z_][A-Z0-9_]{0,63}"),
    "key": re.compile(r"[A-Za-z0-9_.~+/=-]{1,512}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What differs. ``env`` is the variable that holds the key where a client can read one. Raises ``ValueError``."""

    url: str
    name: str
    env: str = DEFAULT_ENV
    key: str = PLACEHOLDER

    def __post_init__(self) -> None:
        for place, form in _SAFE.items():
            if form.fullmatch(getattr(self, place)) is None:
                shown = "the key" if place == "key" else f"{place} {getattr(self, place)[:80]!r}"
                raise ValueError(f"{shown} does not fit into every client's configuration")


def steps(guide: Guide, way: Way, values: Values) -> tuple[Step, ...]:
    """Return what to do, in order; empty where the client cannot go this way (``guide.cannot`` says why)."""
    return tuple(_step(each, guide.config, way, values) for each in guide.steps.get(way, ()))


def troubles(guide: Guide, values: Values) -> tuple[Trouble, ...]:
    """Return what may go wrong."""
    return tuple(replace(each, cause=text(each.cause, values), fix=text(each.fix, values)) for each in guide.troubles)


def text(template: str, values: Values) -> str:
    """Return a text with values in their places."""
    return _PLACE.sub(lambda place: str(getattr(values, place[1])), template)


def entry(config: Config, way: Way, values: Values) -> dict[str, Any]:
    """Return one server as it stands in the configuration, without its name."""
    found: dict[str, Any] = _deep(config.entries[way], values)
    return found


def beside(config: Config, way: Way, values: Values) -> dict[str, dict[str, Any]]:
    """Return what else has to stand in the file: list name to the element that it must hold."""
    found: dict[str, dict[str, Any]] = _deep(config.beside, values) if way == "key" else {}
    return found


def holds_key(config: Config, way: Way) -> bool:
    """Say whether the file itself would hold the secret: the client knows no other place for it."""
    return "{key}" in json.dumps(config.entries[way])


def document(config: Config, way: Way, values: Values) -> str:
    """Return a whole configuration file with nothing else in it."""
    server = entry(config, way, values)
    if config.format == "toml":
        return toml_table(f"{config.at}.{values.name}", server)
    lists = {name: [element] for name, element in beside(config, way, values).items()}
    return json.dumps({**lists, config.at: {values.name: server}}, indent=2)


def toml_table(header: str, members: Mapping[str, Any]) -> str:
    """Return a TOML table of texts. A JSON string of safe values is a TOML basic string."""
    return "\n".join([f"[{header}]", *(f"{name} = {json.dumps(value)}" for name, value in members.items())])


def link(guide: Guide, values: Values) -> str | None:
    """Return the install link, or None where the client has none."""
    if guide.link is None:
        return None
    held = json.dumps(_deep(guide.link.holds, values), separators=(",", ":"))
    encoded = {"{percent}": quote(held, safe=""), "{base64}": quote(base64.b64encode(held.encode()).decode(), safe="")}
    found = text(guide.link.to, values)
    for place, value in encoded.items():
        found = found.replace(place, value)
    return found


def _step(step: Step, config: Config | None, way: Way, values: Values) -> Step:
    snippet = step.snippet and replace(step.snippet, text=text(step.snippet.text, values))
    if step.config and config is not None:
        label = (config.project or next(iter(config.files.values()), "mcp.json")).rpartition("/")[2]
        snippet = Snippet(label=label, kind=config.format, text=document(config, way, values))
    return replace(step, title=text(step.title, values), text=text(step.text, values), snippet=snippet)


def _deep(value: Any, values: Values) -> Any:
    if isinstance(value, str):
        return text(value, values)
    if isinstance(value, Mapping):
        return {name: _deep(each, values) for name, each in value.items()}
    return [_deep(each, values) for each in value] if isinstance(value, list) else value

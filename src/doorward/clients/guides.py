"""How a person sets up a client: steps, snippets, install link, what goes wrong, how to end it (A5, A6). Data.

One file per client in ``guides/``; the page, ``doorward connect`` and the documents are made from the same records. A text
may hold ``{url}``, ``{name}``, ``{env}`` and ``{key}``; ``filled`` puts values in their places.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, Literal

Way = Literal["oauth", "key"]
WAYS: Final[tuple[Way, ...]] = ("oauth", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A text to copy. ``kind``: shell, json, toml, python, typescript or text."""

    label: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. ``text`` may hold ``code`` between backticks. ``config``: the snippet is the configuration."""

    title: str
    text: str = ""
    snippet: Snippet | None = None
    config: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What stands in the client's configuration file.

    ``files`` by platform (linux, macos, windows), ``project`` relative to a project; either may be missing. ``at`` is the
    member that holds the servers by name, ``entries`` one server by way, ``beside`` what else a key needs: an element of
    the list of that name.
    """

    format: Literal["json", "toml"]
    files: Mapping[str, str]
    project: str | None
    at: str
    entries: Mapping[Way, Mapping[str, Any]]
    beside: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An install link: ``{percent}`` and ``{base64}`` in ``to`` stand for ``holds`` as JSON, encoded so."""

    label: str
    to: str
    holds: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What one sees, why, and what to do."""

    sign: str
    cause: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """Everything about one client. ``steps`` has the ways that it can go, ``cannot`` the reasons for the others.

    ``compared`` are its cells of the table of all clients. ``names`` and ``vendors``: how it is known again, by the
    beginning of the name that it gives itself and by the vendor of its verified host.
    """

    id: str
    name: str
    also: str
    last_verified: str
    source: str
    compared: Mapping[str, str]
    names: tuple[str, ...]
    vendors: tuple[str, ...]
    config: Config | None
    link: Link | None
    steps: Mapping[Way, tuple[Step, ...]]
    cannot: Mapping[Way, str]
    check: str
    reconnect: str
    remove: str
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A row of "which method should I use". ``page``: more about it in the documents."""

    who: str
    use: str
    why: str
    page: str | None = None


@cache
def guides() -> Mapping[str, Guide]:
    """Return every client by its id, in the order in which they are shown."""
    folder = files("doorward.clients").joinpath("guides")
    entries = [json.loads(path.read_text("utf-8")) for path in folder.iterdir() if path.name.endswith(".json")]
    return MappingProxyType({each["id"]: _guide(each) for each in sorted(entries, key=lambda each: each["order"])})


@cache
def methods() -> tuple[Method, ...]:
    """Return the table of methods."""
    return tuple(Method(**each) for each in _methods()["methods"])


def check_prompt() -> str:
    """Return what to paste into the client to see that it works."""
    return str(_methods()["prompt"])


def known_as(name: str, vendor: str | None) -> Guide | None:
    """Return the client that calls itself so and comes from this vendor, as far as known; None for any other.

    The longest beginning wins: Claude Code is not Claude. Only for showing, never for trust.
    """
    found = [
        (len(beginning), guide)
        for guide in guides().values()
        for beginning in guide.names
        if name.startswith(beginning) and (vendor is None or not guide.vendors or vendor in guide.vendors)
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


@cache
def _methods() -> Any:
    return json.loads(files("doorward.clients").joinpath("methods.json").read_text("utf-8"))


def _guide(said: Mapping[str, Any]) -> Guide:
    possible = {way: said[way] for way in WAYS}
    return Guide(
        id=said["id"], name=said["name"], also=said.get("also", ""), last_verified=said["last_verified"],
        source=said["source"], compared=said["compared"], names=tuple(said["known_as"]["names"]),
        vendors=tuple(said["known_as"]["vendors"]), config=_config(said["config"]) if "config" in said else None,
        link=Link(**said["link"]) if "link" in said else None,
        steps={way: tuple(map(_step, each["steps"])) for way, each in possible.items() if "steps" in each},
        cannot={way: each["no"] for way, each in possible.items() if "no" in each},
        check=said["check"], reconnect=said["reconnect"], remove=said["remove"],
        troubles=tuple(Trouble(**each) for each in said["troubles"]),
    )  # fmt: skip


def _config(said: Mapping[str, Any]) -> Config:
    given: dict[str, str] = said.get("files", {})
    paths = dict.fromkeys(("linux", "macos", "windows"), given["everywhere"]) if "everywhere" in given else given
    return Config(
        format=said["format"], files=paths, project=said.get("project"), at=said["at"],
        entries={way: said[way] for way in WAYS if way in said}, beside=said.get("key_beside", {}),
    )  # fmt: skip


def _step(said: Mapping[str, Any]) -> Step:
    snippet = said.get("snippet")
    return Step(
        title=said["title"],
        text=said.get("text", ""),
        snippet=snippet and Snippet(label=snippet["label"], kind=snippet["as"], text="\n".join(snippet["lines"])),
        config="config" in said,
    )

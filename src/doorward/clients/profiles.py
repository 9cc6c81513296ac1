"""Read the data files of this package. Pure look-ups after the first call of each."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

_PACKAGE = "doorward.clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedHost:
    """A vendor's host. It is known to belong to the vendor; which program uses it is not known from that."""

    host: str
    vendor: str


@dataclass(frozen=True, slots=True)
class _Rule:
    verified: VerifiedHost
    pattern: re.Pattern[str]


@cache
def vendor_schemes() -> frozenset[str]:
    """Return the undotted private-use schemes of known clients, compared by exact string (decision 0077.2)."""
    return frozenset(_load("schemes.json")["schemes"])


def verified_host(redirect_uri: str, client_id: str) -> str | None:
    """Return the host for a "Verified: …" badge, or None. See ``verified``."""
    found = verified(redirect_uri, client_id)
    return None if found is None else found.host


def verified(redirect_uri: str, client_id: str) -> VerifiedHost | None:
    """Return the vendor's host that the answer goes to, else the one whose document describes the client (B20).

    Whole strings are compared, never a host alone (a vendor's host may serve other people's pages) and never a name.
    ``client_id`` counts only as the URL of a metadata document; both must have been proven before.
    """
    redirects, client_ids = _rules()
    return _first(redirects, redirect_uri) or _first(client_ids, client_id)


@cache
def bundled_documents() -> Mapping[str, dict[str, Any]]:
    """Return copies of vendors' Client ID Metadata Documents by their URL (decision 0077.9)."""
    return MappingProxyType({entry["client_id"]: entry["document"] for entry in bundled_entries()})


@cache
def bundled_entries() -> tuple[Mapping[str, Any], ...]:
    """Return the bundled copies with ``source`` and ``last_verified`` (YYYY-MM-DD), ordered by file name."""
    directory = files(_PACKAGE).joinpath("cimd")
    paths = sorted((path for path in directory.iterdir() if path.name.endswith(".json")), key=lambda path: path.name)
    return tuple(json.loads(path.read_text("utf-8")) for path in paths)


def without_appended(redirect_uri: str, client_id: str) -> str | None:
    """Return a redirect URI without the segment that this vendor's program appends to its path; None: none is there.

    Only for the exact ids whose bundled entry says what is appended (Codex).
    """
    pattern = _appended().get(client_id)
    base, _, segment = redirect_uri.rpartition("/")
    return base if pattern is not None and pattern.fullmatch(segment) else None


@cache
def _appended() -> Mapping[str, re.Pattern[str]]:
    entries = (entry for entry in bundled_entries() if "appends" in entry)
    return {entry["client_id"]: re.compile(entry["appends"], re.ASCII) for entry in entries}


@cache
def _rules() -> tuple[tuple[_Rule, ...], tuple[_Rule, ...]]:
    """Return the rules for redirect URIs and for client ids."""
    hosts: Sequence[Mapping[str, Any]] = _load("hosts.json")["hosts"]
    redirects, client_ids = (
        tuple(_rule(entry, text) for entry in hosts for text in entry[member]) for member in ("redirect", "client_id")
    )
    return redirects, client_ids


def _rule(entry: Mapping[str, Any], text: Mapping[str, str]) -> _Rule:
    pattern = text["regex"] if "regex" in text else re.escape(text["exact"])
    return _Rule(VerifiedHost(host=entry["host"], vendor=entry["vendor"]), re.compile(pattern, re.ASCII))


def _first(rules: Sequence[_Rule], text: str) -> VerifiedHost | None:
    return next((rule.verified for rule in rules if rule.pattern.fullmatch(text)), None)


def _load(name: str) -> Any:
    return json.loads(files(_PACKAGE).joinpath(name).read_text("utf-8"))

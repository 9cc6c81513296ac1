"""What each client puts on the wire, as data: one file per client. ``README.md`` beside the files says what is in them."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "fixtures"
WAYS = ("dcr", "cimd", "static", "key")
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Fixture:
    """One file."""

    name: str
    said: Mapping[str, Any]

    def ways(self) -> tuple[str, ...]:
        """Return the ways that this client can go; what it cannot or is not known to is a text that says so."""
        return tuple(way for way in WAYS if isinstance(self.said[way], dict))

    def redirect_uri(self, way: str) -> str:
        """Return where the client wants its answer."""
        own = self.said[way].get("redirect_uri")
        return str(own or self.said["redirect_uri"])

    def state(self) -> str:
        """Return a state like the client's: its own text, or so many characters."""
        kind = self.said["state"]
        return kind if isinstance(kind, str) else _characters(int(kind), "state")

    def verifier(self) -> str:
        """Return a code verifier of the client's length; the longest have every character that is allowed."""
        length = int(self.said["verifier"])
        return ("~._-" + _characters(length, "verifier"))[:length]

    def scope(self, *, challenged: str, resource: Mapping[str, Any], server: Mapping[str, Any]) -> str | None:
        """Return what the client would ask for after this discovery; None: it sends no scope."""
        kind = self.said["scope"]
        found = {
            "none": None,
            "challenge": challenged,
            "resource metadata": " ".join(resource["scopes_supported"]),
            "server metadata": " ".join(server["scopes_supported"]),
        }.get(kind, kind)
        if found is not None and self.said.get("offline_access") and "offline_access" not in found.split():
            return f"{found} offline_access"
        return found


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def filled(form: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """Return a form with its ``{places}`` filled in, in order; a parameter whose place has no value is not sent."""
    return {
        name: _PLACE.sub(lambda place: values[place[1]] or "", text)
        for name, text in form.items()
        if all(values[place] is not None for place in _PLACE.findall(text))
    }


@cache
def fixtures() -> tuple[Fixture, ...]:
    """Return every client, by file name."""
    paths = sorted(FOLDER.glob("*.json"))
    return tuple(Fixture(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in paths)


def _characters(length: int, seed: str) -> str:
    digest = hashlib.shake_128(seed.encode()).digest(length)
    return base64.urlsafe_b64encode(digest).decode()[:length]

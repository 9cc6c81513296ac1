"""The clients that are replayed, as data."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from doorward.clients import guides, profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How a client registers itself, and where it comes back to."""

    name: str
    client: str
    body: Mapping[str, Any]
    returns: tuple[str, ...]

    @property
    def public(self) -> bool:
        """Whether it has no secret."""
        return str(self.body.get("token_endpoint_auth_method", "none")) == "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A vendor's metadata document, and an address of it that the client comes back to."""

    client: str
    client_id: str
    redirect_uri: str


@cache
def replays() -> tuple[Replay, ...]:
    """Return every registration that is replayed."""
    return tuple(Replay(**{**each, "returns": tuple(each["returns"])}) for each in _said()["replays"])


def documents() -> Iterator[Document]:
    """Return the metadata documents of known vendors."""
    clients = _said()["documents"]
    for client_id, document in profiles.bundled_documents().items():
        uri = str(document["redirect_uris"][0])
        if client_id in clients:
            yield Document(client=clients[client_id], client_id=client_id, redirect_uri=_with_port(uri))


@cache
def names() -> Mapping[str, str]:
    """Return the name of each client by its id: those that have a guide, and a few more."""
    return {**{each.id: each.name for each in guides.guides().values()}, **_said()["names"]}


def _with_port(uri: str) -> str:
    """Return a loopback address with a port, as the program comes back to it."""
    parts = urlsplit(uri)
    loopback = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1"} and parts.port is None
    return parts._replace(netloc=f"{parts.hostname}:51135").geturl() if loopback else uri


@cache
def _said() -> Any:
    return json.loads(files("doorward.doctor").joinpath("replays.json").read_text("utf-8"))

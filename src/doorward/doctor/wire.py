"""Requests and answers as the doctor keeps them, and what can send one. No I/O here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

_DEEPEST: Final = 32
UNREADABLE: Final = object()
"""What ``Answer.json`` says of a body that is no JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer. ``cut``: the body went on, and no more of it was read. ``at``: seconds of our clock when it came."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes = b""
    cut: bool = False
    at: float = 0.0

    def header(self, name: str) -> str | None:
        """Return a header's values, joined with commas; None where there is none."""
        found = [value for each, value in self.headers if each.lower() == name]
        return ", ".join(found) if found else None

    @property
    def media_type(self) -> str:
        """The content type without parameters, lower case."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @property
    def is_redirect(self) -> bool:
        """Whether it sends elsewhere."""
        return self.status in {301, 302, 303, 307, 308}

    def json(self) -> Any:
        """Return the decoded body (of an event stream: its first message), or ``UNREADABLE``."""
        try:
            found = json.loads(self._message() if self.media_type == "text/event-stream" else self.body)
        except (ValueError, RecursionError):
            return UNREADABLE
        return found if _is_shallow(found) else UNREADABLE

    def document(self) -> dict[str, Any] | None:
        """Return the body where it is a JSON object."""
        found = self.json()
        return found if isinstance(found, dict) else None

    def _message(self) -> str:
        text = self.body.decode("utf-8", "replace").replace("\r\n", "\n")
        for event in text.split("\n\n"):
            data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
            if any(data):
                return "\n".join(data)
        return ""


def _is_shallow(value: Any) -> bool:
    """Say whether a document can be walked and compared without end: what is nested deeper is an attack."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return True
    return False


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what came of it: an answer, or the reason why there is none."""

    request: Request
    answer: Answer | None
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a host is reached. ``private``: an address that is not on the internet. ``tls``: what is wrong with it."""

    addresses: Sequence[str] = ()
    failure: str = ""
    private: bool = False
    loopback: bool = False
    tls: str = ""
    days_left: int | None = None


class Wire(Protocol):
    """What sends."""

    async def send(self, request: Request) -> Exchange:
        """Send one request; follow nothing. Never raises for what the server does."""
        ...

    async def network(self, url: str, /) -> Network:
        """Say how the host of ``url`` is reached."""
        ...

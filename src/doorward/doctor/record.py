"""What the doctor has seen, and what it says of it. Judging reads these records only: no I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, urljoin, urlsplit

from doorward.doctor.wire import Answer, Exchange, Network

_SHOWN: Final = 200
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_PARAMETER: Final = re.compile(r'([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Status(StrEnum):
    """How a check ended; the worst of its findings."""

    PASS = "pass"  # noqa: S105  (no password)
    SKIP = "skip"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as clients need it. ``hits``: ids of clients, empty for all that the check names."""

    status: Status
    what: str
    url: str = ""
    expected: str = ""
    got: str = ""
    fix: str = ""
    hits: Sequence[str] = ()
    request_id: str = ""


@dataclass(slots=True, kw_only=True)
class Record:
    """All exchanges by what they were for, and what was learned. ``url`` is what the person typed.

    ``secrets`` are texts that are shown nowhere. ``registered``: client id by the name of the body it registered with.
    """

    url: str
    now: float = 0.0
    exchanges: dict[str, Exchange] = field(default_factory=dict)
    network: Network | None = None
    secrets: set[str] = field(default_factory=set)
    registered: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Check to the reason why it could not be made."""
    answered: dict[str, str] = field(default_factory=dict)
    """Where a browser ended: ``approve`` and ``deny`` to the address."""

    def answer(self, name: str) -> Answer | None:
        """Return an answer; None where the request was not sent or not answered."""
        found = self.exchanges.get(name)
        return None if found is None else found.answer

    def named(self, prefix: str) -> Mapping[str, Exchange]:
        """Return the exchanges whose name begins so, by the rest of their names."""
        return {name.removeprefix(prefix): each for name, each in self.exchanges.items() if name.startswith(prefix)}

    @property
    def challenge(self) -> Mapping[str, str]:
        """The parameters of the challenge that a request without a token was answered."""
        found = self.answer("challenge/POST")
        return {} if found is None else challenge_of(found)

    @property
    def resource_document(self) -> dict[str, Any] | None:
        """The protected resource's document, as the first path that has one gives it."""
        return self._document(("prm/named", "prm/inserted", "prm/root"))

    @property
    def issuer(self) -> str | None:
        """The issuer that clients are sent to."""
        servers = (self.resource_document or {}).get("authorization_servers")
        first = servers[0] if isinstance(servers, list) and servers else None
        return first if isinstance(first, str) else None

    @property
    def server_document(self) -> dict[str, Any] | None:
        """The authorization server's document, as the first path that has one gives it."""
        return self._document(tuple(name for name in self.exchanges if name.startswith("asm/")))

    def endpoint(self, name: str) -> str | None:
        """Return an endpoint of the authorization server's document."""
        found = (self.server_document or {}).get(f"{name}_endpoint")
        return found if isinstance(found, str) and parts_of(found).scheme in {"http", "https"} else None

    def shown(self, value: object) -> str:
        """Return what a server said so that it can be printed: no secret, no control character, one line, cut."""
        text = value if isinstance(value, str) else repr(value)
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "…") if secret else text
        text = " ".join(_UNPRINTABLE.sub(" ", text).split())
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

    def _document(self, names: Sequence[str]) -> dict[str, Any] | None:
        answers = (self.answer(name) for name in names)
        found = (each.document() for each in answers if each is not None and each.status == 200)  # noqa: PLR2004
        return next((each for each in found if each is not None), None)


def challenge_of(answer: Answer) -> Mapping[str, str]:
    """Return the parameters of a Bearer challenge (RFC 9110 section 11.6.1); empty where there is none."""
    text = answer.header("www-authenticate") or ""
    if not text.lower().startswith("bearer"):
        return {}
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(text[len("bearer") :])}


def parts_of(url: str) -> SplitResult:
    """Return the parts of an address; of one that is none, empty parts. Whoever is examined chose the text."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def joined(base: str, target: str) -> str:
    """Return where ``target`` leads from ``base``; empty where it is no address."""
    try:
        return urljoin(base, target)
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """Return scheme, host and port as they are written."""
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}"


def query_of(url: str) -> dict[str, str]:
    """Return the parameters of an address, the last one of each name."""
    return {name: values[-1] for name, values in parse_qs(parts_of(url).query, keep_blank_values=True).items()}


def nulls(value: Any, path: str = "") -> list[str]:
    """Return the paths of all members that are null: strict clients refuse the whole document."""
    if value is None:
        return [path or "the document"]
    if isinstance(value, dict):
        return [found for name, each in value.items() for found in nulls(each, f"{path}.{name}".lstrip("."))]
    if isinstance(value, list):
        return [found for number, each in enumerate(value) for found in nulls(each, f"{path}[{number}]")]
    return []


def difference(expected: str, got: str) -> str:
    """Say where two texts differ, for people who look at the same line twice."""
    same = next(
        (n for n, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got))
    )
    if same == len(expected) == len(got):
        return ""
    if same == len(expected):
        return f"{got[same:]!r} too much at its end"
    if same == len(got):
        return f"{expected[same:]!r} missing at its end"
    return f"character {same + 1} is {got[same]!r}, not {expected[same]!r}"

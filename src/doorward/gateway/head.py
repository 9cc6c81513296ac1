"""The head of a request as it was parsed, what follows from it alone, and those heads that may come again.

Nothing here depends on a moment, a person or a right: only on bytes. So what is worked out once holds for every request
that begins with the same bytes.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

from doorward.gateway.param_headers import PREFIX
from doorward.protocol import bearer

Header = tuple[bytes, bytes]
T = TypeVar("T")

MAX_KNOWN: Final = 1_000
MAX_KNOWN_BYTES: Final = 2 * 1024
"""Of one head: with all that hangs on them, the known ones take some megabytes at most."""
_PARAM: Final = re.compile(PREFIX.encode()).match


class _Follows(Generic[T]):
    """A property that is worked out when it is first asked for (``functools.cached_property`` takes a lock in 3.11)."""

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__

    def __get__(self, head: Any, _owner: type) -> T:
        value = head.__dict__[self._name] = self._work_out(head)
        return value


def token_digest(token: str) -> bytes:
    """Return what a token is known by: the whole digest of all of it, for a prefix would let two share a place (J18)."""
    return hashlib.sha256(token.encode()).digest()


class Head:
    """Never changed once it is made: requests may share it. Names of headers are in lower case."""

    def __init__(self, path: str, fields: Sequence[Header]) -> None:
        self.path = path
        """Undecoded: `%2f` and `%2e` must not turn into path parts of another tenant (L6)."""
        self.fields = fields
        """All headers, in order."""
        self.headers: dict[bytes, bytes] = dict(fields)
        """The last value of each; ``one``, ``many`` and ``raw`` know of repeated ones."""
        self._repeated = len(self.headers) != len(fields)
        self.fine = False
        """Whether the door found that nothing in it needs an answer of its own."""

    def one(self, name: bytes) -> str | None:
        """Return a header's value, several joined by a comma (RFC 9110 section 5.3), or None."""
        value = self.headers.get(name)
        if value is None:
            return None
        return ", ".join(self.many(name)) if self._repeated else value.decode("latin-1")

    def many(self, name: bytes) -> list[str]:
        """Return all values of a header."""
        return [value.decode("latin-1") for value in self.raw(name)]

    def raw(self, name: bytes) -> list[bytes]:
        """Return all values of a header as they came."""
        if self._repeated:
            return [value for key, value in self.fields if key == name]
        return [self.headers[name]] if name in self.headers else []

    @_Follows
    def size(self) -> int:
        """Bytes of all names and values."""
        return sum(len(name) + len(value) for name, value in self.fields)

    @_Follows
    def host(self) -> str | None:
        """The Host header."""
        return self.one(b"host")

    @_Follows
    def origin(self) -> str | None:
        """The Origin header."""
        return self.one(b"origin")

    @_Follows
    def token(self) -> str | None:
        """The one bearer credential, or None where there is none. Raises ``BearerError``."""
        return bearer.read(self.raw(b"authorization"))

    @_Follows
    def token_digest(self) -> bytes:
        """``token_digest`` of the token; empty without one."""
        return b"" if self.token is None else token_digest(self.token)

    @_Follows
    def media_type(self) -> str:
        """Of the body, in lower case and without parameters."""
        return (self.one(b"content-type") or "").partition(";")[0].strip().lower()

    @_Follows
    def plain_json(self) -> bool:
        """Whether it says that the body is JSON, and not compressed."""
        return self.media_type == "application/json" and b"content-encoding" not in self.headers

    @_Follows
    def protocol_version(self) -> str | None:
        """The MCP-Protocol-Version header."""
        return self.one(b"mcp-protocol-version")

    @_Follows
    def mcp_method(self) -> list[str]:
        """All Mcp-Method headers."""
        return self.many(b"mcp-method")

    @_Follows
    def mcp_name(self) -> list[str]:
        """All Mcp-Name headers."""
        return self.many(b"mcp-name")

    @_Follows
    def session(self) -> str | None:
        """The Mcp-Session-Id header."""
        return self.one(b"mcp-session-id")

    @_Follows
    def agent(self) -> str | None:
        """The User-Agent header."""
        return self.one(b"user-agent")

    @_Follows
    def forwarded_for(self) -> tuple[str, ...]:
        """All X-Forwarded-For headers."""
        return tuple(self.many(b"x-forwarded-for"))

    @_Follows
    def wants_stream(self) -> bool:
        """Whether an event stream may answer."""
        return "text/event-stream" in (self.one(b"accept") or "").lower()

    @_Follows
    def params(self) -> tuple[tuple[str, str], ...]:
        """All ``Mcp-Param-*`` headers, repeated ones too."""
        return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in self.fields if _PARAM(name))


class Known(NamedTuple):
    """A head that came before, and how long the body is that it announces."""

    head: Head
    length: int


class KnownHeads:
    """Heads by their bytes, the oldest dropped first: a client begins its calls with the same bytes again and again.

    Reading a head and what follows from it takes a third of a call. Whoever fills this makes others slower, and no more.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}
        self.find = self._known.get
        """Return the head of exactly these bytes, or None."""

    def keep(self, raw: bytes, head: Head, length: int) -> None:
        """Remember ``head``, which is all that the parser made of ``raw``."""
        if len(raw) <= MAX_KNOWN_BYTES:
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[raw] = Known(head, length)

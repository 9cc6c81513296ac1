"""Heads of upstreams' answers that may come again, byte for byte, and what follows from them alone (decision 0069)."""

from collections.abc import Mapping
from typing import Final

MAX_KNOWN: Final = 1_000
MAX_KNOWN_BYTES: Final = 2 * 1024
"""Of one head."""
_OK: Final = 200


class KnownHead:
    """What the parser made of the head of a whole answer after which the connection was good for another one.

    ``length`` is the body's, in bytes.
    """

    __slots__ = ("headers", "length", "ordinary", "status")

    def __init__(self, status: int, headers: Mapping[bytes, bytes], length: int) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        plain = headers.get(b"content-type") == b"application/json" and b"content-encoding" not in headers
        self.ordinary = plain and status == _OK
        """See ``http_connection.Answer``."""


class KnownHeads:
    """Heads of answers by their bytes, the oldest dropped first. One second's answers of one length often begin alike."""

    def __init__(self) -> None:
        self._known: dict[bytes, KnownHead] = {}
        self.find = self._known.get
        """Return the head of exactly these bytes, or None."""

    def keep(self, raw: bytes, head: KnownHead) -> None:
        """Remember ``head``, which is all that the parser made of ``raw``."""
        if len(raw) <= MAX_KNOWN_BYTES:
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[raw] = head

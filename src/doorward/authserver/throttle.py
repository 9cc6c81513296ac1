"""Holding off those who guess client secrets (security C27; OAuth 2.1 section 2.4.1).

Counted per client and address, and per address over all clients, in this process: what is guessed at has 256 bits, so
the point is to answer a flood without asking the database, not to win a race. Nobody is locked out: a count is
forgotten a minute after it began, other addresses are counted apart, and the secret with which a client was let in
last gets through from everywhere, also from an address that many share.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from doorward.credentials.secret import Fingerprinter
from doorward.model import SECOND, Fingerprint, Instant
from doorward.protocol import faults
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.errors import OAuthError

PER_CLIENT: Final = 10
"""Wrong secrets for one client from one address in one window."""
PER_ADDRESS: Final = 60
"""Wrong secrets from one address in one window, whoever they are for: client ids can be invented."""
WINDOW: Final = 60
"""Seconds."""
MAX_COUNTS: Final = 20_000
MAX_KNOWN: Final = 10_000

Key = tuple[str, str]
Name = TypeVar("Name")
Value = TypeVar("Value")


@dataclass(slots=True)
class _Count:
    since: Instant
    wrong: int = 0


class SecretThrottle:
    """One per process."""

    def __init__(self, fingerprinter: Fingerprinter) -> None:
        self._fingerprinter = fingerprinter
        self._counts: dict[Key, _Count] = {}
        self._known: dict[str, Fingerprint] = {}

    @contextmanager
    def watching(self, presented: PresentedClient, address: str, now: Instant) -> Iterator[None]:
        """Watch an authentication in the body: what it raises is counted, where it was a secret that was wrong.

        Raises ``OAuthError`` with status 429 instead of entering the body.
        """
        if presented.secret is None:
            yield
            return
        fingerprint = self._fingerprinter.of(presented.secret)
        keys = ((presented.client_id, address), ("", address))
        wait = max(self._wait(key, most, now) for key, most in zip(keys, (PER_CLIENT, PER_ADDRESS), strict=True))
        if wait and not self._fingerprinter.same(self._known.get(presented.client_id, Fingerprint("")), fingerprint):
            reason = f"wrong secrets for {presented.client_id[:200]!r} from {address}"
            raise OAuthError(
                faults.SECRET_THROTTLED, "temporarily_unavailable", reason=reason, status=429, retry_after=wait
            )
        try:
            yield
        except OAuthError as refused:
            if refused.error == "invalid_client":
                self._failed(keys, now)
            raise
        self._counts.pop(keys[0], None)
        self._known.pop(presented.client_id, None)
        _put(self._known, presented.client_id, fingerprint, MAX_KNOWN)

    def _wait(self, key: Key, most: int, now: Instant) -> int:
        """Return for how many seconds ``key`` has to wait."""
        count = self._counts.get(key)
        if count is None or count.wrong < most:
            return 0
        left = count.since + WINDOW * SECOND - now
        return -(-left // SECOND) if left > 0 else 0

    def _failed(self, keys: tuple[Key, ...], now: Instant) -> None:
        for key in keys:
            count = self._counts.get(key)
            if count is None or count.since + WINDOW * SECOND <= now:
                self._counts.pop(key, None)
                count = _Count(now)
                _put(self._counts, key, count, MAX_COUNTS)
            count.wrong += 1


def _put(table: dict[Name, Value], key: Name, value: Value, most: int) -> None:
    """Add an entry; a full table loses its oldest."""
    if len(table) >= most:
        del table[next(iter(table))]
    table[key] = value

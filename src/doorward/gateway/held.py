"""Upstream sessions that the gateway keeps for callers of the older revisions who have none (a bare ``tools/list``).

One for each caller and server, opened on demand, closed when idle. Nobody but the gateway knows their ids.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from doorward.gateway.catalogue import open_session
from doorward.gateway.http_connection import UpstreamFailure
from doorward.gateway.sessions import Identity
from doorward.gateway.upstream import Envelope, Upstream
from doorward.model import SECOND, Instant, Server, ServerId

IDLE: Final = 600 * SECOND
MAX_HELD: Final = 4_000

Key = tuple[tuple[str, str, str, str], ServerId]


@dataclass(slots=True)
class _Held:
    envelope: Envelope
    server: Server
    identity: Identity
    used_at: Instant


class HeldSessions:
    """One per process; another node opens its own."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._held: dict[Key, _Held] = {}
        self._opening: dict[Key, asyncio.Lock] = {}
        self._numbers = 0

    def next_id(self) -> str:
        """Return a request id that is used once: several callers' requests share a session (K20)."""
        self._numbers += 1
        return f"dw-{self._numbers}"

    async def envelope(self, key: Key, server: Server, identity: Identity, now: Instant) -> Envelope:
        """Return the session to send with. Raises ``UpstreamFailure`` and ``Rejected``."""
        lock = self._opening.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                held = self._held.get(key)
                if held is None or held.server.upstream != server.upstream:
                    envelope, _ = await open_session(self._upstream, server, identity)
                    held = self._held[key] = _Held(envelope, server, identity, now)
                held.used_at, held.identity = now, identity
                return held.envelope
        finally:
            if not lock.locked():
                self._opening.pop(key, None)

    def forget(self, key: Key, envelope: Envelope) -> None:
        """Drop a session that the upstream does not know any more."""
        held = self._held.get(key)
        if held is not None and held.envelope is envelope:
            del self._held[key]

    async def sweep(self, now: Instant) -> None:
        """Close what has been idle for long, and the longest idle of too many."""
        by_age = sorted(self._held.items(), key=lambda item: item[1].used_at)
        surplus = max(len(by_age) - MAX_HELD, 0)
        for index, (key, held) in enumerate(by_age):
            if index < surplus or now - held.used_at > IDLE:
                self._held.pop(key, None)
                await self._close(held)

    async def _close(self, held: _Held) -> None:
        # Its identity token may be too old by now; then the upstream ends the session by its own clock.
        if held.envelope.session_id is not None:
            try:
                (await self._upstream.delete(held.server, held.envelope, held.identity)).close()
            except UpstreamFailure:
                return

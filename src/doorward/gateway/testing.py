"""Testing a connection from a page (security L19): it must not tell what there is in networks of ours.

Whatever nobody may be sent to, whatever refuses, and whatever does not answer is one answer, in the same words and
after the same time. Only what a server itself says, after it was reached at an address that it may have, is told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from doorward.gateway.probe import Health
from doorward.model import Server

SECONDS: Final = 6.0
"""After which every failure is told, neither before nor later."""

Probe = Callable[[Server], Awaitable[Health]]
Wait = Callable[[float], Awaitable[None]]


class Outcome(Enum):
    """What is told of a test."""

    WELL = "well"
    REFUSED = "refused"
    """The server answered that it does not take the credential."""
    AWAY = "away"
    """Nothing that speaks MCP was reached, for whatever reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """``health`` is None but for ``WELL``."""

    outcome: Outcome
    health: Health | None = None


class Tester:
    """``probe(server)`` asks it as the gateway does; ``clock`` and ``wait`` are in seconds."""

    def __init__(self, probe: Probe, *, clock: Callable[[], float], wait: Wait = asyncio.sleep) -> None:
        self._probe, self._clock, self._wait = probe, clock, wait

    async def test(self, server: Server) -> Told:
        """Ask ``server`` and say how it went."""
        began = self._clock()
        try:
            async with asyncio.timeout(SECONDS):
                health = await self._probe(server)
        except TimeoutError:
            health = Health(problem="no answer in time")
        if health.problem is None:
            return Told(outcome=Outcome.WELL, health=health)
        if health.refused:
            return Told(outcome=Outcome.REFUSED)
        await self._wait(max(0.0, began + SECONDS - self._clock()))
        return Told(outcome=Outcome.AWAY)

"""Open streams are decided again while they are open: at least once a second, and closed when they may not be (D3)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from doorward.credentials.authenticate import Unauthenticated
from doorward.gateway.access import AskFirst, Forward, View, judge
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.external_bearers import ExternalUnavailable
from doorward.gateway.http_connection import Answer, UpstreamFailure
from doorward.gateway.live import Caller
from doorward.gateway.upstream import Rejected
from doorward.model import Approvers
from doorward.protocol import mcp
from doorward.storage.database import StorageUnavailable

LOOK_SECONDS: Final = 1.0
Look = Callable[[str, Exchange], Awaitable[tuple[Caller, View]]]
"""Authenticates the token of a request, as of now, and returns what is needed to decide."""


class Held(Protocol):
    """What has been let through and is not over. ``ask`` is None for a session's own stream (GET)."""

    caller: Caller
    view: View

    @property
    def ask(self) -> mcp.Ask | None:
        """What was asked."""

    @property
    def uris(self) -> tuple[str, ...] | None:
        """The resources that were let through, of those that it asked for."""

    @property
    def tasks(self) -> tuple[mcp.Task, ...]:
        """The tasks that were let through, likewise."""

    @property
    def approvers(self) -> Approvers | None:
        """One of whom approved it."""


@dataclass(slots=True, kw_only=True, eq=False)
class OpenStream:
    """``ask`` is None for a session's own stream (GET). ``view`` is as of the last look."""

    token: str
    exchange: Exchange
    ask: mcp.Ask | None
    caller: Caller
    view: View
    uris: tuple[str, ...] | None
    answer: Answer
    tasks: tuple[mcp.Task, ...] = ()
    approvers: Approvers | None = None
    withdrawn: bool = False


class Streams:
    """All open streams of this process."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._open: set[OpenStream] = set()

    def add(self, stream: OpenStream) -> None:
        """Watch over ``stream``."""
        self._open.add(stream)

    def remove(self, stream: OpenStream) -> None:
        """Forget a stream that has ended."""
        self._open.discard(stream)

    async def look_again(self) -> None:
        """Decide each open stream again; end those that may not go on. What cannot be decided may not either."""
        await asyncio.gather(*(self._decide(stream) for stream in self._open))

    def close(self) -> None:
        """End all of them."""
        for stream in list(self._open):
            stream.answer.close()
        self._open.clear()

    async def _decide(self, stream: OpenStream) -> None:
        if not await may_go_on(self._look(stream.token, stream.exchange), stream):
            stream.withdrawn = True
            self.remove(stream)
            stream.answer.close()


async def may_go_on(looked: Awaitable[tuple[Caller, View]], held: Held) -> bool:
    """Decide again what was allowed, and bring its view up to date. What cannot be decided may not go on."""
    try:
        # One that hangs, on an upstream that does not say what it offers, must not keep the others undecided.
        async with asyncio.timeout(LOOK_SECONDS):
            caller, view = await looked
    except (Unauthenticated, ExternalUnavailable, Refusal, StorageUnavailable, UpstreamFailure, Rejected, TimeoutError):
        return False
    if caller is held.caller:
        return True
    held.caller, held.view = caller, view
    if held.ask is None:
        return view.governed.server.id in view.principal.servers
    verdict = judge(held.ask, view)
    if isinstance(verdict, AskFirst) and verdict.approvers == held.approvers:
        verdict = verdict.then
    return isinstance(verdict, Forward) and (verdict.uris, verdict.tasks) == (held.uris, held.tasks)

"""Calls that wait for their upstream are decided again while they wait, as open streams are (D3).

Where one may not go on, the client is answered at once and the upstream's connection is closed.

That the credential's time ends meanwhile does not end them: they began within it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from doorward.gateway.access import View
from doorward.gateway.call import Call
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.live import Caller
from doorward.gateway.streams import may_go_on
from doorward.protocol import faults
from doorward.protocol.jsonrpc import INVALID_REQUEST

FORBIDDEN: Final = 403


class Waiting:
    """All calls of this process whose answer has not begun."""

    def __init__(self) -> None:
        self._calls: dict[Exchange, Call] = {}

    def begin(self, call: Call) -> None:
        """Watch over ``call``."""
        self._calls[call.exchange] = call

    def end(self, call: Call) -> None:
        """Stop watching."""
        del self._calls[call.exchange]

    def why_cancelled(self, call: Call) -> Refusal | None:
        """Return what a cancelled call's client is told, and undo the cancellation; None if it was not done here."""
        if call.ended is not None and (task := asyncio.current_task()) is not None:
            task.uncancel()
        return call.ended

    async def look_again(self, look: Callable[[Call], Awaitable[tuple[Caller, View]]]) -> None:
        """Decide each of them again; end those that may not go on. What cannot be decided may not either."""
        await asyncio.gather(*(self._decide(call, look(call)) for call in list(self._calls.values())))

    async def _decide(self, call: Call, looked: Awaitable[tuple[Caller, View]]) -> None:
        if not await may_go_on(looked, call):
            # Not from here: a stepped coroutine may be resumed by the loop only, not from within another task.
            asyncio.get_running_loop().call_soon(self._interrupt, call)

    def _interrupt(self, call: Call) -> None:
        if self._calls.get(call.exchange) is call and call.ended is None:
            reason = "the right went while the answer was waited for"
            call.ended = Refusal(
                FORBIDDEN, INVALID_REQUEST, faults.ENDED_BY_CHANGE, reason=reason, request_id=call.ask.id
            )  # fmt: skip
            call.exchange.interrupt(call.ended)

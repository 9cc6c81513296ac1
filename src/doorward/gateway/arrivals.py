"""Short messages that came in one turn of the loop: each is judged after one look at the revisions, made for all of them.

The look comes after the last of them was read, so none is judged by what was so before all of it had come (decisions
0004 and 0078). Alone, it is as much as every tenth of a call.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from doorward.gateway.direct_exchange import DirectExchange
from doorward.stepping import Run

SHARED: Final = 64
"""Calls that share one look: however many come at once, each is judged some milliseconds after it at most."""

_log = structlog.get_logger("doorward.gateway")


class Arrivals:
    """``look`` says whether it looked for all; ``answer`` returns the coroutine that answers one."""

    def __init__(self, look: Callable[[], bool], answer: Callable[[DirectExchange], Coroutine[Any, Any, None]]) -> None:
        self._look = look
        self._answer = answer
        self._arrived: list[DirectExchange] = []

    def add(self, exchange: DirectExchange, loop: asyncio.AbstractEventLoop) -> None:
        """Have it answered before the loop waits again, after whatever else has come by now."""
        if not self._arrived:
            loop.call_soon(self._begin_all, loop)
        self._arrived.append(exchange)

    def _begin_all(self, loop: asyncio.AbstractEventLoop) -> None:
        arrived, self._arrived = self._arrived, []
        looked = False
        for number, exchange in enumerate(arrived):
            if number % SHARED == 0:
                looked = self._look()
            if exchange.gone:
                continue
            exchange.looked = looked
            exchange.run = run = Run(self._answer(exchange), loop)
            try:
                run.begin()
            except Exception as error:  # noqa: BLE001  (whatever it is, the others are to be answered)
                # No message: it may quote a secret.
                _log.error("unexpected", kind=type(error).__name__)

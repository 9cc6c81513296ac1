"""Calls over a limit are answered 429 here, and here only: the short and the long way of a call both pass it (D9).

In the memory of this process, by a clock that never goes back (security N10). With several nodes each allows its part.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import islice
from typing import Final

from doorward.gateway import answers
from doorward.gateway.exchange import Refusal
from doorward.gateway.live import Caller
from doorward.gateway.places import AtOnce, Places
from doorward.model import SECOND, Rates, ServerId
from doorward.policy.rates import MINUTE, Limit, Of, Window, limits_of, merged, tool_limits
from doorward.protocol import faults
from doorward.protocol.jsonrpc import error_response

TOO_MANY_REQUESTS: Final = 429
SWEPT: Final = 10_000
"""Windows looked at in one sweep, so that it takes about a millisecond."""


class RateLimits:
    """One per process. ``ticks`` are microseconds that never go back; ``nodes`` share each limit evenly."""

    def __init__(self, rates: Rates, *, nodes: int, ticks: Callable[[], int]) -> None:
        self._rates = rates
        self._nodes = nodes
        self._ticks = ticks
        self._windows: dict[tuple[str, ...], Window] = {}

    def spend(self, caller: Caller, request_id: str | int | None) -> None:
        """Count one message. Raises ``Refusal`` 429; what is refused counts nowhere."""
        limits = caller.limits
        if limits is None:
            rates = self._here(merged(self._rates, caller.rates))
            limits = caller.limits = limits_of(caller.principal, rates)
        if limits:
            self._spend(caller, limits, request_id)

    def spend_on_tool(self, caller: Caller, server_id: ServerId, tool: str, request_id: str | int | None) -> None:
        """Count one call of a tool that the caller may call: what it may not even know of must not show in a limit."""
        limits = caller.tool_limits.get((server_id, tool))
        if limits is None:
            rates = self._here(merged(self._rates, caller.rates))
            limits = caller.tool_limits[server_id, tool] = tool_limits(caller.principal, rates, server_id, tool)
        if limits:
            self._spend(caller, limits, request_id)

    def sweep(self) -> None:
        """Forget windows in which nothing was counted; each time some, and the others later."""
        now = self._ticks()
        for key in list(islice(self._windows, SWEPT)):
            window = self._windows.pop(key)
            window.turn(now)
            if window.used:
                self._windows[key] = window

    def _spend(self, caller: Caller, limits: Iterable[Limit], request_id: str | int | None) -> None:
        now, windows = self._ticks(), []
        for limit in limits:
            window = self._windows.get(limit.key)
            if window is None:
                window = self._windows[limit.key] = Window(limit.span)
            window.turn(now)
            if wait := window.wait(now, limit.most):
                raise _refusal(caller, limit, window.used, math.ceil(wait / SECOND), request_id)
            windows.append(window)
        for window in windows:
            window.add()

    def _here(self, rates: Rates) -> Rates:
        if self._nodes == 1:
            return rates
        return Rates(
            **{field.name: math.ceil((getattr(rates, field.name) or 0) / self._nodes) for field in fields(Rates)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceilings:
    """All that a gateway bounds for each caller: how often, and how much at once."""

    rates: RateLimits
    streams: Places
    calls: Places


def ceilings(rates: Rates, at_once: AtOnce, *, nodes: int, ticks: Callable[[], int]) -> Ceilings:
    """Return them, with nothing counted yet."""
    return Ceilings(
        rates=RateLimits(rates, nodes=nodes, ticks=ticks),
        streams=Places(at_once.streams_per_credential, at_once.streams_per_user, faults.TOO_MANY_STREAMS),
        calls=Places(at_once.calls_per_credential, at_once.calls_per_user, faults.TOO_MANY_AT_ONCE),
    )


def _refusal(caller: Caller, limit: Limit, used: int, seconds: int, request_id: str | int | None) -> Refusal:
    fault = faults.TOO_MANY_CALLS
    span = "minute" if limit.span == MINUTE else "day"
    told = _told(caller, limit, used, span)
    text = f"Too many calls: {told} Wait {seconds} seconds, then try again. ({fault.code})"
    data = {"code": fault.code, "retryAfter": seconds, "limit": limit.of.value}
    return Refusal(
        TOO_MANY_REQUESTS,
        answers.RATE_LIMITED,
        fault,
        reason=f"{limit.of.value}: {limit.most} in a {span}",
        headers=((b"retry-after", b"%d" % seconds),),
        request_id=request_id,
        message=error_response(request_id, answers.RATE_LIMITED, text, data),
    )


def _told(caller: Caller, limit: Limit, used: int, span: str) -> str:
    """Return the caller's own use in words. Of a tenant's, which is others' too, no number."""
    match limit.of:
        case Of.CREDENTIAL:
            what = "this API key" if caller.principal.client_id is None else "this connection"
            return f"{what} made {used} calls in the last {span}, and {limit.most} are allowed."
        case Of.USER:
            return f"you made {used} calls in the last {span}, and {limit.most} are allowed."
        case Of.TOOL:
            return f"you called this tool {used} times in the last {span}, and {limit.most} times are allowed."
        case Of.TENANT:
            return f"your organisation has used up the calls that it may make in a {span}."

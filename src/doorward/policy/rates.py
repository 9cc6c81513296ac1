"""How often somebody may call: counts in moving windows, and the limits that hold for one principal.

A window counts in parts of a sixtieth of its span and lets a part go only when the whole span has passed since its end.
So no stretch of time of that span holds more calls than the limit, wherever it begins; in return somebody at the limit
waits up to one part longer than the span.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from doorward.model import SECOND, Principal, Rates

PARTS: Final = 60
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND


class Of(StrEnum):
    """Whose calls a limit counts."""

    CREDENTIAL = "credential"
    USER = "user"
    TOOL = "tool"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` calls in any ``span`` (microseconds); ``key`` says which calls are counted together.

    Plain texts: an enum's hash is a call of a function in Python 3.11.
    """

    of: Of
    key: tuple[str, ...]
    span: int
    most: int


class Window:
    """One count. Times are microseconds of a clock that never goes back; one that does counts as standing still."""

    __slots__ = ("_counts", "_last", "_width", "used")

    def __init__(self, span: int) -> None:
        self._width = span // PARTS
        self._counts = array("l", bytes((PARTS + 1) * array("l").itemsize))
        self._last = 0
        self.used = 0
        """Calls in the window, as of the last ``turn``."""

    def turn(self, now: int) -> None:
        """Let go of what is out of the window by ``now``."""
        part = now // self._width
        if part <= self._last:
            return
        for passed in range(max(self._last + 1, part - PARTS), part + 1):
            place = passed % (PARTS + 1)
            self.used -= self._counts[place]
            self._counts[place] = 0
        self._last = part

    def add(self) -> None:
        """Count one, at the time of the last ``turn``."""
        self._counts[self._last % (PARTS + 1)] += 1
        self.used += 1

    def wait(self, now: int, most: int) -> int:
        """Return the microseconds after which there is room below ``most`` again, as of the last ``turn``; 0: now."""
        part, left = self._last - PARTS - 1, self.used
        while left >= most:
            part += 1
            left -= self._counts[part % (PARTS + 1)]
        return max((part + PARTS + 1) * self._width - now, 0) if self.used >= most else 0


def merged(deployment: Rates, tenant: Rates) -> Rates:
    """Return what holds in a tenant: its own number where it has one, else the deployment's."""
    said = {field.name: getattr(tenant, field.name) for field in fields(Rates)}
    return Rates(**{
        name: getattr(deployment, name) if number is None else number for name, number in said.items()
    })  # fmt: skip


def limits_of(principal: Principal, rates: Rates) -> tuple[Limit, ...]:
    """Return the limits on everything that a principal sends."""
    user = (principal.tenant_id, principal.user_id)
    return tuple(_limits([
        (Of.CREDENTIAL, (*user, principal.credential_id),
            rates.credential_per_minute, rates.credential_per_day),
        (Of.USER, user, rates.user_per_minute, rates.user_per_day),
        (Of.TENANT, (principal.tenant_id,), rates.tenant_per_minute, rates.tenant_per_day),
    ]))  # fmt: skip


def tool_limits(principal: Principal, rates: Rates, server_id: str, tool: str) -> tuple[Limit, ...]:
    """Return the limits on one tool: each user's calls of it are counted by themselves."""
    key = (principal.tenant_id, principal.user_id, server_id, tool)
    return tuple(_limits([(Of.TOOL, key, rates.tool_per_minute, rates.tool_per_day)]))


def _limits(given: Iterable[tuple[Of, tuple[str, ...], int | None, int | None]]) -> Iterable[Limit]:
    for of, key, per_minute, per_day in given:
        if per_minute:
            yield Limit(of, (of.value, "minute", *key), MINUTE, per_minute)
        if per_day:
            yield Limit(of, (of.value, "day", *key), DAY, per_day)

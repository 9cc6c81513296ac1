"""How much of one kind may be open at once, for each credential and each user: streams, and calls that are answered.

Without it one credential could take every connection to an upstream, or all memory, from everybody else (L20).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from doorward.gateway import answers
from doorward.gateway.exchange import Refusal
from doorward.model import Principal
from doorward.protocol.faults import Fault
from doorward.protocol.jsonrpc import error_response

TOO_MANY_REQUESTS: Final = 429
RETRY_AFTER: Final = 5
"""Seconds; nobody knows when somebody closes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """How much may be open at once. 0: as much as they like."""

    calls_per_credential: int = 0
    calls_per_user: int = 0
    streams_per_credential: int = 0
    streams_per_user: int = 0


class Places:
    """One for each kind. 0: as many as they like."""

    def __init__(self, per_credential: int, per_user: int, fault: Fault) -> None:
        self._most = per_credential, per_user
        self._fault = fault
        self._taken: dict[tuple[str, ...], int] = {}

    @contextmanager
    def taken(self, principal: Principal, request_id: str | int | None) -> Iterator[None]:
        """Hold a place while this is entered. Raises ``Refusal`` 429."""
        keys = self.take(principal, request_id)
        try:
            yield
        finally:
            self.give_back(keys)

    def take(self, principal: Principal, request_id: str | int | None) -> list[tuple[str, ...]]:
        """Return what ``give_back`` takes. Raises ``Refusal`` 429."""
        user: tuple[str, ...] = principal.tenant_id, principal.user_id
        wanted = [((*user, principal.credential_id), self._most[0]), (user, self._most[1])]
        keys = [key for key, most in wanted if most]
        for key, most in wanted:
            if most and self._taken.get(key, 0) >= most:
                raise self._refusal(most, request_id, of="credential" if len(key) > len(user) else "user")
        for key in keys:
            self._taken[key] = self._taken.get(key, 0) + 1
        return keys

    def give_back(self, keys: list[tuple[str, ...]]) -> None:
        """Free what ``take`` returned."""
        for key in keys:
            left = self._taken[key] - 1
            if left:
                self._taken[key] = left
            else:
                del self._taken[key]

    def _refusal(self, most: int, request_id: str | int | None, *, of: str) -> Refusal:
        fault = self._fault
        text = f"{fault.cause} {most} are allowed at once. {fault.fix} ({fault.code})"
        data = {"code": fault.code, "retryAfter": RETRY_AFTER, "limit": of}
        return Refusal(
            TOO_MANY_REQUESTS,
            answers.RATE_LIMITED,
            fault,
            reason=f"{of}: {most} at once",
            headers=((b"retry-after", b"%d" % RETRY_AFTER),),
            request_id=request_id,
            message=error_response(request_id, answers.RATE_LIMITED, text, data),
        )

"""How much of one kind may be open at once, for each credential and each user: streams, and calls that are answered.

Without it one credential could take every connection to an upstream, or all memory, from everybody else (L20).
"""

import sys
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
        self._per_credential = per_credential or sys.maxsize
        self._per_user = per_user or sys.maxsize
        self._fault = fault
        self._of_credentials: dict[str, int] = {}
        self._of_users: dict[tuple[str, str], int] = {}

    @contextmanager
    def taken(self, principal: Principal, request_id: str | int | None) -> Iterator[None]:
        """Hold a place while this is entered. Raises ``Refusal`` 429."""
        self.take(principal, request_id)
        try:
            yield
        finally:
            self.give_back(principal)

    def take(self, principal: Principal, request_id: str | int | None) -> None:
        """Take a place; who does has to give it back. Raises ``Refusal`` 429."""
        credential, user = principal.credential_id, (principal.tenant_id, principal.user_id)
        of_credential, of_user = self._of_credentials.get(credential, 0), self._of_users.get(user, 0)
        if of_credential >= self._per_credential:
            raise self._refusal(self._per_credential, request_id, of="credential")
        if of_user >= self._per_user:
            raise self._refusal(self._per_user, request_id, of="user")
        self._of_credentials[credential] = of_credential + 1
        self._of_users[user] = of_user + 1

    def give_back(self, principal: Principal) -> None:
        """Free a place of the same principal."""
        credential, user = principal.credential_id, (principal.tenant_id, principal.user_id)
        if left := self._of_credentials[credential] - 1:
            self._of_credentials[credential] = left
        else:
            del self._of_credentials[credential]
        if left := self._of_users[user] - 1:
            self._of_users[user] = left
        else:
            del self._of_users[user]

    @property
    def empty(self) -> bool:
        """Whether nobody has a place."""
        return not self._of_credentials and not self._of_users

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

"""``Idempotency-Key``: a request that is sent again is done once (draft-ietf-httpapi-idempotency-key-header).

The answer is kept for a day with a hash of the request, in the transaction of the change itself: both are there or
neither. It is sealed, and without the secrets that are told once: a key or client secret that was lost with its answer is
made anew, never read again. What was refused is not kept: it changed nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Caller
from doorward.api.problems import Problem, not_as_described
from doorward.api.route import ApiRoute
from doorward.credentials.secret import Fingerprinter
from doorward.model import SECOND, Entropy, Fingerprint, Instant
from doorward.protocol import faults
from doorward.storage import api_answers
from doorward.storage.api_answers import Kept
from doorward.storage.database import Transaction
from doorward.vault import Sealer, Unsealed

HEADER: Final = "idempotency-key"
REPLAYED: Final = {"Idempotency-Replayed": "true"}
KEPT: Final = 86_400 * SECOND
_FORM: Final = re.compile(r"[\x21-\x7e]{1,200}")
_LABEL: Final = "api-answer/1"
Answered = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One key of one caller at one route, and the hash of what they send with it."""

    caller: str
    route: str
    name: Fingerprint
    digest: Fingerprint

    @property
    def place(self) -> tuple[str, str, str]:
        """What makes it the same request."""
        return self.caller, self.route, self.name


def key_of(values: list[str]) -> str | None:
    """Return the key of a request's headers, None where there is none. Raises ``Problem`` (422)."""
    if not values:
        return None
    if len(values) > 1 or not _FORM.fullmatch(values[0]):
        raise not_as_described("Idempotency-Key is 1 to 200 visible ASCII characters, once.")
    return values[0]


class Once:
    """Keeps answers, and knows what is being worked on in this process. Other nodes wait for the row."""

    def __init__(self, *, sealer: Sealer, entropy: Entropy, fingerprinter: Fingerprinter) -> None:
        self._sealer, self._entropy, self._fingerprinter = sealer, entropy, fingerprinter
        self._working: set[tuple[str, str, str]] = set()

    def ticket(self, caller: Caller, route: ApiRoute, key: str, sent: tuple[str, str, bytes]) -> Ticket:
        """Return the ticket of a request; ``sent`` is its path, its query and its body."""
        path, query, body = sent
        digest = self._fingerprinter.of(json.dumps([path, query, body.hex()]))
        name = self._fingerprinter.of(f"idempotency-key/{key}")
        return Ticket(caller.name, f"{route.method} {route.path}", name, digest)

    @contextmanager
    def working(self, ticket: Ticket | None) -> Iterator[None]:
        """Hold a ticket. Raises ``Problem`` (409) while another request holds it."""
        if ticket is None:
            yield
            return
        if ticket.place in self._working:
            raise _problem(HTTPStatus.CONFLICT, faults.API_STILL_WORKING, {"Retry-After": "1"})
        self._working.add(ticket.place)
        try:
            yield
        finally:
            self._working.discard(ticket.place)

    def before(self, tx: Transaction, ticket: Ticket, now: Instant) -> Answered | None:
        """Return what was answered, or None where it is ours to do. Raises ``Problem``: 422 for another request."""
        api_answers.forget(tx, ticket.place, now)
        if api_answers.claim(tx, ticket.place, ticket.digest, Instant(now + KEPT)):
            return None
        kept = api_answers.find(tx, ticket.place)
        if kept is None or kept.sealed is None:
            raise _problem(HTTPStatus.CONFLICT, faults.API_STILL_WORKING, {"Retry-After": "1"})
        if not Fingerprinter.same(kept.digest, ticket.digest):
            raise _problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults.API_KEY_REUSED)
        try:
            return kept.status, json.loads(self._sealer.open(_LABEL, kept.sealed, aad=_aad(ticket)))
        except Unsealed as wrong:
            # Sealed by a key that is gone, or moved here by somebody: what was answered is not known any more.
            raise _problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults.API_KEY_REUSED) from wrong

    def keep(self, tx: Transaction, ticket: Ticket, route: ApiRoute, body: Mapping[str, Any]) -> None:
        """Keep what is answered, but for its secrets."""
        told = {name: None if name in route.secrets else value for name, value in body.items()}
        sealed = self._sealer.seal(_LABEL, json.dumps(told).encode(), aad=_aad(ticket), entropy=self._entropy)
        api_answers.keep(tx, ticket.place, Kept(ticket.digest, route.status.value, sealed))


def _aad(ticket: Ticket) -> bytes:
    return json.dumps(ticket.place).encode()


def _problem(status: HTTPStatus, fault: faults.Fault, headers: Mapping[str, str] | None = None) -> Problem:
    return Problem(status, fault.cause, fault=fault, headers=headers)

"""Asking another system about its bearers (C9): guarded, seldom, outside every transaction.

An answer is kept for at most a minute, by the hash of the whole bearer. "It cannot be asked" is 503 and kept by nobody;
a refusal is kept for a few seconds, so that nobody makes us knock all the time with one bearer.
"""

import asyncio
import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from doorward.credentials.authenticate import Authenticated, Unauthenticated
from doorward.credentials.external import ExternalSystem, Vouched, authenticate, read_answer
from doorward.model import SECOND, Instant
from doorward.storage.database import Reader
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, FetchFailed

KEPT: Final = 60 * SECOND
REFUSED: Final = 5 * SECOND
MAX_KEPT: Final = 10_000
MAX_ANSWER: Final = 64 * 1024


class ExternalUnavailable(Exception):  # noqa: N818  (a state of another system, answered 503)
    """The other system cannot be asked. The message is private."""


class ExternalBearers:
    """One per process. ``systems`` have prefixes of which none begins another."""

    def __init__(self, systems: Sequence[ExternalSystem], *, fetcher: Fetcher, now: Callable[[], Instant]) -> None:
        self._systems = systems
        self._fetcher = fetcher
        self._now = now
        self._kept: OrderedDict[bytes, tuple[Instant, Vouched | str]] = OrderedDict()

    def system(self, token: str) -> ExternalSystem | None:
        """Return whose bearer this is by its form; then it is nobody else's, whatever comes of it (I12)."""
        return next((system for system in self._systems if token.startswith(system.prefix)), None)

    async def ask(self, system: ExternalSystem, token: str) -> Vouched:
        """Return what ``system`` says of ``token``, now or a minute ago.

        Raises ``Unauthenticated``, and ``ExternalUnavailable`` where it cannot be asked.
        """
        place = hashlib.sha256(token.encode()).digest()
        until, known = self._kept.get(place, (Instant(0), ""))
        if until <= self._now():
            known = await self._fresh(system, token)
            self._keep(place, known)
        if isinstance(known, str):
            raise Unauthenticated(known)
        if known.expires_at is not None and known.expires_at <= self._now():
            raise Unauthenticated(f"{system.name}'s bearer has expired")
        return known

    @staticmethod
    def authenticate(reader: Reader, vouched: Vouched) -> Authenticated:
        """Return our principal, from live rows. Raises ``Unauthenticated``."""
        return authenticate(reader, vouched)

    async def _fresh(self, system: ExternalSystem, token: str) -> Vouched | str:
        try:
            return read_answer(system, await self._fetched(system, token), self._now())
        except Unauthenticated as refused:
            return refused.reason

    async def _fetched(self, system: ExternalSystem, token: str) -> dict[str, Any]:
        headers, body = _question(system, token)
        try:
            # A task of its own: a short message is answered without one (stepping.py), and deadlines need one.
            asking = self._fetcher.get(system.url, asker=system.name, headers=headers, limit=MAX_ANSWER, body=body)
            answer = await asyncio.get_running_loop().create_task(asking)
            found = json.loads(answer.body)
        except FetchFailed as failed:
            if failed.kind is Failure.ANSWER and not system.introspects and failed.reason in _REFUSALS:
                raise Unauthenticated(f"{system.name} refuses the bearer: {failed.reason}") from None
            raise ExternalUnavailable(f"{system.name}: {failed.reason}") from None
        except TooManyFetches as busy:
            raise ExternalUnavailable(f"{system.name}: {busy}") from None
        except (ValueError, RecursionError):
            raise ExternalUnavailable(f"{system.name} answered no JSON") from None
        if not isinstance(found, dict):
            raise ExternalUnavailable(f"{system.name} answered no JSON object")
        return found

    def _keep(self, place: bytes, found: Vouched | str) -> None:
        self._kept.pop(place, None)
        if len(self._kept) >= MAX_KEPT:
            self._kept.popitem(last=False)
        self._kept[place] = (Instant(self._now() + (REFUSED if isinstance(found, str) else KEPT)), found)


_REFUSALS: Final = frozenset({"status 401", "status 403"})


def _question(system: ExternalSystem, token: str) -> tuple[dict[str, str], bytes | None]:
    accept = {"Accept": "application/json"}
    if not system.introspects:
        return accept | {"Authorization": f"Bearer {token}"}, None
    pair = f"{quote(system.client_id, safe='')}:{quote(system.client_secret, safe='')}"
    basic = base64.b64encode(pair.encode()).decode()
    form = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
    return accept | {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}, form

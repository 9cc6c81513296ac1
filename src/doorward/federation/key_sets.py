"""Having the public keys of others at hand before a signature is judged (RFC 7517; OpenID Connect Discovery section 4).

Fetched are the keys of issuers that a trust rule or the operator names; never on a stranger's word, never within a transaction, never
from an address in a token. What was fetched goes into the database; the decision reads it there. A key id that is not
known is a reason to ask again, once in a while.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

import structlog

from doorward.credentials.client_assertion import importable
from doorward.model import SECOND, Instant
from doorward.protocol import http_cache, jsonrpc, trust
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.identity_provider import ALGORITHMS
from doorward.protocol.signed_jwt import public_keys
from doorward.storage import key_sets
from doorward.storage.database import Database
from doorward.storage.key_sets import ISSUER, URI, KeySet
from doorward.web.budgets import MinuteBudget
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, Fetched, FetchFailed

MAX_BYTES: Final = 64 * 1024
"""GitHub's set has certificates in it."""
ASK_AGAIN: Final = 60 * SECOND
"""A set that lacks a key id is asked for again after so long, by whichever node."""
STALE: Final = 3600 * SECOND
"""An issuer that cannot be reached does not stop its workloads for so long."""
PER_SOURCE: Final = 2
"""Attempts per minute and node, failed ones too."""
_DISCOVERY: Final = "/.well-known/openid-configuration"
_HEADERS: Final = {"Accept": "application/jwk-set+json, application/json"}

_log = structlog.get_logger("doorward.federation")


class KeySets:
    """Fetches sets. Requests for the same one at the same time wait for one fetch."""

    def __init__(self, *, database: Database, fetcher: Fetcher | None, now: Callable[[], Instant]) -> None:
        self._database, self._fetcher, self._now = database, fetcher, now
        self._attempts = MinuteBudget(PER_SOURCE, now=now)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def ready(self, sources: Collection[str], kid: str | None, *, asker: str) -> None:
        """Return when the database knows what can be known now of these sources' keys, ``kid`` among them.

        A fetch that fails is no error here: the signature that needs the key is then none.
        """
        for source in sources:
            stored = await self._database.read(lambda reader, each=source: key_sets.key_set(reader, each))  # type: ignore[misc]
            if self._fetcher is not None and self._wanted(stored, kid):
                await self._renewed(self._fetcher, source, stored, asker)

    def _wanted(self, stored: KeySet | None, kid: str | None) -> bool:
        if stored is None or stored.fresh_until <= self._now():
            return True
        known = kid is None or any(key.get("kid", kid) == kid for key in stored.keys)
        return not known and stored.fetched_at + ASK_AGAIN <= self._now()

    async def _renewed(self, fetcher: Fetcher, source: str, stored: KeySet | None, asker: str) -> None:
        running = self._running.get(source)
        if running is None:
            if not self._attempts.spend(source):
                return
            running = self._running[source] = asyncio.create_task(self._renew(fetcher, source, stored, asker))
            running.add_done_callback(lambda _: self._running.pop(source, None))
        # Who goes away does not take the keys from the others who wait.
        await asyncio.wait({running})
        running.result()

    async def _renew(self, fetcher: Fetcher, source: str, stored: KeySet | None, asker: str) -> None:
        try:
            fetched = await self._fetched(fetcher, source, asker)
            await self._database.write(lambda tx: key_sets.put_key_set(tx, fetched))
        except (FetchFailed, TooManyFetches) as failed:
            _log.warning("keys not fetched", source=source, reason=str(failed))
            withdrawn = isinstance(failed, FetchFailed) and failed.kind is Failure.ANSWER
            if stored is not None and (withdrawn or stored.fresh_until + STALE <= self._now()):
                await self._database.write(lambda tx: key_sets.remove_key_set(tx, source))

    async def _fetched(self, fetcher: Fetcher, source: str, asker: str) -> KeySet:
        """Return the set as it is now. Raises ``FetchFailed``, also for one that is not valid; ``TooManyFetches``."""
        uri = source.removeprefix(URI)
        if source.startswith(ISSUER):
            issuer = source.removeprefix(ISSUER)
            found = await fetcher.get(
                issuer.removesuffix("/") + _DISCOVERY, asker=asker, headers=_HEADERS, limit=MAX_BYTES
            )
            try:
                uri = trust.jwks_uri_of(found.body, issuer)
            except ValueError as wrong:
                raise FetchFailed(Failure.ANSWER, str(wrong)) from None
        answer = await fetcher.get(uri, asker=asker, headers=_HEADERS, limit=MAX_BYTES)
        now = self._now()
        fresh_until = Instant(now + http_cache.freshness(answer.headers) * SECOND)
        return KeySet(source=source, keys=_keys(answer), fetched_at=now, fresh_until=fresh_until)


def _keys(answer: Fetched) -> tuple[dict[str, str], ...]:
    try:
        usable = tuple(
            dict(key) for key in public_keys(jsonrpc.decode_object(answer.body), ALGORITHMS) if importable(key)
        )
    except JsonRpcError as wrong:
        raise FetchFailed(Failure.ANSWER, f"key set: {wrong.reason}") from None
    except ValueError as wrong:
        raise FetchFailed(Failure.ANSWER, f"key set {wrong}") from None
    return usable

"""The keys that a client keeps at a URL of their own (``jwks_uri``: CIMD draft -02 section 8.2, RFC 7591 section 2).

Fetched when an assertion has to be checked and only of a client that somebody approved, that an administrator registered
or that we have a copy of, by the same guard and budgets as documents (F14), and kept beside them. Fresh as long as the answer says within our bounds; a key
that is not among them is looked for again, once they are five minutes old. There is no stale set: what a vendor took out
is good for nothing, and while it cannot be asked the answer is 503, which ends no connection.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

import structlog

from doorward.model import SECOND, Client, ClientId, ClientKind, Instant
from doorward.protocol import faults, http_cache, jsonrpc, signed_jwt
from doorward.protocol.client_assertion import Assertion
from doorward.protocol.errors import JsonRpcError, OAuthError
from doorward.storage import client_documents
from doorward.storage.client_documents import ClientDocument
from doorward.storage.database import Database, Reader
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, Fetched, FetchFailed

MAX_BYTES: Final = 16 * 1024
OLD: Final = http_cache.FLOOR * SECOND
"""A set without the key that is asked for may be fetched again after so long, although it is fresh."""
_ACCEPT: Final = {"Accept": "application/json, application/jwk-set+json"}

_log = structlog.get_logger("doorward.authserver")


class Finds(Protocol):
    """Finds the client that was approved."""

    fetches: bool

    def find(self, reader: Reader, client_id: ClientId) -> Client | None:
        """Return it, active or not."""
        ...


class ClientKeys:
    """Fetches key sets. Requests that need the same one at the same time wait for one fetch."""

    def __init__(
        self, *, database: Database, directory: Finds, fetcher: Fetcher | None, now: Callable[[], Instant]
    ) -> None:
        self._database, self._directory, self._fetcher, self._now = database, directory, fetcher, now
        self._running: dict[str, asyncio.Task[None]] = {}

    async def ready(self, assertion: Assertion, *, asker: str) -> None:
        """Return when the keys are known that this assertion may be checked with; ``asker`` is an address.

        Raises ``OAuthError`` with status 503: they could not be had just now.
        """
        if self._fetcher is None:
            return
        url = await self._database.read(lambda reader: self._wanted(reader, assertion))
        if url is None:
            return
        running = self._running.get(url)
        if running is None:
            running = self._running[url] = asyncio.create_task(self._renew(self._fetcher, url, asker))
            running.add_done_callback(lambda _: self._running.pop(url, None))
            running.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Who goes away does not take the keys from the others who wait.
        await asyncio.wait({running})
        failed = running.exception()
        if isinstance(failed, FetchFailed | TooManyFetches):
            raise OAuthError(
                faults.CLIENT_KEYS_UNAVAILABLE, "temporarily_unavailable", reason=f"{url}: {failed}", status=503,
                retry_after=30,
            )  # fmt: skip
        if failed is not None:
            raise failed

    def _wanted(self, reader: Reader, assertion: Assertion) -> str | None:
        client, now = self._directory.find(reader, ClientId(assertion.client_id)), self._now()
        if client is None or client.jwks_uri is None:
            return None
        if client.kind is ClientKind.METADATA_DOCUMENT and not self._directory.fetches:
            return None
        stored = client_documents.document_by_url(reader, _name(client.jwks_uri))
        if stored is None or stored.fresh_until <= now:
            return client.jwks_uri
        has_it = bool(signed_jwt.candidates(assertion, known(reader, client, now)))
        return None if has_it or now < stored.fetched_at + OLD else client.jwks_uri

    async def _renew(self, fetcher: Fetcher, url: str, asker: str) -> None:
        try:
            answer = await fetcher.get(url, asker=asker, headers=_ACCEPT, limit=MAX_BYTES)
            body = _valid(answer)
        except FetchFailed as failed:
            _log.info("client keys not fetched", url=url, reason=str(failed))
            if failed.kind is not Failure.ANSWER:
                raise
            await self._database.write(lambda tx: client_documents.remove_document(tx, _name(url)))
            return
        now = self._now()
        document = ClientDocument(
            url=_name(url), body=body, fetched_at=now, etag=None,
            fresh_until=Instant(now + http_cache.freshness(answer.headers) * SECOND),
        )  # fmt: skip
        await self._database.write(lambda tx: client_documents.put_document(tx, document))


def known(reader: Reader, client: Client, now: Instant) -> tuple[Any, ...]:
    """Return the keys that check this client's assertions now."""
    if client.jwks_uri is None:
        return client.jwks
    stored = client_documents.document_by_url(reader, _name(client.jwks_uri))
    return () if stored is None or stored.fresh_until <= now else _keys(stored.body.encode())


def _valid(answer: Fetched) -> str:
    """Return the body of a usable key set. Raises ``FetchFailed``."""
    if answer.status != HTTPStatus.OK:
        raise FetchFailed(Failure.ANSWER, f"status {answer.status}")
    try:
        _keys(answer.body)
        return answer.body.decode()
    except ValueError as wrong:
        raise FetchFailed(Failure.ANSWER, f"no key set: {wrong}") from None


def _keys(body: bytes) -> tuple[Any, ...]:
    try:
        return signed_jwt.public_keys(jsonrpc.decode_object(body))
    except JsonRpcError as wrong:
        raise ValueError(wrong.reason) from None


def _name(url: str) -> ClientId:
    """Return the name that a key set is kept by: no client id begins so, and no document is read by it."""
    return ClientId(f"jwks {url}")

"""Having a client's metadata document at hand before anything is decided about its request (CIMD draft -02 section 5).

The only place where one is fetched: at the authorization endpoint, before the read that decides, and never within a
transaction. What was fetched and is valid goes into the database; from there the directory takes it. Errors and
invalid documents are kept nowhere (F11). The browser is told the same whatever went wrong (F12).
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import structlog

from doorward.authserver.authorize import SignedIn
from doorward.authserver.clients import ClientDirectory
from doorward.model import SECOND, Client, ClientAuthMethod, ClientId, Instant, Status
from doorward.protocol import faults, http_cache, redirect_uri
from doorward.protocol.authorization import Identified
from doorward.protocol.client_metadata import is_metadata_document_url
from doorward.protocol.errors import PageError
from doorward.storage import client_documents, clients
from doorward.storage.client_documents import ClientDocument
from doorward.storage.database import Database, Reader
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, Fetched, FetchFailed
from doorward.web.refused import Refused

MISSING_REDIRECT_AGE: Final = http_cache.FLOOR * SECOND
"""A document that lacks the redirect URI asked for may be asked again after so long, although it is fresh."""
_ACCEPT: Final = {"Accept": "application/json"}
_JSON: Final = re.compile(r"application/(?:[a-z0-9.+_-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL)

_log = structlog.get_logger("doorward.authserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A document to fetch. ``stored`` is what we have of it; with ``copied`` a failure stops nobody."""

    url: ClientId
    stored: ClientDocument | None
    copied: bool
    asker: str


class ClientDocuments:
    """Fetches documents. Requests for the same one at the same time wait for one fetch."""

    def __init__(
        self, *, database: Database, directory: ClientDirectory, fetcher: Fetcher | None, now: Callable[[], Instant]
    ) -> None:
        self._database, self._directory, self._fetcher, self._now = database, directory, fetcher, now
        self._running: dict[ClientId, asyncio.Task[None]] = {}

    async def ready(self, identified: Identified, *, asker: Callable[[Reader], str]) -> None:
        """Return when the directory knows what can be known of this client now.

        ``asker`` says on whose account it is fetched. Raises ``PageError``: the document cannot be had or used, or
        (429) too many were asked for.
        """
        if self._fetcher is None or not self._directory.fetches or not is_metadata_document_url(identified.client_id):
            return
        wanted = await self._database.read(lambda reader: self._wanted(reader, identified, asker))
        if wanted is None:
            return
        running = self._running.get(wanted.url)
        if running is None:
            running = self._running[wanted.url] = asyncio.create_task(self._renew(self._fetcher, wanted))
            running.add_done_callback(lambda _: self._running.pop(wanted.url, None))
            running.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be left to ask
        # Who goes away does not take the document from the others who wait.
        await asyncio.wait({running})
        failed = running.exception()
        if failed is not None:
            raise _again(failed)

    def _wanted(self, reader: Reader, identified: Identified, asker: Callable[[Reader], str]) -> _Wanted | None:
        """Return what has to be fetched; None where nothing has (decision 0007)."""
        url, now = identified.client_id, self._now()
        copy = self._directory.copy_of(url)
        if self._directory.is_fixed(url) or (copy is not None and _fits(copy, identified)):
            return None
        known = clients.client_by_id(reader, url)
        if known is not None and known.status is not Status.ACTIVE:
            return None
        stored = client_documents.document_by_url(reader, url)
        if stored is not None and now < stored.fresh_until:
            client = self._directory.asking(reader, url)
            recent = now < stored.fetched_at + MISSING_REDIRECT_AGE
            if recent or (client is not None and _fits(client, identified)):
                return None
        return _Wanted(url=url, stored=stored, copied=copy is not None, asker=asker(reader))

    async def _renew(self, fetcher: Fetcher, wanted: _Wanted) -> None:
        try:
            document = await self._fetched(fetcher, wanted)
            await self._database.write(lambda tx: client_documents.put_document(tx, document))
        except (FetchFailed, TooManyFetches) as failed:
            if isinstance(failed, FetchFailed) and failed.kind is Failure.ANSWER and wanted.stored is not None:
                # Withdrawn, or valid no more: nothing of it is used any longer (F10, decision 0077.9).
                await self._database.write(lambda tx: client_documents.remove_document(tx, wanted.url))
            if not wanted.copied:
                raise
            _log.info("client document not fetched, copy used", url=wanted.url, reason=str(failed))

    async def _fetched(self, fetcher: Fetcher, wanted: _Wanted) -> ClientDocument:
        """Return the document as it is now. Raises ``FetchFailed``, also for one that is not valid."""
        stored = wanted.stored
        known = {} if stored is None or stored.etag is None else {"If-None-Match": stored.etag}
        answer = await fetcher.get(wanted.url, asker=wanted.asker, headers=_ACCEPT | known)
        now = self._now()
        fresh_until = Instant(now + http_cache.freshness(answer.headers) * SECOND)
        if answer.status == HTTPStatus.NOT_MODIFIED:
            if stored is None or not known:
                raise FetchFailed(Failure.ANSWER, "304 to a question without a condition")
            return replace(stored, fetched_at=now, fresh_until=fresh_until)
        body, etag = self._valid(wanted.url, answer), http_cache.etag(answer.headers)
        return ClientDocument(url=wanted.url, body=body, fetched_at=now, fresh_until=fresh_until, etag=etag)

    def _valid(self, url: ClientId, answer: Fetched) -> str:
        kind = _content_type(answer.headers)
        if _JSON.fullmatch(kind) is None:
            raise FetchFailed(Failure.ANSWER, f"content type {kind[:64]!r}")
        try:
            self._directory.read_document(url, answer.body)
            return answer.body.decode()
        except ValueError as wrong:
            raise FetchFailed(Failure.ANSWER, str(wrong)) from None


def account(signed_in: SignedIn | None, address: str) -> str:
    """Return on whose account something is fetched: who is signed in, or where the request comes from (F13)."""
    return address if signed_in is None else signed_in[1].id


def _again(failed: BaseException) -> BaseException:
    """Return what a waiting request is told: each an error of its own, for each writes its own log line."""
    if isinstance(failed, TooManyFetches):
        return Refused(
            faults.METADATA_DOCUMENT_BUSY, status=HTTPStatus.TOO_MANY_REQUESTS, reason=str(failed),
            headers={"Retry-After": "60"},
        )  # fmt: skip
    return (
        PageError(faults.METADATA_DOCUMENT_UNUSABLE, reason=failed.reason)
        if isinstance(failed, FetchFailed)
        else failed
    )


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "")


def _fits(client: Client, identified: Identified) -> bool:
    """Say whether the client has the redirect URI that is asked for."""
    public = client.auth_method is ClientAuthMethod.NONE
    asked = identified.redirect_uri
    return asked is None or redirect_uri.matches(client.redirect_uris, asked, any_loopback_port=public)

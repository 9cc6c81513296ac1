"""Fetched Client ID Metadata Documents, as they came: one cache for all nodes and restarts (CIMD -02 section 5.2).

Only valid documents are ever put here. The row says how long the document is fresh; what may be done with one that is
not is for the caller to decide.
"""

from dataclasses import dataclass
from typing import Final

from doorward.model import SECOND, ClientId, Instant
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import client_documents as table
from doorward.storage.statements import Statement, delete, select, upsert

KEPT: Final = 2 * 24 * 3600 * SECOND
"""A document that nobody asked for in so long is forgotten."""
MAX_DOCUMENTS: Final = 10_000
"""Of 5 KiB at most each: strangers can publish as many valid documents as they like."""

_BY_URL: Final = select(table, table.c.url)
_PUT: Final = upsert(table, [table.c.url], [column for column in table.columns if column.name != "url"])
_REMOVE: Final = delete(table, table.c.url)
_FORGET: Final = Statement(
    "DELETE FROM client_documents WHERE fetched_at < :before OR fetched_at <"
    " (SELECT fetched_at FROM client_documents ORDER BY fetched_at DESC LIMIT 1 OFFSET :most)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDocument:
    """A valid document. ``etag`` is what its server called this version, if it did."""

    url: ClientId
    body: str
    fetched_at: Instant
    fresh_until: Instant
    etag: str | None


def document_by_url(reader: Reader, url: ClientId) -> ClientDocument | None:
    """Return the document last fetched from exactly this URL, fresh or not."""
    row = reader.first(_BY_URL, {"url": url})
    if row is None:
        return None
    return ClientDocument(
        url=ClientId(row.url),
        body=row.body,
        fetched_at=Instant(row.fetched_at),
        fresh_until=Instant(row.fresh_until),
        etag=row.etag,
    )


def put_document(tx: Transaction, document: ClientDocument, *, most: int = MAX_DOCUMENTS) -> None:
    """Keep a document in place of an earlier one, and forget old ones: all but the newest ``most``."""
    tx.run(_PUT, records.columns(document))
    tx.run(_FORGET, {"before": document.fetched_at - KEPT, "most": most - 1})


def remove_document(tx: Transaction, url: ClientId) -> None:
    """Forget a document that is withdrawn or no longer valid (F10)."""
    tx.run(_REMOVE, {"url": url})

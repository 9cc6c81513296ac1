"""The shared cache of fetched metadata documents, in both dialects."""

from dataclasses import replace

import pytest

from doorward.model import ClientId, Instant
from doorward.storage import client_documents
from doorward.storage.client_documents import KEPT, ClientDocument
from doorward.storage.database import Database
from support.rows import NOW

pytestmark = pytest.mark.anyio

DOCUMENT = ClientDocument(
    url=ClientId("https://app.example/c.json"), body='{"ü": 1}', fetched_at=NOW, fresh_until=Instant(NOW + 300), etag=None
)  # fmt: skip


async def found(database: Database, url: str) -> ClientDocument | None:
    return await database.read(lambda reader: client_documents.document_by_url(reader, ClientId(url)))


async def test_F11_a_document_comes_back_for_exactly_its_url_and_is_replaced(database: Database) -> None:
    await database.write(lambda tx: client_documents.put_document(tx, DOCUMENT))
    assert await found(database, DOCUMENT.url) == DOCUMENT
    assert await found(database, DOCUMENT.url + "/") is None
    assert await found(database, DOCUMENT.url.upper()) is None
    newer = replace(DOCUMENT, body="{}", etag='"2"', fetched_at=Instant(NOW + 1))
    await database.write(lambda tx: client_documents.put_document(tx, newer))
    assert await found(database, DOCUMENT.url) == newer
    await database.write(lambda tx: client_documents.remove_document(tx, DOCUMENT.url))
    assert await found(database, DOCUMENT.url) is None


async def test_old_documents_and_more_than_the_most_are_forgotten(database: Database) -> None:
    documents = [
        replace(DOCUMENT, url=ClientId(f"https://app.example/{n}"), fetched_at=Instant(NOW + n)) for n in range(5)
    ]
    for each in documents:
        await database.write(lambda tx, each=each: client_documents.put_document(tx, each, most=3))  # type: ignore[misc]
    assert [await found(database, each.url) is not None for each in documents] == [False, False, True, True, True]
    later = replace(DOCUMENT, fetched_at=Instant(NOW + KEPT + 4))
    await database.write(lambda tx: client_documents.put_document(tx, later))
    assert [await found(database, each.url) is not None for each in documents] == [False] * 4 + [True]

"""Search: small enough to read every document the caller may see, so nothing else can leak from an index."""

from collections.abc import Iterable

from doorward.demo.harbour.views import Document, DocumentSummary, Hit

TITLE_WEIGHT = 5
EXCERPT = 200


def best(documents: Iterable[Document], query: str, limit: int) -> list[Hit]:
    """Return at most ``limit`` documents that hold every word of ``query``, the best first, each with one line."""
    words = query.casefold().split()
    scored = [(_score(document, words), document) for document in documents]
    found = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].title))
    return [_hit(document, words) for _, document in found[:limit]]


def _score(document: Document, words: list[str]) -> int:
    title, body = document.title.casefold(), document.body.casefold()
    counts = [title.count(word) * TITLE_WEIGHT + body.count(word) for word in words]
    return sum(counts) if all(counts) else 0


def _hit(document: Document, words: list[str]) -> Hit:
    lines = [line.strip() for line in document.body.splitlines() if line.strip()] or [document.title]
    line = max(lines, key=lambda text: sum(word in text.casefold() for word in words))
    summary = DocumentSummary.model_validate(document.model_dump(exclude={"body"}))
    return Hit(document=summary, excerpt=line[:EXCERPT])

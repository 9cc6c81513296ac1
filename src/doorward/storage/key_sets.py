"""Public keys that were fetched: one cache for all nodes and restarts.

Each set is kept under its ``source``, whose keys they are, so that equal key ids of two issuers never meet (security
J4): an issuer, or the one ``jwks_uri`` that a rule names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward.model import SECOND, Instant, TrustRule
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import key_sets as table
from doorward.storage.statements import Statement, delete, select, upsert

KEPT: Final = 2 * 24 * 3600 * SECOND
"""A set that nobody asked for in so long is forgotten."""
MAX_SETS: Final = 10_000
ISSUER: Final = "issuer "
URI: Final = "jwks_uri "

_BY_SOURCE: Final = select(table, table.c.source)
_PUT: Final = upsert(table, [table.c.source], [column for column in table.columns if column.name != "source"])
_REMOVE: Final = delete(table, table.c.source)
_FORGET: Final = Statement(
    "DELETE FROM key_sets WHERE fetched_at < :before OR fetched_at <"
    " (SELECT fetched_at FROM key_sets ORDER BY fetched_at DESC LIMIT 1 OFFSET :most)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The usable keys of one source."""

    source: str
    keys: tuple[Mapping[str, str], ...]
    fetched_at: Instant
    fresh_until: Instant


def source_of(rule: TrustRule) -> str | None:
    """Return where the keys of a rule's issuer come from; None where they stand in the rule."""
    if rule.jwks:
        return None
    return ISSUER + rule.issuer if rule.jwks_uri is None else URI + rule.jwks_uri


def keys_of(reader: Reader, rule: TrustRule) -> tuple[Mapping[str, str], ...]:
    """Return the keys of a rule's issuer, as far as they are known."""
    source = source_of(rule)
    found = None if source is None else key_set(reader, source)
    return rule.jwks if found is None else found.keys


def key_set(reader: Reader, source: str) -> KeySet | None:
    """Return what was last fetched from a source, fresh or not."""
    row = reader.first(_BY_SOURCE, {"source": source})
    if row is None:
        return None
    return KeySet(
        source=row.source,
        keys=records.keys(row.jwks),
        fetched_at=Instant(row.fetched_at),
        fresh_until=Instant(row.fresh_until),
    )


def put_key_set(tx: Transaction, fetched: KeySet, *, most: int = MAX_SETS) -> None:
    """Keep a set in place of an earlier one, and forget old ones: all but the newest ``most``."""
    times = {"fetched_at": fetched.fetched_at, "fresh_until": fetched.fresh_until}
    tx.run(_PUT, {"source": fetched.source, "jwks": records.key_list(fetched.keys), **times})
    tx.run(_FORGET, {"before": fetched.fetched_at - KEPT, "most": most - 1})


def remove_key_set(tx: Transaction, source: str) -> None:
    """Forget a set that is withdrawn or no longer valid."""
    tx.run(_REMOVE, {"source": source})

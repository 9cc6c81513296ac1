"""What the management API answered to requests that name themselves: claimed first, and the row count is the truth."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from doorward.model import Fingerprint, Instant
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import api_answers as table
from doorward.storage.statements import delete, insert_if_absent, select, update

_KEY: Final = (table.c.caller, table.c.route, table.c.name)
_CLAIM: Final = insert_if_absent(table, *_KEY)
_FIND: Final = select(table, *_KEY)
_KEEP: Final = update(table, [table.c.status, table.c.sealed], *_KEY, table.c.sealed.is_(None))
_FORGET: Final = delete(table, *_KEY, table.c.expires_at <= sa.bindparam("now", required=True))

Place = tuple[str, str, str]
"""Caller, route, and the fingerprint of the name that the request gave itself."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer. ``digest`` is the request's; ``sealed`` is None while it is being worked on."""

    digest: Fingerprint
    status: int
    sealed: str | None


def claim(tx: Transaction, place: Place, digest: Fingerprint, expires_at: Instant) -> bool:
    """Say whether this request is the first of its name; on PostgreSQL it waits for one that is being answered."""
    row = {**_named(place), "digest": digest, "status": 0, "sealed": None, "expires_at": expires_at}
    return tx.run(_CLAIM, row) == 1


def find(reader: Reader, place: Place) -> Kept | None:
    """Return what is kept."""
    row = reader.first(_FIND, _named(place))
    return None if row is None else Kept(Fingerprint(row.digest), row.status, row.sealed)


def keep(tx: Transaction, place: Place, kept: Kept) -> bool:
    """Write the answer to a request that was claimed before."""
    return tx.run(_KEEP, {**_named(place), "status": kept.status, "sealed": kept.sealed}) == 1


def forget(tx: Transaction, place: Place, now: Instant) -> bool:
    """Forget an answer that has outlived its time."""
    return tx.run(_FORGET, {**_named(place), "now": now}) == 1


def _named(place: Place) -> dict[str, str]:
    return dict(zip(("caller", "route", "name"), place, strict=True))

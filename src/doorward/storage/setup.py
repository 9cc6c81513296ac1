"""The first set-up of a deployment: the link that is good for it, once, while nobody has an account."""

from typing import Final

import sqlalchemy as sa

from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import meta, users
from doorward.storage.statements import Statement, delete, select, upsert

_NAME: Final = "setup"
_OPEN: Final = select(meta, meta.c.name)
_PUT: Final = upsert(meta, [meta.c.name], [meta.c.value])
_TAKE: Final = delete(meta, meta.c.name, meta.c.value)
_ANYBODY: Final = Statement(sa.select(users.c.id).limit(1))


def anybody(reader: Reader) -> bool:
    """Say whether there is an account, of whatever kind and status."""
    return reader.first(_ANYBODY) is not None


def open_setup(reader: Reader) -> str | None:
    """Return what is stored of the link."""
    row = reader.first(_OPEN, {"name": _NAME})
    return None if row is None else str(row.value)


def put_setup(tx: Transaction, value: str) -> None:
    """Store another one in its place."""
    tx.run(_PUT, {"name": _NAME, "value": value})


def take_setup(tx: Transaction, value: str) -> bool:
    """Let the link be used up. True for exactly one caller ever."""
    return tx.run(_TAKE, {"name": _NAME, "value": value}) == 1

"""Credentials for upstreams, each sealed by the vault: this module never sees one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward.model import Instant
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import upstream_secrets as table
from doorward.storage.statements import delete, select, upsert

_PUT: Final = upsert(table, [table.c.name], [table.c.sealed, table.c.changed_at])
_ALL: Final = select(table, order=[table.c.name])
_REMOVE: Final = delete(table, table.c.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSecret:
    """What may be shown of one."""

    name: str
    changed_at: Instant


def put_secret(tx: Transaction, name: str, sealed: str, now: Instant) -> None:
    """Keep a sealed value under a name, in place of an earlier one."""
    tx.run(_PUT, {"name": name, "sealed": sealed, "changed_at": now})


def remove_secret(tx: Transaction, name: str) -> bool:
    """Forget one; say whether it was there."""
    return tx.run(_REMOVE, {"name": name}) == 1


def secrets(reader: Reader) -> list[UpstreamSecret]:
    """Return all by name, without their values."""
    return [UpstreamSecret(name=row.name, changed_at=Instant(row.changed_at)) for row in reader.all(_ALL)]


def sealed_secrets(reader: Reader) -> Mapping[str, str]:
    """Return the sealed values by name."""
    return {row.name: row.sealed for row in reader.all(_ALL)}

"""What servers were last seen to say of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, ServerId, Sighting
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import server_sightings as table
from doorward.storage.statements import Row, Statement, insert_if_absent, select

_ADD: Final = insert_if_absent(table)
_OF_SERVER: Final = select(table, table.c.server_id)
_ALL: Final = select(table)
_CHANGE: Final = Statement(
    sa.update(table)
    .where(
        table.c.server_id == sa.bindparam("of_server"),
        table.c.name == sa.bindparam("was_name"),
        table.c.version == sa.bindparam("was_version"),
        table.c.revision == sa.bindparam("was_revision"),
        table.c.since == sa.bindparam("was_since"),
    )
    .values(
        name=sa.bindparam("new_name"), version=sa.bindparam("new_version"), revision=sa.bindparam("new_revision"),
        since=sa.bindparam("new_since"), before=sa.bindparam("new_before"),
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSeen:
    """``since`` is when it was first seen so; ``before`` is what it said before, in words; None where that is not known."""

    sighting: Sighting
    since: Instant
    before: str | None = None


def last_seen(reader: Reader, server_id: ServerId) -> LastSeen | None:
    """Return what a server was last seen to say."""
    row = reader.first(_OF_SERVER, {"server_id": server_id})
    return None if row is None else _last_seen(row)


def all_last_seen(reader: Reader) -> Mapping[ServerId, LastSeen]:
    """Return the same of every server that was seen."""
    return {ServerId(row.server_id): _last_seen(row) for row in reader.all(_ALL)}


def add_sighting(tx: Transaction, server_id: ServerId, sighting: Sighting, now: Instant) -> bool:
    """Store the first one. False where there was one already."""
    said = {"name": sighting.name, "version": sighting.version, "revision": sighting.revision}
    return tx.run(_ADD, {"server_id": server_id, **said, "since": now, "before": None}) == 1


def change_sighting(tx: Transaction, server_id: ServerId, was: LastSeen, new: LastSeen) -> bool:
    """Store ``new`` in place of ``was``. True for exactly one caller."""
    return (
        tx.run(
            _CHANGE,
            {
                "of_server": server_id,
                "was_name": was.sighting.name,
                "was_version": was.sighting.version,
                "was_revision": was.sighting.revision,
                "was_since": was.since,
                "new_name": new.sighting.name,
                "new_version": new.sighting.version,
                "new_revision": new.sighting.revision,
                "new_since": new.since,
                "new_before": new.before,
            },
        )
        == 1
    )


def _last_seen(row: Row) -> LastSeen:
    sighting = Sighting(name=row.name, version=row.version, revision=row.revision)
    return LastSeen(sighting=sighting, since=Instant(row.since), before=row.before)

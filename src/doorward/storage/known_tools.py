"""The versions of tools that servers were seen to offer, and what was said of each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from doorward.model import Instant, ServerId, ToolState
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import known_tools as table
from doorward.storage.statements import Statement, insert_if_absent, select

_ADD: Final = insert_if_absent(table)
_OF_SERVER: Final = select(table, table.c.server_id, order=[table.c.name, table.c.first_seen, table.c.digest])
_REVIEW: Final = Statement(
    sa.update(table)
    .where(
        table.c.server_id == sa.bindparam("of_server"),
        table.c.name == sa.bindparam("of_name"),
        table.c.digest == sa.bindparam("of_digest"),
    )
    .values(state=sa.bindparam("new_state"), reviewed_by=sa.bindparam("by_whom"), reviewed_at=sa.bindparam("at_time"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTool:
    """One version of a tool. ``annotations`` are as its author wrote them."""

    server_id: ServerId
    name: str
    digest: str
    first_seen: Instant
    annotations: Mapping[str, Any]
    state: ToolState
    reviewed_by: str | None = None
    reviewed_at: Instant | None = None
    definition: Mapping[str, Any] | None = None
    """Title, description, schemas and annotations; None where they are too long to be kept."""


def add_known(tx: Transaction, tool: KnownTool) -> bool:
    """Remember a version. False where it was remembered already."""
    return (
        tx.run(
            _ADD,
            {
                "server_id": tool.server_id,
                "name": tool.name,
                "digest": tool.digest,
                "first_seen": tool.first_seen,
                "annotations": json.dumps(tool.annotations),
                "definition": None if tool.definition is None else json.dumps(tool.definition),
                "state": tool.state.value,
                "reviewed_by": None,
                "reviewed_at": None,
            },
        )
        == 1
    )


def known_of_server(reader: Reader, server_id: ServerId) -> list[KnownTool]:
    """Return every version by name, the oldest first."""
    return [
        KnownTool(
            server_id=ServerId(row.server_id),
            name=row.name,
            digest=row.digest,
            first_seen=Instant(row.first_seen),
            annotations=json.loads(row.annotations),
            state=ToolState(row.state),
            reviewed_by=row.reviewed_by,
            reviewed_at=None if row.reviewed_at is None else Instant(row.reviewed_at),
            definition=None if row.definition is None else json.loads(row.definition),
        )
        for row in reader.all(_OF_SERVER, {"server_id": server_id})
    ]


def set_state(tx: Transaction, tool: KnownTool, state: ToolState, by: str, now: Instant) -> bool:
    """Say something of a version. False where it is not known."""
    named = {"of_server": tool.server_id, "of_name": tool.name, "of_digest": tool.digest}
    return tx.run(_REVIEW, {**named, "new_state": state.value, "by_whom": by, "at_time": now}) == 1

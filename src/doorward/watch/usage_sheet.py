"""Use as a table: a row for each hour, server, tool, client, person and credential."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

from doorward import audit
from doorward.model import SECOND, Cause, Instant, UserId
from doorward.storage import accounts, usage_reads
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.statements import Row
from doorward.storage.usage import HOUR, counts_of
from doorward.storage.usage_reads import Sides
from doorward.watch import sheet
from doorward.watch.names import Names
from doorward.watch.usage import Wanted

HEAD: Final = (
    "hour (UTC)", "server", "tool", "client", "client id", "person", "address", "credential", "credential id",
    "credential name", "calls", "denied", "failed", "p50 ms at most", "p95 ms at most",
)  # fmt: skip
Place = tuple[object, ...] | None
"""Where the next part begins; None: at the beginning."""


def exported(
    tx: Transaction, wanted: Wanted, *, actor_id: UserId | None, by: str, now: Instant, cause: Cause | None
) -> None:
    """Note that somebody takes the table away. ``actor_id`` None: who runs the deployment."""
    only, tenant = wanted.only, accounts.tenant_by_id(tx, wanted.tenant_id)
    said = {
        "days": str(wanted.days), "by": by, "user": only.user_id, "client": only.client_id, "key": only.key_id,
        "tool": only.tool,
    }  # fmt: skip
    audit.record(
        tx, name="usage:exported", at=now, tenant_id=wanted.tenant_id, actor_id=actor_id,
        subject=wanted.tenant_id if tenant is None else tenant.slug,
        detail={name: value for name, value in said.items() if value}, cause=cause,
    )  # fmt: skip


async def parts(database: Database, sides: Sides) -> AsyncIterator[str]:
    """Yield the table piece by piece: as much is in memory as one piece holds."""
    after: Place = None
    more = True
    while more:
        place = after
        text, after, more = await database.read_long(lambda reader: part(reader, sides, place))  # noqa: B023
        yield text


def part(reader: Reader, sides: Sides, after: Place) -> tuple[str, Place, bool]:
    """Return the next rows as CSV, where to go on, and whether there is more. The first part begins with ``HEAD``."""
    rows = usage_reads.hours(reader, sides, after)
    names = Names(reader, sides.tenant_id)
    head: Sequence[Sequence[object]] = [HEAD] if after is None else []
    text = sheet.lines([*head, *(_cells(row, names) for row in rows)])
    return text, usage_reads.key_of(rows[-1]) if rows else after, len(rows) == usage_reads.PAGE


def _cells(row: Row, names: Names) -> Sequence[object]:
    counts, person = counts_of(row), names.user(row.user_id)
    client = names.client(row.client_id).label if row.client_id else ""
    hour = datetime.fromtimestamp(row.hour * HOUR / SECOND, tz=UTC).strftime("%Y-%m-%dT%H:00Z")
    return (
        hour, names.server(row.server_id), row.tool, client, row.client_id, person.label, person.detail, row.credential,
        row.credential_id, names.credential(row.credential, row.credential_id).label, counts.calls, counts.denied,
        counts.failed, counts.below(0.5), counts.below(0.95),
    )  # fmt: skip

"""The queue of mail. Who counts an attempt first has the row until its lease ends: no two nodes send one mail."""

from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, OutgoingMail
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import outgoing_mail as queue
from doorward.storage.statements import Row, Statement, delete, insert, update

_INSERT: Final = insert(queue)
_DUE: Final = Statement(
    sa.select(queue)
    .where(queue.c.next_try_at <= sa.bindparam("now", required=True))
    .order_by(queue.c.next_try_at, queue.c.id)
    .limit(sa.bindparam("most", required=True))
)
_AS_SEEN: Final = (queue.c.id, queue.c.attempts == sa.bindparam("seen", required=True))
_CLAIM: Final = update(queue, [queue.c.attempts, queue.c.next_try_at], *_AS_SEEN)
_LATER: Final = update(queue, [queue.c.next_try_at], *_AS_SEEN)
_REMOVE: Final = delete(queue, *_AS_SEEN)


def insert_mail(tx: Transaction, mail: OutgoingMail) -> None:
    """Put a mail into the queue."""
    tx.run(_INSERT, records.columns(mail))


def due_mail(reader: Reader, now: Instant, *, most: int) -> list[OutgoingMail]:
    """Return what may be tried now, what waits longest first."""
    return [_mail(row) for row in reader.all(_DUE, {"now": now, "most": most})]


def claim_mail(tx: Transaction, mail: OutgoingMail, *, until: Instant) -> bool:
    """Count an attempt and keep the row from everybody else ``until`` then. True for one caller per attempt."""
    bound = {"id": mail.id, "seen": mail.attempts, "attempts": mail.attempts + 1, "next_try_at": until}
    return tx.run(_CLAIM, bound) == 1


def try_mail_later(tx: Transaction, mail: OutgoingMail, at: Instant) -> bool:
    """Give back a row that was claimed, to be tried ``at`` some time. False where somebody else has it by now."""
    return tx.run(_LATER, {"id": mail.id, "seen": mail.attempts, "next_try_at": at}) == 1


def remove_mail(tx: Transaction, mail: OutgoingMail) -> bool:
    """Take a row that was claimed out of the queue. False where somebody else has it by now."""
    return tx.run(_REMOVE, {"id": mail.id, "seen": mail.attempts}) == 1


def _mail(row: Row) -> OutgoingMail:
    return OutgoingMail(
        id=row.id,
        kind=row.kind,
        recipient=row.recipient,
        sealed=row.sealed,
        tenant_id=row.tenant_id,
        created_at=Instant(row.created_at),
        useless_at=Instant(row.useless_at),
        next_try_at=Instant(row.next_try_at),
        attempts=row.attempts,
    )

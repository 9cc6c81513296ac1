"""What people have to be told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import notices
from doorward.storage.statements import Row, Statement, insert_if_absent, update

_INSERT: Final = insert_if_absent(notices)
_WAITING: Final = Statement(
    sa.select(notices)
    .where(notices.c.user_id == sa.bindparam("user_id", required=True), notices.c.dismissed_at.is_(None))
    .order_by(notices.c.at, notices.c.id)
)
_DISMISS: Final = update(
    notices, [notices.c.dismissed_at], notices.c.id, notices.c.user_id, notices.c.dismissed_at.is_(None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell one person. ``detail`` fills the words that go with ``kind``; it holds no secret."""

    id: str
    user_id: UserId
    kind: str
    detail: Mapping[str, str]
    at: Instant
    dismissed_at: Instant | None = None


def insert_notice(tx: Transaction, notice: Notice) -> bool:
    """Add it. False, and nothing changed, where it is there: it is told once."""
    return tx.run(_INSERT, {**records.columns(notice), "detail": records.mapped(notice.detail)}) == 1


def waiting_notices(reader: Reader, user_id: UserId) -> list[Notice]:
    """Return what the person has not dismissed, oldest first."""
    return [_notice(row) for row in reader.all(_WAITING, {"user_id": user_id})]


def dismiss_notice(tx: Transaction, user_id: UserId, notice_id: str, now: Instant) -> bool:
    """Note that the person has read it. False where it is not theirs, or was dismissed before."""
    return tx.run(_DISMISS, {"id": notice_id, "user_id": user_id, "dismissed_at": now}) == 1


def _notice(row: Row) -> Notice:
    return Notice(
        id=row.id,
        user_id=UserId(row.user_id),
        kind=row.kind,
        detail=records.mapping(row.detail),
        at=Instant(row.at),
        dismissed_at=row.dismissed_at,
    )

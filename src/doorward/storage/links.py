"""Links that went by mail, and how many somebody caused. Each link acts once: the row count is the truth (H8, N7)."""

from typing import Final

import sqlalchemy as sa

from doorward.model import Fingerprint, Instant, Link, LinkKind, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import links, mail_budgets
from doorward.storage.statements import Row, Statement, insert, insert_if_absent, select, update

_INSERT: Final = insert(links)
_BY_FINGERPRINT: Final = select(links, links.c.fingerprint)
_STILL_OPEN: Final = (links.c.used_at.is_(None), links.c.ended_at.is_(None))
_USE: Final = update(
    links, [links.c.used_at], links.c.id, *_STILL_OPEN, links.c.expires_at > sa.bindparam("now", required=True)
)
_END_OF_USER: Final = update(links, [links.c.ended_at], links.c.user_id, links.c.kind, *_STILL_OPEN)
_END_ABOUT: Final = update(links, [links.c.ended_at], links.c.subject, links.c.kind, *_STILL_OPEN)

_OPEN_BUDGET: Final = insert_if_absent(mail_budgets)
_SPENT: Final = select(mail_budgets, mail_budgets.c.name, mail_budgets.c.until)
_SPEND: Final = Statement(
    sa.update(mail_budgets)
    .where(
        mail_budgets.c.name == sa.bindparam("its_name", required=True),
        mail_budgets.c.until == sa.bindparam("its_end", required=True),
        mail_budgets.c.spent < sa.bindparam("most", required=True),
    )
    .values(spent=mail_budgets.c.spent + 1)
)


def insert_link(tx: Transaction, link: Link) -> None:
    """Add a link."""
    tx.run(_INSERT, records.columns(link))


def link_by_fingerprint(reader: Reader, fingerprint: Fingerprint) -> Link | None:
    """Return the link in whatever state."""
    row = reader.first(_BY_FINGERPRINT, {"fingerprint": fingerprint})
    return None if row is None else _link(row)


def use_link(tx: Transaction, link_id: str, now: Instant) -> bool:
    """Mark it used. True for exactly one caller ever, in time, and while nothing took its place."""
    return tx.run(_USE, {"id": link_id, "used_at": now, "now": now}) == 1


def end_links_of_user(tx: Transaction, user_id: UserId, kind: LinkKind, now: Instant) -> int:
    """End all of one kind that are about this account; return how many."""
    return tx.run(_END_OF_USER, {"user_id": user_id, "kind": kind, "ended_at": now})


def end_links_about(tx: Transaction, subject: str, kind: LinkKind, now: Instant) -> int:
    """End all of one kind that are about ``subject``; return how many."""
    return tx.run(_END_ABOUT, {"subject": subject, "kind": kind, "ended_at": now})


def spent(reader: Reader, name: Fingerprint, until: Instant) -> int:
    """Return how many mails ``name`` caused in the hour that ends at ``until``."""
    row = reader.first(_SPENT, {"name": name, "until": until})
    return 0 if row is None else int(row.spent)


def spend(tx: Transaction, name: Fingerprint, until: Instant, *, most: int) -> bool:
    """Count one for ``name``; False, and nothing counted, where there were ``most``."""
    tx.run(_OPEN_BUDGET, {"name": name, "until": until, "spent": 0})
    return tx.run(_SPEND, {"its_name": name, "its_end": until, "most": most}) == 1


def _link(row: Row) -> Link:
    return Link(
        id=row.id,
        kind=LinkKind(row.kind),
        fingerprint=Fingerprint(row.fingerprint),
        user_id=row.user_id,
        email=row.email,
        subject=row.subject,
        browser=row.browser,
        target=row.target,
        asked_from=row.asked_from,
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        used_at=row.used_at,
        ended_at=row.ended_at,
    )

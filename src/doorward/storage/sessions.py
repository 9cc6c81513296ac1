"""Browser sessions."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from doorward.model import Fingerprint, Instant, Session, SessionId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import sessions
from doorward.storage.statements import Row, Statement, insert, update

_INSERT_SESSION: Final = insert(sessions)
_SESSION: Final = Statement(
    sa.select(sessions).where(
        sessions.c.fingerprint == sa.bindparam("fingerprint"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > sa.bindparam("now"),
        sessions.c.idle_until > sa.bindparam("now"),
    )
)
_SESSIONS_OF_USER: Final = Statement(
    sa.select(sessions)
    .where(
        sessions.c.user_id == sa.bindparam("user_id"),
        sessions.c.ended_at.is_(None),
        sessions.c.expires_at > sa.bindparam("now"),
        sessions.c.idle_until > sa.bindparam("now"),
    )
    .order_by(sessions.c.last_used_at.desc(), sessions.c.id)
)
# Only forward: uses arrive in batches from several nodes, in any order. What has ended stays so.
_TOUCH_SESSION: Final = Statement(
    "UPDATE sessions SET last_used_at = :at, idle_until = :until WHERE id = :id AND last_used_at < :at"
)
_CONFIRM_SESSION: Final = update(sessions, [sessions.c.authenticated_at], sessions.c.id, sessions.c.ended_at.is_(None))
_RENEW_SESSION: Final = Statement(
    "UPDATE sessions SET fingerprint = :new WHERE id = :id AND fingerprint = :old AND ended_at IS NULL"
)
_END_SESSION: Final = update(sessions, [sessions.c.ended_at], sessions.c.id, sessions.c.ended_at.is_(None))
_END_SESSIONS: Final = update(sessions, [sessions.c.ended_at], sessions.c.user_id, sessions.c.ended_at.is_(None))
_END_SESSIONS_BY: Final = update(
    sessions, [sessions.c.ended_at], sessions.c.user_id, sessions.c.means, sessions.c.ended_at.is_(None)
)


def insert_session(tx: Transaction, session: Session) -> None:
    """Add a browser session."""
    tx.run(_INSERT_SESSION, {**records.columns(session), "ended_at": None})


def session_by_fingerprint(reader: Reader, fingerprint: Fingerprint, now: Instant) -> Session | None:
    """Return the session if it has not ended and not expired."""
    row = reader.first(_SESSION, {"fingerprint": fingerprint, "now": now})
    return None if row is None else _session(row)


def sessions_of_user(reader: Reader, user_id: UserId, now: Instant) -> list[Session]:
    """Return the live sessions of a user, the one used last first."""
    return [_session(row) for row in reader.all(_SESSIONS_OF_USER, {"user_id": user_id, "now": now})]


def touch_sessions(tx: Transaction, uses: Sequence[tuple[SessionId, Instant, Instant]]) -> None:
    """Remember when sessions were last used, and until when they live without another use: (id, at, until)."""
    tx.run(_TOUCH_SESSION, [{"id": name, "at": at, "until": until} for name, at, until in uses])


def confirm_session(tx: Transaction, session_id: SessionId, now: Instant) -> bool:
    """Remember that its person has proven again who they are. False where the session has ended."""
    return tx.run(_CONFIRM_SESSION, {"id": session_id, "authenticated_at": now}) == 1


def renew_session(tx: Transaction, session: Session, fingerprint: Fingerprint) -> bool:
    """Have the session be known by another cookie from now on. False where it has ended, or has another by now."""
    return tx.run(_RENEW_SESSION, {"id": session.id, "old": session.fingerprint, "new": fingerprint}) == 1


def end_session(tx: Transaction, session_id: SessionId, now: Instant) -> bool:
    """End a session. False where it had ended before."""
    return tx.run(_END_SESSION, {"id": session_id, "ended_at": now}) == 1


def end_sessions_of_user(tx: Transaction, user_id: UserId, now: Instant) -> int:
    """End all sessions of a user and return how many there were."""
    return tx.run(_END_SESSIONS, {"user_id": user_id, "ended_at": now})


def end_sessions_by(tx: Transaction, user_id: UserId, means: str, now: Instant) -> int:
    """End all sessions of a user that began by these means and return how many there were."""
    return tx.run(_END_SESSIONS_BY, {"user_id": user_id, "means": means, "ended_at": now})


def _session(row: Row) -> Session:
    return Session(
        id=SessionId(row.id),
        fingerprint=Fingerprint(row.fingerprint),
        user_id=UserId(row.user_id),
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        authenticated_at=Instant(row.authenticated_at),
        means=row.means,
        agent=row.agent,
        address=row.address,
        last_used_at=Instant(row.last_used_at),
        idle_until=Instant(row.idle_until),
    )

"""Browser sessions: begun at sign-in, known again by the fingerprint of their cookie, ended for good."""

from dataclasses import dataclass
from typing import Final

from doorward.accounts import ways_in
from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint, well_formed
from doorward.model import SECOND, Cause, Entropy, Instant, OwnerKind, Session, SessionId, Status, User
from doorward.storage import accounts
from doorward.storage import sessions as stored_sessions
from doorward.storage.database import Database, Reader, Transaction

_ID_BYTES: Final = 12
TOUCHED_AFTER: Final = 60 * SECOND
"""A session that was used since is not written again: what is shown and what ends it is as exact as this."""
MAX_WAITING: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """Of sessions, in seconds (case H22)."""

    absolute: int = 14 * 86_400
    idle: int = 4 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What is known of the browser that somebody signs in with. ``address`` as ``Requester`` says it."""

    old_cookie: str | None = None
    agent: str = ""
    address: str = ""
    cause: Cause | None


def start_session(  # noqa: PLR0913  (a session has that many sides)
    tx: Transaction,
    user: User,
    *,
    means: str,
    came: Came,
    authenticated_at: Instant | None = None,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    lifetimes: Lifetimes,
) -> tuple[Session, str]:
    """Begin a session for somebody who has proven who they are, now or ``authenticated_at``: for ``Entering.begin``.

    Returns it and the text of its cookie, which is always new: one that the browser brought is never taken (H1).
    """
    text = mint(SecretKind.SESSION, entropy)
    session = Session(
        id=SessionId(f"ses_{base64url(entropy(_ID_BYTES))}"),
        fingerprint=fingerprinter.of(text),
        user_id=user.id,
        created_at=now,
        expires_at=Instant(now + lifetimes.absolute * SECOND),
        authenticated_at=now if authenticated_at is None else authenticated_at,
        means=means,
        agent=came.agent,
        address=came.address,
        last_used_at=now,
        idle_until=Instant(now + lifetimes.idle * SECOND),
    )
    stored_sessions.insert_session(tx, session)
    return session, text


def session_user(
    reader: Reader, cookie_text: str | None, *, fingerprinter: Fingerprinter, now: Instant
) -> tuple[Session, User] | None:
    """Return the live session that a cookie stands for, and its user; None where either may not be used (any more)."""
    if cookie_text is None or not well_formed(cookie_text, SecretKind.SESSION):
        return None
    session = stored_sessions.session_by_fingerprint(reader, fingerprinter.of(cookie_text), now)
    user = None if session is None else accounts.user_by_id(reader, session.user_id)
    if session is None or user is None or not may_sign_in(user):
        return None
    return (session, user) if ways_in.why_not(reader, user, session.means) is None else None


def renew_session(tx: Transaction, session: Session, *, entropy: Entropy, fingerprinter: Fingerprinter) -> str | None:
    """Give a live session another cookie and return its text; None where it has ended, or was given one meanwhile.

    Its rights have grown by a new proof: what somebody saw of the old cookie before is worth nothing now (ASVS 7.2.4).
    """
    text = mint(SecretKind.SESSION, entropy)
    return text if stored_sessions.renew_session(tx, session, fingerprinter.of(text)) else None


def end_session(
    tx: Transaction, cookie_text: str | None, *, fingerprinter: Fingerprinter, now: Instant
) -> Session | None:
    """End the session of a cookie and return it; None where there was none."""
    if cookie_text is None or not well_formed(cookie_text, SecretKind.SESSION):
        return None
    session = stored_sessions.session_by_fingerprint(tx, fingerprinter.of(cookie_text), now)
    return session if session is not None and stored_sessions.end_session(tx, session.id, now) else None


def may_sign_in(user: User) -> bool:
    """Say whether this user may be in a browser at all: the one rule for every way in (case H5)."""
    return user.status is Status.ACTIVE and user.kind is OwnerKind.PERSON


def is_recent(session: Session, now: Instant, *, seconds: int) -> bool:
    """Say whether its person proved who they are so lately that they may change what guards the account (case H23)."""
    return session.authenticated_at <= now < session.authenticated_at + seconds * SECOND


class SessionUses:
    """When each session was last used, written in batches: what is idle for too long ends (case H22)."""

    def __init__(self, database: Database, *, idle: int) -> None:
        self._database = database
        self._idle = idle * SECOND
        self._waiting: dict[SessionId, Instant] = {}

    def used(self, session: Session, now: Instant) -> None:
        """Remember one use; never blocks, never raises."""
        fresh = session.last_used_at + min(TOUCHED_AFTER, self._idle // 4)
        if now >= fresh and (session.id in self._waiting or len(self._waiting) < MAX_WAITING):
            self._waiting[session.id] = now

    async def flush(self) -> None:
        """Write what waits. Raises ``StorageUnavailable``, keeping it."""
        waiting = dict(self._waiting)
        if not waiting:
            return
        uses = [(name, at, Instant(at + self._idle)) for name, at in sorted(waiting.items())]
        await self._database.write(lambda tx: stored_sessions.touch_sessions(tx, uses))
        for name, at in waiting.items():
            if self._waiting.get(name) == at:
                del self._waiting[name]

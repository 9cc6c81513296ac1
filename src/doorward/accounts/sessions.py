"""Browser sessions: begun at sign-in, known again by the fingerprint of their cookie, ended for good."""

from typing import Final

from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint, well_formed
from doorward.model import SECOND, Entropy, Instant, OwnerKind, Session, SessionId, Status, User
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction

LIFETIME: Final = 14 * 86_400
"""Seconds."""
_ID_BYTES: Final = 12


def start_session(
    tx: Transaction,
    user: User,
    *,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    lifetime: int = LIFETIME,
) -> tuple[Session, str]:
    """Begin a session of ``lifetime`` seconds for somebody who has just proven who they are.

    Returns it and the text of its cookie, which is always new: one that the browser brought is never taken (H1).
    """
    text = mint(SecretKind.SESSION, entropy)
    session = Session(
        id=SessionId(f"ses_{base64url(entropy(_ID_BYTES))}"),
        fingerprint=fingerprinter.of(text),
        user_id=user.id,
        created_at=now,
        expires_at=Instant(now + lifetime * SECOND),
        authenticated_at=now,
    )
    accounts.insert_session(tx, session)
    return session, text


def session_user(
    reader: Reader, cookie_text: str | None, *, fingerprinter: Fingerprinter, now: Instant
) -> tuple[Session, User] | None:
    """Return the live session that a cookie stands for, and its user; None where either may not be used (any more)."""
    if cookie_text is None or not well_formed(cookie_text, SecretKind.SESSION):
        return None
    session = accounts.session_by_fingerprint(reader, fingerprinter.of(cookie_text), now)
    user = None if session is None else accounts.user_by_id(reader, session.user_id)
    return None if session is None or user is None or not may_sign_in(user) else (session, user)


def end_session(
    tx: Transaction, cookie_text: str | None, *, fingerprinter: Fingerprinter, now: Instant
) -> Session | None:
    """End the session of a cookie and return it; None where there was none."""
    if cookie_text is None or not well_formed(cookie_text, SecretKind.SESSION):
        return None
    session = accounts.session_by_fingerprint(tx, fingerprinter.of(cookie_text), now)
    return session if session is not None and accounts.end_session(tx, session.id, now) else None


def may_sign_in(user: User) -> bool:
    """Say whether this user may be in a browser at all: the one rule for every way in (case H5)."""
    return user.status is Status.ACTIVE and user.kind is OwnerKind.PERSON

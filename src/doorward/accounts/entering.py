"""The one way in: whoever has proven who they are, by whatever means, gets their session here and nowhere else.

So that whoever may not be in a browser gets none by any means (case H5), a session the browser brought is never taken
over (H1), and the audit log tells of every one how it began.
"""

from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.accounts import sessions, ways_in
from doorward.accounts.sessions import Came, Lifetimes
from doorward.credentials.secret import Fingerprinter
from doorward.model import Entropy, Instant, Session, User, UserId
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction

PASSWORD: Final = "password"  # noqa: S105  (the name of a means)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session has begun."""

    user: User
    session: Session
    cookie_text: str


class Entering:
    """Begins sessions."""

    def __init__(
        self,
        *,
        fingerprinter: Fingerprinter,
        entropy: Entropy,
        lifetimes: Lifetimes,
    ) -> None:
        self._fingerprinter = fingerprinter
        self._entropy = entropy
        self._lifetimes = lifetimes

    def begin(
        self, tx: Transaction, user_id: UserId, came: Came, *, means: str, now: Instant,
        authenticated_at: Instant | None = None,
    ) -> SignedIn | None:  # fmt: skip
        """Begin a session for somebody who has proven who they are, by ``means``; None where they may not sign in so.

        ``means`` is a word for the way, or ``ways_in.through`` a provider, which may say that the proof was given before
        ``now``.

        The person's row is held: who is deactivated at this moment has no session afterwards. The caller has looked in
        this transaction that the proof still holds.
        """
        user = accounts.held_user(tx, user_id)
        if user is None:
            return None
        why = self.why_not(tx, user, means)
        if why is not None:
            refuse(tx, user, why, came, now=now)
            return None
        sessions.end_session(tx, came.old_cookie, fingerprinter=self._fingerprinter, now=now)
        session, text = sessions.start_session(
            tx, user, means=means, came=came, authenticated_at=authenticated_at, now=now, entropy=self._entropy,
            fingerprinter=self._fingerprinter, lifetimes=self._lifetimes,
        )  # fmt: skip
        ways_in.record_broken_glass(tx, session, user, now=now, cause=came.cause)
        audit.record(
            tx, name="session:started", at=now, actor_id=user.id, subject=session.id,
            detail={"means": means, "address": came.address}, cause=came.cause,
        )  # fmt: skip
        return SignedIn(user, session, text)

    @staticmethod
    def why_not(reader: Reader, user: User, means: str) -> str | None:
        """Return why this person gets no session by these means, for the log; None where they may."""
        return ways_in.why_not(reader, user, means) if sessions.may_sign_in(user) else "not allowed to sign in"


def refuse(tx: Transaction, user: User | None, why: str, came: Came, *, now: Instant) -> None:
    """Write that a sign-in was refused. Not what was typed: people type passwords into the wrong field."""
    audit.record(
        tx, name="session:refused", at=now, subject="unknown" if user is None else user.id,
        detail={"why": why, "address": came.address}, cause=came.cause,
    )  # fmt: skip

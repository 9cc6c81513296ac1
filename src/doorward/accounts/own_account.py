"""What people change of their own account: the password, and where they are signed in (feature E2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from doorward import audit
from doorward.accounts import links
from doorward.accounts.holdings import KINDS, Leaving
from doorward.model import Cause, Instant, Session, SessionId, User
from doorward.storage import accounts, leaving, sessions
from doorward.storage.database import Reader, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How much ends beside the session that is acting. ``apps``: every connection and API key as well."""

    session: Session
    here_too: bool = False
    apps: bool = False
    cause: Cause | None


def change_password(
    tx: Transaction, user: User, *, expected: str | None, new: str, ending: Ending, now: Instant
) -> bool:
    """Store a new hash where ``expected`` is still the stored one. All other sessions and mailed links end (H14, H22).

    False, and nothing changed, where somebody changed the password meanwhile.
    """
    leaving.lock_user(tx, user.id)
    if not accounts.replace_password_hash(tx, user.id, expected=expected, new=new):
        return False
    audit.record(
        tx, name="password:changed", at=now, actor_id=user.id, subject=user.id, cause=ending.cause
    )  # fmt: skip
    # Not those that undo a change of address: a thief who changes both must not end the owner's way back.
    links.end_all(tx, user.id, now)
    sign_out(tx, user, ending, now=now)
    return True


def sign_out(tx: Transaction, user: User, ending: Ending, *, now: Instant) -> int:
    """End this person's sessions, and return how many. What apps and keys hold goes on unless it is to end, too (B2)."""
    wanted = [
        each.id
        for each in sessions.sessions_of_user(tx, user.id, now)
        if ending.here_too or each.id != ending.session.id
    ]
    for name in wanted:
        end_one(tx, user, name, cause=ending.cause, now=now)
    if ending.apps:
        gone = Leaving(user_id=user.id, tenant_id=None, now=now, reason="user:signed_out_everywhere")
        ended = {kind.name: kind.end(tx, gone) for kind in KINDS if kind.carried_by_programs}
        _tell_of_programs(tx, user, ended, cause=ending.cause, now=now)
    return len(wanted)


def end_one(tx: Transaction, user: User, session_id: SessionId, *, cause: Cause | None, now: Instant) -> bool:
    """End one session of this person. False where it had ended, or is none of theirs."""
    if session_id not in {each.id for each in sessions.sessions_of_user(tx, user.id, now)}:
        return False
    if not sessions.end_session(tx, session_id, now):
        return False
    audit.record(tx, name="session:ended", at=now, actor_id=user.id, subject=session_id, cause=cause)
    return True


def has_password(reader: Reader, user: User) -> bool:
    """Say whether there is a password to ask for."""
    return accounts.password_hash(reader, user.id) is not None


def _tell_of_programs(
    tx: Transaction, user: User, ended: dict[str, Sequence[str]], *, cause: Cause | None, now: Instant
) -> None:
    for name, event in (("api_keys", "api_key:revoked"), ("connections", "connection:revoked")):
        for each in ended.get(name, ()):
            audit.record(tx, name=event, at=now, actor_id=user.id, subject=each, cause=cause)

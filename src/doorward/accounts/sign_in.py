"""Signing in with e-mail and password.

Read, verify beside the loop, then write on condition that what was read still holds: a password that was changed, or a
user who was disabled while we hashed, gets no session.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from doorward.accounts import sessions, throttle, ways_in
from doorward.accounts.entering import PASSWORD, Entering, SignedIn, refuse
from doorward.accounts.passwords import MAX_BYTES, Busy, PasswordPool
from doorward.accounts.sessions import Came
from doorward.credentials.secret import Fingerprinter
from doorward.model import IdentityProvider, Instant, User
from doorward.storage import accounts
from doorward.storage.database import Database, Reader, Transaction

_EMAIL: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a person typed, and what their browser brought."""

    email: str
    password: str
    known_device: bool = False
    came: Came


@dataclass(frozen=True, slots=True)
class Mismatch:
    """No such person, another password, or somebody who may not sign in: never said which."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Whoever has this address comes through ``provider``: said whatever the password was, and whoever has it (H6)."""

    provider: IdentityProvider


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many failures; wait."""

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proven:
    """Whose password fitted, against which hash; the hash to store instead, if any; the counter to clear."""

    user: User
    stored: str
    better: str | None
    counter: str


class SignIn:
    """The use case, with what it needs."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: PasswordPool,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        entering: Entering,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._fingerprinter = fingerprinter
        self._now = now
        self._entering = entering

    async def try_password(self, attempt: Attempt) -> SignedIn | Mismatch | Elsewhere | Throttled:
        """Check what was typed and begin a session where it fits. Raises ``Busy``, ``StorageUnavailable``."""
        email = normal_email(attempt.email)
        if email is None or len(attempt.password.encode("utf-8", "replace")) > MAX_BYTES:
            return Mismatch()
        outcome = await self._try(attempt, email)
        if not isinstance(outcome, Mismatch):
            return outcome
        provider = await self._database.read(lambda reader: ways_in.provider_of(reader, email))
        return outcome if provider is None else Elsewhere(provider)

    async def _try(self, attempt: Attempt, email: str) -> SignedIn | Mismatch | Throttled:
        stranger = not attempt.known_device
        if self._passwords.full(stranger=stranger):
            raise Busy
        # A keyed hash, for the same reason as in `_refuse`.
        name = self._fingerprinter.of(throttle.counter(email, known_device=attempt.known_device))
        now = self._now()
        wait = await self._database.write(lambda tx: throttle.admit(tx, name, now))
        if wait:
            return Throttled(wait)
        user, stored = await self._database.read(partial(_credentials, email=email))
        try:
            fits = await self._passwords.verify(stored, attempt.password, stranger=stranger)
        except Busy:
            # Who floods the queue must not make everybody else's tries count as failed.
            await self._database.write(lambda tx: throttle.not_tried(tx, name, now))
            raise
        if user is None or stored is None or not fits:
            return await self._refuse(user, attempt)
        better = await self._passwords.hash(attempt.password) if self._passwords.needs_rehash(stored) else None
        proven = _Proven(user=user, stored=stored, better=better, counter=name)
        begun = await self._database.write(partial(self._begin, proven=proven, attempt=attempt, now=self._now()))
        return begun or Mismatch()

    async def _refuse(self, user: User | None, attempt: Attempt) -> Mismatch:
        why, now = "no such person" if user is None else "wrong password or not allowed", self._now()
        await self._database.write(lambda tx: refuse(tx, user, why, attempt.came, now=now))
        return Mismatch()

    def _begin(self, tx: Transaction, *, proven: _Proven, attempt: Attempt, now: Instant) -> SignedIn | None:
        user = proven.user
        if _credentials(tx, email=user.email) != (user, proven.stored):
            return None
        if proven.better is not None:
            accounts.replace_password_hash(tx, user.id, expected=proven.stored, new=proven.better)
        begun = self._entering.begin(tx, user.id, attempt.came, means=PASSWORD, now=now)
        if begun is not None:
            throttle.succeeded(tx, proven.counter)
        return begun


def normal_email(text: str) -> str | None:
    """Return an address as it is stored, or None where none can look so."""
    email = text.strip().lower()
    return email if _EMAIL.fullmatch(email) else None


def _credentials(reader: Reader, *, email: str) -> tuple[User | None, str | None]:
    """Return the user of an address and the hash to check; no hash for one who may not sign in."""
    user = accounts.user_by_email(reader, email)
    if user is None or not sessions.may_sign_in(user):
        return user, None
    return user, accounts.password_hash(reader, user.id)

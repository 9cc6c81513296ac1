"""Proving once more who one is, within a session: with the password; other proofs have modules of their own (H23)."""

from collections.abc import Callable
from dataclasses import dataclass

from doorward.accounts import throttle
from doorward.accounts.passwords import MAX_BYTES, PasswordPool
from doorward.credentials.secret import Fingerprinter
from doorward.model import Instant, User
from doorward.storage import accounts
from doorward.storage.database import Database


@dataclass(frozen=True, slots=True)
class Unproven:
    """It did not fit. ``wait`` is the number of seconds after which the next try may be made, where that is not now."""

    wait: int = 0


class PasswordProof:
    """The use case, with what it needs."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: PasswordPool,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._fingerprinter = fingerprinter
        self._now = now

    async def check(self, user: User, password: str) -> Unproven | None:
        """Return None where this is the person's password. Raises ``Busy``, ``StorageUnavailable``.

        Whoever found an open browser guesses as slowly as at the sign-in page, and slows nobody else (H4).
        """
        if len(password.encode("utf-8", "replace")) > MAX_BYTES:
            return Unproven()
        name, now = self._fingerprinter.of(f"{user.email} (confirming)"), self._now()
        wait = await self._database.write(lambda tx: throttle.admit(tx, name, now))
        if wait:
            return Unproven(wait)
        stored = await self._database.read(lambda reader: accounts.password_hash(reader, user.id))
        if not await self._passwords.verify(stored, password):
            return Unproven()
        await self._database.write(lambda tx: throttle.succeeded(tx, name))
        return None

"""Recovery codes: ten that are shown once, each good for one sign-in when nothing else is at hand (feature E1)."""

from collections.abc import Callable
from typing import Final

from doorward import audit
from doorward.accounts import throttle
from doorward.accounts.entering import Entering, SignedIn, refuse
from doorward.accounts.sessions import Came
from doorward.accounts.sign_in import Mismatch, Throttled, normal_email
from doorward.credentials.secret import Fingerprinter
from doorward.model import Cause, Entropy, Fingerprint, Instant, User, UserId
from doorward.storage import accounts, passkeys
from doorward.storage.database import Database, Transaction

RECOVERY: Final = "recovery"
COUNT: Final = 10
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U, which are read as others."""
_LENGTH: Final = 20
"""100 bits (case H10)."""
_GROUP: Final = 5
_MEANT: Final = str.maketrans({"I": "1", "L": "1", "O": "0", "-": "", " ": ""})
MAX_TYPED: Final = 100


def renew(
    tx: Transaction, user: User, *, now: Instant, entropy: Entropy, fingerprinter: Fingerprinter, cause: Cause | None
) -> list[str]:  # fmt: skip
    """Replace all codes of a person by new ones, and return these: nobody can show them again."""
    codes = ["".join(_ALPHABET[byte % 32] for byte in entropy(_LENGTH)) for _ in range(COUNT)]
    passkeys.replace_recovery_codes(tx, user.id, [_fingerprint(fingerprinter, user.id, each) for each in codes], now)
    audit.record(tx, name="recovery_codes:made", at=now, actor_id=user.id, subject=user.id, cause=cause)
    return ["-".join(each[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP)) for each in codes]


class Recovery:
    """Signing in with a code."""

    def __init__(
        self, *, database: Database, entering: Entering, fingerprinter: Fingerprinter, now: Callable[[], Instant]
    ) -> None:
        self._database, self._entering, self._fingerprinter, self._now = database, entering, fingerprinter, now

    async def try_code(
        self, email: str, code: str, came: Came, *, known_device: bool
    ) -> SignedIn | Mismatch | Throttled:
        """Begin a session where the code is the person's and was never used. Raises ``StorageUnavailable``.

        Counted like passwords, and apart from them: who guesses here slows nobody's password.
        """
        address = normal_email(email)
        if address is None or len(code) > MAX_TYPED:
            return Mismatch()
        now = self._now()
        counter = throttle.counter(f"{address} (recovery)", known_device=known_device)
        name = self._fingerprinter.of(counter)
        wait = await self._database.write(lambda tx: throttle.admit(tx, name, now))
        if wait:
            return Throttled(wait)

        def enter(tx: Transaction) -> SignedIn | None:
            user = accounts.user_by_email(tx, address)
            allowed = user is not None and self._entering.why_not(tx, user, RECOVERY) is None
            # The same work for nobody as for somebody (H6); a code that opens nothing now is not used up.
            owner = UserId(user.id if user is not None and allowed else "")
            fits = passkeys.use_recovery_code(tx, owner, _fingerprint(self._fingerprinter, owner, code), now)
            if user is None or not fits:
                refuse(tx, user, "no such recovery code", came, now=now)
                return None
            begun = self._entering.begin(tx, user.id, came, means=RECOVERY, now=now)
            if begun is not None:
                throttle.succeeded(tx, name)
                audit.record(tx, name="recovery_code:used", at=now, actor_id=user.id, subject=user.id, cause=came.cause)
            return begun

        return await self._database.write(enter) or Mismatch()


def _fingerprint(fingerprinter: Fingerprinter, user_id: UserId, code: str) -> Fingerprint:
    return fingerprinter.of(f"recovery {user_id} {code.upper().translate(_MEANT)}")

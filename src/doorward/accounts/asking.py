"""Who asks for a mail, and how many they may cause (security E8, H6).

Counted in the database, for all nodes: by the address that asks, by the address that was typed, whether or not anybody
has it, and by all together. Nobody is locked out: the hour ends, every other way in stays open, and a browser from which
the person has signed in before is counted apart from strangers.
"""

from dataclasses import dataclass
from typing import Final

from doorward.credentials.secret import Fingerprinter
from doorward.model import SECOND, Cause, Fingerprint, Instant
from doorward.storage import links
from doorward.storage.database import Transaction

HOUR: Final = 3600 * SECOND
OF_TENANT: Final = 200
"""Invitations in an hour that all of one tenant's administrators may send."""
FROM_ONE: Final = 30
"""Mails in an hour that one network address may cause. Many people may share it."""
TO_ONE: Final = 5
"""Mails in an hour that may be asked for one address."""
OF_ALL: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asks for a mail to ``email``, as it was typed."""

    email: str
    requester: str
    """Their network address, or the id of the account that asks."""
    known_device: bool = False
    """Somebody who was let in before, and not a stranger."""
    most: int = FROM_ONE
    """How many that requester may cause."""
    browser: str | None = None
    target: str = "/"
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class Budgets:
    """How many mails strangers may cause in an hour, all together; those on known devices have as many of their own."""

    fingerprinter: Fingerprinter
    of_all: int = OF_ALL

    def admit(self, tx: Transaction, asked: Asked, email: str, now: Instant) -> int:
        """Count one mail to ``email`` and return 0; or, counting nothing, the seconds until there may be another."""
        until = Instant((now // HOUR + 1) * HOUR)
        names = self._names(asked, email)
        wait = max(1, -((now - until) // SECOND))
        if any(links.spent(tx, name, until) >= most for name, most in names):
            return wait
        # Each by a condition of its own: what others spent meanwhile counts.
        return 0 if all(links.spend(tx, name, until, most=most) for name, most in names) else wait

    def _names(self, asked: Asked, email: str) -> list[tuple[Fingerprint, int]]:
        # In one order, so that no two transactions wait for each other in a circle.
        kind = " (known device)" if asked.known_device else ""
        return [
            (self.fingerprinter.of(f"mails from {asked.requester}"), asked.most),
            (self.fingerprinter.of(f"mails to {email}{kind}"), TO_ONE),
            (self.fingerprinter.of(f"mails{kind}"), self.of_all),
        ]

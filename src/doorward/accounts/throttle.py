"""Holding off those who guess: after a few failures each further try has to wait, longer every time (case H4).

Counted per address that was typed, whether or not anybody has it (H6). Nobody is locked out: the wait has an end, and a
browser from which the person has signed in before is counted apart from everybody else's.
"""

from typing import Final

from doorward.model import SECOND, Instant
from doorward.storage import accounts
from doorward.storage.accounts import FAILURES_KEPT
from doorward.storage.database import Transaction

FREE: Final = 5
"""So many failures without any wait."""
MAX_WAIT: Final = 900
"""Seconds."""


def counter(email: str, *, known_device: bool) -> str:
    """Return the name under which failures are counted. An address that was typed has no space in it."""
    return f"{email} (known device)" if known_device else email


def admit(tx: Transaction, name: str, now: Instant) -> int:
    """Return 0 if a try may be made now, and count it as failed; else the seconds to wait.

    It is counted before the password is looked at, so that many tries at once are not all made at the count of the
    first. ``succeeded`` takes it back, and ``not_tried``.
    """
    wait = wait_after(accounts.sign_in_failures(tx, name, Instant(now - FAILURES_KEPT)))
    if wait and accounts.sign_in_failures(tx, name, Instant(now - wait * SECOND)):
        return wait
    accounts.record_sign_in_failure(tx, name, now)
    return 0


def succeeded(tx: Transaction, name: str) -> None:
    """Forget the failures counted under ``name``."""
    accounts.clear_sign_in_failures(tx, name)


def not_tried(tx: Transaction, name: str, now: Instant) -> None:
    """Take back the try that was admitted at ``now``: the password was never looked at."""
    accounts.take_back_sign_in_failure(tx, name, now)


def wait_after(failures: int) -> int:
    """Return how many seconds after the last of ``failures`` the next try may be made."""
    return 0 if failures < FREE else min(2 ** min(failures - FREE + 1, 20), MAX_WAIT)

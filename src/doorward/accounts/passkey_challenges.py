"""What a passkey is asked to sign: random, for one purpose, one browser, a few minutes and one answer (decision 0064).

Nothing is stored until the answer comes: the challenge waits, sealed, in the page.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.credentials.secret import base64url
from doorward.model import SECOND, Entropy, Instant, RequestId, UserId
from doorward.storage.claims import claim_request
from doorward.storage.database import Transaction
from doorward.vault import Sealer, Unsealed

CHALLENGE_BYTES: Final = 32
_LABEL: Final = "passkey-challenge/1"


class Purpose(StrEnum):
    """What an answer does. One for one purpose does nothing else."""

    SIGN_IN = "sign-in"
    CONFIRM = "confirm"
    ADD = "add"


_SECONDS: Final = {Purpose.SIGN_IN: 300, Purpose.CONFIRM: 300, Purpose.ADD: 1200}
"""An added passkey may have to wait for a proof of who adds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One that was asked. ``user_id`` is empty where anybody may answer."""

    purpose: Purpose
    text: str
    """Base64url."""
    user_id: UserId
    expires_at: Instant


class Challenges:
    """Makes them and knows them again."""

    def __init__(self, sealer: Sealer, entropy: Entropy) -> None:
        self._sealer = sealer
        self._entropy = entropy

    def make(self, purpose: Purpose, browser: str, *, user_id: UserId | None, now: Instant) -> tuple[Challenge, str]:
        """Return a new challenge, and it sealed for this browser."""
        made = Challenge(
            purpose=purpose, text=base64url(self._entropy(CHALLENGE_BYTES)), user_id=user_id or UserId(""),
            expires_at=Instant(now + _SECONDS[purpose] * SECOND),
        )  # fmt: skip
        payload = json.dumps([made.purpose, made.text, made.user_id, made.expires_at]).encode()
        return made, self._sealer.seal(_LABEL, payload, aad=browser.encode(), entropy=self._entropy)

    def open(
        self, sealed: str, purpose: Purpose, browser: str | None, *, user_id: UserId | None, now: Instant
    ) -> Challenge | None:
        """Return the challenge; None where it is another browser's, person's or purpose's, too old, or altered."""
        try:
            said = json.loads(self._sealer.open(_LABEL, sealed, aad=(browser or "").encode()))
        except Unsealed:
            return None
        found = Challenge(
            purpose=Purpose(said[0]), text=said[1], user_id=UserId(said[2]), expires_at=Instant(said[3])
        )  # fmt: skip
        fits = browser and found.purpose is purpose and found.user_id == (user_id or "") and now < found.expires_at
        return found if fits else None

    @staticmethod
    def claim(tx: Transaction, challenge: Challenge, now: Instant) -> bool:
        """Say True for exactly one answer."""
        return claim_request(tx, RequestId(f"passkey/{challenge.text}"), now, challenge.expires_at)

"""Putting a letter into the queue, in the transaction of what it tells of: both are there or neither.

What a letter says is sealed until it is sent: it may carry a link that lets somebody in. The seal is bound to the row,
its kind and its recipient, so that words of one cannot be sent to another (security N1).
"""

import json
from typing import Final

from doorward.mail.letters import LETTERS, Letter
from doorward.model import SECOND, Entropy, Instant, OutgoingMail, TenantId
from doorward.storage import outgoing_mail
from doorward.storage.database import Transaction
from doorward.vault import Sealer

LABEL: Final = "mail"
KEPT_SECONDS: Final = 2 * 86_400
"""How long a letter without a link is tried."""
_ID_BYTES: Final = 16


class Outbox:
    """``on``: whether mail goes out at all. Where it does not, nothing is kept."""

    def __init__(self, *, sealer: Sealer, entropy: Entropy, on: bool) -> None:
        self._sealer, self._entropy, self.on = sealer, entropy, on

    def post(
        self,
        tx: Transaction,
        letter: Letter,
        *,
        now: Instant,
        useless_at: Instant | None = None,
        tenant_id: TenantId | None = None,
    ) -> None:
        """Queue a letter. ``useless_at`` is when its link ends; ``tenant_id``, who is told where it could not be sent."""
        if letter.kind not in LETTERS:
            message = f"unknown letter {letter.kind!r}"
            raise ValueError(message)
        if not self.on:
            return
        mail_id = f"mail_{self._entropy(_ID_BYTES).hex()}"
        payload = json.dumps({"detail": dict(letter.detail), "url": letter.url}).encode()
        mail = OutgoingMail(
            id=mail_id,
            kind=letter.kind,
            recipient=letter.to,
            sealed=self._sealer.seal(
                LABEL, payload, aad=_place(mail_id, letter.kind, letter.to), entropy=self._entropy
            ),
            tenant_id=tenant_id,
            created_at=now,
            useless_at=useless_at or Instant(now + KEPT_SECONDS * SECOND),
            next_try_at=now,
        )  # fmt: skip
        outgoing_mail.insert_mail(tx, mail)


def opened(sealer: Sealer, mail: OutgoingMail) -> Letter:
    """Return the letter of a row. Raises ``Unsealed`` where the row is not as it was queued."""
    payload = json.loads(sealer.open(LABEL, mail.sealed, aad=_place(mail.id, mail.kind, mail.recipient)))
    return Letter(kind=mail.kind, to=mail.recipient, detail=payload["detail"], url=payload["url"])


def _place(mail_id: str, kind: str, recipient: str) -> bytes:
    return json.dumps([mail_id, kind, recipient]).encode()

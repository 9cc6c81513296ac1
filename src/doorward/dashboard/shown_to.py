"""To whom a form was shown, and when: every form behind a session says it, sealed.

By the time it is sent, another person may be there.
"""

import json
from typing import Final

from doorward.model import Entropy, Instant, UserId
from doorward.vault import Sealer, Unsealed

FIELD: Final = "shown_to"
_LABEL: Final = "shown-to/1"
_AAD: Final = b"form"


class ShownTo:
    """Writes and reads the hidden field ``FIELD``, which is another one each time."""

    def __init__(self, *, sealer: Sealer, entropy: Entropy) -> None:
        self._sealer, self._entropy = sealer, entropy

    def field(self, user_id: UserId, now: Instant) -> str:
        """Return the value for forms that are shown to this person now."""
        return self._sealer.seal(_LABEL, json.dumps([user_id, now]).encode(), aad=_AAD, entropy=self._entropy)

    def read(self, value: str) -> tuple[UserId, Instant] | None:
        """Return to whom the form was shown, and when; None for what ``field`` did not make."""
        try:
            user_id, at = json.loads(self._sealer.open(_LABEL, value, aad=_AAD))
        except Unsealed:
            return None
        return UserId(user_id), Instant(at)

"""Forms that count once, however often they are sent: a nonce in each form that is shown, claimed by the change."""

import re
from typing import Final

from doorward.credentials.secret import base64url
from doorward.dashboard.once import LIFETIME
from doorward.model import Entropy, Instant, RequestId, User
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.storage.claims import claim_request
from doorward.storage.database import Transaction
from doorward.web.refused import Refused

_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_NONCE_BYTES: Final = 16


def new_nonce(entropy: Entropy) -> str:
    """Return what makes a form one that was shown."""
    return base64url(entropy(_NONCE_BYTES))


def nonce_of(text: str) -> str:
    """Return the nonce of a form that was shown. Raises ``Refused``."""
    if not _NONCE.fullmatch(text):
        raise Refused(faults.FORM_EXPIRED, status=400, reason="no form nonce of ours")
    return text


def claim(tx: Transaction, user: User, form: str, nonce: str, *, now: Instant, twice: Fault) -> None:
    """Let a ``form`` ("key-form") that was shown to this person be sent once. Raises ``Refused``: ``twice``."""
    claimed = RequestId(f"{form}/{user.id}/{nonce_of(nonce)}")
    if not claim_request(tx, claimed, now, Instant(now + LIFETIME)):
        raise Refused(twice, status=409, reason="form sent twice")

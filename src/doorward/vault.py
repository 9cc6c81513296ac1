"""Authenticated encryption of what must be readable again: private keys at rest, envelopes that travel by browser.

AES-256-GCM with a key derived per label, so that a value sealed for one use opens for no other; the additional data
binds it to its place (row, browser), so that values cannot be swapped (N1).
"""

import base64
import hmac
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorward.model import Entropy

NONCE_BYTES: Final = 12


class Unsealed(Exception):  # noqa: N818  (a fact about a value, like KeyError)
    """The value was not sealed by this key, for this use, at this place."""


class Sealer:
    """Seals and opens values with sub-keys of one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._ciphers: dict[str, AESGCM] = {}

    def seal(self, label: str, payload: bytes, *, aad: bytes, entropy: Entropy) -> str:
        """Return ``payload`` encrypted, as unpadded base64url."""
        nonce = entropy(NONCE_BYTES)
        sealed = nonce + self._cipher(label).encrypt(nonce, payload, aad)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, label: str, sealed: str, *, aad: bytes) -> bytes:
        """Return the payload of ``sealed``; raise ``Unsealed`` for anything that ``seal`` did not make so."""
        try:
            raw = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
            return self._cipher(label).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], aad)
        except (ValueError, InvalidTag) as wrong:
            raise Unsealed(label) from wrong

    def _cipher(self, label: str) -> AESGCM:
        if label not in self._ciphers:
            self._ciphers[label] = AESGCM(hmac.digest(self._key, b"seal/" + label.encode(), sha256))
        return self._ciphers[label]

"""The form of every secret we hand out, and the only comparison of secrets.

``<prefix>_<body><checksum>``: the prefix says what it is, so that a scanner and a person can tell; the last six
characters are a CRC-32 in base 62, so that a damaged copy is told from a revoked one without a database. The checksum
authenticates nothing (``reference`` case I2). What is stored is an HMAC-SHA-256 under a key outside the database.
"""

import base64
import hmac
import re
import zlib
from enum import StrEnum
from hashlib import sha256
from typing import Final

from doorward.model import Entropy, Fingerprint

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRET_BYTES: Final = 32
SECRET_LENGTH: Final = 43
CHECKSUM_LENGTH: Final = 6
KEY_ID_BYTES: Final = 9
KEY_ID_LENGTH: Final = 13
_PAIRS: Final = tuple(a + b for a in ALPHABET for b in ALPHABET)
_BODY = re.compile(r"[0-9A-Za-z]+")


class SecretKind(StrEnum):
    """The prefix of each kind. An API key's prefix is a setting; this is its default."""

    AUTHORIZATION_CODE = "dwc"
    REFRESH_TOKEN = "dwr"  # noqa: S105  (a prefix)
    SESSION = "dws"
    CLIENT_SECRET = "dwk"  # noqa: S105
    DEVICE_CODE = "dwd"
    REGISTRATION = "dwg"
    """RFC 7592: a client's own registration."""
    LINK = "dwl"
    """In a mail: see ``accounts.links``."""
    API_KEY = "dw"


def mint(kind: SecretKind, entropy: Entropy) -> str:
    """Return a new secret of ``kind``: 256 bits of ``entropy``, prefix and checksum."""
    return dress(kind, entropy(SECRET_BYTES))


def dress(kind: SecretKind, raw: bytes) -> str:
    """Return the text form of 32 raw bytes; equal bytes give equal text (derived refresh tokens need it)."""
    return _sealed(f"{kind}_{_base62(raw, SECRET_LENGTH)}")


def mint_api_key(prefix: str, entropy: Entropy) -> tuple[str, str]:
    """Return ``(key, shown)``: ``<prefix>_<13 id><43 secret><6 checksum>`` and the part that may be shown for ever.

    One ``_`` only, so that a double click selects the whole key.
    """
    return mint_for_api_key(prefix, _base62(entropy(KEY_ID_BYTES), KEY_ID_LENGTH), entropy)


def mint_for_api_key(prefix: str, key_id: str, entropy: Entropy) -> tuple[str, str]:
    """Return the same for a key that has its id already: a new secret for it."""
    shown = f"{prefix}_{key_id}"
    return _sealed(shown + _base62(entropy(SECRET_BYTES), SECRET_LENGTH)), shown


def well_formed(text: str, prefix: str) -> bool:
    """Say whether ``text`` has the prefix and an intact checksum. Looks nothing up."""
    head, _, body = text.rpartition("_")
    if head != prefix or len(body) <= CHECKSUM_LENGTH or not _BODY.fullmatch(body):
        return False
    return _checksum(text[:-CHECKSUM_LENGTH]) == text[-CHECKSUM_LENGTH:]


def looks_like_api_key(text: str, prefix: str) -> bool:
    """Say whether ``text`` claims to be an API key, intact or not: then nothing else is tried with it (I12)."""
    return text.startswith(f"{prefix}_")


class Fingerprinter:
    """Keyed hashes of secrets. ``key`` is 32 bytes and lives outside the database (N1)."""

    def __init__(self, key: bytes) -> None:
        # Copied for each secret: half the time of beginning with the key.
        self._keyed = hmac.new(key, digestmod=sha256)

    def of(self, secret: str) -> Fingerprint:
        """Return HMAC-SHA-256(key, secret) as 64 hex digits."""
        keyed = self._keyed.copy()
        keyed.update(secret.encode())
        return Fingerprint(keyed.hexdigest())

    @staticmethod
    def same(one: Fingerprint, other: Fingerprint) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(one, other)


def derive(key: bytes, label: str) -> bytes:
    """Return a 32-byte sub-key for one use; a value made for one use is refused by every other (N3)."""
    return hmac.digest(key, b"doorward/" + label.encode(), sha256)


def next_refresh_token(key: bytes, token: str) -> str:
    """Return R(n+1) = HMAC(key, "rt" || R(n)) in text form: every node derives the same successor."""
    return dress(SecretKind.REFRESH_TOKEN, hmac.digest(key, b"rt" + token.encode(), sha256))


def base64url(raw: bytes) -> str:
    """Return unpadded base64url (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes of unpadded base64url, strictly. Raises ``ValueError``."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _sealed(text: str) -> str:
    return text + _checksum(text)


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()).to_bytes(4, "big"), CHECKSUM_LENGTH)


def _base62(raw: bytes, length: int) -> str:
    # Two digits at a time: this runs for every credential that is made or looked at.
    number, pairs = int.from_bytes(raw, "big"), []
    for _ in range(0, length, 2):
        number, pair = divmod(number, 3844)
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[-length:]

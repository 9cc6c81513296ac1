"""How signing keys come and go: made, followed by a younger one with overlap, or revoked at once (N4, decision 0043)."""

import json
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, RSAKey

from doorward import audit
from doorward.credentials.key_ring import SEAL_LABEL
from doorward.credentials.signing_keys import ALGORITHMS, ES256
from doorward.model import SECOND, Entropy, Instant
from doorward.storage import keys as stored
from doorward.storage.database import Reader, Transaction
from doorward.storage.keys import SigningKeyRow
from doorward.vault import Sealer

RSA_BITS: Final = 2048
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class KeyRefused(Exception):  # noqa: N818  (an answer)
    """The ring cannot be changed so. The message is cause and fix, for an operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """In seconds: how long a new key is published before it signs, and an old one after it signed last."""

    before: int
    after: int


def draw(algorithm: str, *, sealer: Sealer, entropy: Entropy) -> SigningKeyRow:
    """Return a new key pair, the private half sealed to its ``kid`` (RFC 7638); its times are not yet set.

    An RSA pair takes a tenth of a second: make it outside of transactions. Its primes are drawn by the library, which
    takes randomness from the operating system and from nobody else.
    """
    key = _elliptic(entropy) if algorithm == ES256 else _rsa()
    kid = key.thumbprint()
    secret = json.dumps(key.as_dict(private=True)).encode()
    return SigningKeyRow(
        kid=kid,
        algorithm=algorithm,
        public_jwk=json.dumps(key.as_dict(private=False)),
        sealed_private=sealer.seal(SEAL_LABEL, secret, aad=kid.encode(), entropy=entropy).encode(),
        created_at=Instant(0),
        signs_from=Instant(0),
    )


def missing(reader: Reader) -> list[str]:
    """Return the algorithms that have no key to sign with."""
    return [algorithm for algorithm in ALGORITHMS if _youngest(reader, algorithm) is None]


def due(reader: Reader, *, every: int, now: Instant) -> list[str]:
    """Return the algorithms whose youngest key has signed for ``every`` seconds."""
    young = [_youngest(reader, algorithm) for algorithm in ALGORITHMS]
    return [key.algorithm for key in young if key is not None and key.signs_from + every * SECOND <= now]


def rotate(tx: Transaction, fresh: SigningKeyRow, *, overlap: Overlap, now: Instant) -> Instant | None:
    """Announce ``fresh`` as the next key of its algorithm; return when it begins to sign.

    The first key of its algorithm signs at once. None, and nothing changed, where another node was quicker. Raises
    ``KeyRefused`` where the youngest key has not begun to sign yet.
    """
    old = _youngest(tx, fresh.algorithm)
    if old is None:
        _add(tx, fresh, signs_from=now, now=now)
        return now
    if old.signs_from > now:
        raise KeyRefused(f"key {old.kid} is announced and signs soon. Wait for it, or revoke what must go at once.")
    begins = Instant(now + overlap.before * SECOND)
    if not stored.succeed_signing_key(tx, old.kid, Instant(begins + overlap.after * SECOND)):
        return None
    _add(tx, fresh, signs_from=begins, now=now)
    return begins


def revoke(tx: Transaction, kid: str, *, spare: SigningKeyRow | None, now: Instant) -> str | None:
    """Take a key out at once: what it signed is refused from the next call on. Return who signs in its place, if new.

    A key that was announced already steps in, else ``spare``, which must be one of its algorithm; everybody has to
    fetch the key set again to know it. Raises ``KeyRefused``.
    """
    gone = _live_row(tx, kid)
    if not stored.revoke_signing_key(tx, kid, now):
        raise KeyRefused(f"key {kid} is revoked already. Nothing was changed.")
    audit.record(tx, name="signing_key:revoked", at=now, subject=kid, detail={"algorithm": gone.algorithm}, cause=None)
    heir = _youngest(tx, gone.algorithm)
    if heir is None:
        if spare is None or spare.algorithm != gone.algorithm:
            raise KeyRefused(f"no other {gone.algorithm} key is left to sign. Bring a spare.")
        _add(tx, spare, signs_from=max(now, gone.signs_from), now=now)
        return spare.kid
    if heir.signs_from > now and _was_signing(tx, gone, now):
        stored.promote_signing_key(tx, heir.kid, now)
        return heir.kid
    return None


def algorithm_of(reader: Reader, kid: str) -> str:
    """Return the algorithm of a key that is in use. Raises ``KeyRefused``."""
    return _live_row(reader, kid).algorithm


def _live_row(reader: Reader, kid: str) -> SigningKeyRow:
    row = next((row for row in stored.signing_keys(reader) if row.kid == kid), None)
    if row is None:
        raise KeyRefused(f"there is no key {kid[:60]!r}. `doorward keys list` shows them.")
    if row.revoked_at is not None:
        raise KeyRefused(f"key {kid} is revoked already. Nothing was changed.")
    return row


def _youngest(reader: Reader, algorithm: str) -> SigningKeyRow | None:
    """Return the key that nothing follows."""
    found = [row for row in _of(reader, algorithm) if row.verifies_until is None]
    return found[-1] if found else None


def _was_signing(reader: Reader, gone: SigningKeyRow, now: Instant) -> bool:
    others = [row.signs_from for row in _of(reader, gone.algorithm) if row.signs_from <= now]
    return gone.signs_from <= now and gone.signs_from >= max(others, default=Instant(0))


def _of(reader: Reader, algorithm: str) -> list[SigningKeyRow]:
    rows = [row for row in stored.signing_keys(reader) if row.algorithm == algorithm and row.revoked_at is None]
    return sorted(rows, key=lambda row: row.signs_from)


def _add(tx: Transaction, fresh: SigningKeyRow, *, signs_from: Instant, now: Instant) -> None:
    stored.insert_signing_key(tx, replace(fresh, created_at=now, signs_from=signs_from))
    audit.record(
        tx, name="signing_key:created", at=now, subject=fresh.kid, detail={"algorithm": fresh.algorithm}, cause=None
    )


def _elliptic(entropy: Entropy) -> ECKey:
    # 40 bytes modulo the order: the bias is below 2^-64 (FIPS 186-5 A.2.1).
    scalar = int.from_bytes(entropy(40), "big") % (_P256_ORDER - 1) + 1
    return ECKey.import_key(_pem(ec.derive_private_key(scalar, ec.SECP256R1())))


def _rsa() -> RSAKey:
    return RSAKey.import_key(_pem(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

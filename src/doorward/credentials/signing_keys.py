"""The signing keys of the deployment: one signs, all that are not retired verify, the public halves are published.

ES256 only (RFC 7518 section 3.4). One algorithm per key, fixed here and not read from a token's header (J2); the key is
found by ``kid`` among our own and nothing in a header is ever fetched or trusted (J3).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from doorward.credentials.secret import base64url
from doorward.model import Entropy, Instant
from doorward.storage import keys as stored
from doorward.storage.database import Reader, Transaction
from doorward.vault import Sealer

ALGORITHM: Final = "ES256"
MAX_TOKEN_LENGTH: Final = 8192
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_LABEL: Final = "signing-key"


class InvalidToken(Exception):  # noqa: N818  (a fact about a token)
    """Not a token of ours, of this type. The message is the private reason."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair; ``retired`` keys verify no more and are not published."""

    kid: str
    key: ECKey
    retired: bool = False


class SigningKeys:
    """The ring. ``current`` is the newest that is not retired."""

    def __init__(self, ring: Sequence[SigningKey]) -> None:
        self._ring: Mapping[str, SigningKey] = {key.kid: key for key in ring if not key.retired}
        self._current = [key for key in ring if not key.retired][-1]

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """Return ``claims`` as a signed compact JWT whose header says ``typ`` (RFC 8725 section 3.11)."""
        header = {"typ": typ, "alg": ALGORITHM, "kid": self._current.kid}
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jws.serialize_compact(header, payload, self._current.key, algorithms=[ALGORITHM])

    def verify(self, token: str, typ: str) -> dict[str, Any]:
        """Return the claims of a token that one of our keys signed for this ``typ``.

        Only the signature, the type and the shape are checked here; what the claims say is for the caller to check.
        Raises ``InvalidToken``.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken("longer than 8 KiB")
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            key = self._accepted(header, typ)
            payload = jws.deserialize_compact(token, key.key, algorithms=[ALGORITHM]).payload
            claims = json.loads(payload)
        except (JoseError, ValueError, RecursionError) as wrong:
            raise InvalidToken(f"not verifiable: {type(wrong).__name__}") from wrong
        if not isinstance(claims, dict):
            raise InvalidToken("claims are not an object")
        return claims

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public halves as a JWK Set (RFC 7517 section 5)."""
        return {"keys": [_public(key) for key in self._ring.values()]}

    def _accepted(self, header: Mapping[str, Any], typ: str) -> SigningKey:
        # J3, J5: exactly these members; a `jwk`, `jku`, `x5c` or `crit` in the header is refused, not ignored.
        if set(header) != {"typ", "alg", "kid"} or header["typ"] != typ or header["alg"] != ALGORITHM:
            raise InvalidToken("header is not ours")
        key = self._ring.get(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None:
            raise InvalidToken("unknown key id")
        return key


def create(tx: Transaction, *, sealer: Sealer, now: Instant, entropy: Entropy) -> str:
    """Make and store a new key pair, the private half sealed to its row; return its ``kid`` (RFC 7638)."""
    # 40 bytes modulo the order: the bias is below 2^-64 (FIPS 186-5 A.2.1).
    scalar = int.from_bytes(entropy(40), "big") % (_P256_ORDER - 1) + 1
    private = ECKey.import_key(_pem(scalar))
    kid = private.thumbprint()
    secret = json.dumps(private.as_dict(private=True)).encode()
    stored.insert_signing_key(
        tx,
        stored.SigningKeyRow(
            kid=kid,
            algorithm=ALGORITHM,
            public_jwk=json.dumps(private.as_dict(private=False)),
            sealed_private=sealer.seal(_LABEL, secret, aad=kid.encode(), entropy=entropy).encode(),
            created_at=now,
            retired_at=None,
        ),
    )
    return kid


def load(reader: Reader, *, sealer: Sealer) -> SigningKeys | None:
    """Return the ring as stored, oldest first, or None where no usable key was made yet."""
    ring = [
        SigningKey(
            row.kid,
            ECKey.import_key(json.loads(sealer.open(_LABEL, row.sealed_private.decode(), aad=row.kid.encode()))),
            retired=row.retired_at is not None,
        )
        for row in sorted(stored.signing_keys(reader), key=lambda row: row.created_at)
    ]
    return SigningKeys(ring) if any(not key.retired for key in ring) else None


def _pem(scalar: int) -> bytes:
    key = ec.derive_private_key(scalar, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: SigningKey) -> dict[str, Any]:
    # D8: built member by member, so that no private member can slip in.
    numbers = key.key.public_key.public_numbers()
    point = {"x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}
    return {"kty": "EC", "crv": "P-256", "use": "sig", "alg": ALGORITHM, "kid": key.kid, **point}

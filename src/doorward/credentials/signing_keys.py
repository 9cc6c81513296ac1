"""The signing keys of the deployment at one moment: one signs per algorithm, all that are published verify.

ES256 and RS256 (RFC 7518 sections 3.3 and 3.4). One algorithm per key, fixed here and not read from a token's header
(J2); the key is found by ``kid`` among our own and nothing in a header is ever fetched or trusted (J3).

A key's state follows from the clock alone, so that all nodes agree without a word: *next* until ``signs_from``, then
*active* until a younger one of its algorithm is, then *retired* and still published until ``verifies_until``, then gone
(decision 0043).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from doorward.credentials.secret import base64url
from doorward.model import Instant

ES256: Final = "ES256"
RS256: Final = "RS256"
ALGORITHMS: Final = (ES256, RS256)
MAX_TOKEN_LENGTH: Final = 8192
MAX_VERIFIED: Final = 4096
"""Tokens whose signature is remembered; some 4 MB."""
BEGINNING: Final = Instant(0)


_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())
_encoder: Final = json.JSONEncoder(separators=(",", ":"))


class InvalidToken(Exception):  # noqa: N818  (a fact about a token)
    """Not a token of ours, of this type. The message is the private reason."""


class KeyState(StrEnum):
    """What a key is good for now."""

    NEXT = "next"
    """Published, so that everybody knows it before it signs."""
    ACTIVE = "active"
    """Signs."""
    RETIRED = "retired"
    """Verifies what it signed before."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair. ``verifies_until`` is set once a younger key was announced."""

    kid: str
    key: ECKey | RSAKey
    algorithm: str = ES256
    signs_from: Instant = BEGINNING
    verifies_until: Instant | None = None


class SigningKeys:
    """The ring at ``now``, made from all keys that were not revoked. At least one must be left."""

    def __init__(self, ring: Sequence[SigningKey], now: Instant = BEGINNING) -> None:
        self.ring = tuple(ring)
        published = [key for key in ring if key.verifies_until is None or key.verifies_until > now]
        self._ring: Mapping[str, SigningKey] = {key.kid: key for key in published}
        self._signers: dict[str, SigningKey] = {}
        # A key that is only announced signs where there is no other: on a clock that was set back, for one.
        for key in sorted(published, key=lambda key: (key.signs_from <= now, key.signs_from)):
            self._signers[key.algorithm] = key
        self._headers: dict[tuple[str, str], str] = {}
        self._verified: dict[bytes, tuple[str, dict[str, Any]]] = {}

    def sign(self, claims: Mapping[str, Any], typ: str, algorithm: str = ES256) -> str:
        """Return ``claims`` as a signed compact JWT whose header says ``typ`` (RFC 8725 section 3.11)."""
        signer = self._signers[algorithm]
        private = signer.key.private_key
        payload = _encoder.encode(claims).encode()
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            header = {"typ": typ, "alg": algorithm, "kid": signer.kid}
            return jws.serialize_compact(header, payload, signer.key, algorithms=[algorithm])
        # By hand and not with joserfc, which takes longer (decision 0035): RFC 7515 section 5.1, and the
        # signature as RFC 7518 section 3.4 writes it.
        signed = f"{self._header(signer, typ)}.{base64url(payload)}"
        r, s = decode_dss_signature(private.sign(signed.encode(), _ECDSA_SHA256))
        return f"{signed}.{base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def verify(self, token: str, typ: str) -> dict[str, Any]:
        """Return the claims of a token that one of our keys signed for this ``typ``.

        Only the signature, the type and the shape are checked here; what the claims say is for the caller to check.
        Raises ``InvalidToken``.
        """
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken("longer than 8 KiB")
        # A good signature stays good while this ring is in use, so it is computed once. The whole digest of the whole
        # token: a prefix would let two tokens share a place (J18).
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is None or known[0] != typ:
            known = typ, self._checked(token, typ)
            if len(self._verified) >= MAX_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[digest] = known
        return dict(known[1])

    def _checked(self, token: str, typ: str) -> dict[str, Any]:
        try:
            header = jws.extract_compact(token.encode("ascii")).headers()
            key = self._accepted(header, typ)
            payload = jws.deserialize_compact(token, key.key, algorithms=[key.algorithm]).payload
            claims = json.loads(payload)
        except (JoseError, ValueError, RecursionError) as wrong:
            raise InvalidToken(f"not verifiable: {type(wrong).__name__}") from wrong
        if not isinstance(claims, dict):
            raise InvalidToken("claims are not an object")
        return claims

    def _header(self, signer: SigningKey, typ: str) -> str:
        known = self._headers.get((signer.kid, typ))
        if known is None:
            header = {"typ": typ, "alg": signer.algorithm, "kid": signer.kid}
            known = self._headers[signer.kid, typ] = base64url(_encoder.encode(header).encode())
        return known

    def changes_after(self, now: Instant) -> Instant | None:
        """Return the first moment after ``now`` at which this ring is another one, if any."""
        moments = [key.signs_from for key in self.ring]
        moments += [key.verifies_until for key in self.ring if key.verifies_until is not None]
        return min((moment for moment in moments if moment > now), default=None)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public halves as a JWK Set (RFC 7517 section 5)."""
        return {"keys": [_public(key) for key in self._ring.values()]}

    def state(self, kid: str) -> KeyState | None:
        """Return what a key is good for; None where it is gone."""
        key = self._ring.get(kid)
        if key is None:
            return None
        signer = self._signers[key.algorithm]
        if key is signer:
            return KeyState.ACTIVE
        return KeyState.NEXT if key.signs_from > signer.signs_from else KeyState.RETIRED

    def _accepted(self, header: Mapping[str, Any], typ: str) -> SigningKey:
        # J3, J5: exactly these members; a `jwk`, `jku`, `x5c` or `crit` in the header is refused, not ignored.
        if set(header) != {"typ", "alg", "kid"} or header["typ"] != typ:
            raise InvalidToken("header is not ours")
        key = self._ring.get(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None:
            raise InvalidToken("unknown key id")
        if header["alg"] != key.algorithm:
            raise InvalidToken("another algorithm than the key's")
        return key


def _public(key: SigningKey) -> dict[str, Any]:
    # D8: built member by member, so that no private member can slip in.
    if isinstance(key.key, RSAKey):
        modulus = key.key.public_key.public_numbers()
        numbers = {"n": _unsigned(modulus.n), "e": _unsigned(modulus.e)}
        return {"kty": "RSA", "use": "sig", "alg": key.algorithm, "kid": key.kid, **numbers}
    point = key.key.public_key.public_numbers()
    both = {"x": base64url(point.x.to_bytes(32, "big")), "y": base64url(point.y.to_bytes(32, "big"))}
    return {"kty": "EC", "crv": "P-256", "use": "sig", "alg": key.algorithm, "kid": key.kid, **both}


def _unsigned(number: int) -> str:
    return base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))

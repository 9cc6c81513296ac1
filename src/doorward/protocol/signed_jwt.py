"""Signed JWTs of others: read, with their public keys, and not yet verified (RFC 7515, RFC 7517, RFC 7519).

Nothing in a header is ever fetched or trusted: the keys are those that the signer is known by (security J2, J3). The
signature itself is checked in ``credentials.client_assertion``.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError

ALGORITHMS = ("ES256", "RS256")
MAX_LENGTH = 8 * 1024
SKEW = 30
"""Seconds by which the signer's clock may be ahead of ours."""
MAX_KEYS = 16

_JWT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_HEADER = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_EC = frozenset({"kty", "crv", "x", "y"})
_RSA = frozenset({"kty", "n", "e"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_P256_BYTES = 32
_MODULUS_BYTES = (256, 512)
_ALGORITHMS_OF = {"EC": ("ES256",), "RSA": ("RS256", "PS256")}


class BadAssertion(Exception):  # noqa: N818  (a fact about an assertion)
    """It proves nothing. The message is the private reason, and quotes no assertion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedJwt:
    """What a JWT says; nothing is verified yet."""

    text: str = field(repr=False)
    algorithm: str
    kid: str | None
    claims: Mapping[str, Any] = field(repr=False)


def read(
    text: str, types: Collection[str | None], *, algorithms: Collection[str] = ALGORITHMS, longest: int = MAX_LENGTH
) -> SignedJwt:  # fmt: skip
    """Return what a compact JWS says of itself; its ``typ`` must be one of ``types``. Raises ``BadAssertion``."""
    found = _JWT.fullmatch(text) if len(text) <= longest else None
    if found is None:
        raise BadAssertion("not a signed JWT in compact form")
    header, claims = _object(found[1]), _object(found[2])
    if not header.keys() <= _HEADER or header.get("typ") not in types or header.get("alg") not in algorithms:
        raise BadAssertion("its header has another type, algorithm or member")
    kid = header.get("kid")
    if not isinstance(kid, str | None):
        raise BadAssertion("its kid is not a text")
    return SignedJwt(text=text, algorithm=header["alg"], kid=kid, claims=claims)


def candidates(assertion: SignedJwt, keys: Collection[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the keys that may have signed: of the algorithm's kind, and the named one where one is named."""
    fitting = [key for key in keys if assertion.algorithm in _may_sign(key)]
    if assertion.kid is None:
        return fitting
    return [key for key in fitting if key.get("kid", assertion.kid) == assertion.kid]


def public_keys(value: object, algorithms: Collection[str] = ALGORITHMS) -> tuple[Mapping[str, str], ...]:
    """Return the usable keys of a JWK Set (RFC 7517 section 5): P-256, and RSA of 2048 to 4096 bits.

    Keys for something else, other ``algorithms`` too, are left out; ``alg`` is kept where there are more than one
    for a kind of key. Raises ``ValueError``: no set, private key material, no usable key.
    """
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
        raise ValueError("not a JWK Set with 1 to 16 keys")
    tables = [key for key in keys if isinstance(key, dict)]
    if any(key.keys() & _PRIVATE for key in tables):
        raise ValueError("holds private key material")
    usable = tuple(kept for key in tables if (kept := _usable(key, algorithms)) is not None)
    if not usable:
        raise ValueError("has no P-256 key for ES256 and no RSA key of 2048 to 4096 bits for RS256")
    return usable


def _may_sign(key: Mapping[str, str]) -> Collection[str]:
    """Return the algorithms of a usable key: what it says, else all of its kind (RFC 7517 section 4.4)."""
    return (key["alg"],) if "alg" in key else _ALGORITHMS_OF[key["kty"]]


def _usable(key: Mapping[str, Any], algorithms: Collection[str]) -> Mapping[str, str] | None:
    kind, kid = key.get("kty"), key.get("kid")
    if not isinstance(kind, str) or kind not in _ALGORITHMS_OF:
        return None
    algorithm = key.get("alg", _ALGORITHMS_OF[kind][0])
    if algorithm not in _ALGORITHMS_OF[kind] or algorithm not in algorithms:
        return None
    if key.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    needed = _EC if kind == "EC" else _RSA
    kept = {name: value for name, value in key.items() if name in needed and isinstance(value, str)}
    if kept.keys() != needed or not (_on_p256(kept) if kind == "EC" else _long_enough(kept)):
        return None
    if "alg" in key and algorithms is not ALGORITHMS:
        # Where there is a choice, the signer's own word leaves none (RFC 8725 section 3.1).
        kept["alg"] = algorithm
    return kept if kid is None else {**kept, "kid": kid}


def _on_p256(key: Mapping[str, str]) -> bool:
    return key["crv"] == "P-256" and all(len(_raw(key[name]) or b"") == _P256_BYTES for name in ("x", "y"))


def _long_enough(key: Mapping[str, str]) -> bool:
    modulus, exponent = (int.from_bytes(_raw(key[name]) or b"", "big") for name in ("n", "e"))
    least, most = _MODULUS_BYTES
    return least * 8 <= modulus.bit_length() <= most * 8 and exponent in {3, 17, 65537}


def _object(part: str) -> dict[str, Any]:
    try:
        return jsonrpc.decode_object(_raw(part) or b"")
    except JsonRpcError:
        raise BadAssertion("its header or claims are not an object") from None


def _raw(part: str) -> bytes | None:
    """Undo unpadded base64url (RFC 7515 section 2); None where it is none."""
    if _BASE64URL.fullmatch(part) is None:
        return None
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None

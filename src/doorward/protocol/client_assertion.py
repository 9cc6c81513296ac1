"""A client's signed statement of who it is: ``private_key_jwt`` (RFC 7521 section 4.2, RFC 7523 section 3).

What it says is read and judged here; its signature is checked in ``credentials.client_assertion``. Nothing in its header
is ever fetched or trusted: the keys are those that the client is known by (security C29, J2, J3).
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorward.model import SECOND, Instant
from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("ES256", "RS256")
MAX_LENGTH = 8 * 1024
LIFETIME = 300
"""Seconds; the longest that an assertion may be good for."""
SKEW = 30
"""Seconds by which the client's clock may be ahead of ours."""
MAX_KEYS = 16
MAX_JTI = 256

_JWT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = (None, "JWT", "jwt", "client-authentication+jwt")
_HEADER = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_EC = frozenset({"kty", "crv", "x", "y"})
_RSA = frozenset({"kty", "n", "e"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_P256_BYTES = 32
_MODULUS_BYTES = (256, 512)
_ALGORITHM_OF = {"EC": "ES256", "RSA": "RS256"}


class BadAssertion(Exception):  # noqa: N818  (a fact about an assertion)
    """It proves nothing. The message is the private reason, and quotes no assertion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What an assertion says; nothing is verified yet."""

    text: str = field(repr=False)
    algorithm: str
    kid: str | None
    client_id: str
    claims: Mapping[str, Any] = field(repr=False)


def read(text: str) -> Assertion:
    """Return what a compact JWS says of itself. Raises ``BadAssertion``.

    ``iss`` and ``sub`` must be one text: the client (RFC 7523 section 3, points 1 and 2).
    """
    found = _JWT.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise BadAssertion("not a signed JWT in compact form")
    header, claims = _object(found[1]), _object(found[2])
    if not header.keys() <= _HEADER or header.get("typ") not in _TYPES or header.get("alg") not in ALGORITHMS:
        raise BadAssertion("its header has another type, algorithm or member")
    kid, client_id = header.get("kid"), claims.get("sub")
    if not isinstance(kid, str | None) or not isinstance(client_id, str) or claims.get("iss") != client_id:
        raise BadAssertion("iss and sub are not one client")
    return Assertion(text=text, algorithm=header["alg"], kid=kid, client_id=client_id, claims=claims)


def judge(assertion: Assertion, audiences: Collection[str], now: Instant) -> tuple[str, Instant]:
    """Return its ``jti`` and its end, if it is for us and good now. Raises ``BadAssertion``.

    One audience only, as a text: an assertion that is good at two servers lets each use it at the other. It lives at
    most ``LIFETIME`` seconds, so that the memory of those that were used stays small.
    """
    claims, seconds = assertion.claims, now / SECOND
    audience = claims.get("aud")
    if not isinstance(audience, str) or audience not in audiences:
        raise BadAssertion("its audience is not this server alone")
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    if "exp" not in times or any(type(value) is not int for value in times.values()):
        raise BadAssertion("exp is missing, or a time is not a whole number")
    if times["exp"] <= seconds or max(times.get("iat", 0), times.get("nbf", 0)) > seconds + SKEW:
        raise BadAssertion("it has expired, or is not good yet")
    if times["exp"] - times.get("iat", times["exp"]) > LIFETIME or times["exp"] > seconds + LIFETIME + SKEW:
        raise BadAssertion(f"it is good for more than {LIFETIME} s")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI or not jti.isprintable():
        raise BadAssertion("no usable jti")
    return jti, Instant(times["exp"] * SECOND)


def candidates(assertion: Assertion, keys: Collection[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the keys that may have signed: of the algorithm's kind, and the named one where one is named."""
    fitting = [key for key in keys if _ALGORITHM_OF[key["kty"]] == assertion.algorithm]
    if assertion.kid is None:
        return fitting
    return [key for key in fitting if key.get("kid", assertion.kid) == assertion.kid]


def public_keys(value: object) -> tuple[Mapping[str, str], ...]:
    """Return the usable keys of a JWK Set (RFC 7517 section 5): P-256, and RSA of 2048 to 4096 bits.

    Keys for something else are left out. Raises ``ValueError``: no set, private key material, no usable key.
    """
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= MAX_KEYS:
        raise ValueError("not a JWK Set with 1 to 16 keys")
    tables = [key for key in keys if isinstance(key, dict)]
    if any(key.keys() & _PRIVATE for key in tables):
        raise ValueError("holds private key material")
    usable = tuple(kept for key in tables if (kept := _usable(key)) is not None)
    if not usable:
        raise ValueError("has no P-256 key for ES256 and no RSA key of 2048 to 4096 bits for RS256")
    return usable


def _usable(key: Mapping[str, Any]) -> Mapping[str, str] | None:
    kind, kid = key.get("kty"), key.get("kid")
    if (
        not isinstance(kind, str)
        or kind not in _ALGORITHM_OF
        or key.get("alg", _ALGORITHM_OF[kind]) != _ALGORITHM_OF[kind]
    ):
        return None
    if key.get("use", "sig") != "sig" or not isinstance(kid, str | None):
        return None
    needed = _EC if kind == "EC" else _RSA
    kept = {name: value for name, value in key.items() if name in needed and isinstance(value, str)}
    if kept.keys() != needed or not (_on_p256(kept) if kind == "EC" else _long_enough(kept)):
        return None
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

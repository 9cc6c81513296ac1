"""A client's signed statement of who it is: ``private_key_jwt`` (RFC 7521 section 4.2, RFC 7523 section 3).

What it says is read and judged here; its signature is checked in ``credentials.client_assertion`` (security C29).
"""

from collections.abc import Collection
from dataclasses import dataclass

from doorward.model import SECOND, Instant
from doorward.protocol import signed_jwt
from doorward.protocol.signed_jwt import SKEW, BadAssertion, SignedJwt

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 300
"""Seconds; the longest that an assertion may be good for."""
MAX_JTI = 256

_TYPES = (None, "JWT", "jwt", "client-authentication+jwt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion(SignedJwt):
    """What a client's assertion says; nothing is verified yet."""

    client_id: str


def read(text: str) -> Assertion:
    """Return what a compact JWS says of itself. Raises ``BadAssertion``.

    ``iss`` and ``sub`` must be one text: the client (RFC 7523 section 3, points 1 and 2).
    """
    found = signed_jwt.read(text, _TYPES)
    client_id = found.claims.get("sub")
    if not isinstance(client_id, str) or found.claims.get("iss") != client_id:
        raise BadAssertion("iss and sub are not one client")
    return Assertion(text=text, algorithm=found.algorithm, kid=found.kid, claims=found.claims, client_id=client_id)


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

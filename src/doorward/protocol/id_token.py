"""What an ID token and the userinfo endpoint say (OpenID Connect Core sections 2, 3.1.3.6, 5.3 and 5.4).

Which claims go where is section 5.4's: with a code, and so with an access token, ``email`` and ``profile`` are told by
the userinfo endpoint. The ID token says who, to whom and when, and in which tenant.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from doorward.model import SECOND, ClientId, Instant, Tenant, User, UserId
from doorward.protocol.scope import EMAIL, PROFILE

ALGORITHMS = ("RS256", "ES256")
"""``id_token_signed_response_alg``; the first is the default (OIDC Registration section 2)."""
TYP = "JWT"
LIFETIME = 3600
"""Seconds. Long enough for every client's clock; it proves a sign-in, not a permission."""
CLAIMS = (
    "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "tenant", "tenant_id", "name", "email",
    "email_verified",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The facts behind an ID token. ``authenticated_at`` is when the person proved who they are, not when we signed."""

    user_id: UserId
    client_id: ClientId
    tenant: Tenant
    authenticated_at: Instant
    nonce: str | None
    algorithm: str


def claims(facts: SignedIn, *, issuer: str, access_token: str, now: Instant) -> dict[str, Any]:
    """Return the members of the ID token that goes with ``access_token``."""
    issued = now // SECOND
    said: dict[str, Any] = {
        "iss": issuer,
        "sub": facts.user_id,
        "aud": facts.client_id,
        "iat": issued,
        "exp": issued + LIFETIME,
        "auth_time": facts.authenticated_at // SECOND,
        "at_hash": at_hash(access_token),
        "tenant": facts.tenant.slug,
        "tenant_id": facts.tenant.id,
    }
    return said if facts.nonce is None else {**said, "nonce": facts.nonce}


def at_hash(access_token: str) -> str:
    """Return the left half of the token's SHA-256, as base64url: both algorithms hash so (section 3.1.3.6)."""
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode("ascii")).digest()[:16]).rstrip(b"=").decode()


def userinfo(user: User, scopes: Collection[str], tenant: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of the userinfo answer for the granted ``scopes``; ``sub`` always (section 5.3.2).

    An address is what an administrator wrote: nobody has shown that it is theirs, and it says so.
    """
    said: dict[str, Any] = {"sub": user.id, **tenant}
    if PROFILE in scopes:
        said["name"] = user.name
    if EMAIL in scopes:
        said |= {"email": user.email, "email_verified": False}
    return said

"""What an identity provider says of itself, and whether its answer to a sign-in is one (OpenID Connect Core and Discovery).

The issuer is declared by the operator and compared byte for byte: everything else a provider says counts only as that
issuer's word (security H15 to H17). A few providers let people of many tenants in by one client; their issuer is a
pattern with ``{tenantid}``, which the token's own ``tid`` fills.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from doorward.model import SECOND, Instant
from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.signed_jwt import SKEW

ALGORITHMS = ("RS256", "ES256", "PS256")
"""How an ID token may be signed; never ``none``, never by a shared secret (H16)."""
TYPES = (None, "JWT", "jwt")
MAX_AGE = 3600
"""Seconds since ``iat`` beyond which an ID token is not the answer to a request of ours, whatever its ``exp``."""
DISCOVERY = "/.well-known/openid-configuration"

_ISSUER = re.compile(r"https://[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?")
_ENDPOINT = re.compile(
    r"https://[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+(?::[0-9]{1,5})?/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*"
    r"(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*)?"
)
_TENANT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """Where a provider is asked, and how. ``issuer`` may hold ``{tenantid}``."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str | None = None
    """None: it signs nothing; who somebody is stands at its own addresses (plain OAuth)."""
    userinfo_endpoint: str | None = None
    names_itself: bool = False
    """Whether each of its answers carries ``iss`` (RFC 9207 section 3)."""
    secret_in_body: bool = False
    """``client_secret_post``, where it does not take ``client_secret_basic``."""


def issuer_ok(issuer: str) -> bool:
    """Say whether this can be declared: https, a host name with a dot, no query."""
    return _ISSUER.fullmatch(issuer) is not None


def read_metadata(document: bytes, issuer: str) -> ProviderMetadata:
    """Return what a discovery document says. Raises ``ValueError`` (private words).

    ``issuer`` must be the document's own, byte for byte (Discovery section 4.3).
    """
    try:
        members = jsonrpc.decode_object(document)
    except JsonRpcError as wrong:
        raise ValueError(f"discovery document: {wrong.reason}") from None
    if members.get("issuer") != issuer:
        raise ValueError("discovery document of another issuer")
    methods = members.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return ProviderMetadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(members, "authorization_endpoint"),
        token_endpoint=_endpoint(members, "token_endpoint"),
        jwks_uri=_endpoint(members, "jwks_uri"),
        userinfo_endpoint=_endpoint(members, "userinfo_endpoint") if "userinfo_endpoint" in members else None,
        names_itself=members.get("authorization_response_iss_parameter_supported") is True,
        secret_in_body=isinstance(methods, list) and "client_secret_basic" not in methods,
    )


def issuer_of(pattern: str, claims: Mapping[str, Any]) -> str | None:
    """Return the issuer that a token with these claims must name; None where the pattern cannot be filled."""
    if "{tenantid}" not in pattern:
        return pattern
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or _TENANT.fullmatch(tenant) is None:
        return None
    return pattern.replace("{tenantid}", tenant)


def failures(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: Instant
) -> list[str]:  # fmt: skip
    """Return the names of the claims by which an ID token is not the answer to our request (Core section 3.1.3.7)."""
    expected = issuer_of(issuer, claims)
    failed = [] if expected is not None and claims.get("iss") == expected else ["iss"]
    failed += _audience(claims, client_id) + _times(claims, now)
    failed += [] if claims.get("nonce") == nonce else ["nonce"]
    failed += [] if subject_ok(claims.get("sub")) else ["sub"]
    if "at_hash" in claims and claims["at_hash"] != _half_hash(access_token):
        failed.append("at_hash")
    return failed


def subject_ok(subject: object) -> bool:
    """Say whether this can be a subject: at most 255 ASCII characters (Core section 2)."""
    return isinstance(subject, str) and _SUBJECT.fullmatch(subject) is not None


def authenticated_at(claims: Mapping[str, Any], now: Instant) -> Instant:
    """Return when the person proved who they are: what the provider says, and never later than now."""
    said = claims.get("auth_time")
    return now if type(said) is not int or said < 0 else Instant(min(now, said * SECOND))


def answer_names(pattern: str, said: str | None, *, always: bool) -> bool:
    """Say whether the ``iss`` of an authorization answer is right (RFC 9207 section 2.4; mix-up, H17).

    ``always``: the provider says that it sends one, so that an answer without it is somebody else's.
    """
    if said is None:
        return not always
    before, pattern_part, after = pattern.partition("{tenantid}")
    if not pattern_part:
        return said == pattern
    middle = said.removeprefix(before).removesuffix(after)
    return said == before + middle + after and _TENANT.fullmatch(middle) is not None


def _endpoint(members: Mapping[str, Any], name: str) -> str:
    url = members.get(name)
    if not isinstance(url, str) or _ENDPOINT.fullmatch(url) is None or not urlsplit(url).hostname:
        raise ValueError(f"discovery document without a usable {name}")
    return url


def _audience(claims: Mapping[str, Any], client_id: str) -> list[str]:
    audience, party = claims.get("aud"), claims.get("azp")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or client_id not in named:
        return ["aud"]
    # For others too: then it has to say that it was issued to us. Whatever it says, it must not name somebody else.
    return ["azp"] if party != client_id and (party is not None or len(named) > 1) else []


def _times(claims: Mapping[str, Any], now: Instant) -> list[str]:
    seconds = now / SECOND
    whole = {name: claims[name] for name in ("exp", "iat", "nbf") if type(claims.get(name)) is int}
    failed = [name for name in ("exp", "iat") if name not in whole]
    failed += ["nbf"] if "nbf" in claims and "nbf" not in whole else []
    if failed:
        return failed
    failed = ["exp"] if whole["exp"] + SKEW <= seconds else []
    if not seconds - MAX_AGE < whole["iat"] <= seconds + SKEW:
        failed.append("iat")
    return failed + (["nbf"] if whole.get("nbf", 0) > seconds + SKEW else [])


def _half_hash(access_token: str | None) -> str | None:
    """Return what ``at_hash`` must be (Core section 3.1.3.6): all algorithms that we take hash by SHA-256."""
    if access_token is None:
        return None
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()

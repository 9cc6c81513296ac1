"""Who is calling: the Doorward identity token, verified on every request, as any upstream should do it.

The token is a JWT of type ``doorward-identity+jwt`` (the type keeps other tokens of the same issuer out: RFC 8725
section 3.11), signed with ES256, meant for this server's URL (``aud``) and at most a minute old.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, TokenVerifier
from typing_extensions import override

from doorward.demo.harbour.errors import NotAllowedError

log = logging.getLogger(__name__)

TOKEN_TYPE: Final = "doorward-identity+jwt"  # noqa: S105  (a media type)
MICROSECONDS: Final = 1_000_000
CLOCK_SKEW_SECONDS: Final = 30
REFETCH_AFTER: Final = 5 * MICROSECONDS
REMEMBERED_TOKENS: Final = 1024


class NoIdentityError(Exception):
    """The bearer is no identity token for this server. The text is for the log and never leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The verified caller. ``roots`` are the subtrees it may touch as (type, key); None means the whole tenant."""

    user_id: str
    name: str
    tenant: str | None
    scopes: frozenset[str]
    roots: frozenset[tuple[str, str]] | None

    def require(self, permission: str) -> None:
        """Raise ``NotAllowedError`` unless the token carries ``permission``."""
        if permission not in self.scopes:
            raise NotAllowedError(permission)


NOBODY: Final = Caller(user_id="", name="", tenant=None, scopes=frozenset(), roots=frozenset())


def current_caller() -> Caller:
    """Return the caller of the request being served; without one, a caller that may see nothing."""
    token = get_access_token()
    return caller_of(token.claims or {}) if token else NOBODY


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Read the claims of a verified identity token; raise ``NoIdentityError`` where their shape is wrong."""
    try:
        roots = claims.get("resources")
        return Caller(
            user_id=str(claims["sub"]),
            name=str(claims.get("name") or claims.get("email") or claims["sub"]),
            tenant=claims.get("tenant"),
            scopes=frozenset(claims.get("scopes") or ()),
            roots=None if roots is None else frozenset((str(r["type"]), str(r["key"])) for r in roots),
        )
    except (KeyError, TypeError) as wrong:
        message = "claims of the wrong shape"
        raise NoIdentityError(message) from wrong


class IssuerKeys:
    """The issuer's JWKS, fetched when first needed and again, at most every few seconds, for an unknown key id."""

    def __init__(self, issuer: str, http: httpx2.AsyncClient, *, now: Callable[[], int]) -> None:
        self._url = f"{issuer}/oauth/jwks.json"
        self._http = http
        self._now = now
        self._keys: KeySet | None = None
        self._fetched_at = 0
        self._fetching = asyncio.Lock()

    async def with_key(self, kid: str) -> KeySet:
        """Return a key set that holds ``kid`` if the issuer publishes it; raise ``NoIdentityError`` if it is silent."""
        if not self._knows(kid):
            async with self._fetching:
                if not self._knows(kid) and self._now() - self._fetched_at > REFETCH_AFTER:
                    await self._fetch()
        if self._keys is None:
            message = "the issuer's keys are not known"
            raise NoIdentityError(message)
        return self._keys

    def _knows(self, kid: str) -> bool:
        return self._keys is not None and any(key.kid == kid for key in self._keys.keys)

    async def _fetch(self) -> None:
        try:
            answer = await self._http.get(self._url)
            answer.raise_for_status()
            self._keys = KeySet.import_key_set(answer.json())
        except (httpx2.HTTPError, ValueError, KeyError, JoseError) as failure:
            message = f"the issuer's keys could not be read: {type(failure).__name__}"
            raise NoIdentityError(message) from failure
        self._fetched_at = self._now()


class IdentityVerifier(TokenVerifier):
    """The SDK's door: an identity token for ``audience`` from ``issuer``, or nothing (401)."""

    def __init__(self, *, issuer: str, audience: str, keys: IssuerKeys, now: Callable[[], int]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._now = now
        self._seen: OrderedDict[bytes, AccessToken] = OrderedDict()

    @override
    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the verified token with its claims, or None; the reason goes to the log."""
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._seen.get(fingerprint)
        if known is not None and (known.expires_at or 0) > self._now() // MICROSECONDS:
            return known
        try:
            claims = await self._claims(token)
            caller_of(claims)
        except NoIdentityError as refused:
            log.info("bearer refused: %s", refused)
            return None
        return self._remember(fingerprint, _access_token(token, claims))

    def _remember(self, fingerprint: bytes, token: AccessToken) -> AccessToken:
        self._seen[fingerprint] = token
        while len(self._seen) > REMEMBERED_TOKENS:
            self._seen.popitem(last=False)
        return token

    async def _claims(self, text: str) -> dict[str, Any]:
        header = _header(text)
        keys = await self._keys.with_key(str(header.get("kid")))
        try:
            claims = dict(jwt.decode(text, keys, algorithms=["ES256"]).claims)
        except (JoseError, ValueError) as wrong:
            message = f"bad signature or form: {type(wrong).__name__}"
            raise NoIdentityError(message) from wrong
        self._check(claims)
        return claims

    def _check(self, claims: Mapping[str, Any]) -> None:
        now = self._now() // MICROSECONDS
        expires, issued = claims.get("exp"), claims.get("iat")
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            message = "another issuer or audience"
            raise NoIdentityError(message)
        if not isinstance(expires, int) or not isinstance(issued, int):
            message = "no exp or iat"
            raise NoIdentityError(message)
        if expires <= now or issued > now + CLOCK_SKEW_SECONDS:
            message = "expired, or from the future"
            raise NoIdentityError(message)


def _header(text: str) -> Mapping[str, Any]:
    """Return the token's header after checking its type and algorithm; nothing else of it is believed yet."""
    with contextlib.suppress(JoseError, ValueError):
        header = jws.extract_compact(text.encode()).headers()
        if header.get("typ") == TOKEN_TYPE and header.get("alg") == "ES256":
            return header
    message = "not an identity token"
    raise NoIdentityError(message)


def _access_token(text: str, claims: Mapping[str, Any]) -> AccessToken:
    # A session of the older revisions stays with (client_id, iss, sub); the tenant is part of it, so that a session
    # opened in one tenant cannot be continued in another.
    return AccessToken(
        token=text,
        client_id=f"{claims.get('tenant')}/{claims.get('client')}",
        scopes=list(claims.get("scopes") or ()),
        expires_at=claims["exp"],
        subject=str(claims["sub"]),
        claims=dict(claims),
    )

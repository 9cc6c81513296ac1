"""Tokens that Doorward signed, checked without asking (RFC 8725: type, algorithm and audience are pinned)."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from doorward.sdk import fetch
from doorward.sdk.errors import NotVerifiedError, UnavailableError

IDENTITY_TOKEN: Final = "doorward-identity+jwt"  # noqa: S105  (a media type)
ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105  (RFC 9068 section 2.1)
ALGORITHM: Final = "ES256"
CLOCK_SKEW: Final = 30
"""Seconds."""
REFETCH_AFTER: Final = 5
"""Seconds between two fetches for key ids nobody knows: anybody can send one."""
KEYS_FOR: Final = 3600
"""Seconds after which the keys are fetched again: one that was withdrawn is believed no longer than this."""

Clock = Callable[[], float]
"""Seconds since the epoch."""


class IssuerKeys:
    """The issuer's JWKS, fetched when first needed, once an hour, and for an unknown key id."""

    def __init__(self, issuer: str, http: httpx2.AsyncClient, *, now: Clock) -> None:
        self._url = f"{issuer}/oauth/jwks.json"
        self._http = http
        self._now = now
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._tried_at = 0.0
        self._fetching = asyncio.Lock()

    async def with_key(self, kid: str) -> KeySet:
        """Return a key set, which holds ``kid`` if the issuer publishes it. Raises ``UnavailableError``."""
        if not self._knows(kid):
            async with self._fetching:
                if not self._knows(kid) and self._now() - self._tried_at > REFETCH_AFTER:
                    self._tried_at = self._now()
                    await self._fetch()
        if self._keys is None or self._now() - self._fetched_at > KEYS_FOR:
            raise UnavailableError("the issuer's keys are not known")
        return self._keys

    def _knows(self, kid: str) -> bool:
        if self._keys is None or self._now() - self._fetched_at > KEYS_FOR:
            return False
        return any(key.kid == kid for key in self._keys.keys)

    async def _fetch(self) -> None:
        document = await fetch.json_object(self._http, "GET", self._url)
        try:
            self._keys = KeySet.import_key_set(document)  # type: ignore[arg-type]  # any shape; refused below
        except (ValueError, KeyError, TypeError, JoseError) as failure:
            raise UnavailableError(f"{self._url} holds no keys: {type(failure).__name__}") from failure
        self._fetched_at = self._now()


async def verified(
    text: str, keys: IssuerKeys, *, typ: str, issuer: str, audience: str, now: float
) -> dict[str, Any]:  # fmt: skip
    """Return the claims of a token of type ``typ`` for ``audience``; ``exp`` and ``iat`` are integers.

    Raises ``NotVerifiedError`` and ``UnavailableError``.
    """
    header = _header(text, typ)
    known = await keys.with_key(str(header.get("kid")))
    try:
        claims = dict(jwt.decode(text, known, algorithms=[ALGORITHM]).claims)
    except (JoseError, ValueError) as wrong:
        raise NotVerifiedError(f"bad signature or form: {type(wrong).__name__}") from wrong
    if claims.get("iss") != issuer or claims.get("aud") != audience:
        raise NotVerifiedError("another issuer or audience")
    expires, issued = claims.get("exp"), claims.get("iat")
    if type(expires) is not int or type(issued) is not int:
        raise NotVerifiedError("no exp or iat")
    if expires <= now or issued > now + CLOCK_SKEW:
        raise NotVerifiedError("expired, or from the future")
    return claims


def _header(text: str, typ: str) -> Mapping[str, Any]:
    """Return the token's header after checking its type and algorithm; nothing else of it is believed yet."""
    with contextlib.suppress(JoseError, ValueError):
        header = jws.extract_compact(text.encode()).headers()
        if header.get("typ") == typ and header.get("alg") == ALGORITHM:
            return header
    raise NotVerifiedError(f"no {typ}")

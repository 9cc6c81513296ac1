"""The only mint of OAuth tokens, and of the identity token that upstreams get.

Access tokens are RFC 9068 JWTs that carry their connection's id; refresh tokens are opaque, and each is derived from
the one before it, so that racing requests, several nodes and a crash before the commit all make the same successor.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from doorward.credentials.secret import SecretKind, base64url, mint, next_refresh_token
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import SECOND, ClientId, Connection, Entropy, Instant, Permission, Principal, ResourceId, Server
from doorward.protocol import id_token
from doorward.protocol.id_token import SignedIn

ACCESS_TOKEN_TYP: Final = "at+jwt"  # noqa: S105  (RFC 9068 section 2.1)
IDENTITY_TOKEN_TYP: Final = "doorward-identity+jwt"  # noqa: S105
IDENTITY_TOKEN_LIFETIME: Final = 60
"""Seconds."""


class TokenIssuer:
    """``issuer`` is the one issuer string; ``refresh_keys`` maps key ids to derivation keys, the last one is current."""

    def __init__(self, *, issuer: str, keys: Callable[[], SigningKeys], refresh_keys: Mapping[str, bytes]) -> None:
        self.issuer = issuer
        self._keys = keys
        self._refresh_keys = refresh_keys
        self.current_kid = list(refresh_keys)[-1]

    def access_token(
        self, connection: Connection, scopes: Iterable[str], *, now: Instant, entropy: Entropy, ttl: int
    ) -> tuple[str, int]:
        """Return ``(token, expires_in)``; it never outlives the connection. ``ttl`` is in seconds."""
        issued = now // SECOND
        expires = min(issued + ttl, connection.expires_at // SECOND)
        claims = {
            "iss": self.issuer,
            "aud": connection.resource,
            "sub": connection.user_id,
            "client_id": connection.client_id,
            "iat": issued,
            "exp": expires,
            "jti": base64url(entropy(16)),
            "scope": " ".join(sorted(scopes)),
            "tenant": connection.tenant_id,
            "connection": connection.id,
        }
        return self._keys().sign(claims, ACCESS_TOKEN_TYP), max(expires - issued, 0)

    def id_token(self, facts: SignedIn, *, access_token: str, now: Instant) -> str:
        """Return the ID token that goes with an access token (OIDC Core section 2)."""
        claims = id_token.claims(facts, issuer=self.issuer, access_token=access_token, now=now)
        return self._keys().sign(claims, id_token.TYP, facts.algorithm)

    @staticmethod
    def first_refresh_token(entropy: Entropy) -> str:
        """Return the refresh token that starts a family."""
        return mint(SecretKind.REFRESH_TOKEN, entropy)

    def successor(self, token: str, kid: str) -> str:
        """Return the one refresh token that follows ``token``. Raises ``KeyError`` for a key that is gone."""
        return next_refresh_token(self._refresh_keys[kid], token)

    def identity_token(  # noqa: PLR0913  (what it says and when)
        self,
        principal: Principal,
        server: Server,
        *,
        scopes: frozenset[Permission],
        resources: Mapping[ResourceId, Mapping[str, str]] | None,
        now: Instant,
        entropy: Entropy,
        client_id: ClientId | None = None,
    ) -> str:
        """Return what the upstream learns of the caller: at most 60 s, for that upstream only (feature D6).

        ``resources`` names the roots of what the call may touch as ``{"type", "key"}``, None means the whole tenant;
        ``scopes`` hold in all of it.
        """
        issued = now // SECOND
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": server.audience,
            "sub": principal.user_id,
            "email": principal.user_email,
            "name": principal.user_name,
            "tenant": principal.tenant_slug,
            "tenant_id": principal.tenant_id,
            "scopes": sorted(scopes),
            "client": client_id or principal.client_id,
            "credential": principal.credential.value,
            "iat": issued,
            "exp": issued + IDENTITY_TOKEN_LIFETIME,
            "jti": base64url(entropy(16)),
        }
        if resources is not None:
            claims["resources"] = [dict(root) for root in resources.values()]
        return self._keys().sign(claims, IDENTITY_TOKEN_TYP)

"""One door: a presented bearer credential becomes a ``Principal``, or nothing.

The kind is told by the form alone, and a credential that fails as what it claims to be is never tried as another
(I12). Rows are read, never changed; the caller reads revisions first and caches by them (``gateway/live.py``). Expiry,
audience, the endpoint's tenant and where the caller is depend on the moment: they are checked at every call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from doorward.credentials import secret
from doorward.credentials.issuer import ACCESS_TOKEN_TYP
from doorward.credentials.key_expiry import moment
from doorward.credentials.principals import (
    Authenticated,
    Unauthenticated,
    principal_of_key,
    principal_of_token,
    rates_of,
    require_alive,
)
from doorward.credentials.secret import Fingerprinter
from doorward.credentials.signing_keys import InvalidToken, SigningKeys
from doorward.model import (
    SECOND,
    ApiKey,
    ClientId,
    Connection,
    ConnectionId,
    Fingerprint,
    Instant,
    Permission,
    TenantId,
    UserId,
)
from doorward.policy.networks import Address, inside
from doorward.storage import api_keys, connections, issued
from doorward.storage.database import Reader

__all__ = ["Authenticated", "Damaged", "Door", "Unauthenticated", "key_by_secret", "require_address"]


class Damaged(Unauthenticated):
    """The checksum is wrong: no key has this form, so whoever holds it may be told to copy it again."""


def require_address(networks: tuple[str, ...], address: Address | None) -> None:
    """Refuse a credential that comes from elsewhere than it is for. Raises ``Unauthenticated``."""
    if not inside(address, networks):
        raise Unauthenticated(f"the key is not for {'an unknown address' if address is None else address}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What it takes to know our own credentials again. ``prefix`` is that of API keys."""

    issuer: str
    keys: Callable[[Reader], SigningKeys]
    """``KeyRing.look``."""
    fingerprinter: Fingerprinter
    prefix: str

    def authenticate(self, reader: Reader, token: str, *, now: Instant) -> Authenticated:
        """Return who presents ``token``. Raises ``Unauthenticated``."""
        # For keys too, which need none: what is signed for this caller's upstream is signed by a key that is still in.
        keys = self.keys(reader)
        if secret.looks_like_api_key(token, self.prefix):
            return self._api_key(reader, token, now)
        return self._access_token(reader, keys, token, now)

    def admit(self, reader: Reader, token: str, *, now: Instant, address: Address | None) -> Authenticated:
        """Return who presents ``token`` from ``address`` (None: unknown) at this moment. Raises ``Unauthenticated``."""
        found = self.authenticate(reader, token, now=now)
        require_address(found.networks, address)
        return found

    def _api_key(self, reader: Reader, token: str, now: Instant) -> Authenticated:
        if not secret.well_formed(token, self.prefix):
            raise Damaged("api key is damaged (checksum)")
        key, ends_at = key_by_secret(reader, self.fingerprinter.of(token), now)
        principal = principal_of_key(reader, key, now)
        if ends_at is not None:
            principal = replace(principal, expires_at=min(ends_at, principal.expires_at or ends_at))
        return Authenticated(
            principal=principal, audience=None, not_before=key.created_at, rates=rates_of(reader, principal),
            networks=key.networks,
        )  # fmt: skip

    def _access_token(self, reader: Reader, keys: SigningKeys, token: str, now: Instant) -> Authenticated:
        try:
            claims = keys.verify(token, ACCESS_TOKEN_TYP)
        except InvalidToken as wrong:
            raise Unauthenticated(str(wrong)) from wrong
        said = _claims(claims, self.issuer)
        if said.expires_at <= now:
            raise Unauthenticated("access token has expired")
        connection = _live_connection(reader, said, now)
        if issued.access_token_revoked(reader, said.token_id):
            raise Unauthenticated(f"access token {said.token_id} was revoked")
        principal = principal_of_token(
            reader,
            connection,
            scopes=said.scopes & connection.scopes,
            expires_at=min(said.expires_at, connection.expires_at),
        )
        return Authenticated(
            principal=principal,
            audience=said.audience,
            not_before=said.issued_at,
            identity=connection.identity & said.scopes,
            rates=rates_of(reader, principal),
        )


def key_by_secret(reader: Reader, fingerprint: Fingerprint, now: Instant) -> tuple[ApiKey, Instant | None]:
    """Return the key that has this secret, or had it before: then with the end of that secret.

    Raises ``Unauthenticated``. What the key itself is good for is another question.
    """
    key = api_keys.api_key_by_fingerprint(reader, fingerprint)
    if key is not None:
        return key, None
    old = api_keys.old_secret(reader, fingerprint)
    if old is None:
        raise Unauthenticated("unknown api key")
    key = api_keys.api_key_by_id(reader, old.tenant_id, old.key_id)
    if key is None or old.ends_at <= now:
        raise Unauthenticated(f"api key {old.key_id} has another secret since {moment(old.replaced_at)}")
    return key, old.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What the claims of a verified token say, in our types."""

    audience: str
    user_id: UserId
    client_id: ClientId
    tenant_id: TenantId
    connection_id: ConnectionId
    token_id: str
    scopes: frozenset[Permission]
    issued_at: Instant
    expires_at: Instant


def _claims(claims: Mapping[str, Any], issuer: str) -> _Said:
    # RFC 9068 section 4; one audience only (J6), integers that are not booleans (J9).
    texts = ("iss", "aud", "sub", "client_id", "tenant", "connection", "jti", "scope")
    numbers = ("iat", "exp")
    if any(type(claims.get(name)) is not str for name in texts) or any(type(claims.get(n)) is not int for n in numbers):
        raise Unauthenticated("claims have another shape")
    if "nbf" in claims:
        # We set none. What a later version of ours means by one must not be read as "now" (J9).
        raise Unauthenticated("nbf is not ours")
    if claims["iss"] != issuer:
        raise Unauthenticated("another issuer")
    return _Said(
        audience=claims["aud"],
        user_id=UserId(claims["sub"]),
        client_id=ClientId(claims["client_id"]),
        tenant_id=TenantId(claims["tenant"]),
        connection_id=ConnectionId(claims["connection"]),
        token_id=claims["jti"],
        scopes=frozenset(Permission(scope) for scope in claims["scope"].split()),
        issued_at=Instant(claims["iat"] * SECOND),
        expires_at=Instant(claims["exp"] * SECOND),
    )


def _live_connection(reader: Reader, said: _Said, now: Instant) -> Connection:
    connection = connections.connection_by_id(reader, said.connection_id)
    if connection is None:
        raise Unauthenticated("no such connection")
    require_alive(connection, now)
    bound = (connection.user_id, connection.client_id, connection.tenant_id, connection.resource)
    if bound != (said.user_id, said.client_id, said.tenant_id, said.audience):
        raise Unauthenticated(f"connection {connection.id} is bound otherwise")
    return connection

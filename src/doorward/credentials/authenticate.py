"""One door: a presented bearer credential becomes a ``Principal``, or nothing.

The kind is told by the form alone, and a credential that fails as what it claims to be is never tried as another
(I12). Rows are read, never changed; the caller reads revisions first and caches by them (``gateway/live.py``). Expiry,
audience and the endpoint's tenant depend on the moment and the URL: the caller checks them at every call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from doorward.credentials import secret
from doorward.credentials.issuer import ACCESS_TOKEN_TYP
from doorward.credentials.secret import Fingerprinter
from doorward.credentials.signing_keys import InvalidToken, SigningKeys
from doorward.model import (
    SECOND,
    ApiKey,
    ClientId,
    Connection,
    ConnectionId,
    CredentialKind,
    Instant,
    Permission,
    Principal,
    Rates,
    Status,
    SubjectKind,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.policy.permission import expand
from doorward.storage import accounts, api_keys, clients, connections, overrides, permissions, servers
from doorward.storage.database import Reader


class Unauthenticated(Exception):  # noqa: N818  (what the caller is)
    """No principal. ``reason`` is private: to the caller all of them are one answer (I2, I3)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """A principal, and what its credential is bound to."""

    principal: Principal
    audience: str | None
    """The URL an access token is for; None for API keys."""
    not_before: Instant
    identity: frozenset[str] = frozenset()
    """What the token's client may be told of the person: ``openid``, ``profile``, ``email``."""
    rates: Rates = Rates()
    """What the tenant says of how often may be called."""


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

    def _api_key(self, reader: Reader, token: str, now: Instant) -> Authenticated:
        if not secret.well_formed(token, self.prefix):
            raise Unauthenticated("api key is damaged (checksum)")
        key = api_keys.api_key_by_fingerprint(reader, self.fingerprinter.of(token))
        if key is None:
            raise Unauthenticated("unknown api key")
        principal = principal_of_key(reader, key, now)
        rates = _rates(reader, principal)
        return Authenticated(principal=principal, audience=None, not_before=key.created_at, rates=rates)

    def _access_token(self, reader: Reader, keys: SigningKeys, token: str, now: Instant) -> Authenticated:
        try:
            claims = keys.verify(token, ACCESS_TOKEN_TYP)
        except InvalidToken as wrong:
            raise Unauthenticated(str(wrong)) from wrong
        said = _claims(claims, self.issuer)
        if said.expires_at <= now:
            raise Unauthenticated("access token has expired")
        connection = _live_connection(reader, said, now)
        if connections.access_token_revoked(reader, said.token_id):
            raise Unauthenticated(f"access token {said.token_id} was revoked")
        principal = _principal_of_connection(
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
            rates=_rates(reader, principal),
        )


def principal_of_key(reader: Reader, key: ApiKey, now: Instant) -> Principal:
    """Return who comes with ``key``, now. Raises ``Unauthenticated``."""
    if key.revoked_at is not None:
        raise Unauthenticated(f"api key {key.id} is revoked")
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthenticated(f"api key {key.id} has expired")
    user, tenant = _owner(reader, key.user_id, key.tenant_id)
    return Principal(
        **_shared(reader, user, tenant, SubjectKind.KEY, key.id),
        credential=CredentialKind.API_KEY,
        credential_id=key.id,
        credential_name=key.name,
        client_id=None,
        scopes=key.scopes,
        declined=frozenset(),
        can_step_up=False,
        resources=key.resources,
        servers=servers.servers_of_tenant(reader, tenant.id),
        expires_at=key.expires_at,
    )


def principal_of_connection(reader: Reader, connection: Connection, now: Instant) -> Principal:
    """Return who comes with the best access token that ``connection`` can get now. Raises ``Unauthenticated``."""
    _require_alive(connection, now)
    return _principal_of_connection(reader, connection, scopes=connection.scopes, expires_at=connection.expires_at)


def principal_of_person(reader: Reader, user_id: UserId, tenant_id: TenantId) -> Principal:
    """Return a person as if a credential had granted all that there is: to look at, never to let anybody in.

    Raises ``Unauthenticated`` where user or tenant is not active.
    """
    user, tenant = _owner(reader, user_id, tenant_id)
    return Principal(
        **_shared(reader, user, tenant, None, ""),
        credential=CredentialKind.ACCESS_TOKEN,
        credential_id="",
        credential_name="",
        client_id=None,
        scopes=frozenset(entry.permission for entry in permissions.catalogue(reader)),
        declined=frozenset(),
        can_step_up=False,
        resources=None,
        servers=servers.servers_of_tenant(reader, tenant.id),
        expires_at=None,
    )


def principal_of_bearer(
    reader: Reader, user_id: UserId, tenant_id: TenantId, *, system: str, scopes: frozenset[Permission],
    expires_at: Instant | None,
) -> tuple[Principal, Rates]:  # fmt: skip
    """Return a person that another system vouches for, by a bearer of its own. Raises ``Unauthenticated``."""
    user, tenant = _owner(reader, user_id, tenant_id)
    principal = Principal(
        **_shared(reader, user, tenant, None, ""),
        credential=CredentialKind.EXTERNAL,
        credential_id=f"{system}:{user.id}",
        credential_name=system,
        client_id=None,
        scopes=scopes,
        declined=frozenset(),
        can_step_up=False,
        resources=None,
        servers=servers.servers_of_tenant(reader, tenant.id),
        expires_at=expires_at,
    )
    return principal, _rates(reader, principal)


def _principal_of_connection(
    reader: Reader, connection: Connection, *, scopes: frozenset[Permission], expires_at: Instant
) -> Principal:
    user, tenant = _owner(reader, connection.user_id, connection.tenant_id)
    return Principal(
        **_shared(reader, user, tenant, SubjectKind.CONNECTION, connection.id),
        credential=CredentialKind.ACCESS_TOKEN,
        credential_id=connection.id,
        credential_name=_client_name(reader, connection.client_id),
        client_id=connection.client_id,
        scopes=scopes,
        declined=connection.declined,
        # Who only wanted to know who somebody is may not learn what tools there are.
        can_step_up=bool(connection.scopes),
        resources=connection.resources,
        servers=servers.servers_of_tenant(reader, tenant.id) & {connection.server_id},
        expires_at=expires_at,
    )


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
    _require_alive(connection, now)
    bound = (connection.user_id, connection.client_id, connection.tenant_id, connection.resource)
    if bound != (said.user_id, said.client_id, said.tenant_id, said.audience):
        raise Unauthenticated(f"connection {connection.id} is bound otherwise")
    return connection


def _require_alive(connection: Connection, now: Instant) -> None:
    if connection.activated_at is None:
        raise Unauthenticated(f"connection {connection.id} is approved only: its client never redeemed the code")
    if connection.revoked_at is not None:
        raise Unauthenticated(f"connection {connection.id} was revoked: {connection.revoked_reason}")
    if connection.expires_at <= now:
        raise Unauthenticated(f"connection {connection.id} has ended")


def _owner(reader: Reader, user_id: UserId, tenant_id: TenantId) -> tuple[User, Tenant]:
    user, tenant = accounts.user_by_id(reader, user_id), accounts.tenant_by_id(reader, tenant_id)
    if user is None or user.status is not Status.ACTIVE:
        raise Unauthenticated(f"user {user_id} is not active")
    if tenant is None or tenant.status is not Status.ACTIVE:
        raise Unauthenticated(f"tenant {tenant_id} is not active")
    if not permissions.is_member(reader, tenant_id, user_id):
        # Who was taken out of a tenant must not even learn its name from a credential that was forgotten (I5).
        raise Unauthenticated(f"user {user_id} is no member of {tenant_id} any more")
    return user, tenant


def _rates(reader: Reader, principal: Principal) -> Rates:
    tenant = accounts.tenant_by_id(reader, principal.tenant_id)
    return Rates() if tenant is None else tenant.rates


def _shared(reader: Reader, user: User, tenant: Tenant, kind: SubjectKind | None, credential_id: str) -> dict[str, Any]:
    catalogue = [entry.permission for entry in permissions.catalogue(reader)]
    placed = permissions.placed_permissions(reader, tenant.id, user.id)
    return {
        "user_id": user.id,
        "user_email": user.email,
        "user_name": user.name,
        "tenant_id": tenant.id,
        "tenant_slug": tenant.slug,
        "tenant_name": tenant.name,
        "permissions": expand(permissions.role_permissions(reader, tenant.id, user.id), catalogue),
        "placed": tuple((node, expand(patterns, catalogue)) for node, patterns in sorted(placed.items())),
        "overrides": overrides.overrides_for(reader, tenant.id, user.id, kind, credential_id),
    }


def _client_name(reader: Reader, client_id: ClientId) -> str:
    client = clients.client_by_id(reader, client_id)
    if client is None:
        raise Unauthenticated(f"client {client_id} is gone")
    if client.status is not Status.ACTIVE:
        raise Unauthenticated(f"client {client_id} is disabled")
    return client.name

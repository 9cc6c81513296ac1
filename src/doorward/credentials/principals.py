"""Who a credential stands for, now: its owner's rights, what it was granted, and what it is narrowed to.

Whether a credential is genuine is for ``authenticate``; here it is one that is known, or a person is only looked at.
"""

from dataclasses import dataclass, replace
from typing import Any

from doorward.model import (
    ApiKey,
    Client,
    Connection,
    CredentialKind,
    Instant,
    Permission,
    Principal,
    Rates,
    ResourceId,
    ServerId,
    Session,
    Status,
    SubjectKind,
    Tenant,
    TenantId,
    User,
    UserId,
)
from doorward.policy.permission import expand
from doorward.policy.reach import overlap
from doorward.policy.rules import ResourceTree
from doorward.storage import accounts, clients, overrides, permissions, servers
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
    networks: tuple[str, ...] = ()
    """Where it may come from; empty: anywhere. See ``require_address``."""


def principal_of_key(reader: Reader, key: ApiKey, now: Instant) -> Principal:
    """Return who comes with ``key``, now. Raises ``Unauthenticated``."""
    if key.revoked_at is not None:
        raise Unauthenticated(f"api key {key.id} is revoked")
    if key.disabled_at is not None:
        raise Unauthenticated(f"api key {key.id} is disabled")
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
        servers=_within(servers.servers_of_tenant(reader, tenant.id), key.servers),
        only_servers=key.servers is not None,
        expires_at=key.expires_at,
    )


def principal_of_connection(reader: Reader, connection: Connection, now: Instant) -> Principal:
    """Return who comes with the best access token that ``connection`` can get now. Raises ``Unauthenticated``."""
    require_alive(connection, now)
    return principal_of_token(reader, connection, scopes=connection.scopes, expires_at=connection.expires_at)


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


def principal_of_session(reader: Reader, session: Session, tenant_id: TenantId) -> Authenticated:
    """Return the person of a live browser session as a caller: with all that they may do themselves, and never more.

    Whether the session is alive is for whoever has it to look at. Raises ``Unauthenticated``.
    """
    person = principal_of_person(reader, session.user_id, tenant_id)
    principal = replace(
        person, credential=CredentialKind.SESSION, credential_id=session.id, credential_name="Try it",
        expires_at=session.expires_at,
    )  # fmt: skip
    return Authenticated(
        principal=principal, audience=None, not_before=session.created_at, rates=rates_of(reader, principal)
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
    return principal, rates_of(reader, principal)


def principal_of_token(
    reader: Reader, connection: Connection, *, scopes: frozenset[Permission], expires_at: Instant
) -> Principal:
    """Return who comes with an access token of ``connection`` for these ``scopes``. Raises ``Unauthenticated``."""
    user, tenant = _owner(reader, connection.user_id, connection.tenant_id)
    client, limit = _client(reader, connection)
    return Principal(
        **_shared(reader, user, tenant, SubjectKind.CONNECTION, connection.id),
        credential=CredentialKind.ACCESS_TOKEN,
        credential_id=connection.id,
        credential_name=client.name,
        client_id=connection.client_id,
        scopes=scopes if limit is None else scopes & limit,
        # What the client may never have is not offered: a step-up for it would go in circles.
        declined=connection.declined if limit is None else connection.declined | (_known(reader) - limit),
        # Who only wanted to know who somebody is may not learn what tools there are.
        can_step_up=bool(connection.scopes),
        resources=_within_client(reader, connection, client),
        servers=servers.servers_of_tenant(reader, tenant.id) & {connection.server_id},
        expires_at=expires_at,
    )


def require_alive(connection: Connection, now: Instant) -> None:
    """Raise ``Unauthenticated`` unless the connection may be used."""
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


def _within(enabled: frozenset[ServerId], limit: frozenset[ServerId] | None) -> frozenset[ServerId]:
    return enabled if limit is None else enabled & limit


def rates_of(reader: Reader, principal: Principal) -> Rates:
    """Return what the tenant says of how often may be called."""
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


def _client(reader: Reader, connection: Connection) -> tuple[Client, frozenset[Permission] | None]:
    """Return the client, which may be used, and what it may have at most. Raises ``Unauthenticated``."""
    client = clients.client_by_id(reader, connection.client_id)
    if client is None:
        raise Unauthenticated(f"client {connection.client_id} is gone")
    if client.status is not Status.ACTIVE:
        raise Unauthenticated(f"client {connection.client_id} is disabled")
    if client.tenant_id not in {None, connection.tenant_id}:
        raise Unauthenticated(f"client {connection.client_id} is not for tenant {connection.tenant_id}")
    return client, client.scope_limit


def _known(reader: Reader) -> frozenset[Permission]:
    return frozenset(entry.permission for entry in permissions.catalogue(reader))


def _within_client(reader: Reader, connection: Connection, client: Client) -> frozenset[ResourceId] | None:
    """Return where a connection reaches: what was approved, as far as its client goes by now (B5).

    Raises ``Unauthenticated`` where that is nowhere.
    """
    if client.resources is None or client.resources == connection.resources:
        return connection.resources
    if connection.resources is None:
        return client.resources
    tree = ResourceTree(permissions.resources_of_tenant(reader, connection.tenant_id))
    found = overlap(connection.resources, client.resources, tree)
    if not found:
        # Nowhere at all. Approved anew, it reaches what its client may reach by now.
        raise Unauthenticated(f"connection {connection.id} has nothing in common with its client's limit")
    return found

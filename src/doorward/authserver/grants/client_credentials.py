"""The client credentials grant: a program that acts by itself, for a service account (RFC 6749 section 4.4; C14).

What it may do is what its account may do in its one tenant, within the client's limit. The tokens belong to an ordinary
connection, so that everything which ends or narrows a person's connection ends and narrows this one. There is no refresh
token: the client proves itself again each time.
"""

from doorward.authserver import standing
from doorward.authserver.grants import machine
from doorward.authserver.grants.outcome import Granted, TokenRules
from doorward.model import (
    Client,
    ClientAuthMethod,
    ClientKind,
    Connection,
    Entropy,
    Instant,
    OwnerKind,
    Permission,
    Status,
    Tenant,
    User,
)
from doorward.policy.permission import expand
from doorward.protocol import faults, resource
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import OAuthError
from doorward.protocol.scope import OIDC_SCOPES
from doorward.protocol.token import ClientCredentialsRequest
from doorward.storage import accounts, connections, permissions, servers
from doorward.storage.database import Transaction


def issue(
    tx: Transaction, request: ClientCredentialsRequest, client: Client, *, rules: TokenRules, now: Instant,
    entropy: Entropy,
) -> Granted:  # fmt: skip
    """Grant an access token to an authenticated client, on its own behalf.

    Raises ``OAuthError``: ``unauthorized_client``, ``invalid_grant``, ``invalid_target`` or ``invalid_scope``; then
    nothing was changed.
    """
    user, tenant = _owner(tx, client)
    endpoint = _endpoint(tx, request.resource, tenant, rules.issuer.issuer)
    scopes = _scopes(tx, request, client, user, tenant)
    connection = _find(tx, client, user, tenant, endpoint, now)
    grows = connection is None or connection.scopes != _most(connection, scopes, client)
    # Two nodes may be about to make or widen the same connection: whoever gets the lock second sees what the first one
    # did. Locked once and not more strongly later, or the two would wait for each other.
    if tx.lock_tenant(tenant.id, for_rights=grows):
        user, tenant = _owner(tx, client)
        scopes = _scopes(tx, request, client, user, tenant)
        connection = _find(tx, client, user, tenant, endpoint, now)
    if connection is None:
        connection = machine.connect(
            tx,
            client,
            user,
            tenant,
            endpoint,
            scopes,
            by="client credentials",
            now=now,
            entropy=entropy,
            cause=rules.cause,
        )
    elif connection.scopes != (most := _most(connection, scopes, client)):
        connections.change_scopes(tx, connection.id, most)
    return Granted(connection=connection, scopes=scopes, refresh_token=None)


def _most(connection: Connection, scopes: frozenset[Permission], client: Client) -> frozenset[Permission]:
    """Return what the connection's tokens may be good for at most, once one with ``scopes`` is given."""
    return standing.within_limit(connection.scopes | scopes, client)


def _owner(tx: Transaction, client: Client) -> tuple[User, Tenant]:
    # Whoever could register itself could otherwise act without any person (C14).
    confidential = client.auth_method is not ClientAuthMethod.NONE
    if client.kind is not ClientKind.REGISTERED or not confidential or client.service_account is None:
        raise _not_a_machine(f"client {client.id} has no service account", "unauthorized_client")
    user = accounts.user_by_id(tx, client.service_account)
    if user is None or user.status is not Status.ACTIVE or user.kind is not OwnerKind.SERVICE:
        raise _not_a_machine(f"user {client.service_account} is no active service account")
    tenants = [tenant for tenant, _ in accounts.memberships_of_user(tx, user.id)]
    if [tenant.id for tenant in tenants] != [client.service_tenant]:
        # One tenant per token (feature B11): with two it would be a guess.
        raise _not_a_machine(f"user {user.id} does not belong to tenant {client.service_tenant} alone")
    return user, tenants[0]


def _endpoint(tx: Transaction, asked: str | None, tenant: Tenant, public_url: str) -> Endpoint:
    """Return the server URL asked for, or the tenant's only one (RFC 8707)."""
    enabled = servers.servers_of_tenant(tx, tenant.id)
    known = Endpoints(public_url=public_url, servers=[each for each in servers.servers(tx) if each.id in enabled])
    if asked is None:
        # What a tenant adds for itself later must not take the usual server from programs that name none.
        usual = [each for each in known.servers if each.tenant_id is None] or known.servers
        only = known.of_tenant(usual[0], tenant.slug) if len(usual) == 1 else None
        if only is None:
            raise _target(f"no resource, and tenant {tenant.slug} has {len(usual)} servers")
        return only
    url = resource.resolve(asked, lambda form: known.by_url(form) is not None)
    endpoint = None if url is None else known.by_url(url)
    if endpoint is None or endpoint.server_id not in enabled or endpoint.tenant_slug not in (None, tenant.slug):
        raise _target(f"asked for {asked[:200]!r}")
    return endpoint


def _scopes(
    tx: Transaction, request: ClientCredentialsRequest, client: Client, user: User, tenant: Tenant
) -> frozenset[Permission]:
    catalogue = (entry.permission for entry in permissions.catalogue(tx))
    live = expand(permissions.permissions_anywhere(tx, tenant.id, user.id), catalogue)
    may = standing.within_limit(live, client)
    # Clients send the OpenID Connect scopes unasked: they ask for no permission (decision 0077.7).
    asked = frozenset(map(Permission, request.scope or ())) - OIDC_SCOPES
    granted = may & asked if asked else may
    if not granted:
        raise OAuthError(faults.SCOPE_INVALID, "invalid_scope", reason=f"nothing is left for client {client.id}")
    return granted


def _find(
    tx: Transaction, client: Client, user: User, tenant: Tenant, endpoint: Endpoint, now: Instant
) -> Connection | None:
    return connections.machine_connection(
        tx, client_id=client.id, tenant_id=tenant.id, user_id=user.id, resource=endpoint.url, now=now
    )


def _not_a_machine(reason: str, error: str = "invalid_grant") -> OAuthError:
    return OAuthError(faults.MACHINE_UNKNOWN, error, reason=reason)


def _target(reason: str) -> OAuthError:
    return OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=reason)

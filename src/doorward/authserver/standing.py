"""What a connection is still good for: the live rights behind it, asked whenever it gives a token (B12, C23, C24)."""

from doorward.model import Client, Connection, Instant, Permission, Status
from doorward.policy.permission import expand
from doorward.protocol.scope import OPENID
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Reader


def why_ended(connection: Connection | None, now: Instant) -> str | None:
    """Return the private reason why no token may come from this connection, or None while it lives."""
    if connection is None:
        return "no connection"
    if connection.revoked_at is not None:
        return f"connection {connection.id} was revoked: {connection.revoked_reason}"
    return f"connection {connection.id} has ended" if connection.expires_at <= now else None


def live_scopes(reader: Reader, connection: Connection, client: Client) -> frozenset[Permission]:
    """Return what of the connection's scopes its user may do now, within the client's limit.

    Empty where user or tenant is not active, the membership or every role is gone, or the tenant has not enabled the
    server (any more). The scopes themselves are the universe that the roles' patterns are held against: nothing that
    was not approved can come back.
    """
    if not servers.enabled(reader, connection.tenant_id, connection.server_id):
        return frozenset()
    patterns = permissions.permissions_anywhere(reader, connection.tenant_id, connection.user_id)
    return within_limit(expand(patterns, connection.scopes), client)


def only_signs_in(reader: Reader, connection: Connection) -> bool:
    """Say whether this is a connection that was never for a permission, and whose person may still come through it."""
    if connection.scopes or OPENID not in connection.identity:
        return False
    user = accounts.user_by_id(reader, connection.user_id)
    if user is None or user.status is not Status.ACTIVE:
        return False
    theirs = {tenant.id for tenant, _ in accounts.memberships_of_user(reader, user.id)}
    return connection.tenant_id in theirs and servers.enabled(reader, connection.tenant_id, connection.server_id)


def within_limit(scopes: frozenset[Permission], client: Client) -> frozenset[Permission]:
    """Return what of ``scopes`` the client may have at all."""
    return scopes if client.scope_limit is None else scopes & client.scope_limit

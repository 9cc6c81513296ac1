"""The connection of a program that acts by itself: one per client and server URL, found again or made."""

from typing import Final

from doorward import audit
from doorward.credentials.secret import base64url
from doorward.model import (
    Cause,
    Client,
    Connection,
    ConnectionId,
    Entropy,
    Instant,
    Permission,
    ResourceId,
    Tenant,
    User,
)
from doorward.protocol.endpoints import Endpoint
from doorward.storage import connections
from doorward.storage.database import Transaction

NO_END: Final = Instant(253_402_300_799_000_000)
"""The last second of the year 9999: such a connection ends with its client or account, not by time."""


def connect(  # noqa: PLR0913
    tx: Transaction, client: Client, user: User, tenant: Tenant, endpoint: Endpoint, scopes: frozenset[Permission], *,
    by: str, now: Instant, entropy: Entropy, resources: frozenset[ResourceId] | None = None,
    cause: Cause | None,
) -> Connection:  # fmt: skip
    """Make the connection, active at once; ``by`` says by which grant, for the audit trail."""
    connection = Connection(
        id=ConnectionId("con_" + base64url(entropy(16))),
        tenant_id=tenant.id,
        user_id=user.id,
        client_id=client.id,
        server_id=endpoint.server_id,
        resource=endpoint.url,
        scopes=scopes,
        declined=frozenset(),
        resources=resources,
        redirect_uri="",
        created_at=now,
        expires_at=NO_END,
        activated_at=now,
    )
    connections.insert_connection(tx, connection)
    audit.record(
        tx, name="connection:activated", at=now, tenant_id=tenant.id, actor_id=user.id, subject=connection.id,
        detail={"client": client.name, "scopes": " ".join(sorted(scopes)), "by": by}, cause=cause,
    )  # fmt: skip
    return connection

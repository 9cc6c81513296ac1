"""Clients that people registered for a tenant or for themselves: listed page by page, counted, deleted."""

from dataclasses import dataclass
from typing import Final

from doorward.model import Client, ClientId, Connection, Instant, TenantId, UserId
from doorward.storage.clients import client_of
from doorward.storage.connections import connection_of
from doorward.storage.database import Reader, Transaction
from doorward.storage.statements import Statement

START: Final = (1 << 62, "\U0010ffff")
"""Before the newest client."""


@dataclass(frozen=True, slots=True)
class ClientUse:
    """How many connections of a client live, and how many people they are of."""

    connections: int
    people: int


_OF_TENANT: Final = "SELECT * FROM clients WHERE tenant_id = :tenant_id AND kind = 'registered'"
_PAGE: Final = " AND (created_at, id) < (:after_at, :after_id) ORDER BY created_at DESC, id DESC LIMIT :most"
_ALL: Final = Statement(_OF_TENANT + _PAGE)
_OWN: Final = Statement(_OF_TENANT + " AND owner_id = :owner_id" + _PAGE)
_COUNT: Final = Statement(
    "SELECT COUNT(*) AS found FROM clients WHERE tenant_id = :tenant_id AND kind = 'registered'"
    " AND COALESCE(owner_id, '') = :owner_id AND deleted_at IS NULL"
)
_LIVING: Final = "revoked_at IS NULL AND activated_at IS NOT NULL AND expires_at > :now"
_USE: Final = Statement(
    "SELECT COUNT(*) AS connections, COUNT(DISTINCT user_id) AS people FROM connections"  # noqa: S608  (constants)
    f" WHERE client_id = :client_id AND {_LIVING}"
)
_CONNECTIONS: Final = Statement(
    "SELECT * FROM connections WHERE client_id = :client_id AND activated_at IS NOT NULL"
    " ORDER BY CASE WHEN revoked_at IS NULL AND expires_at > :now THEN 0 ELSE 1 END, created_at DESC, id LIMIT :most"
)
_DELETE: Final = Statement(
    "UPDATE clients SET status = 'disabled', deleted_at = :now WHERE id = :id AND deleted_at IS NULL"
)
_DELETE_SECRETS: Final = Statement("DELETE FROM client_secrets WHERE client_id = :id")


def clients_of_tenant(
    reader: Reader, tenant_id: TenantId, *, owner: UserId | None, after: tuple[int, str] = START, most: int
) -> list[Client]:
    """Return what was registered for a tenant, newest first, deleted ones too; with ``owner`` only theirs."""
    page = {"tenant_id": tenant_id, "after_at": after[0], "after_id": after[1], "most": most}
    rows = reader.all(_ALL, page) if owner is None else reader.all(_OWN, {**page, "owner_id": owner})
    return [client_of(row) for row in rows]


def living_clients(reader: Reader, tenant_id: TenantId, owner: UserId | None) -> int:
    """Return how many are not deleted, of one owner, or with None of the tenant's own."""
    row = reader.first(_COUNT, {"tenant_id": tenant_id, "owner_id": owner or ""})
    return 0 if row is None else int(row.found)


def use_of_client(reader: Reader, client_id: ClientId, now: Instant) -> ClientUse:
    """Return how much a client is used."""
    row = reader.first(_USE, {"client_id": client_id, "now": now})
    return ClientUse(0, 0) if row is None else ClientUse(int(row.connections), int(row.people))


def connections_of_client(reader: Reader, client_id: ClientId, now: Instant, *, most: int) -> list[Connection]:
    """Return the connections of a client, living ones first, newest first."""
    return [connection_of(row) for row in reader.all(_CONNECTIONS, {"client_id": client_id, "now": now, "most": most})]


def delete_client(tx: Transaction, client_id: ClientId, now: Instant) -> bool:
    """End a client for ever, with its secrets. False where it was deleted before. Its connections are others' to end."""
    if tx.run(_DELETE, {"id": client_id, "now": now}) != 1:
        return False
    tx.run(_DELETE_SECRETS, {"id": client_id})
    return True

"""What an administrator sets for a client of any kind: whether it works at all, how long its tokens live (B14, D3)."""

from dataclasses import replace
from typing import Final

from doorward import audit
from doorward.authserver.lifetimes import LONGEST
from doorward.model import Cause, Client, ClientId, Instant, Status, TenantId, UserId
from doorward.storage import clients
from doorward.storage.database import Transaction

SHORTEST: Final = 60
"""Seconds; below that clients do nothing but refresh."""


class ClientUnknownError(Exception):
    """There is no such client, or nobody has ever let it in. The message says so."""


def set_status(  # noqa: PLR0913
    tx: Transaction, client_id: ClientId, status: Status, *, now: Instant, actor_id: UserId | None = None,
    tenant_id: TenantId | None = None, cause: Cause | None,
) -> bool:  # fmt: skip
    """Let a client work or refuse it everything, at its next call; False where it is so already.

    Connections are not ended: they work again when the client does. Raises ``ClientUnknownError``.
    """
    client = _client(tx, client_id)
    if client.deleted_at is not None:
        raise ClientUnknownError(f"client {client_id[:80]!r} was deleted and never comes back. Register another one.")
    changed = replace(client, status=status)
    if client == changed or not clients.update_client(tx, changed):
        return False
    audit.record(
        tx, name="client:changed", at=now, tenant_id=tenant_id, actor_id=actor_id, subject=client.id,
        detail={"status": status.value}, cause=cause,
    )  # fmt: skip
    return True


def set_access_ttl(
    tx: Transaction, client_id: ClientId, seconds: int | None, *, now: Instant, actor_id: UserId | None = None
) -> bool:
    """Set how long new access tokens of a client live, None for the usual; False where it is so already.

    ``seconds`` is ``SHORTEST`` to ``LONGEST``. Raises ``ClientUnknownError``, ``ValueError``.
    """
    if seconds is not None and not SHORTEST <= seconds <= LONGEST:
        message = f"{seconds} s is no lifetime of an access token"
        raise ValueError(message)
    client = _client(tx, client_id)
    said = {"access_ttl": "default" if seconds is None else str(seconds)}
    return _put(tx, client, replace(client, access_ttl=seconds), said, now, actor_id)


def _client(tx: Transaction, client_id: ClientId) -> Client:
    client = clients.client_by_id(tx, client_id)
    if client is None:
        raise ClientUnknownError(f"there is no client {client_id[:80]!r}, or nobody has let it in. Mend its id.")
    return client


def _put(
    tx: Transaction, before: Client, after: Client, detail: dict[str, str], now: Instant, actor_id: UserId | None
) -> bool:
    if before == after or not clients.update_client(tx, after):
        return False
    audit.record(tx, name="client:changed", at=now, actor_id=actor_id, subject=after.id, detail=detail, cause=None)
    return True

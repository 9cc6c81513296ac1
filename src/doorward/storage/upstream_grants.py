"""Linked accounts, the requests for them, and our registrations: all sealed by the vault, nothing of it is seen here."""

from typing import Final

import sqlalchemy as sa

from doorward.model import (
    Fingerprint,
    Instant,
    ServerId,
    SessionId,
    TenantId,
    UpstreamClient,
    UpstreamGrant,
    UpstreamRequest,
    UserId,
)
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import upstream_clients, upstream_requests
from doorward.storage.schema import upstream_grants as table
from doorward.storage.statements import Row, Statement, delete, insert, select, update, upsert

_KEY: Final = (table.c.tenant_id, table.c.user_id, table.c.server_id)
_PUT: Final = upsert(table, _KEY, [column for column in table.columns if column not in set(_KEY)])
_ONE: Final = select(table, *_KEY)
_OF_USER: Final = select(table, table.c.user_id, order=[table.c.server_id, table.c.tenant_id])
_ALL: Final = select(table, order=[table.c.user_id, table.c.server_id, table.c.tenant_id])
_SAME: Final = (*_KEY, table.c.id, table.c.version)
"""The row that somebody read: linked again, or refreshed meanwhile, it is another one."""
_CLAIM: Final = update(
    table, [table.c.claim, table.c.claimed_until], *_SAME,
    sa.or_(table.c.claimed_until.is_(None), table.c.claimed_until <= sa.bindparam("now")),
)  # fmt: skip
_WHERE: Final = "tenant_id = :tenant_id AND user_id = :user_id AND server_id = :server_id AND id = :id"
_RELEASE: Final = Statement(
    f"UPDATE upstream_grants SET claim = NULL, claimed_until = NULL WHERE {_WHERE} AND claim = :claim"  # noqa: S608
)
_REFRESH: Final = Statement(
    "UPDATE upstream_grants SET sealed = :sealed, scopes = :scopes, refreshed_at = :refreshed_at, version = version + 1,"  # noqa: S608
    f" rejected_at = NULL, claim = NULL, claimed_until = NULL WHERE {_WHERE} AND version = :version"
)
_REJECT: Final = update(table, [table.c.rejected_at], *_SAME, table.c.rejected_at.is_(None))
_REMOVE: Final = delete(table, *_KEY, table.c.id)

_ASK: Final = insert(upstream_requests)
_ASKED: Final = select(upstream_requests, upstream_requests.c.state)
_TAKE: Final = delete(upstream_requests, upstream_requests.c.state)

_PUT_CLIENT: Final = upsert(
    upstream_clients, [upstream_clients.c.server_id, upstream_clients.c.issuer],
    [upstream_clients.c.sealed, upstream_clients.c.registered_at, upstream_clients.c.expires_at],
)  # fmt: skip
_CLIENT: Final = select(upstream_clients, upstream_clients.c.server_id, upstream_clients.c.issuer)
_REMOVE_CLIENTS: Final = delete(upstream_clients, upstream_clients.c.server_id)
_REMOVE_CLIENT: Final = delete(upstream_clients, upstream_clients.c.server_id, upstream_clients.c.issuer)


def put_grant(tx: Transaction, grant: UpstreamGrant) -> None:
    """Link an account, in place of one that was linked before. Raises ``Conflict`` for who is no member."""
    tx.run(_PUT, {**_columns(grant), "claim": None, "claimed_until": None})


def grant_of(reader: Reader, tenant_id: TenantId, user_id: UserId, server_id: ServerId) -> UpstreamGrant | None:
    """Return a person's linked account at a server, in a tenant."""
    row = reader.first(_ONE, {"tenant_id": tenant_id, "user_id": user_id, "server_id": server_id})
    return None if row is None else _grant(row)


def grant_and_claim(reader: Reader, grant: UpstreamGrant) -> tuple[UpstreamGrant, Instant | None] | None:
    """Return what is there in the place of ``grant``, and until when somebody refreshes it; None where nothing is.

    Read at once: between two reads a refresh could end, which would look like one that was given up.
    """
    row = reader.first(_ONE, _key(grant))
    return None if row is None else (_grant(row), None if row.claimed_until is None else Instant(row.claimed_until))


def grants_of_user(reader: Reader, user_id: UserId) -> list[UpstreamGrant]:
    """Return all accounts that a person linked."""
    return [_grant(row) for row in reader.all(_OF_USER, {"user_id": user_id})]


def all_grants(reader: Reader) -> list[UpstreamGrant]:
    """Return all linked accounts."""
    return [_grant(row) for row in reader.all(_ALL)]


def claim_refresh(tx: Transaction, grant: UpstreamGrant, *, claim: str, now: Instant, until: Instant) -> bool:
    """Take the right to refresh this version of a grant; False where somebody has it, or the grant is another one."""
    return tx.run(_CLAIM, {**_same(grant), "claim": claim, "claimed_until": until, "now": now}) == 1


def release_refresh(tx: Transaction, grant: UpstreamGrant, *, claim: str) -> None:
    """Give the right to refresh back, if it is still the one that ``claim`` took."""
    tx.run(_RELEASE, {**_key(grant), "id": grant.id, "claim": claim})


def refreshed(tx: Transaction, grant: UpstreamGrant, *, sealed: str, scopes: tuple[str, ...], now: Instant) -> bool:
    """Keep what a refresh of ``grant`` brought; False where it is not there any more, or another version is."""
    said = {"sealed": sealed, "scopes": records.listed(scopes), "refreshed_at": now}
    return tx.run(_REFRESH, {**_same(grant), **said}) == 1


def reject(tx: Transaction, grant: UpstreamGrant, now: Instant) -> bool:
    """Note that this version of a grant is not refreshed any more; False where it is another one, or known."""
    return tx.run(_REJECT, {**_same(grant), "rejected_at": now}) == 1


def remove_grant(tx: Transaction, grant: UpstreamGrant) -> bool:
    """Forget a linked account, whatever its version; False where it is gone, or linked again."""
    return tx.run(_REMOVE, {**_key(grant), "id": grant.id}) == 1


def put_request(tx: Transaction, request: UpstreamRequest) -> None:
    """Remember a browser that is sent away."""
    tx.run(_ASK, records.columns(request))


def request_by_state(reader: Reader, state: Fingerprint) -> UpstreamRequest | None:
    """Return what a browser was sent away with, expired or not."""
    row = reader.first(_ASKED, {"state": state})
    if row is None:
        return None
    return UpstreamRequest(
        state=Fingerprint(row.state),
        session_id=SessionId(row.session_id),
        user_id=UserId(row.user_id),
        tenant_id=TenantId(row.tenant_id),
        server_id=ServerId(row.server_id),
        upstream=row.upstream,
        sealed=row.sealed,
        expires_at=Instant(row.expires_at),
    )


def take_request(tx: Transaction, state: Fingerprint) -> bool:
    """Use a request up; False where somebody did before."""
    return tx.run(_TAKE, {"state": state}) == 1


def put_client(tx: Transaction, client: UpstreamClient) -> None:
    """Remember as what we are registered, in place of an earlier registration."""
    tx.run(_PUT_CLIENT, records.columns(client))


def client_at(reader: Reader, server_id: ServerId, issuer: str) -> UpstreamClient | None:
    """Return as what we are registered."""
    row = reader.first(_CLIENT, {"server_id": server_id, "issuer": issuer})
    if row is None:
        return None
    return UpstreamClient(
        server_id=ServerId(row.server_id),
        issuer=row.issuer,
        sealed=row.sealed,
        registered_at=Instant(row.registered_at),
        expires_at=None if row.expires_at is None else Instant(row.expires_at),
    )


def remove_client(tx: Transaction, server_id: ServerId, issuer: str) -> bool:
    """Forget a registration, so that the next linking registers again."""
    return tx.run(_REMOVE_CLIENT, {"server_id": server_id, "issuer": issuer}) == 1


def remove_clients(tx: Transaction, server_id: ServerId) -> int:
    """Forget all registrations for a server; return how many there were."""
    return tx.run(_REMOVE_CLIENTS, {"server_id": server_id})


def _key(grant: UpstreamGrant) -> dict[str, object]:
    return {"tenant_id": grant.tenant_id, "user_id": grant.user_id, "server_id": grant.server_id}


def _same(grant: UpstreamGrant) -> dict[str, object]:
    return {**_key(grant), "id": grant.id, "version": grant.version}


def _columns(grant: UpstreamGrant) -> dict[str, object]:
    return {**records.columns(grant), "scopes": records.listed(grant.scopes)}


def _grant(row: Row) -> UpstreamGrant:
    return UpstreamGrant(
        tenant_id=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        server_id=ServerId(row.server_id),
        id=row.id,
        upstream=row.upstream,
        issuer=row.issuer,
        scopes=records.texts(row.scopes),
        sealed=row.sealed,
        version=row.version,
        linked_at=Instant(row.linked_at),
        refreshed_at=Instant(row.refreshed_at),
        rejected_at=None if row.rejected_at is None else Instant(row.rejected_at),
    )

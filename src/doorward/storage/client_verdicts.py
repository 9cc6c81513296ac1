"""What administrators said about clients: allowed or not, in one tenant or in the whole deployment."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from doorward.model import ClientId, Instant, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import client_verdicts as table
from doorward.storage.statements import Row, Statement, delete, upsert

EVERYWHERE: Final = TenantId("")
"""In place of a tenant: the whole deployment."""


class VerdictKind(StrEnum):
    """What a verdict is about."""

    CLIENT = "client"
    """A client, whatever redirect URI it comes with. ``value`` is empty."""
    REDIRECT_HOST = "redirect_host"
    """Every client whose answers go to this https host. ``client_id`` is empty."""
    REDIRECT_URI = "redirect_uri"
    """One redirect URI of one client, beside those that it registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One word of an administrator. ``decided_by`` is None where the operator said so on the command line."""

    tenant_id: TenantId
    kind: VerdictKind
    client_id: ClientId
    value: str
    allowed: bool
    decided_by: UserId | None
    decided_at: Instant


_PUT: Final = upsert(
    table,
    [table.c.tenant_id, table.c.kind, table.c.client_id, table.c.value],
    [table.c.allowed, table.c.decided_by, table.c.decided_at],
)
_FITTING: Final = Statement(
    "SELECT * FROM client_verdicts WHERE tenant_id IN ('', :tenant_id) AND ("
    "(kind = 'client' AND client_id = :client_id AND value = '')"
    " OR (kind = 'redirect_host' AND client_id = '' AND value = :host)"
    " OR (kind = 'redirect_uri' AND client_id = :client_id AND value = :uri))"
)
_ALLOWED_SOMEWHERE: Final = Statement(
    "SELECT 1 AS found FROM client_verdicts WHERE client_id = :client_id AND kind = 'redirect_uri' AND value = :uri"
    " AND allowed = 1 LIMIT 1"
)
_ALL: Final = Statement(sa.select(table).order_by(table.c.decided_at.desc(), table.c.client_id, table.c.value))
_OF_TENANT: Final = Statement(
    "SELECT * FROM client_verdicts WHERE tenant_id IN ('', :tenant_id) ORDER BY decided_at DESC, client_id, value"
)
_FORGET_APPROVALS: Final = delete(table, table.c.client_id, table.c.allowed == 1)


def put_verdict(tx: Transaction, verdict: Verdict) -> None:
    """Store a verdict in place of the one before it."""
    tx.run(_PUT, {**records.columns(verdict), "kind": verdict.kind.value, "allowed": int(verdict.allowed)})


def fitting(reader: Reader, tenant_id: TenantId, client_id: ClientId, *, host: str, uri: str) -> list[Verdict]:
    """Return what holds in a tenant for this client when it is answered at ``uri``; at most six."""
    params = {"tenant_id": tenant_id, "client_id": client_id, "host": host, "uri": uri}
    return [_verdict(row) for row in reader.all(_FITTING, params)]


def redirect_allowed_somewhere(reader: Reader, client_id: ClientId, uri: str) -> bool:
    """Say whether any tenant, or the operator, allowed this redirect URI for the client."""
    return reader.first(_ALLOWED_SOMEWHERE, {"client_id": client_id, "uri": uri}) is not None


def verdicts(reader: Reader, tenant_id: TenantId | None = None) -> list[Verdict]:
    """Return all verdicts, or those that hold in a tenant, newest first."""
    rows = reader.all(_ALL) if tenant_id is None else reader.all(_OF_TENANT, {"tenant_id": tenant_id})
    return [_verdict(row) for row in rows]


def forget_approvals(tx: Transaction, client_id: ClientId) -> int:
    """Take back every approval of a client that is not any more what was approved; denials stay."""
    return tx.run(_FORGET_APPROVALS, {"client_id": client_id})


def _verdict(row: Row) -> Verdict:
    return Verdict(
        tenant_id=TenantId(row.tenant_id),
        kind=VerdictKind(row.kind),
        client_id=ClientId(row.client_id),
        value=row.value,
        allowed=bool(row.allowed),
        decided_by=None if row.decided_by is None else UserId(row.decided_by),
        decided_at=Instant(row.decided_at),
    )

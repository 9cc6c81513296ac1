"""Security events (written with the change they describe) and call events (written in batches)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

import sqlalchemy as sa

from doorward.model import Instant, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import audit_events, call_events
from doorward.storage.statements import POSTGRESQL, SQLITE, Row, Statement, insert, select

_INSERT_EVENT: Final = insert(audit_events)
_LIMIT: Final = sa.bindparam("limit", type_=sa.Integer)
_EVENTS: Final = Statement(sa.select(audit_events).order_by(audit_events.c.id.desc()).limit(_LIMIT))
_EVENTS_OF: Final = Statement(
    sa.select(audit_events)
    .where(audit_events.c.tenant_id == sa.bindparam("tenant_id"))
    .order_by(audit_events.c.id.desc())
    .limit(_LIMIT)
)
_CALLS_OF: Final = Statement(
    sa.select(call_events)
    .where(call_events.c.tenant_id == sa.bindparam("tenant_id"))
    .order_by(call_events.c.id.desc())
    .limit(_LIMIT)
)
_EVENTS_OF_REQUEST: Final = select(audit_events, audit_events.c.request_id, order=[audit_events.c.id])
_CALLS_OF_REQUEST: Final = Statement(
    "SELECT * FROM call_events WHERE id > (SELECT COALESCE(MAX(id), 0) FROM call_events) - :newest"
    " AND request_id = :request_id ORDER BY id"
)
_CALLS_OF_TOOLS: Final = Statement(
    "SELECT name, COUNT(*) AS calls FROM call_events WHERE tenant_id = :tenant_id"
    " AND id > (SELECT COALESCE(MAX(id), 0) FROM call_events) - :newest AND at > :since"
    " AND server_id = :server_id AND method = 'tools/call' AND name IS NOT NULL GROUP BY name"
)
NEWEST: Final = 1_000_000
"""Calls that are looked through for one: an index that is written at every call would cost more than it is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that matters to security. ``name`` is of the vocabulary in ``audit.py``; ``detail`` holds no secret."""

    at: Instant
    tenant_id: TenantId | None
    actor_id: UserId | None
    name: str
    subject: str
    detail: Mapping[str, str]
    request_id: str | None
    address: str | None
    """Where that request came from."""


class CallEvent(NamedTuple):
    """One call through the gateway: who, what, what was decided and why. Never the arguments.

    A tuple in the order of the table's columns, since it is made at every call and written as it is.
    """

    at: Instant
    tenant_id: TenantId
    user_id: UserId
    credential: str
    credential_id: str
    client_id: str | None
    server_id: str
    method: str
    name: str | None
    decision: str
    reason: str
    status: int
    duration_us: int
    request_id: str
    address: str | None = None
    """Where the call came from."""


def _inserting(calls: int) -> Statement:
    """Return the statement that adds so many. By place: binding fifteen names takes longer than the insert."""

    def text(mark: str) -> str:
        row = f"({', '.join(mark for _ in CallEvent._fields)})"
        return f"INSERT INTO {call_events.name} ({', '.join(CallEvent._fields)}) VALUES {', '.join([row] * calls)}"  # noqa: S608

    return Statement({SQLITE: text("?"), POSTGRESQL: text("%s")})


_AT_ONCE: Final = 20
_INSERT_CALL: Final = _inserting(1)
_INSERT_CALLS: Final = _inserting(_AT_ONCE)
"""So many rows in one statement take half the time of as many statements."""


def insert_events(tx: Transaction, events: Sequence[AuditEvent]) -> None:
    """Add security events."""
    for event in events:
        tx.run(_INSERT_EVENT, {**records.columns(event), "detail": records.mapped(event.detail)})


def insert_calls(tx: Transaction, calls: Sequence[CallEvent]) -> None:
    """Add call events."""
    whole = len(calls) - len(calls) % _AT_ONCE
    if whole:
        tx.run(_INSERT_CALLS, [tuple(chain(*calls[at : at + _AT_ONCE])) for at in range(0, whole, _AT_ONCE)])
    if calls[whole:]:
        tx.run(_INSERT_CALL, calls[whole:])


def recent_events(reader: Reader, tenant_id: TenantId | None, limit: int) -> list[AuditEvent]:
    """Return the newest security events of a tenant, or of the whole deployment, newest first."""
    if tenant_id is None:
        return [_event(row) for row in reader.all(_EVENTS, {"limit": limit})]
    return [_event(row) for row in reader.all(_EVENTS_OF, {"tenant_id": tenant_id, "limit": limit})]


def recent_calls(reader: Reader, tenant_id: TenantId, limit: int) -> list[CallEvent]:
    """Return the newest calls of a tenant, newest first."""
    return [_call(row) for row in reader.all(_CALLS_OF, {"tenant_id": tenant_id, "limit": limit})]


def events_of_request(reader: Reader, request_id: str) -> list[AuditEvent]:
    """Return the security events of one request."""
    return [_event(row) for row in reader.all(_EVENTS_OF_REQUEST, {"request_id": request_id})]


def calls_of_request(reader: Reader, request_id: str, *, newest: int = NEWEST) -> list[CallEvent]:
    """Return the calls of one request, if they are among the ``newest`` of all."""
    return [_call(row) for row in reader.all(_CALLS_OF_REQUEST, {"request_id": request_id, "newest": newest})]


def calls_of_tools(
    reader: Reader, tenant_id: TenantId, server_id: str, since: Instant, *, newest: int = NEWEST
) -> Mapping[str, int]:
    """Return how often each tool of a server was called in a tenant since then, of the ``newest`` calls of all."""
    asked = {"tenant_id": tenant_id, "server_id": server_id, "since": since, "newest": newest}
    return {row.name: row.calls for row in reader.all(_CALLS_OF_TOOLS, asked)}


def _event(row: Row) -> AuditEvent:
    return AuditEvent(
        at=Instant(row.at),
        tenant_id=row.tenant_id,
        actor_id=row.actor_id,
        name=row.name,
        subject=row.subject,
        detail=records.mapping(row.detail),
        request_id=row.request_id,
        address=row.address,
    )


def _call(row: Row) -> CallEvent:
    return CallEvent(
        at=Instant(row.at),
        tenant_id=TenantId(row.tenant_id),
        user_id=UserId(row.user_id),
        credential=row.credential,
        credential_id=row.credential_id,
        client_id=row.client_id,
        server_id=row.server_id,
        method=row.method,
        name=row.name,
        decision=row.decision,
        reason=row.reason,
        status=row.status,
        duration_us=row.duration_us,
        request_id=row.request_id,
        address=row.address,
    )

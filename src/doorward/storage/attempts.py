"""The steps that clients took on their way in (A8): added in batches, read by the tenant, the person or the operator.

Two rings: what belongs to nobody we know (strangers can make as much of it as they like) never pushes out what belongs
to a tenant or a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, TenantId, UserId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import attempt_steps as table
from doorward.storage.statements import Row, Statement, insert

MAX_OF_STRANGERS: Final = 5_000
MAX_OF_MEMBERS: Final = 50_000


class Step(StrEnum):
    """How far a client got, in the order of a whole attempt."""

    KNOCKED = "knocked"
    """It came to an MCP server without a good credential and was told where to look."""
    METADATA = "metadata"
    REGISTERED = "registered"
    AUTHORIZE = "authorize"
    """It opened the browser."""
    SIGN_IN = "sign_in"
    """The person was sent to the sign-in page."""
    CONSENT = "consent"
    """The person was asked."""
    APPROVED = "approved"
    DENIED = "denied"
    TOKEN = "token"  # noqa: S105  (the name of a step)
    CALLED = "called"
    """The first message that carried the token."""
    REFRESHED = "refreshed"
    """Only noted where it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStep:
    """One step. ``code`` is the fault's where it was refused, else None.

    ``address`` is the caller's (IPv6: the /64), ``flow`` the authorization request's id, ``path`` that of our URL. All
    texts are clean (``web/attempt_log``); ``redirect_uri`` is one that could be registered.
    """

    id: int = 0
    at: Instant
    step: Step
    code: str | None = None
    request_id: str
    address: str = ""
    agent: str = ""
    flow: str | None = None
    connection_id: str | None = None
    tenant_id: TenantId | None = None
    user_id: UserId | None = None
    client_id: str | None = None
    client_name: str | None = None
    redirect_uri: str | None = None
    path: str | None = None


_INSERT: Final = insert(table)
_LIMIT: Final = sa.bindparam("limit", type_=sa.Integer)
_NEWEST: Final = Statement(sa.select(table).order_by(table.c.id.desc()).limit(_LIMIT))
_OF_TENANT: Final = Statement(
    sa.select(table).where(table.c.tenant_id == sa.bindparam("tenant_id")).order_by(table.c.id.desc()).limit(_LIMIT)
)
_OF_USER: Final = Statement(
    sa.select(table).where(table.c.user_id == sa.bindparam("user_id")).order_by(table.c.id.desc()).limit(_LIMIT)
)
_OF_NO_TENANT: Final = Statement(
    sa.select(table)
    .where(table.c.tenant_id.is_(None), table.c.at >= sa.bindparam("since"))
    .order_by(table.c.id.desc())
    .limit(_LIMIT)
)
_OF_REQUEST: Final = Statement(
    sa.select(table).where(table.c.request_id == sa.bindparam("request_id")).order_by(table.c.id)
)
_CALLED: Final = Statement(
    "INSERT INTO attempt_steps (at, step, request_id, address, agent, connection_id, tenant_id, user_id, client_id)"
    " SELECT :at, 'called', :request_id, '', '', :connection_id, :tenant_id, :user_id, :client_id"
    " WHERE EXISTS (SELECT 1 FROM attempt_steps WHERE connection_id = :connection_id AND step = 'token')"
    " AND NOT EXISTS (SELECT 1 FROM attempt_steps WHERE connection_id = :connection_id AND step = 'called')"
)


def insert_steps(tx: Transaction, steps: Sequence[AttemptStep]) -> None:
    """Add steps. ``id`` is the database's; a first call counts where its token is known, and once."""
    for step in steps:
        columns = {name: value for name, value in records.columns(step).items() if name != "id"}
        if step.step is Step.CALLED:
            wanted = ("at", "request_id", "connection_id", "tenant_id", "user_id", "client_id")
            tx.run(_CALLED, {name: columns[name] for name in wanted})
        else:
            tx.run(_INSERT, {**columns, "step": step.step.value})


def newest_steps(reader: Reader, limit: int) -> list[AttemptStep]:
    """Return the newest steps of everybody, newest first."""
    return [_step(row) for row in reader.all(_NEWEST, {"limit": limit})]


def steps_of_tenant(reader: Reader, tenant_id: TenantId, limit: int) -> list[AttemptStep]:
    """Return the newest steps that belong to a tenant, newest first."""
    return [_step(row) for row in reader.all(_OF_TENANT, {"tenant_id": tenant_id, "limit": limit})]


def steps_of_user(reader: Reader, user_id: UserId, limit: int) -> list[AttemptStep]:
    """Return the newest steps of one person, newest first."""
    return [_step(row) for row in reader.all(_OF_USER, {"user_id": user_id, "limit": limit})]


def steps_of_no_tenant(reader: Reader, since: Instant, limit: int) -> list[AttemptStep]:
    """Return the newest steps that belong to no tenant (yet), newest first."""
    return [_step(row) for row in reader.all(_OF_NO_TENANT, {"since": since, "limit": limit})]


def steps_of_request(reader: Reader, request_id: str) -> list[AttemptStep]:
    """Return what was noted of one request. Looks through all."""
    return [_step(row) for row in reader.all(_OF_REQUEST, {"request_id": request_id})]


def _step(row: Row) -> AttemptStep:
    return AttemptStep(
        id=row.id,
        at=Instant(row.at),
        step=Step(row.step),
        code=row.code,
        request_id=row.request_id,
        address=row.address,
        agent=row.agent,
        flow=row.flow,
        connection_id=row.connection_id,
        tenant_id=None if row.tenant_id is None else TenantId(row.tenant_id),
        user_id=None if row.user_id is None else UserId(row.user_id),
        client_id=row.client_id,
        client_name=row.client_name,
        redirect_uri=row.redirect_uri,
        path=row.path,
    )

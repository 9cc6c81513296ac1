"""The vocabulary of security events, and their one writer.

A security event is written in the transaction of the change it describes: either both are there or neither. Calls are
another matter (``CallLog``): they are batched, and a crash loses at most the last second of them.
"""

from collections.abc import Mapping
from typing import Final

import structlog

from doorward.model import Instant, TenantId, UserId
from doorward.storage import events
from doorward.storage.database import Database, Transaction, Unstorable

_log = structlog.get_logger("doorward.audit")

EVENTS: Final[Mapping[str, str]] = {
    "session:started": "Somebody signed in.",
    "session:refused": "A sign-in was refused.",
    "session:ended": "Somebody signed out.",
    "connection:approved": "A person let a client in.",
    "connection:denied": "A person refused a client.",
    "connection:activated": "A client redeemed its code and is connected.",
    "consent:remembered": "A person wants a client to be let in without being asked.",
    "consent:forgotten": "A person wants to be asked again.",
    "connection:narrowed": "A person took something from a connection: its tokens are good for less.",
    "device:asked": "A device asked to be connected.",
    "connection:revoked": "A connection ended: its tokens work no more.",
    "code:replayed": "A used authorization or device code came again; its connection was ended.",
    "refresh_token:replayed": "A used refresh token came again after its window; its connection was ended.",
    "access_token:revoked": "One access token was revoked.",
    "client:registered": "A client registered itself (RFC 7591).",
    "client:allowed": "An administrator allowed a client, a host of clients, or a redirect URI.",
    "client:denied": "An administrator denied one of these; its connections were ended.",
    "client:updated": "A client changed its own registration (RFC 7592); approvals of it were taken back.",
    "client:deleted": "A client deleted its own registration (RFC 7592); its connections were ended.",
    "client:changed": "An administrator added or changed a client.",
    "client_secret:created": "A client got one more secret.",
    "client_secret:retired": "A client's secret got its end.",
    "trust_rule:added": "An administrator trusts workloads of another issuer.",
    "trust_rule:changed": "A trust rule was changed; its connections were ended.",
    "trust_rule:pinned": "A pending trust rule was used for the first time; it now stands for the ids it saw.",
    "trust_rule:removed": "A trust rule was removed; its connections were ended.",
    "workload:admitted": "A workload got an access token by a trust rule.",
    "workload:refused": "A workload's token did not fit; the rule that came nearest, and the claims that did not.",
    "api_key:created": "An API key was made.",
    "api_key:revoked": "An API key was revoked for ever.",
    "user:changed": "A user was added or changed.",
    "tenant:changed": "A tenant was added or changed.",
    "membership:changed": "A member's roles were changed.",
    "role:changed": "A role was added or changed.",
    "server:changed": "An MCP server or its tool rules were added or changed.",
    "upstream_secret:set": "A credential for MCP servers was set; never its value.",
    "upstream_secret:removed": "A credential for MCP servers was removed.",
    "permission:changed": "The permission catalogue was changed.",
    "resources:changed": "The resource tree of a tenant was changed.",
    "override:changed": "What a tenant says beyond the tool rules of its servers was changed.",
    "tool:held": "A server offers a new tool, which waits for a review.",
    "tool:changed": "What a server says of a tool is not what it said before.",
    "tool:reviewed": "An administrator approved, held or blocked a tool.",
    "decision:explained": "An administrator looked at what another person may do.",
    "signing_key:created": "A signing key was made.",
    "signing_key:revoked": "A signing key was taken out at once; what it signed is refused.",
}
"""Every event's name (``noun:past-tense verb``) and what it tells, in words."""


def record(  # noqa: PLR0913  (an event has that many sides)
    tx: Transaction,
    *,
    name: str,
    at: Instant,
    tenant_id: TenantId | None = None,
    actor_id: UserId | None = None,
    subject: str,
    detail: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> None:
    """Write one security event in ``tx``. ``name`` must be in ``EVENTS``; ``detail`` must hold no secret."""
    if name not in EVENTS:
        message = f"unknown audit event {name!r}"
        raise ValueError(message)
    event = events.AuditEvent(
        at=at, tenant_id=tenant_id, actor_id=actor_id, name=name, subject=subject, detail=detail or {},
        request_id=request_id,
    )  # fmt: skip
    events.insert_events(tx, [event])


class CallLog:
    """Calls waiting to be written. ``flush`` is called at least once a second and at the end."""

    def __init__(self, database: Database, *, limit: int = 50_000) -> None:
        self._database = database
        self._waiting: list[events.CallEvent] = []
        self._limit = limit
        self.lost = 0
        """Calls dropped since the last flush, because storage did not take them (for too long); the log tells."""

    def add(self, call: events.CallEvent) -> None:
        """Remember one call; never blocks, never raises."""
        if len(self._waiting) < self._limit:
            self._waiting.append(call)
        else:
            self.lost += 1

    async def flush(self, *, chunk: int = 500) -> None:
        """Write what waits, in chunks so that no other write waits long. Raises ``StorageUnavailable``."""
        if self.lost:
            _log.error("calls lost", count=self.lost)
            self.lost = 0
        while self._waiting:
            calls = self._waiting[:chunk]
            await self._write(calls)
            del self._waiting[: len(calls)]

    async def _write(self, calls: list[events.CallEvent]) -> None:
        try:
            await self._database.write(lambda tx: events.insert_calls(tx, calls))
        except Unstorable:
            # One that can never be written must not keep the others waiting for ever.
            if len(calls) == 1:
                self.lost += 1
                return
            for half in (calls[: len(calls) // 2], calls[len(calls) // 2 :]):
                await self._write(half)

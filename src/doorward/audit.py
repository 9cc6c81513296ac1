"""The vocabulary of security events, and their one writer.

A security event is written in the transaction of the change it describes: either both are there or neither. Calls are
another matter (``CallLog``): they are batched, and a crash loses at most the last second of them.
"""

from collections.abc import Mapping
from typing import Final

import structlog

from doorward.model import Cause, Instant, TenantId, UserId
from doorward.storage import events, usage
from doorward.storage.database import Database, Transaction, Unstorable

_log = structlog.get_logger("doorward.audit")

EVENTS: Final[Mapping[str, str]] = {
    "setup:done": "The first tenant and its owner were made, by the link for it.",
    "client:disconnected": "An administrator ended all that a client had in a tenant, whoever had let it in.",
    "session:started": "Somebody signed in.",
    "session:refused": "A sign-in was refused.",
    "session:ended": "A session was ended: somebody signed out, here or from elsewhere.",
    "session:confirmed": "Somebody proved again who they are, to change what guards their account.",
    "passkey:added": "Somebody added a passkey.",
    "passkey:removed": "Somebody removed a passkey.",
    "passkey:copied": "A passkey's counter went back: there are two of it. It lets nobody in any more.",
    "recovery_codes:made": "Somebody made new recovery codes; the old ones stopped working.",
    "recovery_code:used": "Somebody signed in with a recovery code.",
    "password:changed": "Somebody changed their password; their other sessions were ended.",
    "session:broke_glass": "An owner signed in past the provider or the ways that others have to come by.",
    "identity:connected": "An account of an identity provider was connected to a user.",
    "identity:removed": "An account of an identity provider was taken from a user.",
    "user:taken_over": "An account went to whoever proved its address; keys, apps and all else that was held with it ended.",
    "user:joined": "Somebody became a user by coming through the provider of a proven mail domain.",
    "provider:changed": "An identity provider was added or changed.",
    "domain:changed": "What a tenant says of a mail domain was added or changed.",
    "domain:proven": "A tenant proved a mail domain.",
    "domain:lapsed": "The proof of a mail domain is gone: its record was missing for a week.",
    "domain:removed": "A mail domain was taken from a tenant; its rules hold no more.",
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
    "client:changed": "An administrator added or changed a client, or its owner did.",
    "client:added": "Somebody registered a client for a tenant, or for themselves.",
    "client:removed": "A client that somebody had registered was deleted; its connections were ended.",
    "client_secret:created": "A client got one more secret.",
    "client_secret:retired": "A client's secret got its end.",
    "trust_rule:added": "An administrator trusts workloads of another issuer.",
    "trust_rule:changed": "A trust rule was changed; its connections were ended.",
    "trust_rule:pinned": "A pending trust rule was used for the first time; it now stands for the ids it saw.",
    "trust_rule:removed": "A trust rule was removed; its connections were ended.",
    "workload:admitted": "A workload got an access token by a trust rule.",
    "workload:refused": "A workload's token did not fit; the rule that came nearest, and the claims that did not.",
    "api_key:created": "An API key was made.",
    "api_key:rotated": "An API key got a new secret; the old one goes on for the time that was chosen.",
    "api_key:changed": "An API key got another name or other addresses that it may come from.",
    "api_key:disabled": "An API key was disabled.",
    "api_key:enabled": "A disabled API key was enabled.",
    "api_key:revoked": "An API key was revoked for ever.",
    "api_key:leaked": "An API key was found where others can read it; it was revoked.",
    "user:changed": "A user was added or changed.",
    "user:deactivated": "An account was deactivated: all that its person held has ended.",
    "user:activated": "An account may be used again; what it held before stays ended.",
    "user:deleted": "An account was deleted; who it was is told here and nowhere else.",
    "membership:ended": "Somebody left a tenant: all that they held in it has ended.",
    "tenant:changed": "A tenant was added or changed.",
    "membership:changed": "A member's roles were changed.",
    "role:changed": "A role was added or changed.",
    "role:removed": "A role was deleted; whoever held it was moved to another one, if one was named.",
    "server:changed": "An MCP server or its tool rules were added or changed.",
    "own_server:added": "A tenant added a server for itself.",
    "own_server:changed": "A tenant changed a server of its own, disabled it or enabled it again; its address, never its credential.",
    "own_server:removed": "A tenant removed a server of its own.",
    "server:updated": "An MCP server says another version of itself than before, or speaks another MCP revision.",
    "upstream_secret:set": "A credential for MCP servers was set; never its value.",
    "upstream_secret:removed": "A credential for MCP servers was removed.",
    "upstream_account:linked": "A person linked an account of theirs at an MCP server; never a token.",
    "upstream_account:unlinked": "A linked account was forgotten.",
    "upstream_account:rejected": "The other side does not renew a linked account any more.",
    "permission:changed": "The permission catalogue was changed.",
    "resources:changed": "The resource tree of a tenant was changed.",
    "resources:taken_over": "Administrators of a tenant change its tree themselves, which a product had pushed.",
    "override:changed": "What a tenant says beyond the tool rules of its servers was changed.",
    "tool:held": "A server offers a new tool, which waits for a review.",
    "tool:changed": "What a server says of a tool is not what it said before.",
    "tool:reviewed": "An administrator approved, held or blocked a tool.",
    "approval:asked": "A call wants to be approved before it is made.",
    "approval:approved": "Somebody approved a call: it may be made once.",
    "approval:denied": "Somebody denied a call that wanted to be approved.",
    "approval:used": "An approved call was sent to its server.",
    "usage:exported": "Somebody exported the use of a tenant, or their own.",
    "audit:exported": "Somebody exported the audit log or the log of calls of a tenant.",
    "decision:explained": "An administrator looked at what another person may do.",
    "password:reset_asked": "Somebody asked for a link to choose a new password; it went to the account's address.",
    "password:reset": "A person chose a new password by a mailed link; their sessions and links ended.",
    "sign_in_link:asked": "Somebody asked for a link to sign in; it went to the account's address.",
    "invitation:sent": "Somebody was invited to a tenant, or invited again.",
    "invitation:revoked": "An invitation was taken back.",
    "invitation:accepted": "Somebody accepted an invitation and is a member.",
    "email:change_asked": "A person asked for another address; a link went to it, or word to whose it is.",
    "email:changed": "A person has another address, which a link has proven; their other sessions and links ended.",
    "email:change_undone": "Who has the old address took the account back, with a new password.",
    "mail:given_up": "A mail was not taken by the mail server, or by nobody in time; why.",
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
    cause: Cause | None,
) -> None:
    """Write one security event in ``tx``. ``name`` must be in ``EVENTS``; ``detail`` must hold no secret.

    ``cause`` is None for chores and for commands at the machine, and has no default: nobody forgets where from.
    """
    if name not in EVENTS:
        message = f"unknown audit event {name!r}"
        raise ValueError(message)
    event = events.AuditEvent(
        at=at, tenant_id=tenant_id, actor_id=actor_id, name=name, subject=subject, detail=detail or {},
        request_id=None if cause is None else cause.request_id, address=None if cause is None else cause.address,
    )  # fmt: skip
    events.insert_events(tx, [event])


def _write_down(tx: Transaction, calls: list[events.CallEvent]) -> None:
    # In one transaction: what is written down is counted, once, wherever a node dies.
    events.insert_calls(tx, calls)
    usage.count(tx, calls)


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

    async def flush(self, *, chunk: int = 250) -> None:
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
            await self._database.write(lambda tx: _write_down(tx, calls))
        except Unstorable:
            # One that can never be written must not keep the others waiting for ever.
            if len(calls) == 1:
                self.lost += 1
                return
            for half in (calls[: len(calls) // 2], calls[len(calls) // 2 :]):
                await self._write(half)

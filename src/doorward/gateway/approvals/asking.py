"""The use case behind a call that needs an approval: ask for one, or spend the one there is (feature D8).

An approval belongs to one caller (user, tenant, credential), one version of one tool and one set of arguments. It is
spent in a transaction of its own before the upstream hears of the call: a call that then fails needs another one.
"""

from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.credentials.principals import Unauthenticated, principal_of_key
from doorward.credentials.secret import base64url
from doorward.gateway.approvals.state import Passed, Resumed
from doorward.gateway.offer import Tool
from doorward.model import (
    SECOND,
    ApiKeyId,
    Approval,
    ApprovalId,
    Approvers,
    Cause,
    Entropy,
    Instant,
    OwnerKind,
    Principal,
    Server,
    Status,
    TenantId,
    UserId,
)
from doorward.policy.approvals import arguments_hash, canonical, may_decide
from doorward.policy.permission import expand
from doorward.protocol import mcp
from doorward.storage import accounts, api_keys, permissions
from doorward.storage import approvals as stored
from doorward.storage.database import Reader, Transaction
from doorward.vault import Sealer

LABEL: Final = "approval arguments"
MAX_ARGUMENTS: Final = 64 * 1024
"""Characters of the arguments, written canonically. Nobody is asked to approve what no page could show."""
_ID_BYTES: Final = 16
_BY_KEY: Final = "api key "
_BOUND: Final = (
    "tenant_id", "user_id", "credential", "credential_id", "server_id", "tool", "digest", "arguments_hash", "approvers",
)  # fmt: skip
"""What two calls must have in common to be the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for all approvals. ``seconds``: how long there is to decide, and then again to make the call."""

    sealer: Sealer
    entropy: Entropy
    seconds: int = 600
    most: int = 20
    """How many calls of one caller may wait at a time."""

    def end(self, now: Instant) -> Instant:
        """Return when what begins now is over."""
        return Instant(now + self.seconds * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A call that may be made once it is approved. ``text`` are its arguments, written canonically."""

    principal: Principal
    server: Server
    name: str
    tool: Tool
    text: str
    approvers: Approvers


@dataclass(frozen=True, slots=True)
class Waits:
    """Somebody has to decide first."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class WasDenied:
    """Somebody said no."""

    approval: Approval


@dataclass(frozen=True, slots=True)
class Over:
    """What was brought back is spent, or its time is over."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """This caller has as many calls waiting as may be."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The arguments are longer than a page shows."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Whom the rule asks can never sign in."""


Outcome = Passed | Waits | WasDenied | Over | TooMany | TooLong | Nobody


def wanted(principal: Principal, server: Server, ask: mcp.CallTool, tool: Tool, approvers: Approvers) -> Wanted:
    """Return the call as an approval is bound to it."""
    text = canonical(ask.arguments)
    return Wanted(principal=principal, server=server, name=ask.name, tool=tool, text=text, approvers=approvers)


def glance(reader: Reader, call: Wanted, resumed: Resumed | None, now: Instant) -> Outcome | None:
    """Return the outcome where nothing has to be written: it still waits, or was denied. None: ``claim`` it."""
    if len(call.text) > MAX_ARGUMENTS:
        return TooLong()
    found = _found(reader, call, resumed, now)
    return None if found is None else _undone(found)


def claim(
    tx: Transaction, call: Wanted, resumed: Resumed | None, terms: Terms, *, now: Instant, cause: Cause
) -> Outcome:
    """Spend the approval of this call, or ask for one."""
    # Exclusively: of two askers at once, one asks; and nobody takes a right from whoever decided meanwhile.
    tx.lock_tenant(call.principal.tenant_id, for_rights=True)
    found = _found(tx, call, resumed, now)
    if found is None:
        return _ask(tx, call, terms, now, cause) if resumed is None else Over()
    undone = _undone(found)
    if undone is not None:
        return undone
    if not _stands(tx, found, now):
        stored.withdraw_approval(tx, found.id, now)
        return _ask(tx, call, terms, now, cause)
    rounds = 0 if resumed is None else resumed.rounds
    if not stored.use_approval(tx, found.id, rounds=rounds, now=now):
        return Over()
    if rounds == 0:
        _note(tx, "approval:used", found, call, now, cause)
    return Passed(found.id, rounds + 1)


def eligible(reader: Reader, approval: Approval, decider: UserId) -> bool:
    """Say whether somebody may decide about it now: an active member of the tenant, with the rights in all of it."""
    if not permissions.is_member(reader, approval.tenant_id, decider):
        return False
    patterns = permissions.role_permissions(reader, approval.tenant_id, decider)
    held = expand(patterns, approval.approvers.permissions)
    active = _active(reader, approval.tenant_id, decider)
    return active and may_decide(approval.approvers, decider=decider, asker=approval.user_id, held=held)


def by_key(key_id: str) -> str:
    """Return how it is written down that somebody decides with an API key."""
    return f"{_BY_KEY}{key_id}"


def arguments_of(approval: Approval, sealer: Sealer) -> str:
    """Return the arguments that were asked about, written canonically. Raises ``Unsealed``."""
    return sealer.open(LABEL, approval.arguments, aad=approval.id.encode()).decode()


def plain(text: str) -> str:
    """Return what somebody else wrote with all that cannot be seen, or turns the reading around, spelled out."""
    return "".join(each if each.isprintable() or each == "\n" else _spelled(each) for each in text)


def _spelled(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _active(reader: Reader, tenant_id: TenantId, user_id: UserId) -> bool:
    user, tenant = accounts.user_by_id(reader, user_id), accounts.tenant_by_id(reader, tenant_id)
    if user is None or tenant is None:
        return False
    return user.status is Status.ACTIVE and tenant.status is Status.ACTIVE


def _found(reader: Reader, call: Wanted, resumed: Resumed | None, now: Instant) -> Approval | None:
    """Return what is open for this call; for one that comes back, only that which it came from."""
    like = _row(call, ApprovalId(""), "", now, now)
    if resumed is None or resumed.rounds == 0:
        found = stored.open_approval(reader, like, now)
        return found if resumed is None or found is None or found.id == resumed.approval_id else None
    found = stored.approval_by_id(reader, resumed.approval_id)
    same = found is not None and _same_call(found, like) and found.expires_at > now
    return found if same else None


def _same_call(one: Approval, other: Approval) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _BOUND)


def _undone(approval: Approval) -> Waits | WasDenied | None:
    if approval.decided_at is None:
        return Waits(approval)
    return None if approval.approved else WasDenied(approval)


def _stands(reader: Reader, approval: Approval, now: Instant) -> bool:
    """Say whether whoever approved could still do so, with what they did. The operator, at the command line, always can."""
    if approval.decided_by is None:
        return True
    return _key_lives(reader, approval, now) and eligible(reader, approval, approval.decided_by)


def _key_lives(reader: Reader, approval: Approval, now: Instant) -> bool:
    """Say whether the key that approved is good yet: one that leaked takes along what it approved."""
    if not approval.decided_with.startswith(_BY_KEY):
        return True
    key_id = ApiKeyId(approval.decided_with.removeprefix(_BY_KEY))
    key = api_keys.api_key_by_id(reader, approval.tenant_id, key_id)
    try:
        return key is not None and bool(principal_of_key(reader, key, now))
    except Unauthenticated:
        return False


def _ask(tx: Transaction, call: Wanted, terms: Terms, now: Instant, cause: Cause) -> Outcome:
    approval_id = ApprovalId(f"ap_{base64url(terms.entropy(_ID_BYTES))}")
    sealed = terms.sealer.seal(LABEL, call.text.encode(), aad=approval_id.encode(), entropy=terms.entropy)
    row = _row(call, approval_id, sealed, now, terms.end(now))
    if _nobody_can(tx, call):
        return Nobody()
    if stored.waiting_of_caller(tx, row, now) >= terms.most:
        return TooMany()
    stored.insert_approval(tx, row)
    _note(tx, "approval:asked", row, call, now, cause)
    return Waits(row)


def _nobody_can(reader: Reader, call: Wanted) -> bool:
    if call.approvers.permissions:
        return False
    owner = accounts.user_by_id(reader, call.principal.user_id)
    return call.approvers.by_another or owner is None or owner.kind is not OwnerKind.PERSON


def _row(call: Wanted, approval_id: ApprovalId, sealed: str, now: Instant, end: Instant) -> Approval:
    principal = call.principal
    return Approval(
        id=approval_id,
        tenant_id=principal.tenant_id,
        user_id=principal.user_id,
        credential=principal.credential,
        credential_id=principal.credential_id,
        credential_name=principal.credential_name,
        client_id=principal.client_id,
        server_id=call.server.id,
        tool=call.name,
        digest=call.tool.digest,
        description=plain(call.tool.description),
        arguments_hash=arguments_hash(call.text),
        arguments=sealed,
        approvers=call.approvers,
        created_at=now,
        expires_at=end,
    )


def _note(tx: Transaction, name: str, row: Approval, call: Wanted, now: Instant, cause: Cause) -> None:
    detail = {
        "server": call.server.slug, "tool": row.tool, "arguments": f"sha256:{row.arguments_hash}",
        row.credential.value: row.credential_id,
    }  # fmt: skip
    audit.record(
        tx, name=name, at=now, tenant_id=row.tenant_id, actor_id=row.user_id, subject=row.id, detail=detail,
        cause=cause,
    )  # fmt: skip

"""The use cases behind page, API and command: who sees which call that wants an approval, and decides about it (D8).

Whoever may neither decide nor asked is told the same of an approval that is there as of one that is not (M1).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.accounts import ways_in
from doorward.credentials.key_makers import known_to_others
from doorward.gateway.approvals.asking import Terms, arguments_of, eligible
from doorward.gateway.approvals.view import Seen, with_arguments
from doorward.model import (
    Approval,
    ApprovalId,
    ApprovalState,
    Cause,
    Instant,
    Principal,
    Server,
    ServerId,
    Session,
    Tenant,
    TenantId,
    UserId,
)
from doorward.policy.approvals import state_of
from doorward.storage import accounts, permissions, servers
from doorward.storage import approvals as stored
from doorward.storage.database import Reader, Transaction

MOST_WAITING: Final = 500
MOST_DECIDED: Final = 100
"""Of one tenant; these are the newest, whoever they are for."""
_ID: Final = re.compile(r"ap_[A-Za-z0-9_-]{22}")


class NoSuchApproval(Exception):  # noqa: N818  (an answer)
    """There is none, or none that this person may know of."""


class MayNotDecide(Exception):  # noqa: N818
    """They may see it, and somebody else has to decide."""


class NotWaiting(Exception):  # noqa: N818
    """It was decided already, or its time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, or decides: a person at a page, the owner of an API key with it, or the operator."""

    user_id: UserId | None
    """None: the operator, at the command line."""
    through: str
    """Where, for the audit log."""
    key: Principal | None = None
    cause: Cause | None
    session: Session | None = None
    """Of a person at a page: a tenant may not take the way by which they signed in."""


def waiting(reader: Reader, viewer: Viewer, now: Instant, tenant: Tenant | None = None) -> list[Seen]:
    """Return what waits for somebody to decide, as far as ``viewer`` may see it; oldest first."""
    return _all(reader, viewer, now, tenant, lambda each: stored.undecided_of_tenant(reader, each, now, MOST_WAITING))


def over(reader: Reader, viewer: Viewer, now: Instant, tenant: Tenant | None = None) -> list[Seen]:
    """Return the newest that do not wait any more, as far as ``viewer`` may see them; newest first."""
    found = _all(reader, viewer, now, tenant, lambda each: stored.newest_of_tenant(reader, each, MOST_DECIDED))
    done = [each for each in found if each.state is not ApprovalState.WAITING]
    return sorted(done, key=lambda each: each.approval.created_at, reverse=True)


def look(reader: Reader, approval_id: str, viewer: Viewer, terms: Terms, now: Instant) -> Seen:
    """Return one with its arguments. Raises ``NoSuchApproval``."""
    seen = _seen(reader, _by_id(reader, approval_id), viewer, now, _servers(reader))
    if seen is None:
        raise NoSuchApproval
    return with_arguments(seen, arguments_of(seen.approval, terms.sealer))


def decide(
    tx: Transaction, approval_id: str, viewer: Viewer, terms: Terms, *, approve: bool, now: Instant
) -> Seen:  # fmt: skip
    """Approve or deny, once and for all. Raises ``NoSuchApproval``, ``MayNotDecide`` and ``NotWaiting``."""
    found = _by_id(tx, approval_id)
    if found is None:
        raise NoSuchApproval
    # Rights are looked at under the lock: who loses theirs at this moment decides before it or not at all.
    tx.lock_tenant(found.tenant_id, for_rights=False)
    seen = look(tx, approval_id, viewer, terms, now)
    if not seen.may_decide:
        raise MayNotDecide
    done = stored.decide_approval(
        tx, found.id, approved=approve, by=viewer.user_id, through=viewer.through, now=now, expires_at=terms.end(now)
    )
    if not done:
        raise NotWaiting
    detail = {
        "by": viewer.through, "server": seen.server.slug, "tool": found.tool, "asked_by": seen.asker.email,
        "arguments": f"sha256:{found.arguments_hash}",
    }  # fmt: skip
    audit.record(
        tx, name="approval:approved" if approve else "approval:denied", at=now, tenant_id=found.tenant_id,
        actor_id=viewer.user_id, subject=found.id, detail=detail, cause=viewer.cause,
    )  # fmt: skip
    return look(tx, approval_id, viewer, terms, now)


def _by_id(reader: Reader, approval_id: str) -> Approval | None:
    return stored.approval_by_id(reader, ApprovalId(approval_id)) if _ID.fullmatch(approval_id) else None


def _all(
    reader: Reader,
    viewer: Viewer,
    now: Instant,
    tenant: Tenant | None,
    read: Callable[[TenantId], Iterable[Approval]],
) -> list[Seen]:
    places = [tenant] if tenant is not None else _tenants(reader, viewer)
    known = _servers(reader)
    found = (_seen(reader, approval, viewer, now, known) for each in places for approval in read(each.id))
    return [seen for seen in found if seen is not None]


def _tenants(reader: Reader, viewer: Viewer) -> Iterable[Tenant]:
    if viewer.user_id is None:
        return accounts.all_tenants(reader)
    return [tenant for tenant, _ in accounts.memberships_of_user(reader, viewer.user_id)]


def _servers(reader: Reader) -> Mapping[ServerId, Server]:
    return {server.id: server for server in servers.all_servers(reader)}


def _seen(
    reader: Reader, approval: Approval | None, viewer: Viewer, now: Instant, known: Mapping[ServerId, Server]
) -> Seen | None:
    if approval is None or (viewer.key is not None and viewer.key.tenant_id != approval.tenant_id):
        return None
    if viewer.session is not None and not ways_in.may_act(reader, viewer.session, approval.tenant_id):
        return None
    may, mine = _may(reader, approval, viewer), _is_mine(reader, approval, viewer)
    tenant, asker = accounts.tenant_by_id(reader, approval.tenant_id), accounts.user_by_id(reader, approval.user_id)
    server = known.get(approval.server_id)
    if not (may or mine) or tenant is None or asker is None or server is None:
        return None
    return Seen(
        approval=approval,
        state=state_of(approval, now),
        tenant=tenant,
        asker=asker,
        server=server,
        decider=None if approval.decided_by is None else accounts.user_by_id(reader, approval.decided_by),
        mine=mine,
        may_decide=may,
    )


def _is_mine(reader: Reader, approval: Approval, viewer: Viewer) -> bool:
    if viewer.user_id is None or viewer.user_id != approval.user_id:
        return False
    return permissions.is_member(reader, approval.tenant_id, viewer.user_id)


def _may(reader: Reader, approval: Approval, viewer: Viewer) -> bool:
    if viewer.user_id is None:
        return True
    if viewer.key is not None:
        # A key is what agents hold: it never stands for a person's own word. Nor does it decide about what its owner's
        # other keys and apps ask: they may be the same agent's. Whoever made it for somebody is the one who has it.
        asked = approval.approvers.permissions
        own = approval.user_id in {viewer.key.user_id, *known_to_others(reader, viewer.key)}
        if not asked or own or not asked <= viewer.key.scopes:
            return False
    return eligible(reader, approval, viewer.user_id)

"""Who has to approve a call before it is made, and to which call an approval belongs (feature D8). Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from doorward.model import Approval, ApprovalState, Approvers, Instant, Permission, UserId


def combined(needs: Iterable[Approvers | None]) -> Approvers | None:
    """Return what satisfies all of ``needs``; None where none of them needs anything.

    A permission replaces the caller's own person: whoever decides must then hold all that are named.
    """
    found = [each for each in needs if each is not None]
    if not found:
        return None
    return Approvers(
        permissions=frozenset[Permission]().union(*(each.permissions for each in found)),
        by_another=any(each.by_another for each in found),
    )


def may_decide(needed: Approvers, *, decider: UserId, asker: UserId, held: frozenset[Permission]) -> bool:
    """Say whether ``decider``, who holds ``held`` in the whole tenant, may approve or deny a call of ``asker``'s."""
    if needed.by_another and decider == asker:
        return False
    return needed.permissions <= held if needed.permissions else decider == asker


def canonical(arguments: Mapping[str, Any]) -> str:
    """Return the one way of writing ``arguments``: members sorted, no spaces, ASCII.

    Equal texts mean that the upstream gets the same bytes but for the order of members. ``1`` and ``1.0`` differ: a
    tool may tell them apart.
    """
    return json.dumps(arguments, sort_keys=True, separators=(",", ":"))


def arguments_hash(text: str) -> str:
    """Return the SHA-256 (hex) of what ``canonical`` wrote: what an approval is bound to."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def state_of(approval: Approval, now: Instant) -> ApprovalState:
    """Return how it stands with a call that wants, or has, an approval."""
    if approval.rounds:
        return ApprovalState.USED
    if approval.decided_at is not None and not approval.approved:
        return ApprovalState.DENIED
    if approval.expires_at <= now:
        return ApprovalState.EXPIRED
    return ApprovalState.WAITING if approval.decided_at is None else ApprovalState.APPROVED

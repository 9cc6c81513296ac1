"""Everything that somebody can hold, of whatever kind, and how it ends: the one list.

Whoever leaves holds nothing afterwards, because leaving walks this list and nothing else does. Every table that refers
to people stands here or in ``KEPT``; a test goes through the schema and fails for one that does not, so that a new kind
of credential cannot be forgotten.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from doorward import audit
from doorward.model import Cause, Instant, TenantId, UserId
from doorward.storage import leaving
from doorward.storage.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Who leaves what: ``tenant_id`` is None where it is everything. ``reason`` like ``user:deactivated``."""

    user_id: UserId
    tenant_id: TenantId | None
    now: Instant
    reason: str


def _nothing(_tx: Transaction, _leaving: Leaving) -> Sequence[str]:
    return ()


def _keeps(_tx: Transaction, _user_id: UserId) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing. ``tables`` are those whose rows are it, or work only with it."""

    name: str
    tables: frozenset[str]
    carried_by_programs: bool = False
    """Apps and scripts call with it: signing out of the pages ends it only where that is asked for."""
    end: Callable[[Transaction, Leaving], Sequence[str]] = _nothing
    """Ends what there is and returns the ids of what ended. Again, it finds nothing."""
    forget: Callable[[Transaction, UserId], None] = _keeps
    """Deletes what only the person needed, when their account is deleted. What an audit needs stays, ended."""


KINDS: Final = (
    Kind(
        name="sessions",
        tables=frozenset({"sessions"}),
        # A session belongs to no tenant: who leaves one still has the others.
        end=lambda tx, gone: () if gone.tenant_id else leaving.end_sessions(tx, gone.user_id, gone.now),
        forget=leaving.forget_sessions,
    ),
    Kind(
        name="api_keys",
        # Secrets that a key had before are good only as long as the key.
        tables=frozenset({"api_keys", "old_key_secrets"}),
        carried_by_programs=True,
        end=lambda tx, gone: leaving.end_api_keys(tx, gone.user_id, gone.tenant_id, gone.now),
    ),
    Kind(
        name="connections",
        carried_by_programs=True,
        # Codes, tokens and the answers to devices are good only as long as the connection that they belong to.
        tables=frozenset({
            "connections", "authorization_codes", "refresh_tokens", "revoked_access_tokens", "device_requests",
        }),
        end=lambda tx, gone: leaving.end_connections(tx, gone.user_id, gone.tenant_id, gone.now, gone.reason),
    ),
    Kind(
        name="remembered_consents",
        carried_by_programs=True,
        tables=frozenset({"remembered_consents"}),
        end=lambda tx, gone: leaving.forget_consents(tx, gone.user_id, gone.tenant_id),
    ),
    # Those that they registered for themselves; what they registered for a tenant is the tenant's.
    Kind(
        name="clients",
        tables=frozenset({"clients", "client_secrets", "registration_tokens", "used_assertions"}),
        end=lambda tx, gone: leaving.end_own_clients(tx, gone.user_id, gone.tenant_id, gone.now),
    ),
    # Neither what was approved for them, nor what they approved for others.
    Kind(
        name="approvals",
        tables=frozenset({"approvals"}),
        end=lambda tx, gone: leaving.end_approvals(tx, gone.user_id, gone.tenant_id, gone.now),
    ),
    Kind(
        name="linked_accounts",
        tables=frozenset({"upstream_grants", "upstream_requests"}),
        end=lambda tx, gone: leaving.unlink_accounts(tx, gone.user_id, gone.tenant_id),
    ),
    Kind(
        name="links",
        tables=frozenset({"links"}),
        end=lambda tx, gone: () if gone.tenant_id else leaving.end_links(tx, gone.user_id, gone.now),
        forget=leaving.forget_links,
    ),
    # Else who leaves could have invited an address of their own before, with all the rights that they had.
    Kind(
        name="invitations",
        tables=frozenset({"invitations"}),
        end=lambda tx, gone: leaving.revoke_invitations(tx, gone.user_id, gone.tenant_id, gone.now),
    ),
    # A proof of who somebody is, like a password: it lets nobody in whose account is not active.
    Kind(name="identities", tables=frozenset({"identities"}), forget=leaving.forget_identities),
    Kind(
        name="passkeys", tables=frozenset({"passkeys", "recovery_codes"}), forget=leaving.forget_passkeys
    ),
    Kind(name="notices", tables=frozenset({"notices"}), forget=leaving.forget_notices),
    Kind(
        name="memberships",
        tables=frozenset({"memberships", "role_bindings", "role_placements"}),
        forget=leaving.forget_memberships,
    ),
)  # fmt: skip

TAKEN_BY_PROVIDER: Final = "user:taken_over_by_provider"
TAKEN_BACK: Final = "user:taken_back"

KEPT: Final[Mapping[str, str]] = MappingProxyType({
    "users": "the account itself: disabled, or erased but for the id that records refer to",
    "trust_rules": "an administrator's rule; it lets nobody in for an account that is not active",
    "identity_providers": "where people sign in; the client named there is this deployment itself",
    "client_verdicts": "an administrator's word about a client outlives the administrator",
    "mail_domains": "a tenant's domain outlives who proved it",
    "known_tools": "a review of a tool outlives the reviewer",
    "tool_overrides": "a tenant's word; who is gone is denied nothing",
    "sign_in_failures": "keyed hashes of what was typed, whoever it was; forgotten after a day",
    "audit_events": "the audit log",
    "call_events": "the audit log of calls",
    "usage_hours": "numbers of calls, by the ids of who made them; forgotten after three months",
    "attempt_steps": "how far clients got; forgotten after some weeks",
})  # fmt: skip
"""Tables that refer to people and give nobody anything, each with why its rows stay."""


def end_all(tx: Transaction, gone: Leaving) -> dict[str, list[str]]:
    """End everything that this person holds there; return the ids of what ended, by kind."""
    found = {kind.name: list(kind.end(tx, gone)) for kind in KINDS}
    return {name: ids for name, ids in found.items() if ids}


def taken_over(tx: Transaction, user_id: UserId, *, now: Instant, reason: str, cause: Cause | None) -> None:
    """Have somebody who proved by their address alone that an account is theirs begin with empty hands.

    Whoever held it before may be somebody else: a thief, or who had the address earlier. Keys, connections, linked
    accounts, approvals and invitations of theirs would outlive every way in (security H19). Roles stay.
    """
    ended = end_all(tx, Leaving(user_id=user_id, tenant_id=None, now=now, reason=reason))
    audit.record(
        tx, name="user:taken_over", at=now, actor_id=user_id, subject=user_id,
        detail={"why": reason, "ended": ", ".join(f"{name}: {len(ids)}" for name, ids in ended.items()) or "nothing"},
        cause=cause,
    )  # fmt: skip


def forget_all(tx: Transaction, user_id: UserId) -> None:
    """Delete what nobody needs once an account is deleted."""
    for kind in KINDS:
        kind.forget(tx, user_id)

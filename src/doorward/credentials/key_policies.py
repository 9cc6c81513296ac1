"""What a tenant says of its keys, read and changed (C8). A stricter word holds for keys that are made from then on.

Keys that there are stay as they are: an end that came nearer unseen would break what runs with them. How many reach
further than the new word allows is told, so that somebody can rotate or revoke them.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeVar

from doorward import audit
from doorward.credentials.key_makers import KeyRefused, Maker
from doorward.model import Cause, Instant, KeyMakers, KeyPolicy, NeverEnding, Tenant
from doorward.protocol import faults
from doorward.storage import accounts
from doorward.storage.api_key_lists import living_longer
from doorward.storage.database import Reader, Transaction

LONGEST: Final = 36_500
"""Days."""
Kind = TypeVar("Kind", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policy that holds from now on, and how many living keys were made for longer than it allows."""

    policy: KeyPolicy
    beyond: int


def checked(policy: KeyPolicy) -> KeyPolicy:
    """Return a policy that makes sense. Raises ``ValueError`` with public words."""
    if policy.max_days is not None and not 1 <= policy.max_days <= LONGEST:
        raise ValueError(f"a key lives 1 to {LONGEST} days at most")
    if policy.max_days is not None and policy.never is NeverEnding.MEMBERS:
        raise ValueError("where keys live for so long at most, members cannot make keys without an end")
    return policy


def set_policy(
    tx: Transaction, tenant: Tenant, policy: KeyPolicy, *, maker: Maker, now: Instant, cause: Cause | None
) -> PolicySet:  # fmt: skip
    """Store a policy. Raises ``KeyRefused`` and ``LookupError`` where there is no such tenant."""
    if not maker.manages:
        public = "Only an administrator says how keys are made."
        raise KeyRefused(public, "policy without keys:manage", fault=faults.KEY_MANAGERS)
    try:
        checked(policy)
    except ValueError as wrong:
        raise KeyRefused(f"{str(wrong).capitalize()}.", "policy refused") from wrong
    tx.lock_tenant(tenant.id, for_rights=True)
    # Read again: what else is said of the tenant may have changed before its row was ours.
    stored = accounts.tenant_by_id(tx, tenant.id)
    if stored is None:
        raise LookupError(tenant.id)
    if stored.key_policy != policy:
        accounts.update_tenant(tx, replace(stored, key_policy=policy))
        audit.record(
            tx, name="tenant:changed", at=now, tenant_id=tenant.id, actor_id=maker.user_id, subject=stored.slug,
            detail={"change": f"tenant {stored.slug}: key policy", "policy": in_words(policy)}, cause=cause,
        )  # fmt: skip
    return PolicySet(policy, beyond(tx, replace(stored, key_policy=policy), now))


def beyond(reader: Reader, tenant: Tenant, now: Instant) -> int:
    """Return how many living keys were made for longer than a member could make one now."""
    most = tenant.key_policy.max_days
    return 0 if most is None else living_longer(reader, tenant.id, most, now)


def described(policy: KeyPolicy) -> dict[str, Any]:
    """Return a policy as data, with what holds where nothing is said."""
    return {"max_days": policy.max_days, "never": policy.may_never_end.value, "create": policy.create.value}


def parsed(max_days: object, never: object, create: object) -> KeyPolicy:
    """Return the policy of these values; None is the usual one. Raises ``ValueError`` with public words."""
    if max_days is not None and type(max_days) is not int:
        raise ValueError("max_days is a number of days, or null")
    return checked(
        KeyPolicy(
            max_days=max_days,
            never=None if never is None else _one("never", NeverEnding, never),
            create=KeyMakers.MEMBERS if create is None else _one("create", KeyMakers, create),
        )
    )


def _one(name: str, kind: type[Kind], value: object) -> Kind:
    for member in kind:
        if member.value == value:
            return member
    raise ValueError(f"{name} is one of {', '.join(kind)}")


def in_words(policy: KeyPolicy) -> str:
    """Return a policy in one line."""
    longest = "any length" if policy.max_days is None else f"{policy.max_days} days at most"
    return f"{longest}; without an end: {policy.may_never_end.value}; made by: {policy.create.value}"

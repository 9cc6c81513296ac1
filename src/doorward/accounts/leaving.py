"""Deactivating, deleting and leaving: one action each, after which the next call of everything held is refused.

See ``docs/decisions/0065-leaving.md``. All callers check rights here; the operator (``Actor`` without a user) has all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from doorward import audit
from doorward.accounts.actors import Actor, require_above
from doorward.accounts.holdings import Leaving, end_all, forget_all
from doorward.accounts.refused import PeopleRefused
from doorward.model import Instant, Status, Tenant, TenantId, User, UserId
from doorward.protocol import faults
from doorward.storage import accounts, permissions
from doorward.storage import leaving as stored
from doorward.storage.database import Reader, Transaction

GONE: Final = "Deleted user"
_IDS_TOLD: Final = 50
"""Ids of what ended, per kind, in the audit event; beyond that the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was done: the person before it, and how many of each kind ended."""

    user: User
    ended: Mapping[str, int] = field(default_factory=dict)


def deactivate(tx: Transaction, user_id: UserId, actor: Actor, *, tenant: Tenant | None = None, now: Instant) -> Left:
    """Let somebody hold nothing and do nothing until they are activated again; they keep their roles.

    ``tenant`` is where the actor speaks; None for the operator. Again it changes nothing more. Raises ``PeopleRefused``.
    """
    places = stored.lock_user(tx, user_id)
    user = _account(tx, user_id, actor, tenant, places)
    if not stored.disable_user(tx, user_id) and user.status is Status.ACTIVE:
        raise _last_owner(tx, user_id)
    ended = end_all(tx, Leaving(user_id=user_id, tenant_id=None, now=now, reason="user:deactivated"))
    _tell(tx, "user:deactivated", user, actor, ended, tenant=tenant, now=now)
    return _left(user, ended)


def activate(tx: Transaction, user_id: UserId, actor: Actor, *, tenant: Tenant | None = None, now: Instant) -> Left:
    """Let somebody sign in again, with the roles that they kept and nothing else. Raises ``PeopleRefused``.

    What may have been issued in the moment of the deactivation ends here.
    """
    places = stored.lock_user(tx, user_id)
    user = _account(tx, user_id, actor, tenant, places)
    if user.status is Status.ACTIVE:
        return _left(user, {})
    ended = end_all(tx, Leaving(user_id=user_id, tenant_id=None, now=now, reason="user:deactivated"))
    stored.enable_user(tx, user_id)
    _tell(tx, "user:activated", user, actor, ended, tenant=tenant, now=now)
    return _left(user, ended)


def delete(tx: Transaction, user_id: UserId, actor: Actor, *, tenant: Tenant | None = None, now: Instant) -> Left:
    """End an account for ever. What audits need stays under its id; name and address are in the one event that tells.

    Raises ``PeopleRefused``.
    """
    places = stored.lock_user(tx, user_id)
    user = _account(tx, user_id, actor, tenant, places)
    # No address can look so: it has a space in it.
    if not stored.erase_user(tx, user_id, email=f"deleted {user_id}", name=GONE, now=now):
        raise _last_owner(tx, user_id)
    ended = end_all(tx, Leaving(user_id=user_id, tenant_id=None, now=now, reason="user:deleted"))
    forget_all(tx, user_id)
    _tell(tx, "user:deleted", user, actor, ended, tenant=tenant, now=now)
    return _left(user, ended)


def leave_tenant(tx: Transaction, user_id: UserId, tenant: Tenant, actor: Actor, *, now: Instant) -> Left:
    """Take somebody out of one tenant, with their roles and all that they hold in it. Raises ``PeopleRefused``.

    An actor who is the user leaves by themselves, whatever their rights.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    user = member(tx, tenant, user_id)
    require_above(tx, actor, tenant, user_id)
    if not stored.remove_member(tx, tenant.id, user_id):
        raise _last_owner(tx, user_id)
    ended = end_all(tx, Leaving(user_id=user_id, tenant_id=tenant.id, now=now, reason="membership:ended"))
    _tell(tx, "membership:ended", user, actor, ended, tenant=tenant, now=now)
    return _left(user, ended)


def member(reader: Reader, tenant: Tenant, user_id: UserId) -> User:
    """Return a member. Raises ``PeopleRefused``, in the same words for a stranger and for nobody (decision 0077.8)."""
    user = accounts.user_by_id(reader, user_id)
    if user is None or not permissions.is_member(reader, tenant.id, user_id):
        raise PeopleRefused(faults.MEMBER_UNKNOWN, reason="no such member")
    return user


def _account(tx: Transaction, user_id: UserId, actor: Actor, tenant: Tenant | None, places: list[TenantId]) -> User:
    """Return the account if this actor may end it: the operator any, a tenant one that belongs to it alone."""
    if tenant is None:
        user = accounts.user_by_id(tx, user_id)
        if user is None or user.deleted_at is not None or actor.user_id is not None:
            raise PeopleRefused(faults.MEMBER_UNKNOWN, reason="no such user, or no tenant to speak for")
        return user
    user = member(tx, tenant, user_id)
    actor.authority(tx, tenant.id)
    require_above(tx, actor, tenant, user_id)
    if places != [tenant.id]:
        raise PeopleRefused(faults.ACCOUNT_NOT_YOURS, reason=f"belongs to {len(places)} tenants")
    return user


def _last_owner(reader: Reader, user_id: UserId) -> PeopleRefused:
    sole = [accounts.tenant_by_id(reader, each) for each in stored.tenants_without_another_owner(reader, user_id)]
    slugs = ", ".join(each.slug for each in sole if each is not None)
    return PeopleRefused(faults.LAST_OWNER, reason=f"last owner of {slugs or 'a tenant'}")


def _tell(  # noqa: PLR0913  (an event has that many sides)
    tx: Transaction, name: str, user: User, actor: Actor, ended: Mapping[str, list[str]], *, tenant: Tenant | None,
    now: Instant,
) -> None:  # fmt: skip
    told = {kind: " ".join(ids) if len(ids) <= _IDS_TOLD else str(len(ids)) for kind, ids in ended.items()}
    audit.record(
        tx, name=name, at=now, tenant_id=None if tenant is None else tenant.id, actor_id=actor.user_id,
        subject=user.id, detail={"by": actor.by, "who": user.email, "name": user.name, **told},
        cause=actor.cause,
    )  # fmt: skip


def _left(user: User, ended: Mapping[str, list[str]]) -> Left:
    return Left(user=user, ended={name: len(ids) for name, ids in ended.items()})

"""The roles of a tenant: made, changed and deleted by whoever looks after its members, never beyond their own rights."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from doorward import audit
from doorward.accounts.actors import OWNER, Actor, known_permissions
from doorward.accounts.refused import PeopleRefused
from doorward.model import Entropy, Instant, Resource, Role, RoleId, Tenant, User, UserId
from doorward.policy.permission import BUILT_IN_ROLES, is_pattern_ok
from doorward.protocol import faults
from doorward.storage import accounts, invitations, mail_domains, permissions
from doorward.storage import roles as stored
from doorward.storage.database import Reader, Transaction

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ID_BYTES: Final = 16
MOST_PATTERNS: Final = 500
_TOLD: Final = 10
"""Names that a refusal tells; beyond that their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """A role, and how many members have it somewhere."""

    role: Role
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Somebody who has a role, and where."""

    user: User
    everywhere: bool
    nodes: Sequence[Resource]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A role that is gone, and who was moved to ``moved_to``."""

    role: Role
    moved: Sequence[UserId] = ()
    moved_to: str | None = None


def listed(reader: Reader, tenant: Tenant) -> list[HeldRole]:
    """Return all roles: the built-in ones first, those with most rights first among them, then by name."""
    counts, order = stored.holders_count(reader, tenant.id), list(BUILT_IN_ROLES)
    roles = permissions.roles_of_tenant(reader, tenant.id)
    ranked = sorted(roles, key=lambda each: (order.index(each.name) if each.name in order else len(order), each.name))
    return [HeldRole(role=each, count=counts.get(each.id, 0)) for each in ranked]


def role_by(reader: Reader, tenant: Tenant, name: str) -> Role:
    """Return the role of this name or id. Raises ``PeopleRefused``, for one of another tenant as for none."""
    for role in permissions.roles_of_tenant(reader, tenant.id):
        if name in {role.name, role.id}:
            return role
    raise PeopleRefused(faults.ROLE_UNKNOWN, reason="no such role")


def holders(reader: Reader, tenant: Tenant, role: Role) -> list[Holder]:
    """Return who has the role, and where, by address."""
    nodes = {node.id: node for node in permissions.resources_of_tenant(reader, tenant.id)}
    found: dict[UserId, list[Resource | None]] = {}
    for hold in stored.holders(reader, tenant.id, role.id):
        found.setdefault(hold.user_id, []).append(None if hold.resource_id is None else nodes[hold.resource_id])
    return [
        Holder(user=user, everywhere=None in places, nodes=[each for each in places if each is not None])
        for user_id, places in found.items()
        if (user := accounts.user_by_id(reader, user_id)) is not None
    ]


def is_built_in(role: Role) -> bool:
    """Say whether a role is the same in every tenant."""
    return role.built_in or role.name in BUILT_IN_ROLES


def covers(reader: Reader, tenant: Tenant, patterns: Collection[str], actor: Actor) -> bool:
    """Say whether an actor holds all that these patterns give. Raises ``PeopleRefused`` without the right to ask."""
    authority = actor.authority(reader, tenant.id)
    return authority is None or authority.covers(patterns, known_permissions(reader))


def may_change(reader: Reader, tenant: Tenant, role: Role, actor: Actor) -> bool:
    """Say whether a role of the tenant's own is the actor's to change: neither it nor anybody who has it holds more.

    Raises ``PeopleRefused`` without the right to ask.
    """
    return (
        not is_built_in(role)
        and covers(reader, tenant, role.permissions, actor)
        and _is_above_all(reader, tenant, role, actor)
    )


def make(  # noqa: PLR0913  (whose role, what it gives, who makes it)
    tx: Transaction, tenant: Tenant, name: str, patterns: Sequence[str], actor: Actor, *, now: Instant, entropy: Entropy
) -> Role:
    """Add a role. Raises ``PeopleRefused``; its ``field`` is ``name`` or ``permissions``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    _require_covers(tx, tenant, (), actor)
    if not _NAME.fullmatch(name):
        raise _invalid("name", "Use a-z, 0-9, - and _, a letter first, 64 characters at most.")
    if name in BUILT_IN_ROLES or any(role.name == name for role in permissions.roles_of_tenant(tx, tenant.id)):
        raise _invalid("name", "There is a role of this name already.")
    role_id = RoleId(f"rol_{entropy(_ID_BYTES).hex()}")
    return _put(tx, tenant, Role(id=role_id, tenant_id=tenant.id, name=name, permissions=()), patterns, actor, now=now)


def change(
    tx: Transaction, tenant: Tenant, name: str, patterns: Sequence[str], actor: Actor, *, now: Instant
) -> Role:  # fmt: skip
    """Let a role of the tenant's own give exactly these permissions, from the next call on. Raises ``PeopleRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    role = role_by(tx, tenant, name)
    _require_own(role)
    _require_covers(tx, tenant, role.permissions, actor)
    _require_above_all(tx, tenant, role, actor)
    return _put(tx, tenant, role, patterns, actor, now=now)


def remove(
    tx: Transaction, tenant: Tenant, name: str, actor: Actor, *, move_to: str | None = None, now: Instant
) -> Removed:
    """Delete a role of the tenant's own. Raises ``PeopleRefused``, also where somebody has it and nothing is said of them.

    With ``move_to`` those who have it get that role in its place, wherever they have it.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    role = role_by(tx, tenant, name)
    _require_own(role)
    _require_covers(tx, tenant, role.permissions, actor)
    _require_not_promised(tx, tenant, role)
    held = sorted({hold.user_id for hold in stored.holders(tx, tenant.id, role.id)})
    if held and move_to is None:
        raise _in_use("It is held by", [user.email for user in _users(tx, held)])
    if held and move_to is not None:
        _move(tx, tenant, role, move_to, actor)
    if not stored.remove_role(tx, tenant.id, role.id):
        raise PeopleRefused(faults.ROLE_IN_USE, reason="held meanwhile")
    gone = Removed(role=role, moved=held, moved_to=move_to if held else None)
    _tell_removed(tx, tenant, gone, actor, now=now)
    return gone


def _put(
    tx: Transaction, tenant: Tenant, role: Role, patterns: Sequence[str], actor: Actor, *, now: Instant
) -> Role:  # fmt: skip
    kept = tuple(sorted(set(patterns)))
    known = known_permissions(tx) | frozenset(role.permissions)
    unknown = [each for each in kept if not is_pattern_ok(each) or ("*" not in each and each not in known)]
    if unknown or len(kept) > MOST_PATTERNS:
        what = f"{unknown[0][:80]!r} is no permission here." if unknown else f"At most {MOST_PATTERNS} permissions."
        raise _invalid("permissions", what)
    _require_covers(tx, tenant, kept, actor)
    permissions.put_role(tx, replace(role, permissions=kept))
    _tell(tx, "role:changed", tenant, role.name, actor, {"permissions": " ".join(kept) or "none"}, now=now)
    return role_by(tx, tenant, role.name)


def _move(tx: Transaction, tenant: Tenant, role: Role, move_to: str, actor: Actor) -> None:
    target = role_by(tx, tenant, move_to)
    if target.id == role.id or target.name == OWNER:
        raise _invalid("move_to", "Choose another role than this one, and not owner.")
    _require_covers(tx, tenant, target.permissions, actor)
    _require_above_all(tx, tenant, role, actor)
    stored.move_holders(tx, tenant.id, role.id, target.id)


def _require_above_all(tx: Transaction, tenant: Tenant, role: Role, actor: Actor) -> None:
    """Refuse to change what somebody holds who holds more than the actor: as everywhere else (decision 0065)."""
    if not _is_above_all(tx, tenant, role, actor):
        raise PeopleRefused(faults.BEYOND_OWN_RIGHTS, reason=f"{role.name} is held by somebody who has more")


def _is_above_all(reader: Reader, tenant: Tenant, role: Role, actor: Actor) -> bool:
    authority = actor.authority(reader, tenant.id)
    if authority is None:
        return True
    known = {each.name: each for each in permissions.roles_of_tenant(reader, tenant.id)}
    at_tenant = {user.id: place.roles for user, place in accounts.members_of_tenant(reader, tenant.id)}
    placed = permissions.placements_of_tenant(reader, tenant.id)
    users = {hold.user_id for hold in stored.holders(reader, tenant.id, role.id)}
    if actor.in_person:
        users -= {actor.user_id}
    names = {name for each in users for name in at_tenant.get(each, ())}
    names |= {place.role for each in users for place in placed.get(each, ())}
    patterns = [pattern for name in names for pattern in known[name].permissions]
    return (authority.owner or OWNER not in names) and authority.covers(patterns, known_permissions(reader))


def _require_own(role: Role) -> None:
    if is_built_in(role):
        raise PeopleRefused(faults.ROLE_BUILT_IN, reason=f"{role.name} is built in")


def _require_covers(tx: Transaction, tenant: Tenant, patterns: Collection[str], actor: Actor) -> None:
    if not covers(tx, tenant, patterns, actor):
        raise PeopleRefused(
            faults.BEYOND_OWN_RIGHTS, reason=f"{sorted(patterns)} in {tenant.id}", field="permissions"
        )  # fmt: skip


def _require_not_promised(tx: Transaction, tenant: Tenant, role: Role) -> None:
    """Refuse what would leave an invitation, or a rule of a mail domain, without the role that it gives.

    One that is too late counts too: it can be sent again.
    """
    open_ones = [
        each.email
        for each in invitations.invitations_of_tenant(tx, tenant.id)
        if each.accepted_at is None and each.revoked_at is None
        and role.name in {*each.roles, *(place.role for place in each.places)}
    ]  # fmt: skip
    if open_ones:
        raise _in_use("Invited with it:", open_ones)
    domains = [each.domain for each in mail_domains.domains_of_tenant(tx, tenant.id) if each.join_role == role.name]
    if domains:
        raise _in_use("It is given to whoever joins through", domains)


def _users(reader: Reader, ids: Collection[UserId]) -> list[User]:
    return [user for each in ids if (user := accounts.user_by_id(reader, each)) is not None]


def _tell_removed(tx: Transaction, tenant: Tenant, gone: Removed, actor: Actor, *, now: Instant) -> None:
    detail = {"moved_to": gone.moved_to or "nobody held it", "moved": str(len(gone.moved))}
    _tell(tx, "role:removed", tenant, gone.role.name, actor, detail, now=now)
    for user_id in gone.moved:
        moved = {"instead_of": gone.role.name, "role": gone.moved_to or ""}
        _tell(tx, "membership:changed", tenant, user_id, actor, moved, now=now)


def _tell(  # noqa: PLR0913  (an event has that many sides)
    tx: Transaction, name: str, tenant: Tenant, subject: str, actor: Actor, detail: dict[str, str], *, now: Instant
) -> None:
    audit.record(
        tx, name=name, at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=subject,
        detail={"by": actor.by, **detail}, cause=actor.cause,
    )  # fmt: skip


def _in_use(words: str, names: Sequence[str]) -> PeopleRefused:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    public = f"{words} {', '.join(sorted(names)[:_TOLD])}{more}."
    return PeopleRefused(faults.ROLE_IN_USE, reason="in use", public=public, field="move_to")


def _invalid(field: str, public: str) -> PeopleRefused:
    return PeopleRefused(faults.ROLE_INVALID, reason=f"{field} refused", public=public, field=field)

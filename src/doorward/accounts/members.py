"""The people and service accounts of a tenant: who they are, which roles they have where, and who may change that."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from doorward import audit
from doorward.accounts.actors import OWNER, Actor, require_above, require_may_give, roles_of
from doorward.accounts.leaving import member
from doorward.accounts.refused import PeopleRefused
from doorward.accounts.sign_in import normal_email
from doorward.credentials.api_keys import is_plain_name
from doorward.model import Entropy, Instant, OwnerKind, Placement, Resource, Status, Tenant, User, UserId
from doorward.protocol import faults
from doorward.storage import accounts, permissions
from doorward.storage import leaving as stored
from doorward.storage import members as stored_members
from doorward.storage.database import Conflict, Reader, Transaction
from doorward.storage.members import MemberUse

_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A role at a node of the tree, as people name both."""

    role: str
    type: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody of a tenant."""

    user: User
    roles: tuple[str, ...]
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which roles somebody shall have; ``places`` is None where those at nodes stay as they are."""

    roles: Sequence[str]
    places: Sequence[Place] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMember:
    """A member with what they hold in the tenant, how much of it is used, and where at nodes they have a role."""

    use: MemberUse
    roles: tuple[str, ...]
    nodes: Sequence[tuple[str, Resource]]
    """(role, node)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """An account to make. A service account needs no address: it gets one that no mail reaches."""

    name: str
    email: str = ""
    kind: OwnerKind = OwnerKind.PERSON
    password_hash: str | None = None
    roles: Sequence[str] = field(default=())


def members(reader: Reader, tenant: Tenant, *, kind: OwnerKind | None = None) -> list[Member]:
    """Return all members by address, deactivated ones too; with ``kind`` only people, or only service accounts."""
    nodes = {node.id: node for node in permissions.resources_of_tenant(reader, tenant.id)}
    placed = permissions.placements_of_tenant(reader, tenant.id)
    return [
        Member(
            user=user,
            roles=place.roles,
            places=tuple(
                Place(role=each.role, type=nodes[each.resource_id].type, key=nodes[each.resource_id].key)
                for each in placed.get(user.id, ())
            ),
        )
        for user, place in accounts.members_of_tenant(reader, tenant.id)
        if kind is None or user.kind is kind
    ]


def member_by(reader: Reader, tenant: Tenant, name: str) -> Member:
    """Return the member of this id or address. Raises ``PeopleRefused``."""
    email = normal_email(name)
    found = (each for each in members(reader, tenant) if name == each.user.id or email == each.user.email)
    one = next(found, None)
    if one is None:
        raise PeopleRefused(faults.MEMBER_UNKNOWN, reason="no such member")
    return one


def page(  # noqa: PLR0913  (what a list can be asked for)
    reader: Reader, tenant: Tenant, *, text: str = "", kind: OwnerKind | None = None, after: str = "", most: int,
    now: Instant,
) -> list[ListedMember]:  # fmt: skip
    """Return the members whose address or name holds ``text``, by address, after the address ``after``."""
    found = stored_members.members_page(reader, tenant.id, text=text, kind=kind, after=after, most=most, now=now)
    return [_listed(reader, tenant, each) for each in found]


def one(reader: Reader, tenant: Tenant, user_id: UserId, *, now: Instant) -> ListedMember:
    """Return one member in the same way. Raises ``PeopleRefused``."""
    found = stored_members.member_use(reader, tenant.id, user_id, now)
    if found is None:
        raise PeopleRefused(faults.MEMBER_UNKNOWN, reason="no such member")
    return _listed(reader, tenant, found)


def _listed(reader: Reader, tenant: Tenant, use: MemberUse) -> ListedMember:
    return ListedMember(
        use=use, roles=permissions.roles_at_tenant(reader, tenant.id, use.user.id),
        nodes=stored_members.nodes_of(reader, tenant.id, use.user.id),
    )  # fmt: skip


def set_roles(
    tx: Transaction, tenant: Tenant, user_id: UserId, wanted: Wanted, actor: Actor, *, now: Instant
) -> Member:
    """Give a member exactly the roles that are wanted. Raises ``PeopleRefused``.

    What they hold already and keep needs no right of the actor's; what is added, and whom it is taken from, does.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    user = member(tx, tenant, user_id)
    require_above(tx, actor, tenant, user_id)
    before = roles_of(tx, tenant.id, user_id)
    _require_may_add(tx, actor, tenant, frozenset(wanted.roles) - before, wanted.places)
    if OWNER in wanted.roles:
        _require_living(tx, user_id)
    elif OWNER in before and not stored.take_owner_role(tx, tenant.id, user_id):
        raise PeopleRefused(faults.LAST_OWNER, reason=f"last owner of {tenant.slug}")
    try:
        permissions.set_membership(tx, tenant.id, user_id, tuple(wanted.roles))
        if wanted.places is not None:
            permissions.set_placements(tx, tenant.id, user_id, placements_of(tx, tenant, wanted.places))
    except LookupError as unknown:
        raise _invalid(str(unknown)) from unknown
    _tell(tx, tenant, user, actor, wanted, now=now)
    return member_by(tx, tenant, user_id)


def give_at(tx: Transaction, tenant: Tenant, user_id: UserId, place: Place, actor: Actor, *, now: Instant) -> Member:
    """Give a member one more role at a node; again, nothing changes. Raises ``PeopleRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    before = member_by(tx, tenant, user_id)
    if place in before.places:
        actor.authority(tx, tenant.id)
        return before
    return set_roles(
        tx, tenant, before.user.id, Wanted(roles=before.roles, places=(*before.places, place)), actor, now=now
    )


def take_at(tx: Transaction, tenant: Tenant, user_id: UserId, place: Place, actor: Actor, *, now: Instant) -> Member:
    """Take one role at a node from a member. Raises ``PeopleRefused``, also where they do not have it."""
    tx.lock_tenant(tenant.id, for_rights=True)
    before = member_by(tx, tenant, user_id)
    if place not in before.places:
        raise _invalid("this role is not held there")
    kept = tuple(each for each in before.places if each != place)
    return set_roles(tx, tenant, before.user.id, Wanted(roles=before.roles, places=kept), actor, now=now)


def add_member(
    tx: Transaction, tenant: Tenant, newcomer: Newcomer, actor: Actor, *, now: Instant, entropy: Entropy
) -> Member:
    """Make an account and put it into a tenant with its roles. Raises ``PeopleRefused``.

    A person who has an account already is invited, never added: nobody is put anywhere without their own word.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    authority = actor.authority(tx, tenant.id)
    if authority is not None:
        require_may_give(tx, authority, tenant, frozenset(newcomer.roles))
    user = _made(tx, tenant, newcomer, now=now, entropy=entropy)
    audit.record(
        tx, name="user:changed", at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=user.id,
        detail={"by": actor.by, "change": f"added {user.kind} {user.email}"}, cause=actor.cause,
    )  # fmt: skip
    try:
        permissions.set_membership(tx, tenant.id, user.id, tuple(newcomer.roles))
    except LookupError as unknown:
        raise _invalid(str(unknown)) from unknown
    _tell(tx, tenant, user, actor, Wanted(roles=newcomer.roles), now=now)
    return member_by(tx, tenant, user.id)


def _made(tx: Transaction, tenant: Tenant, newcomer: Newcomer, *, now: Instant, entropy: Entropy) -> User:
    user_id = UserId(f"usr_{entropy(_ID_BYTES).hex()}")
    given = newcomer.email
    if not given and newcomer.kind is OwnerKind.SERVICE:
        # RFC 6761 section 6.4: no mail is ever delivered to a name in `invalid`.
        given = f"{user_id[4:16]}@{tenant.slug}.invalid"
    email = normal_email(given)
    if email is None or "@" not in email:
        raise _invalid("an e-mail address is needed")
    if not is_plain_name(newcomer.name):
        raise _invalid("a name of 1 to 64 ordinary characters is needed", field="name")
    if newcomer.kind is OwnerKind.SERVICE and newcomer.password_hash is not None:
        raise _invalid("a service account never signs in")
    user = User(id=user_id, email=email, name=newcomer.name.strip(), kind=newcomer.kind, created_at=now)
    if accounts.user_by_email(tx, email) is not None:
        raise _invalid("an account with this address exists")
    try:
        accounts.insert_user(tx, user, newcomer.password_hash)
    except Conflict as taken:
        raise _invalid("an account with this address exists") from taken
    return user


def _require_may_add(
    reader: Reader, actor: Actor, tenant: Tenant, added: frozenset[str], places: Sequence[Place] | None
) -> None:
    authority = actor.authority(reader, tenant.id)
    if authority is None:
        return
    names = added | {place.role for place in places or ()}
    require_may_give(reader, authority, tenant, names)


def _require_living(tx: Transaction, user_id: UserId) -> None:
    # Held: who is deactivated at this moment must not become the owner whom another one leaves behind.
    user = accounts.held_user(tx, user_id)
    if user is None or user.status is not Status.ACTIVE or user.kind is not OwnerKind.PERSON:
        raise _invalid("an owner is an active person")


def placements_of(reader: Reader, tenant: Tenant, places: Sequence[Place]) -> list[Placement]:
    """Return places by the ids of their nodes. Raises ``LookupError`` for one that is not in this tenant."""
    ids = {(node.type, node.key): node.id for node in permissions.resources_of_tenant(reader, tenant.id)}
    unknown = [place for place in places if (place.type, place.key) not in ids]
    if unknown:
        raise LookupError("there is no such resource in this tenant")
    return [Placement(role=place.role, resource_id=ids[place.type, place.key]) for place in places]


def _tell(tx: Transaction, tenant: Tenant, user: User, actor: Actor, wanted: Wanted, *, now: Instant) -> None:
    detail = {"by": actor.by, "roles": ", ".join(sorted(wanted.roles)) or "none"}
    if wanted.places is not None:
        detail["at"] = ", ".join(f"{each.role} at {each.type} {each.key}" for each in wanted.places) or "none"
    audit.record(
        tx, name="membership:changed", at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=user.id,
        detail=detail, cause=actor.cause,
    )  # fmt: skip


def _invalid(what: str, *, field: str = "") -> PeopleRefused:
    return PeopleRefused(faults.MEMBER_INVALID, reason=what, public=f"{what[:1].upper()}{what[1:]}.", field=field)

"""Who changes other people's accounts and rights: the operator at the machine, or somebody of a tenant."""

from dataclasses import dataclass
from typing import Final

from doorward.accounts.refused import PeopleRefused
from doorward.model import Cause, Permission, Role, Tenant, TenantId, UserId
from doorward.policy.authority import Authority
from doorward.protocol import faults
from doorward.rights import ADMINISTRATION, MANAGE_MEMBERS, may
from doorward.storage import permissions
from doorward.storage.database import Reader

OWNER: Final = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """``user_id`` is None for the operator, whose word ``by`` describes and whom no tenant's rights limit."""

    user_id: UserId | None
    by: str
    limit: frozenset[Permission] | None = None
    """What the API key is good for that they come with."""
    cause: Cause | None
    in_person: bool = True
    """Whether nobody else has what they come with: not so with a key that an administrator made or rotated for them.

    Administrators may make keys for people who hold more than they; what only an owner does, or everybody to themselves,
    they do not do with those.
    """

    def authority(self, reader: Reader, tenant_id: TenantId) -> Authority | None:
        """Return what they hold at a tenant, now; None for the operator. Raises ``PeopleRefused`` without the right."""
        if self.user_id is None:
            return None
        patterns = permissions.role_permissions(reader, tenant_id, self.user_id)
        within = self.limit is None or MANAGE_MEMBERS in self.limit
        if not within or not may(reader, tenant_id, self.user_id, MANAGE_MEMBERS):
            raise PeopleRefused(faults.NOT_PERMITTED, reason=f"no {MANAGE_MEMBERS} in {tenant_id}")
        mine = roles_of(reader, tenant_id, self.user_id)
        return Authority(patterns=patterns, owner=OWNER in mine and self.in_person, limit=self.limit)


OPERATOR: Final = "doorward user"


def roles_of(reader: Reader, tenant_id: TenantId, user_id: UserId) -> frozenset[str]:
    """Return the names of the roles that somebody has at a tenant itself."""
    return frozenset(permissions.roles_at_tenant(reader, tenant_id, user_id))


def require_above(reader: Reader, actor: Actor, tenant: Tenant, user_id: UserId) -> None:
    """Raise ``PeopleRefused`` unless ``actor`` holds all that this member holds: who has more is not theirs to manage.

    Everybody may take from themselves, in person.
    """
    themselves = actor.user_id == user_id and actor.in_person
    authority = None if themselves else actor.authority(reader, tenant.id)
    if authority is None:
        return
    names = roles_of(reader, tenant.id, user_id)
    placed = {each.role for each in permissions.placements_of_tenant(reader, tenant.id).get(user_id, ())}
    require_may_give(reader, authority, tenant, names | placed)


def known_permissions(reader: Reader) -> frozenset[Permission]:
    """Return every permission that a role can give: those of the catalogue, and those about a tenant itself."""
    return frozenset(entry.permission for entry in permissions.catalogue(reader)) | ADMINISTRATION.keys()


def require_may_give(reader: Reader, authority: Authority, tenant: Tenant, names: frozenset[str]) -> None:
    """Raise ``PeopleRefused`` where one of these roles holds more than ``authority`` does."""
    known: dict[str, Role] = {role.name: role for role in permissions.roles_of_tenant(reader, tenant.id)}
    patterns = [pattern for name in names if name in known for pattern in known[name].permissions]
    if (OWNER in names and not authority.owner) or not authority.covers(patterns, known_permissions(reader)):
        raise PeopleRefused(faults.BEYOND_OWN_RIGHTS, reason=f"roles {sorted(names)} in {tenant.id}")

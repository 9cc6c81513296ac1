"""What the page of one node shows: where it lies, what is below, and who has which role there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from doorward.dashboard import tree_list
from doorward.dashboard.key_form import MOST_SHOWN, Node, in_order
from doorward.dashboard.member_page import givable
from doorward.dashboard.tenant_desk import actor_of
from doorward.dashboard.tree_list import Step
from doorward.model import Instant, Resource, ResourceId, Tenant, User
from doorward.policy.rules import ResourceTree
from doorward.provisioning.tree_editing import inside, node_by
from doorward.rights import MANAGE_MEMBERS, MANAGE_RESOURCES, may
from doorward.storage import accounts, permissions, pushed_trees
from doorward.storage.database import Reader
from doorward.storage.members import placements_at

ADDRESSES: Final = 200
"""Members that are offered while one types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Somebody has a role at the node itself, or (``above``) at one above it."""

    user: User
    role: str
    above: Resource | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShown:
    """One node. ``edits``: this person may change the tree here; ``gives``: and the roles."""

    tenant: Tenant
    node: Resource
    above: Sequence[Resource]
    steps: Sequence[Step]
    inside: int
    """Nodes below it, at any depth."""
    bound_inside: int
    """Roles bound at it and below."""
    since: Instant | None
    edits: bool
    gives: bool
    bound: Sequence[Bound]
    roles: Sequence[tuple[str, bool]]
    addresses: Sequence[str]
    places: Sequence[Node]
    """Where it may be moved to."""
    types: Sequence[str]

    @property
    def many(self) -> bool:
        """Whether there are too many places to choose from a list."""
        return len(self.places) > MOST_SHOWN


def node_shown(
    reader: Reader, tenant: Tenant, node_id: str, user: User, *, types: Callable[[Sequence[Resource]], Sequence[str]]
) -> NodeShown:
    """Return what is to be seen of a node by ``user``. Raises ``LookupError``."""
    node, nodes = node_by(reader, tenant, node_id), permissions.resources_of_tenant(reader, tenant.id)
    ids, since = inside(nodes, node.id), pushed_trees.pushed_since(reader, tenant.id)
    counts: dict[ResourceId, int] = {}
    for held in permissions.placements_of_tenant(reader, tenant.id).values():
        for each in held:
            counts[each.resource_id] = counts.get(each.resource_id, 0) + 1
    gives, above = may(reader, tenant.id, user.id, MANAGE_MEMBERS), tree_list.above(nodes, node)
    return NodeShown(
        tenant=tenant, node=node, above=above, steps=tree_list.steps(nodes, node.id, counts), inside=len(ids) - 1,
        bound_inside=sum(counts.get(each, 0) for each in ids), since=since, gives=gives,
        edits=since is None and may(reader, tenant.id, user.id, MANAGE_RESOURCES),
        bound=_bound(reader, tenant, [node, *reversed(above)]) if gives else [],
        roles=givable(reader, tenant, actor_of(user)) if gives else [],
        addresses=_addresses(reader, tenant) if gives else [],
        places=[each for each in in_order(ResourceTree(nodes)) if each.resource.id not in ids], types=types(nodes),
    )  # fmt: skip


def _bound(reader: Reader, tenant: Tenant, path: Sequence[Resource]) -> list[Bound]:
    found = []
    for number, each in enumerate(path):
        for user_id, role in placements_at(reader, tenant.id, each.id):
            user = accounts.user_by_id(reader, user_id)
            if user is not None:
                found.append(Bound(user=user, role=role, above=each if number else None))
    return found


def _addresses(reader: Reader, tenant: Tenant) -> list[str]:
    return [user.email for user, _ in accounts.members_of_tenant(reader, tenant.id)][:ADDRESSES]

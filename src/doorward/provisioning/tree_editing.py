"""The tree of a tenant that keeps it here: nodes are added, renamed, moved and deleted by its administrators.

Adding and moving change who may do what, so nobody puts a node where roles hold that are more than they have themselves
(case M3). A tree that a product pushes is not changed here: the next push would undo it.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from doorward import audit
from doorward.accounts.actors import OWNER, Actor, known_permissions, roles_of
from doorward.accounts.refused import PeopleRefused
from doorward.model import Instant, Resource, ResourceId, Tenant
from doorward.policy.authority import Authority
from doorward.policy.rules import ResourceTree
from doorward.protocol import faults
from doorward.provisioning.names import MAX_TITLE, title_ok
from doorward.provisioning.resource_tree import NodeName, Pusher, TreeChange, TreeNode, TreeRefused, change_tree
from doorward.rights import MANAGE_RESOURCES, may
from doorward.storage import permissions, pushed_trees
from doorward.storage.database import Reader, Transaction

_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


class NodeRefused(TreeRefused):
    """Something of a form cannot be: ``field`` is ``type``, ``key``, ``name`` or ``parent``."""

    def __init__(self, field: str, public: str) -> None:
        super().__init__(public)
        self.field = field


def node_by(reader: Reader, tenant: Tenant, node_id: str) -> Resource:
    """Return a node of this tenant. Raises ``LookupError``, for one of another tenant as for none."""
    for node in permissions.resources_of_tenant(reader, tenant.id):
        if node.id == node_id:
            return node
    raise LookupError("no such node in this tenant")


def inside(nodes: Sequence[Resource], node_id: ResourceId) -> set[ResourceId]:
    """Return a node and all below it: one look at each, however deep the tree is."""
    below: dict[ResourceId | None, list[ResourceId]] = {}
    for node in nodes:
        below.setdefault(node.parent_id, []).append(node.id)
    found, waiting = {node_id}, [node_id]
    while waiting:
        for each in below.get(waiting.pop(), ()):
            found.add(each)
            waiting.append(each)
    return found


def add(tx: Transaction, tenant: Tenant, node: TreeNode, actor: Actor, *, now: Instant) -> None:
    """Add a node. Raises ``NodeRefused``, ``PeopleRefused``."""
    nodes = _changing(tx, tenant, actor)
    kind, key = node.name
    if not _TYPE.fullmatch(kind):
        raise NodeRefused("type", "Use a word like project: a-z, 0-9, - and _, a letter first.")
    if not _KEY.fullmatch(key):
        raise NodeRefused(
            "key", "Use the id that tools call it by: printable ASCII without spaces, at most 200 characters."
        )
    if node.name in {(each.type, each.key) for each in nodes}:
        raise NodeRefused("key", f"There is a {kind} of this key already.")
    _put(tx, tenant, node, nodes, None, actor, now=now, what=f"added {kind} {key}")


def rename(tx: Transaction, tenant: Tenant, node_id: ResourceId, title: str, actor: Actor, *, now: Instant) -> None:
    """Give a node another name for people. Raises ``NodeRefused``, ``PeopleRefused``, ``LookupError``."""
    nodes = _changing(tx, tenant, actor)
    old = node_by(tx, tenant, node_id)
    node = TreeNode(name=(old.type, old.key), title=title, parent=_name_of(nodes, old.parent_id))
    _put(tx, tenant, node, nodes, old, actor, now=now, what=f"renamed {old.type} {old.key}")


def move(
    tx: Transaction, tenant: Tenant, node_id: ResourceId, parent: NodeName | None, actor: Actor, *, now: Instant
) -> None:
    """Put a node with all below it under another one, or at the top. Raises as ``rename``."""
    nodes = _changing(tx, tenant, actor)
    old = node_by(tx, tenant, node_id)
    node = TreeNode(name=(old.type, old.key), title=old.name, parent=parent)
    _put(tx, tenant, node, nodes, old, actor, now=now, what=f"moved {old.type} {old.key}")


def delete(tx: Transaction, tenant: Tenant, node_id: ResourceId, actor: Actor, *, now: Instant) -> int:
    """Delete a node with all below it and the roles bound there; return how many nodes. Raises as ``rename``."""
    nodes = _changing(tx, tenant, actor)
    node, ids = node_by(tx, tenant, node_id), inside(nodes, node_id)
    gone = [(each.type, each.key) for each in nodes if each.id in ids]
    change_tree(tx, (), gone, _pusher(tenant, actor, now, f"deleted {node.type} {node.key}"))
    return len(gone)


def take_over(tx: Transaction, tenant: Tenant, actor: Actor, *, now: Instant) -> None:
    """Let a tree that a product pushed be changed here, until it pushes again. Raises ``PeopleRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    _require_right(tx, tenant, actor)
    if pushed_trees.clear_pushed(tx, tenant.id):
        audit.record(
            tx, name="resources:taken_over", at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=tenant.id,
            detail={"by": actor.by}, cause=actor.cause,
        )  # fmt: skip


def _changing(tx: Transaction, tenant: Tenant, actor: Actor) -> list[Resource]:
    tx.lock_tenant(tenant.id, for_rights=True)
    _require_right(tx, tenant, actor)
    if pushed_trees.pushed_since(tx, tenant.id) is not None:
        raise PeopleRefused(faults.TREE_ELSEWHERE, reason=f"the tree of {tenant.slug} is pushed")
    return permissions.resources_of_tenant(tx, tenant.id)


def _put(  # noqa: PLR0913  (what becomes of which node, of whom, when)
    tx: Transaction, tenant: Tenant, node: TreeNode, nodes: list[Resource], old: Resource | None, actor: Actor, *,
    now: Instant, what: str,
) -> None:  # fmt: skip
    if not title_ok(node.title):
        raise NodeRefused("name", f"Give it a name of 1 to {MAX_TITLE} ordinary characters.")
    tree = ResourceTree(nodes)
    parent = None if node.parent is None else tree.find(*node.parent)
    if node.parent is not None and parent is None:
        raise NodeRefused("parent", "There is no such resource here. Write TYPE/KEY, like project/alpha.")
    below = tree.path(parent.id) if parent is not None else frozenset[ResourceId]()
    if old is not None and old.id in below:
        raise NodeRefused("parent", "It cannot be below itself.")
    _require_covers(tx, tenant, below - (tree.path(old.id) if old is not None else frozenset()), actor)
    stripped = TreeNode(name=node.name, title=node.title.strip(), parent=node.parent)
    change_tree(tx, [stripped], (), _pusher(tenant, actor, now, what))


def change_as_person(
    tx: Transaction, tenant: Tenant, actor: Actor, change: Callable[[], TreeChange], *, by_hand: bool
) -> TreeChange:
    """Change a tree as ``change`` does, for somebody who is no product: never beyond their own rights (case M3).

    ``by_hand``: they come with no key, so that a tree that a product pushes is not theirs to change. Raises
    ``PeopleRefused``; nothing is changed then.
    """
    nodes = _changing(tx, tenant, actor) if by_hand else permissions.resources_of_tenant(tx, tenant.id)
    before = ResourceTree(nodes)
    changed = change()
    nodes = permissions.resources_of_tenant(tx, tenant.id)
    after, parents = ResourceTree(nodes), {node.id: node.parent_id for node in before.nodes()}
    # What lies below a node gains at most what the node does.
    put = [node for node in nodes if node.parent_id is not None and parents.get(node.id, "") != node.parent_id]
    gained = [after.path(node.id) - {node.id} - before.path(node.id) for node in put]
    _require_covers(tx, tenant, frozenset[ResourceId]().union(*gained), actor)
    return changed


def _require_covers(tx: Transaction, tenant: Tenant, gained: frozenset[ResourceId], actor: Actor) -> None:
    """Refuse to let roles reach a node that are more than the actor holds in the whole tenant."""
    if actor.user_id is None or not gained:
        return
    placed = permissions.placements_of_tenant(tx, tenant.id)
    names = {each.role for places in placed.values() for each in places if each.resource_id in gained}
    known = {role.name: role.permissions for role in permissions.roles_of_tenant(tx, tenant.id)}
    mine = roles_of(tx, tenant.id, actor.user_id)
    held = permissions.role_permissions(tx, tenant.id, actor.user_id)
    authority = Authority(patterns=held, owner=OWNER in mine, limit=actor.limit)
    patterns = [pattern for name in names for pattern in known[name]]
    if not authority.covers(patterns, known_permissions(tx)):
        raise PeopleRefused(faults.BEYOND_OWN_RIGHTS, reason=f"roles {sorted(names)} hold there", field="parent")


def _require_right(reader: Reader, tenant: Tenant, actor: Actor) -> None:
    if actor.user_id is None:
        return
    within = actor.limit is None or MANAGE_RESOURCES in actor.limit
    if not within or not may(reader, tenant.id, actor.user_id, MANAGE_RESOURCES):
        raise PeopleRefused(faults.NOT_PERMITTED, reason=f"no {MANAGE_RESOURCES} in {tenant.id}")


def _name_of(nodes: list[Resource], node_id: ResourceId | None) -> NodeName | None:
    return next(((each.type, each.key) for each in nodes if each.id == node_id), None)


def _pusher(tenant: Tenant, actor: Actor, now: Instant, what: str) -> Pusher:
    return Pusher(
        tenant_id=tenant.id, actor_id=actor.user_id, credential_id=actor.by, now=now, cause=actor.cause,
        product=False, what=what,
    )  # fmt: skip

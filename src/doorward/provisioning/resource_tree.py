"""The tree of a tenant's resources, as the product that holds them pushes it (feature D10).

Both operations describe an end state, so that a repetition changes nothing: no row, no revision, no audit event. The
end state is checked as a whole before anything is written: every parent exists, nothing is its own ancestor.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from doorward import audit
from doorward.model import Cause, Instant, Resource, ResourceId, TenantId, UserId
from doorward.storage import permissions, pushed_trees
from doorward.storage.database import Transaction

MAX_NODES: Final = 10_000
_ID_LENGTH: Final = 32

NodeName: TypeAlias = tuple[str, str]
"""(type, key): what tools' arguments and rules call a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """A node by its names, before it has an id."""

    name: NodeName
    title: str
    parent: NodeName | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeChange:
    """What was done: nodes added or changed, nodes removed, nodes there now."""

    put: int
    removed: int
    total: int


class TreeRefused(Exception):  # noqa: N818  (an answer)
    """The described tree cannot be; nothing was changed. ``public`` names the node."""

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Who changes which tree, when: what the audit event tells. ``actor_id`` is None where no user did it."""

    tenant_id: TenantId
    actor_id: UserId | None
    """None for the operator's own command."""
    credential_id: str
    now: Instant
    cause: Cause | None
    product: bool = True
    """Whether a product pushes its own tree, which is then not changed on a page (decision 0070)."""
    what: str = ""
    """In words, where one node is changed by hand."""


def replace_tree(tx: Transaction, nodes: Sequence[TreeNode], pusher: Pusher) -> TreeChange:
    """Make the tenant's tree exactly ``nodes``. Raises ``TreeRefused``."""
    tx.lock_tenant(pusher.tenant_id, for_rights=True)
    made = _make(tx, _stored(tx, pusher.tenant_id), _by_name(nodes), pusher)
    _mark(tx, pusher)
    return made


def change_tree(tx: Transaction, put: Sequence[TreeNode], remove: Iterable[NodeName], pusher: Pusher) -> TreeChange:
    """Add or change ``put`` and remove ``remove`` (what is not there is gone already). Raises ``TreeRefused``.

    A node can only be removed together with everything below it.
    """
    tx.lock_tenant(pusher.tenant_id, for_rights=True)
    stored, changed, gone = _stored(tx, pusher.tenant_id), _by_name(put), set(remove)
    both = sorted(gone & changed.keys())
    if both:
        raise TreeRefused(f"{_words(both[0])} is both put and removed.")
    kept = {name: node for name, node in _named(stored).items() if name not in gone}
    made = _make(tx, stored, kept | changed, pusher)
    _mark(tx, pusher)
    return made


def resource_id(tenant_id: TenantId, name: NodeName) -> ResourceId:
    """Return the id of a pushed node: equal for equal names, so that repeats and several nodes agree."""
    text = "\0".join((tenant_id, *name))
    return ResourceId("res_" + sha256(text.encode()).hexdigest()[:_ID_LENGTH])


def _make(
    tx: Transaction, stored: Mapping[NodeName, Resource], wanted: Mapping[NodeName, TreeNode], pusher: Pusher
) -> TreeChange:
    ordered = _parents_first(wanted)
    ids = {name: stored[name].id if name in stored else resource_id(pusher.tenant_id, name) for name in wanted}
    rows = [_row(node, ids, pusher.tenant_id) for node in ordered]
    put = [row for row in rows if stored.get((row.type, row.key)) != row]
    gone = [resource.id for name, resource in stored.items() if name not in wanted]
    if put:
        permissions.put_resources(tx, pusher.tenant_id, put)
    if gone:
        permissions.remove_resources(tx, pusher.tenant_id, gone)
    if put or gone:
        _record(tx, pusher, put=len(put), removed=len(gone))
    return TreeChange(put=len(put), removed=len(gone), total=len(wanted))


def _mark(tx: Transaction, pusher: Pusher) -> None:
    if pusher.product:
        pushed_trees.mark_pushed(tx, pusher.tenant_id, pusher.now)


def _record(tx: Transaction, pusher: Pusher, *, put: int, removed: int) -> None:
    audit.record(
        tx,
        name="resources:changed",
        at=pusher.now,
        tenant_id=pusher.tenant_id,
        actor_id=pusher.actor_id,
        subject=pusher.tenant_id,
        detail={"put": str(put), "removed": str(removed), "credential": pusher.credential_id}
        | ({"what": pusher.what} if pusher.what else {}),
        cause=pusher.cause,
    )


def _parents_first(wanted: Mapping[NodeName, TreeNode]) -> list[TreeNode]:
    """Return the nodes with every parent before its children; refuse a missing parent, a cycle and too many."""
    if len(wanted) > MAX_NODES:
        raise TreeRefused(f"A tree has at most {MAX_NODES} nodes; this one would have {len(wanted)}.")
    children: dict[NodeName | None, list[TreeNode]] = {}
    for node in wanted.values():
        if node.parent is not None and node.parent not in wanted:
            raise TreeRefused(f"The parent of {_words(node.name)}, {_words(node.parent)}, would not exist.")
        children.setdefault(node.parent, []).append(node)
    ordered = list(children.get(None, ()))
    for node in ordered:  # grows while it is walked: each node appends its children
        ordered.extend(children.get(node.name, ()))
    if len(ordered) != len(wanted):
        reached = {node.name for node in ordered}
        raise TreeRefused(f"{_words(min(wanted.keys() - reached))} would be its own ancestor.")
    return ordered


def _by_name(nodes: Sequence[TreeNode]) -> dict[NodeName, TreeNode]:
    named = {node.name: node for node in nodes}
    if len(named) == len(nodes):
        return named
    twice = Counter(node.name for node in nodes).most_common(1)[0][0]
    raise TreeRefused(f"{_words(twice)} is given twice.")


def _stored(tx: Transaction, tenant_id: TenantId) -> dict[NodeName, Resource]:
    return {(resource.type, resource.key): resource for resource in permissions.resources_of_tenant(tx, tenant_id)}


def _named(stored: Mapping[NodeName, Resource]) -> dict[NodeName, TreeNode]:
    names = {resource.id: name for name, resource in stored.items()}
    return {
        name: TreeNode(
            name=name, title=resource.name, parent=None if resource.parent_id is None else names[resource.parent_id]
        )
        for name, resource in stored.items()
    }


def _row(node: TreeNode, ids: Mapping[NodeName, ResourceId], tenant_id: TenantId) -> Resource:
    return Resource(
        id=ids[node.name],
        tenant_id=tenant_id,
        type=node.name[0],
        key=node.name[1],
        name=node.title,
        parent_id=None if node.parent is None else ids[node.parent],
    )


def _words(name: NodeName) -> str:
    return f"{name[0]} {name[1]!r}"

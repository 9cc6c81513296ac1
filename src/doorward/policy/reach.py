"""Where in the tenant's tree somebody may do something: at the tenant, or at and below the nodes a role is bound to.

A role bound at a node holds for its whole subtree (decision 0040). Everything is compared by id, along the
parents of today: a node that moves takes on the rights of its new place at once.
"""

from doorward.model import Permission, Principal, ResourceId
from doorward.policy.rules import ResourceTree

Roots = frozenset[ResourceId] | None
"""Subtrees by their topmost nodes; None is the whole tenant, the empty set is nowhere."""


def held_anywhere(principal: Principal) -> frozenset[Permission]:
    """Return all that the owner may do somewhere in the tenant."""
    return principal.permissions.union(*(permissions for _, permissions in principal.placed))


def held_in(principal: Principal, requires: frozenset[Permission], tree: ResourceTree) -> Roots:
    """Return where the owner holds all of ``requires``, whatever the credential is narrowed to."""
    if requires <= principal.permissions:
        return None
    return frozenset(
        node for node, _ in principal.placed if node in tree and requires <= held_at(principal, node, tree)
    )


def held_at(principal: Principal, node: ResourceId, tree: ResourceTree) -> frozenset[Permission]:
    """Return what the owner may do at ``node``: the rights at the tenant, and those of every node on its path."""
    path = tree.path(node)
    return principal.permissions.union(*(permissions for place, permissions in principal.placed if place in path))


def overlap(one: Roots, other: Roots, tree: ResourceTree) -> Roots:
    """Return what lies in both, as far as it is there."""
    if one is None or other is None:
        roots = other if one is None else one
        return None if roots is None else frozenset(node for node in roots if node in tree)
    inside = {node for node in one if tree.within(node, other)} | {node for node in other if tree.within(node, one)}
    return frozenset(inside)


def reach_at_all(principal: Principal, tree: ResourceTree) -> Roots:
    """Return where ``principal`` may do anything: what the upstream of a listing is told."""
    places = None if principal.permissions else frozenset(node for node, _ in principal.placed if node in tree)
    return overlap(places, principal.resources, tree)


def held_throughout(principal: Principal, roots: Roots, tree: ResourceTree) -> frozenset[Permission]:
    """Return what the owner may do in all of ``roots``: all that may be said without saying where."""
    if not principal.placed or not roots:
        return principal.permissions
    return frozenset.intersection(*(held_at(principal, root, tree) for root in roots))

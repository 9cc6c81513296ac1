"""A tree as a page shows it: in the order of a list, so many nodes at most, and without recursion however deep it is."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from doorward.model import Resource, ResourceId

MOST: Final = 400
"""Nodes of a tree on one page; what lies deeper is on the pages of those."""
FOUND: Final = 100
_OPEN_AT_FIRST: Final = 3
"""Levels that are unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of writing a nested list. ``kind``: ``open`` (a node with others below it), ``leaf`` or ``close``."""

    kind: str
    node: Resource | None = None
    roles: int = 0
    """How many roles are bound at it."""
    hidden: int = 0
    """How many nodes right below it are not shown."""
    unfolded: bool = False


def steps(nodes: Sequence[Resource], top: ResourceId | None, roles: Mapping[ResourceId, int]) -> list[Step]:
    """Return how to write what lies below ``top`` (None: the whole tree), the levels near it first."""
    below = children(nodes)
    shown = _nearest(below, top)
    found: list[Step] = []
    waiting: list[tuple[Resource | None, int]] = [
        (each, 0) for each in reversed(below.get(top, [])) if each.id in shown
    ]
    while waiting:
        node, depth = waiting.pop()
        if node is None:
            found.append(Step(kind="close"))
            continue
        inner = [each for each in below.get(node.id, []) if each.id in shown]
        found.append(
            Step(
                kind="open" if inner else "leaf", node=node, roles=roles.get(node.id, 0),
                hidden=len(below.get(node.id, [])) - len(inner), unfolded=depth < _OPEN_AT_FIRST,
            )
        )  # fmt: skip
        if inner:
            waiting.append((None, depth))
            waiting += [(each, depth + 1) for each in reversed(inner)]
    return found


def children(nodes: Sequence[Resource]) -> dict[ResourceId | None, list[Resource]]:
    """Return the nodes by what is above them, each list by name."""
    known = {node.id for node in nodes}
    found: dict[ResourceId | None, list[Resource]] = {}
    for node in sorted(nodes, key=lambda each: (each.name.lower(), each.type, each.key)):
        above = node.parent_id if node.parent_id in known else None
        found.setdefault(above, []).append(node)
    return found


def above(nodes: Sequence[Resource], node: Resource) -> list[Resource]:
    """Return what is above a node, the top first."""
    by_id = {each.id: each for each in nodes}
    path: list[Resource] = []
    step = by_id.get(node.parent_id) if node.parent_id is not None else None
    while step is not None and step not in path:
        path.append(step)
        step = by_id.get(step.parent_id) if step.parent_id is not None else None
    return path[::-1]


def found(nodes: Sequence[Resource], text: str) -> list[Resource]:
    """Return the first nodes whose name or key holds ``text``."""
    wanted = text.lower()
    hits = (each for each in nodes if wanted in each.name.lower() or wanted in each.key.lower())
    return [each for each, _ in zip(hits, range(FOUND), strict=False)]


def _nearest(below: Mapping[ResourceId | None, list[Resource]], top: ResourceId | None) -> set[ResourceId]:
    shown: set[ResourceId] = set()
    waiting = deque(below.get(top, []))
    while waiting and len(shown) < MOST:
        node = waiting.popleft()
        shown.add(node.id)
        waiting.extend(below.get(node.id, []))
    return shown

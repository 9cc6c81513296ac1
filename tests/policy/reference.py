"""A second decider, written from the requirements and not from the code, that is slow, small and obviously right.

It works on plain dictionaries and answers ``"allowed"``, ``"reachable"`` or ``"denied"``. The comparison with the
engine (``test_reference.py``) is the differential test that Cedar found 21 of its bugs with.
"""

from collections.abc import Mapping
from typing import Any


def covered(pattern: str, permission: str) -> bool:
    """A role's pattern covers a permission when each half is the same word or ``*``."""
    pairs = zip(pattern.split(":"), permission.split(":"), strict=True)
    return all(mine in ("*", its) for mine, its in pairs)


def rights(patterns: list[str], catalogue: list[str]) -> list[str]:
    """What a person may do: everything of the catalogue that some pattern of theirs covers."""
    return [permission for permission in catalogue if any(covered(pattern, permission) for pattern in patterns)]


def path_to_root(node: str, parents: Mapping[str, str | None]) -> list[str]:
    """The node and everything above it."""
    path: list[str] = []
    step: str | None = node
    while step is not None and step in parents and step not in path:
        path.append(step)
        step = parents[step]
    return path


def answer(who: Mapping[str, Any], ask: Mapping[str, Any], parents: Mapping[str, str | None], now: int) -> str:
    """Decide.

    ``who``: rights, scopes, declined, can_step_up, roots (or None), servers, expires (or None).
    ``ask``: server, requires, target (None: none; False: cannot be resolved; else a node's id).
    """
    alive = who["expires"] is None or now < who["expires"]
    enabled = ask["server"] in who["servers"]
    person_may = bool(ask["requires"]) and all(need in who["rights"] for need in ask["requires"])
    if not (alive and enabled and person_may):
        return "denied"
    if not all(need in who["scopes"] for need in ask["requires"]):
        unticked = any(need in who["declined"] and need not in who["scopes"] for need in ask["requires"])
        return "reachable" if who["can_step_up"] and not unticked else "denied"
    return "allowed" if inside(ask["target"], who["roots"], parents) else "denied"


def inside(target: Any, roots: list[str] | None, parents: Mapping[str, str | None]) -> bool:
    """No target is always inside; one that cannot be resolved never is; else some root is on its path."""
    if target is None:
        return True
    if target is False or target not in parents:
        return False
    return roots is None or any(step in roots for step in path_to_root(target, parents))

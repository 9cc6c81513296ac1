"""A second decider, written from the requirements and not from the code, that is slow, small and obviously right.

It works on plain dictionaries and answers ``"allowed"``, ``"approval"``, ``"reachable"`` or ``"denied"``. The comparison with the
engine (``test_reference.py``) is the differential test that Cedar found 21 of its bugs with.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
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

    ``who``: rights, placed (node: rights there and below), scopes, declined, can_step_up, roots (or None), servers,
    expires (or None), overrides. ``ask``: server, kind, name, requires, targets (None: none; "everywhere": none, and
    the server acts in the whole tenant; False: cannot be resolved; else nodes' ids).
    """
    mine = [each for each in who["overrides"] if is_about(each, ask)]
    if any(each["effect"] == "deny" for each in mine):
        return "denied"
    if ask["requires"] or ask["open"]:
        ask = {**ask, "requires": [*ask["requires"], *(need for each in mine for need in each["requires"])]}
    alive = who["expires"] is None or now < who["expires"]
    enabled = ask["server"] in who["servers"]
    if not (alive and enabled and (ask["requires"] or ask["open"]) and may_somewhere(who, ask, parents)):
        return "denied"
    if not all(need in who["scopes"] for need in ask["requires"]):
        unticked = any(need in who["declined"] and need not in who["scopes"] for need in ask["requires"])
        return "reachable" if who["can_step_up"] and not unticked else "denied"
    yes = "approval" if approvers(ask, mine) else "allowed"
    if ask["targets"] in (None, "everywhere"):
        return yes
    if ask["targets"] is False:
        return "denied"
    good = all(may_at(who, ask["requires"], node, parents) for node in ask["targets"])
    return yes if good else "denied"


def approvers(ask: Mapping[str, Any], mine: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All who are asked to approve, by the rule and by the overrides that are about it."""
    return [each for each in (ask["approval"], *(override["approval"] for override in mine)) if each is not None]


def may_approve(asked: list[dict[str, Any]], held: list[str], *, own: bool) -> bool:
    """Whether one person satisfies all of ``asked``; ``own``: the call is made for them."""
    named = [permission for each in asked for permission in each["permissions"]]
    if own and any(each["by_another"] for each in asked):
        return False
    return all(permission in held for permission in named) if named else own


def is_about(override: Mapping[str, Any], ask: Mapping[str, Any]) -> bool:
    """The same server, the same kind of thing, and a name that the shell's pattern fits."""
    same = override["server"] == ask["server"] and override["kind"] == ask["kind"]
    return same and fnmatchcase(ask["name"], override["match"])


def may_everywhere(who: Mapping[str, Any], requires: list[str]) -> bool:
    """In the whole tenant: the rights are held at the tenant, and the credential is limited to no part."""
    return who["roots"] is None and all(need in who["rights"] for need in requires)


def may_somewhere(who: Mapping[str, Any], ask: Mapping[str, Any], parents: Mapping[str, str | None]) -> bool:
    """At the tenant, or at some node of it that the credential reaches; what needs nothing is about no place."""
    requires = ask["requires"]
    if not requires or may_everywhere(who, requires):
        return True
    return ask["targets"] != "everywhere" and any(may_at(who, requires, node, parents) for node in parents)


def may_at(who: Mapping[str, Any], requires: list[str], node: str, parents: Mapping[str, str | None]) -> bool:
    """The node is there, below a root of the credential, and the person's rights on its path are enough."""
    path = path_to_root(node, parents)
    reached = bool(path) and (who["roots"] is None or any(step in who["roots"] for step in path))
    held = {*who["rights"], *(right for step in path for right in who["placed"].get(step, ()))}
    return reached and held.issuperset(requires)

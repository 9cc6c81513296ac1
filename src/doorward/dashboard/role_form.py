"""The form for a role: the permissions by what they are about, and what somebody with them can and cannot do."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from doorward.accounts.actors import Actor, known_permissions
from doorward.model import Permission, PermissionEntry, Role, Tenant
from doorward.policy.permission import expand
from doorward.rights import (
    ADMINISTRATION,
    CREATE_KEYS,
    DECIDE_CALLS,
    EXPLAIN_DECISIONS,
    MANAGE_CLIENTS,
    MANAGE_KEYS,
    MANAGE_MEMBERS,
    MANAGE_RESOURCES,
)
from doorward.storage import permissions
from doorward.storage.database import Reader

_EVERYWHERE: Final = (
    ("*:read", "Look at everything, also at what comes later", False),
    ("*:write", "Create and change everything, also what comes later", False),
    ("*:delete", "Delete everything, also what comes later", True),
    ("*:*", "Do everything, and look after this tenant", True),
)
"""Pattern, words, whether it destroys."""
_SHORT: Final = {
    MANAGE_RESOURCES: "Change the resource tree",
    MANAGE_CLIENTS: "Allow and deny apps",
    MANAGE_MEMBERS: "Look after members and roles",
    EXPLAIN_DECISIONS: "Ask why a call is denied",
    DECIDE_CALLS: "Approve calls of others",
    MANAGE_KEYS: "Look after everybody's API keys",
    CREATE_KEYS: "Make API keys, where that takes a permission",
}
"""What each lets one do, in few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One box. ``mine``: whoever fills the form has it themselves and may give it."""

    value: str
    words: str
    destructive: bool = False
    mine: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Boxes about one thing."""

    title: str
    items: Sequence[Item]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What somebody can, or cannot, do with one thing."""

    title: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a person with a role can and cannot do, as the catalogue is today."""

    can: Sequence[Line]
    cannot: Sequence[Line]
    later: bool
    """Whether what is added to the catalogue later may come with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleForm:
    """What stands in the form."""

    name: str = ""
    patterns: frozenset[str] = frozenset()


def groups(reader: Reader, tenant: Tenant, actor: Actor, held: Collection[str]) -> list[Group]:
    """Return the boxes; what is ``held`` and nowhere else in the form has a group of its own, so that it is kept."""
    authority, known = actor.authority(reader, tenant.id), known_permissions(reader)

    def item(value: str, words: str, *, destructive: bool = False) -> Item:
        mine = authority is None or authority.covers([value], known)
        return Item(value=value, words=words, destructive=destructive, mine=mine)

    found = [Group(title="Everything", items=[item(each, words, destructive=bad) for each, words, bad in _EVERYWHERE])]
    for resource, entries in _by_resource(permissions.catalogue(reader)):
        boxes = [item(each.permission, each.words, destructive=each.destructive) for each in entries]
        every = item(
            f"{resource}:*", "All of these, also what comes later", destructive=any(e.destructive for e in entries)
        )
        found.append(Group(title=_title(resource), items=[*boxes, every]))
    found.append(Group(title="This tenant", items=[item(each, words) for each, words in ADMINISTRATION.items()]))
    shown = {box.value for group in found for box in group.items}
    other = [item(each, "Written elsewhere") for each in sorted(set(held) - shown)]
    return [*found, Group(title="Others", items=other)] if other else found


def preview(reader: Reader, patterns: Iterable[str]) -> Preview:
    """Return what somebody who has exactly these patterns can and cannot do."""
    wanted, catalogue = frozenset(patterns), permissions.catalogue(reader)
    can = expand(wanted, known_permissions(reader))
    about = _by_resource(catalogue)
    yes: list[Line] = []
    no: list[Line] = []
    for resource, entries in about:
        for lines, has in ((yes, True), (no, False)):
            words = [each.words for each in entries if (each.permission in can) is has]
            if words:
                lines.append(Line(title=_title(resource), words=words))
    for lines, has in ((yes, True), (no, False)):
        own = [_short(each) for each in ADMINISTRATION if (each in can) is has]
        if own:
            lines.append(Line(title="This tenant", words=own))
    return Preview(can=yes, cannot=no, later=any("*" in each for each in wanted))


def in_words(role: Role, catalogue: Sequence[PermissionEntry]) -> str:
    """Return in a few words what a role gives, for a list."""
    every = {value: words for value, words, _ in _EVERYWHERE}
    wide = [every[each] for each in role.permissions if each in every]
    if wide:
        return ". ".join(wide)
    can = expand(role.permissions, [*(each.permission for each in catalogue), *ADMINISTRATION])
    about = sorted({_title(each.partition(":")[0]) for each in can - ADMINISTRATION.keys()})
    if can & ADMINISTRATION.keys():
        about.append("This tenant" if not about else "this tenant")
    return ", ".join(about) or "Nothing"


def _short(permission: Permission) -> str:
    return _SHORT.get(permission, ADMINISTRATION[permission].rstrip("."))


def _by_resource(catalogue: Sequence[PermissionEntry]) -> list[tuple[str, list[PermissionEntry]]]:
    found: dict[str, list[PermissionEntry]] = {}
    for entry in sorted(catalogue, key=lambda each: each.destructive):
        if entry.permission not in ADMINISTRATION:
            found.setdefault(entry.permission.partition(":")[0], []).append(entry)
    return list(found.items())


def _title(resource: str) -> str:
    return resource.replace("_", " ").replace("-", " ").capitalize()

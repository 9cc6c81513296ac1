"""Which node of the tenant's tree a call is about (features D5, D10). Pure."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from doorward.model import ResourceArgument, ResourceId, Server, ToolRule
from doorward.policy.decide import Everywhere, NoTarget, Target, Targets, Unresolvable
from doorward.policy.rules import ResourceTree
from doorward.protocol.jsonrpc import MAX_NAMES

EVERY: Final = "*"
"""In a pointer: every item of a list."""


def target_of_call(rule: ToolRule, arguments: Mapping[str, Any], tree: ResourceTree, server: Server) -> Targets:
    """Return what a call of something at ``server``, governed by ``rule``, is about."""
    found = target_of(rule.resources, arguments, tree)
    return Everywhere() if isinstance(found, NoTarget) and not is_told(server) else found


def target_of_completion(
    rule: ToolRule, argument: str, chosen: Mapping[str, Any], tree: ResourceTree, server: Server
) -> Targets:  # fmt: skip
    """Return what is asked when ``argument`` is completed, with the values ``chosen`` for others.

    Values of an argument that names a place are looked for in all places, whatever was chosen.
    """
    found = target_of(rule.resources, chosen, tree)
    if isinstance(found, Unresolvable) or is_told(server):
        return found
    places = {_folded(name) for each in rule.resources for name in _path(each.pointer)[:1]}
    return Everywhere() if isinstance(found, NoTarget) or _folded(argument) in places else found


def target_of_listing(rule: ToolRule, server: Server) -> Targets:
    """Return what is asked when something is listed: about no call yet."""
    return NoTarget() if rule.resources or is_told(server) else Everywhere()


def is_told(server: Server) -> bool:
    """Say whether ``server`` learns of each call where the caller may act: from our identity token alone."""
    return server.auth is None


def target_of(
    named: Sequence[ResourceArgument], arguments: Mapping[str, Any], tree: ResourceTree
) -> NoTarget | Target | Unresolvable:
    """Return the nodes that ``named`` point to in ``arguments``.

    An argument that is not there adds none; with none at all the upstream gets the allowed subtree with the identity
    (D5). One that is there in another spelling, alone or beside the right one, may be what a lax upstream reads, so
    nothing is resolved then (K7).
    """
    found: set[ResourceId] = set()
    try:
        for argument in named:
            for key in _values(arguments, _path(argument.pointer)):
                found.add(_node(tree, argument.type, key))
    except _Unclear:
        return Unresolvable()
    return Target(frozenset(found)) if found else NoTarget()


class _Unclear(Exception):  # noqa: N818
    """What the arguments name cannot be told for certain."""


def _values(here: Any, path: Sequence[str]) -> Iterator[Any]:
    if not path:
        if here is not None:
            yield here
        return
    name, rest = path[0], path[1:]
    if name == EVERY:
        if not isinstance(here, list):
            raise _Unclear
        for item in here:
            yield from _items(item, rest)
        return
    if not isinstance(here, Mapping) or _twin(name, here):
        raise _Unclear
    if name in here:
        yield from _values(here[name], rest)


def _items(item: Any, rest: Sequence[str]) -> Iterator[Any]:
    # An item that names nothing is not the same as no list: the upstream would act on the others and on what?
    values = list(_values(item, rest))
    if not values:
        raise _Unclear
    yield from values


def _node(tree: ResourceTree, kind: str, value: Any) -> ResourceId:
    key = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    node = tree.find(kind, key) if isinstance(key, str) else None
    if node is None:
        raise _Unclear
    return node.id


def _path(pointer: str) -> list[str]:
    # RFC 6901 section 4.
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _twin(name: str, members: Mapping[str, Any]) -> bool:
    """Say whether another member could be taken for ``name``; too many to look at count as one."""
    if len(members) == 1 and name in members:
        return False
    wanted = _folded(name)
    return sum(map(len, members)) > MAX_NAMES or any(_folded(other) == wanted for other in members if other != name)


def _folded(name: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(character for character in folded if character.isalnum())

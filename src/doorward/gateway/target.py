"""Which node of the tenant's tree a call is about (``product.md`` D5, D10). Pure."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from doorward.model import ResourceArgument
from doorward.policy.decide import NoTarget, Target, Unresolvable
from doorward.policy.rules import ResourceTree
from doorward.protocol.jsonrpc import MAX_NAMES


def target_of(
    argument: ResourceArgument | None, arguments: Mapping[str, Any], tree: ResourceTree
) -> NoTarget | Target | Unresolvable:
    """Return the node that ``argument`` points to in ``arguments``.

    An argument that is not there makes a call without a target: the upstream gets the allowed subtree with the identity
    (D5). One that is there in another spelling, alone or beside the right one, may be what a lax upstream reads, so
    nothing is resolved then (K7).
    """
    if argument is None:
        return NoTarget()
    here: Any = arguments
    for name in _path(argument.pointer):
        if not isinstance(here, Mapping):
            return Unresolvable()
        if _twin(name, here):
            return Unresolvable()
        if name not in here:
            return NoTarget()
        here = here[name]
    if here is None:
        return NoTarget()
    key = str(here) if isinstance(here, int) and not isinstance(here, bool) else here
    node = tree.find(argument.type, key) if isinstance(key, str) else None
    return Unresolvable() if node is None else Target(node.id)


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

"""Links of the description: which routes take what an answer names (OpenAPI 3.1, section 4.8.20).

What an answer names, its shape says (``Said.names``). A list links by its first item; what a path said already is taken
from there.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import singledispatch
from typing import Any, Final

from doorward.api.route import ApiRoute
from doorward.api.shapes import Each, Maybe, Members, Said, Shape, Text, Whole

_VARIABLE: Final = re.compile(r"{(\w+)}")
_TENANT: Final = "slug"
Place = tuple[str, str]
"""A variable of paths, and the JSON pointer to a value for it."""


def variables(path: str) -> list[str]:
    """Return the variables of a path, in order."""
    return _VARIABLE.findall(path)


def whole_answer(route: ApiRoute) -> Shape:
    """Return the shape of success; of a list, that of a page."""
    if route.pages is None:
        return route.answer
    following = Maybe(Text(most=1000), "What to send as `after` for more; null: nothing follows.")
    shapes: dict[str, Shape] = {route.pages: Each(route.answer), "next": following}
    return Members(shapes, needs=tuple(shapes))


def links(route: ApiRoute, routes: Iterable[ApiRoute]) -> dict[str, Any]:
    """Return the Link Objects of a route's success by name: the operation's, and where it is found where there are several."""
    here = {name: f"$request.path.{name}" for name in variables(route.path)}
    found = [(name, at) for name, at in places(whole_answer(route), "") if name not in here]
    told: dict[str, Any] = {}
    for target in routes:
        wanted = variables(target.path)
        if _TENANT in here and _TENANT not in wanted:
            # What a tenant's list names is that tenant's: it may well be somebody else's than the asker's.
            continue
        ways = [(name, at) for name, at in found if wanted and name == wanted[-1]]
        for name, at in ways:
            values = {**dict(_beside(found, at)), **here, name: at}
            if values.keys() >= set(wanted):
                label = target.name if len(ways) == 1 else f"{target.name}-{at.split('/')[1]}"
                told[label] = _link(target, {each: values[each] for each in wanted})
    return told


def _beside(found: Iterable[Place], at: str) -> Iterator[Place]:
    """Return what stands beside or above a place: ``/keys/0/id`` beside ``/keys/0/secrets/0/id``."""
    return ((name, other) for name, other in found if at.startswith(other.rpartition("/")[0]))


def _link(target: ApiRoute, values: Mapping[str, str]) -> dict[str, Any]:
    shown = {name: f"$response.body#{at}" if at.startswith("/") else at for name, at in values.items()}
    return {"operationId": target.name, "parameters": shown}


@singledispatch
def places(_shape: Shape, _at: str) -> Iterator[Place]:
    """Yield what is named in an answer, each with its place, from a shape and where it stands."""
    return iter(())


@places.register(Said)
@places.register(Whole)
def _(shape: Said | Whole, at: str) -> Iterator[Place]:
    return iter([(shape.names, at)] if shape.names else [])


@places.register
def _(shape: Maybe, at: str) -> Iterator[Place]:
    return places(shape.shape, at)


@places.register
def _(shape: Each, at: str) -> Iterator[Place]:
    return places(shape.item, f"{at}/0")


@places.register
def _(shape: Members, at: str) -> Iterator[Place]:
    for name, member in shape.shapes.items():
        yield from places(member, f"{at}/{name}")

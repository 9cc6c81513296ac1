"""Shapes and answers that several resources share."""

from http import HTTPStatus
from typing import Any, Final

from doorward.accounts.members import Place
from doorward.accounts.refused import PeopleRefused
from doorward.api.problems import Problem
from doorward.api.shapes import Each, Maybe, Members, Said, Text, answered

NAME: Final = Text(most=200)
EMAIL: Final = Text(most=254, like="an e-mail address")
ROLES: Final = Each(NAME, says="Names of roles.")
PERMISSIONS: Final = Each(Text(most=200), says="Permissions like `documents:read`.")
NODE: Final = Members({"type": NAME, "key": NAME}, needs=("type", "key"), says="A node of the tenant's tree.")
PLACE: Final = Members({"role": NAME, "type": NAME, "key": NAME}, needs=("role", "type", "key"))
PLACES: Final = Each(PLACE, says="Roles at nodes of the tree.")
TIME: Final = Said(form="date-time")
MAYBE_TIME: Final = Maybe(TIME)
MAYBE_SAID: Final = Maybe(Said())
SAID_ROLES: Final = Each(Said(), most=10_000)
SAID_NODES: Final = Each(answered(type=Said(), key=Said()), most=10_000)
SAID_PLACES: Final = Each(answered(role=Said(), type=Said(), key=Said()), most=10_000)


def places_of(sent: list[dict[str, str]]) -> tuple[Place, ...]:
    """Return roles at nodes as a body says them."""
    return tuple(Place(**each) for each in sent)


def people_refused(refused: PeopleRefused) -> Problem:
    """Return the answer where a change of people is refused."""
    errors = [(f"/{refused.field}", refused.public)] if refused.field else []
    return Problem(HTTPStatus(refused.status), f"{refused.public} ({refused.code})", errors=errors, fault=refused.fault)


PEOPLE: Final[dict[type[Exception], Any]] = {PeopleRefused: people_refused}
LAST_OWNER: Final = {HTTPStatus.CONFLICT: "The tenant keeps an owner, or the account is not this tenant's alone."}

"""The ways in that the sign-in page offers besides the password: one block, and one template, for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """What a block of the page may need to know: where the person is sent on to, and what they have typed."""

    request: Request
    target: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: a template that finds ``facts`` as ``block``, and ``next`` and ``email`` as the whole page does."""

    template: str
    facts: Mapping[str, Any]
    within: bool = False
    """Inside the form that asks for the e-mail address, below its button; else above it, with a form of its own."""


class Way(Protocol):
    """One way in, as the sign-in page sees it."""

    async def block(self, entrance: Entrance) -> Block | None:
        """Return its block, or None where it is not offered here."""


async def blocks(ways: Sequence[Way], entrance: Entrance) -> list[Block]:
    """Return the blocks of all that is offered, in order."""
    found = [await way.block(entrance) for way in ways]
    return [each for each in found if each is not None]

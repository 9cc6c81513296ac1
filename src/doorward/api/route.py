"""A route of the management API as data: what it takes and answers, who may ask, and the use case that it calls.

From these come the routes themselves (``frame``), ``/api/v1/openapi.json`` (``openapi``), ``docs/api.md`` and the tests
that hold for every route. A new one is a record in its module's ``ROUTES``, and that in ``table``.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call, Parts
from doorward.api.problems import Problem
from doorward.api.shapes import Members, Shape, Text, Whole
from doorward.model import Permission

BASE: Final = "/api/v1"
TENANT: Final = f"{BASE}/tenants/{{slug}}"
NOTHING: Final = Members({})
MOST: Final = 200
"""Items on one page of a list."""
USUAL: Final = 50
_PAGED: Final[Mapping[str, Shape]] = {
    "limit": Whole(least=1, most=MOST, says=f"How many at most; {USUAL} where it is not said."),
    "after": Text(most=1000, pattern="[A-Za-z0-9_-]*", like="what an answer gave as next", says="What `next` said."),
}


class Oneself(Enum):
    """No permission is asked for: the answer is about the caller alone."""

    ONESELF = "whoever asks, about themselves"


ONESELF: Final = Oneself.ONESELF

Use = Callable[[Call], Any]
Prepare = Callable[[Parts, Mapping[str, str], Any], Awaitable[Any]]
"""From parts, the variables of the path and the body: what has to be waited for before the transaction."""
Refusals = Mapping[type[Exception], Callable[[Any], Problem]]
"""What use cases raise, and how it is told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ApiRoute:
    """One method of one path. With ``{slug}`` in it, it is about that tenant, and the caller has to belong there."""

    method: str
    path: str
    name: str
    """In the description, and for programs that are made from it: ``keys.list``."""
    says: str
    """One line for the documentation."""
    needs: Permission | Oneself
    """What the caller holds at the tenant: the person, and the key where they come with one."""
    use: Use
    """From the call: the answer; a ``Page`` where ``pages`` is said."""
    answer: Shape
    """Of a list: of one item."""
    status: HTTPStatus = HTTPStatus.OK
    query: Members = NOTHING
    """Without ``limit`` and ``after``, which every list takes."""
    body: Shape | None = None
    pages: str | None = None
    """The member that holds the items of a list, which comes page by page."""
    secrets: tuple[str, ...] = ()
    """Members of the answer that are told once; null when the same request is answered again."""
    keys: bool = True
    """Whether an API key will do; else only a person in a browser."""
    limited: str = "A key that is limited to a part of the tree cannot do this."
    """What such a key is told; "" where it may."""
    fresh: bool = True
    """Whether a change by session wants a recent proof (H23). False where it only takes away, or looks."""
    also: Mapping[HTTPStatus, str] = field(default_factory=dict)
    """Answers of this route beyond those of all, each with when."""
    refusals: Refusals = field(default_factory=dict)
    prepare: Prepare | None = None
    once: bool | None = None
    """Whether an ``Idempotency-Key`` is taken; None: by every POST."""

    @property
    def changes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET"

    @property
    def takes_key(self) -> bool:
        """Whether it takes an ``Idempotency-Key``."""
        return self.method == "POST" if self.once is None else self.once

    @property
    def asks(self) -> Members:
        """The whole query."""
        return Members({**self.query.shapes, **_PAGED}, needs=self.query.needs) if self.pages else self.query

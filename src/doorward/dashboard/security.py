"""``/settings/security``: how one signs in, and where one is signed in. One section, and one include, for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.dashboard.signed_in import SignedIn
from doorward.model import Session, User
from doorward.web.pages import Pages

PATH: Final = "/settings/security"
DONE: Final[Mapping[str, str]] = {
    "password": "Your password is changed. Everywhere else you are signed out.",
    "session": "That session is ended.",
    "others": "Everywhere else you are signed out.",
    "passkey": "The passkey is added.",
    "passkey-renamed": "The passkey is renamed.",
    "passkey-removed": "The passkey is removed.",
}
"""What the page says happened, by the ``done`` of its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Who looks at the page, and what was wrong with what they ``typed``, by field."""

    request: Request
    session: Session
    user: User
    errors: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict)
    """What is shown now and never again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One section: its template, which finds ``facts`` as ``block`` and what was wrong as ``errors``."""

    template: str
    facts: Mapping[str, Any]


class Section(Protocol):
    """One section of the page, with the routes of its forms."""

    async def show(self, here: Here) -> Shown | None:
        """Return what it shows, or None where it is not offered."""

    def routes(self) -> Sequence[Route]:
        """Return its routes."""


class SecurityPage:
    """The surface. ``sections`` in the order of the page are added once all are built: their forms come back to it."""

    def __init__(self, *, pages: Pages, signed_in: SignedIn) -> None:
        self._pages, self._signed_in = pages, signed_in
        self._sections: list[Section] = []

    def add(self, section: Section) -> None:
        """Put one more section at the end."""
        self._sections.append(section)

    def routes(self) -> list[Route]:
        """Return the routes of the page and of all its sections."""
        inner = [route for section in self._sections for route in section.routes()]
        return [Route(PATH, self._show, methods=["GET"]), *inner]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        return await self.page(Here(request=request, session=here[0], user=here[1]))

    async def page(self, here: Here, *, status: int = 200) -> Response:
        """Return the page; a section answers with it what it did not accept, or what it shows once."""
        shown = [await section.show(here) for section in self._sections]
        return self._pages.render(
            "security.html", status=status, here=PATH, blocks=[each for each in shown if each is not None],
            errors=here.errors, typed=here.typed, once=here.once, done=DONE.get(here.request.query_params.get("done", "")),
            **await self._signed_in.shell(here.user),
        )  # fmt: skip

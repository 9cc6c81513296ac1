"""Who is at the browser, for every settings page; and the way to the sign-in page for those who are nobody yet."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import notices
from doorward.accounts.sessions import session_user
from doorward.credentials.secret import Fingerprinter
from doorward.gateway.why import may_explain
from doorward.model import Instant, Session, User
from doorward.storage import accounts
from doorward.storage.database import Database, Reader
from doorward.web.cookies import Cookies


class SignedIn:
    """Looks up the session of a request."""

    def __init__(
        self, *, database: Database, cookies: Cookies, fingerprinter: Fingerprinter, now: Callable[[], Instant]
    ) -> None:
        self._database = database
        self._cookies = cookies
        self._fingerprinter = fingerprinter
        self._now = now

    async def find(self, request: Request) -> tuple[Session, User] | None:
        """Return the live session and its user, or None."""
        return await self._database.read(lambda reader: self.find_in(reader, request))

    async def shell(self, user: User) -> dict[str, Any]:
        """Return what every settings page shows: who they are, what they have to be told, and which pages they may see."""
        return await self._database.read_long(
            lambda reader: {
                "user": user,
                "notices": notices.waiting(reader, user.id),
                "asks_why": any(
                    may_explain(reader, tenant.id, user.id)
                    for tenant, _ in accounts.memberships_of_user(reader, user.id)
                ),
            }
        )

    def find_in(self, reader: Reader, request: Request) -> tuple[Session, User] | None:
        """Return the same within a transaction: what is written is written for somebody who is signed in then."""
        text = self._cookies.session(request)
        return session_user(reader, text, fingerprinter=self._fingerprinter, now=self._now())


class Home:
    """``/`` and ``/settings``: there is one settings page yet, so they lead there."""

    @staticmethod
    def routes() -> list[Route]:
        """Return the routes."""
        return [Route(path, _home, methods=["GET"]) for path in ("/", "/settings")]


async def _home(_request: Request) -> Response:
    return see_other("/settings/keys")


def sign_in_first(back: str) -> Response:
    """Send the browser to the sign-in page, and from there to ``back`` (a path of ours)."""
    return see_other(f"/sign-in?{urlencode({'next': back})}")


def see_other(location: str) -> Response:
    """Send the browser on with GET."""
    return Response(status_code=303, headers={"Location": location, "Cache-Control": "no-store"})

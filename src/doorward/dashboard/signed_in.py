"""Who is at the browser, for every settings page; and the way to the sign-in page for those who are nobody yet."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import notices
from doorward.accounts.sessions import renew_session, session_user
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard import linked_list, navigation
from doorward.dashboard.shown_to import ShownTo
from doorward.model import SECOND, Entropy, Instant, Permission, Session, User
from doorward.protocol import faults
from doorward.rights import held
from doorward.storage import accounts
from doorward.storage.database import Database, Reader
from doorward.web.cookies import Cookies
from doorward.web.refused import Refused, SignInFirst


class SignedIn:
    """Looks up the session of a request."""

    def __init__(
        self,
        *,
        database: Database,
        cookies: Cookies,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        used: Callable[[Session, Instant], None],
        shown_to: ShownTo,
    ) -> None:
        self._used = used
        self._shown_to = shown_to
        self._database = database
        self._cookies = cookies
        self._fingerprinter = fingerprinter
        self._now = now

    async def find(self, request: Request) -> tuple[Session, User] | None:
        """Return the live session and its user, or None."""
        here = await self._database.read(lambda reader: self.find_in(reader, request))
        if here is not None:
            self._used(here[0], self._now())
        return here

    async def require(self, request: Request, back: str) -> tuple[Session, User]:
        """Return the same. Raises ``SignInFirst`` for somebody who is nobody yet, to come to ``back`` (a path of ours)."""
        here = await self.find(request)
        if here is None:
            raise SignInFirst(back)
        return here

    async def renew(self, session: Session, response: Response, entropy: Entropy) -> None:
        """Hand the browser another cookie for its session, if that is alive."""
        text = await self._database.write(
            lambda tx: renew_session(tx, session, entropy=entropy, fingerprinter=self._fingerprinter)
        )
        if text is not None:
            left = (session.expires_at - self._now()) // SECOND
            self._cookies.set_session(response, text, max_age=left)

    async def shell(self, user: User) -> dict[str, Any]:
        """Return what every settings page shows: who they are, what they have to be told, and which pages they may see.

        And what each of its forms carries: ``shown_to``.
        """
        return await self._database.read_long(
            lambda reader: {
                "user": user,
                "notices": notices.waiting(reader, user.id),
                "shown_to": self._shown_to.field(user.id, self._now()),
                "navigation": navigation.shown_to(_rights(reader, user), accounts=linked_list.shows(reader, user)),
            }
        )

    def find_in(self, reader: Reader, request: Request) -> tuple[Session, User] | None:
        """Return the same within a transaction: what is written is written for somebody who is signed in then."""
        text = self._cookies.session(request)
        return session_user(reader, text, fingerprinter=self._fingerprinter, now=self._now())

    def require_in(self, reader: Reader, request: Request) -> tuple[Session, User]:
        """Return the same at the moment of a change. Raises ``Refused``: who signed out meanwhile changes nothing."""
        here = self.find_in(reader, request)
        if here is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")
        return here


def _rights(reader: Reader, user: User) -> frozenset[Permission]:
    found = accounts.memberships_of_user(reader, user.id)
    return frozenset().union(*(held(reader, tenant.id, user.id) for tenant, _ in found))


class Home:
    """``/`` and ``/settings`` lead to the API keys of whoever comes."""

    @staticmethod
    def routes() -> list[Route]:
        """Return the routes."""
        return [Route(path, _home, methods=["GET"]) for path in ("/", "/settings")]


async def _home(_request: Request) -> Response:
    return see_other("/settings/keys")


def see_other(location: str) -> Response:
    """Send the browser on with GET."""
    return Response(status_code=303, headers={"Location": location, "Cache-Control": "no-store"})

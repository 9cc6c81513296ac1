"""Where somebody is signed in: a section of the security page (feature E2, security H22)."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.own_account import Ending, end_one, sign_out
from doorward.dashboard.security import PATH, Here, Shown
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.model import Instant, SessionId
from doorward.storage import sessions
from doorward.storage.database import Database, Transaction
from doorward.web import causes
from doorward.web.cookies import Cookies
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin

_ONE: Final = f"{PATH}/sessions/{{session_id}}/end"
_ALL: Final = f"{PATH}/sessions/end"


class OwnSessions:
    """The section. What it ends needs no proof: whoever takes nothing but access away is let to."""

    def __init__(
        self, *, signed_in: SignedIn, database: Database, cookies: Cookies, now: Callable[[], Instant], public_url: str
    ) -> None:
        self._signed_in, self._database, self._cookies = signed_in, database, cookies
        self._now, self._public_url = now, public_url

    def routes(self) -> Sequence[Route]:
        """Return the routes of its forms."""
        return [Route(_ALL, self._end_all, methods=["POST"]), Route(_ONE, self._end_one, methods=["POST"])]

    async def show(self, here: Here) -> Shown:
        """Return all live sessions, this one first."""
        now = self._now()
        found = await self._database.read_long(lambda reader: sessions.sessions_of_user(reader, here.user.id, now))
        rows = sorted(found, key=lambda each: each.id != here.session.id)
        return Shown(template="security_sessions.html", facts={"sessions": rows, "mine": here.session.id})

    async def _end_one(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        await read_form(request)
        wanted, now = SessionId(request.path_params["session_id"]), self._now()

        def end(tx: Transaction) -> bool:
            session, user = self._signed_in.require_in(tx, request)
            end_one(tx, user, wanted, cause=causes.of(request), now=now)
            return session.id == wanted

        await self._signed_in.require(request, PATH)
        return self._away() if await self._database.write(end) else see_other(f"{PATH}?done=session")

    async def _end_all(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form = await read_form(request)
        here_too, apps, now = form.one("where") == "everywhere", form.one("apps") == "yes", self._now()

        def end(tx: Transaction) -> None:
            session, user = self._signed_in.require_in(tx, request)
            ending = Ending(session=session, here_too=here_too, apps=apps, cause=causes.of(request))
            sign_out(tx, user, ending, now=now)

        await self._signed_in.require(request, PATH)
        await self._database.write(end)
        return self._away() if here_too else see_other(f"{PATH}?done=others")

    def _away(self) -> Response:
        response = see_other("/sign-in")
        self._cookies.clear_session(response)
        return response

"""``/settings/profile``: who one is here, and by which accounts of other systems (features F1, E1)."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import identity_list
from doorward.accounts.http.provider_pages import ProviderPages
from doorward.accounts.identity_list import OnlyWayIn
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Instant
from doorward.protocol import faults
from doorward.storage.database import Database, Transaction
from doorward.web import causes
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/profile"


class ProfilePage:
    """The surface. Each block of the page is a template of its own."""

    def __init__(
        self,
        *,
        pages: Pages,
        signed_in: SignedIn,
        database: Database,
        now: Callable[[], Instant],
        step_up: StepUp,
        providers: ProviderPages,
    ) -> None:
        self._pages, self._signed_in, self._database, self._now = pages, signed_in, database, now
        self._step_up, self._providers = step_up, providers

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._show, methods=["GET"]),
            self._step_up.guard(f"{PATH}/connect/{{provider}}", self._connect),
            self._step_up.guard(f"{PATH}/disconnect", self._disconnect),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        mine = await self._database.read(lambda reader: identity_list.mine(reader, here[1]))
        # A form of this page ends at a provider (decision 0077.4).
        return self._pages.render(
            "profile.html", may_leave=True, here=PATH, mine=mine, **await self._signed_in.shell(here[1])
        )  # fmt: skip

    async def _connect(self, request: Request, act: Act) -> Response:
        return await self._providers.send(request, act.path["provider"], PATH, connect=act.user.id)

    async def _disconnect(self, request: Request, act: Act) -> Response:
        issuer, subject = act.form.one("issuer"), act.form.one("subject")
        try:
            await self._database.write(lambda tx: self._take_away(tx, request, issuer, subject))
        except OnlyWayIn as only:
            raise Refused(faults.LAST_WAY_IN, status=409, reason="the last way in", link=(PATH, "Back")) from only
        return see_other(PATH)

    def _take_away(self, tx: Transaction, request: Request, issuer: str, subject: str) -> None:
        here = self._signed_in.require_in(tx, request)
        identity_list.disconnect(
            tx, here[1], here[0], issuer=issuer, subject=subject, now=self._now(), cause=causes.of(request)
        )

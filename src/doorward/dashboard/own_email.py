"""``/settings/email``: another address for one's account, proven by a link to it (feature E2)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.email_change import BadAddress, EmailChange
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.mailed_pages import token_of
from doorward.accounts.links import PATHS
from doorward.accounts.mailed import Mailing
from doorward.dashboard import once
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import LinkKind, User
from doorward.protocol import faults
from doorward.storage.database import Transaction
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/email"
CONFIRM: Final = PATHS[LinkKind.EMAIL_CHANGE]


class OwnEmail:
    """The surface."""

    def __init__(
        self, *, pages: Pages, signed_in: SignedIn, step_up: StepUp, greeting: Greeting, mailing: Mailing,
        change: EmailChange,
    ) -> None:  # fmt: skip
        self._pages, self._signed_in, self._step_up = pages, signed_in, step_up
        self._greeting, self._mailing, self._change = greeting, mailing, change

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._show, methods=["GET"]),
            self._step_up.guard(PATH, self._ask),
            Route(CONFIRM, self._open, methods=["GET"]),
            Route(CONFIRM, self._confirm, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        return await self._page(here[1], done="done" in request.query_params)

    async def _ask(self, request: Request, act: Act) -> Response:
        if not self._mailing.outbox.on:
            raise Refused(faults.MAIL_OFF, status=404, reason="mail.mode is off")
        typed, came = act.form.one("email"), self._greeting.came(request)

        def work(tx: Transaction) -> str:
            _, user = self._signed_in.require_in(tx, request)
            once.require_first_time(tx, request, self._mailing.now(), look=(PATH, "Back to your address"))
            return self._change.ask(tx, user, typed, came, now=self._mailing.now())

        try:
            sent = await self._mailing.database.write(work)
        except BadAddress as wrong:
            status = 429 if wrong.wait else 422
            return await self._page(act.user, email=typed[:254], error=str(wrong), status=status)
        return await self._page(act.user, sent=sent)

    async def _open(self, request: Request) -> Response:
        here = await self._signed_in.require(request, f"{CONFIRM}?token={token_of(request)}")
        token, now = token_of(request), self._mailing.now()
        link = await self._mailing.database.read(lambda reader: self._change.look(reader, token, here[1], now))
        return self._pages.render(
            "email_confirm.html", here=PATH, token=token, link=link, action=CONFIRM,
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _confirm(self, request: Request) -> Response:
        require_same_origin(request, self._mailing.public_url)
        token, came = (await read_form(request)).one("token"), self._greeting.came(request)
        await self._signed_in.require(request, PATH)

        def work(tx: Transaction) -> None:
            session, user = self._signed_in.require_in(tx, request)
            self._change.confirm(tx, token, session, user, came, now=self._mailing.now())

        await self._mailing.database.write(work)
        return see_other(f"{PATH}?done")

    async def _page(
        self, user: User, *, email: str = "", error: str = "", sent: str = "", done: bool = False, status: int = 200
    ) -> Response:
        return self._pages.render(
            "email_change.html", status=status, here=PATH, email=email, error=error, sent=sent, done=done,
            on=self._mailing.outbox.on, **await self._signed_in.shell(user),
        )  # fmt: skip

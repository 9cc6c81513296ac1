"""``/sign-in/link``: what a mailed link to sign in opens, and the form on the sign-in page that asks for one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.addresses import mail_address
from doorward.accounts.http.mailed_pages import NO_ADDRESS, MailedPages, later, token_of, too_many
from doorward.accounts.http.ways import Block, Entrance
from doorward.accounts.links import PATHS
from doorward.accounts.sign_in_links import Elsewhere, SignInLinks
from doorward.model import LinkKind
from doorward.protocol import faults
from doorward.web import request_id
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

ASK: Final = "/sign-in/link/ask"
OPEN: Final = PATHS[LinkKind.SIGN_IN]
SHOWN: Final = 254


class LinkPages:
    """The surface, and its button on the sign-in page. ``on``: whether this deployment has such links."""

    def __init__(self, *, common: MailedPages, links: SignInLinks, on: bool) -> None:
        self._common, self._links, self._on = common, links, on and common.on

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(ASK, self._ask, methods=["POST"]),
            Route(OPEN, self._open, methods=["GET"]),
            Route(OPEN, self._enter, methods=["POST"]),
        ]

    async def block(self, entrance: Entrance) -> Block | None:  # noqa: ARG002  (see ``Way``)
        """Return the button on the sign-in page, where there are such links."""
        return Block(template="sign_in_by_link.html", facts={"action": ASK}, within=True) if self._on else None

    async def _ask(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        self._require()
        form = await read_form(request)
        email, target = form.one("email"), same_site_path(form.one("next") or "/")
        if mail_address(email) is None:
            return self._asked(request, email, target, error=NO_ADDRESS, status=422)
        browser, is_new = self._common.greeting.browser_of(request)
        wait = await self._links.ask(self._common.asked(request, email, browser=browser, target=target))
        if wait:
            return later(self._asked(request, email, target, error=too_many(wait), status=429), wait)
        response = self._asked(request, email, target)
        if is_new:
            self._common.cookies.set_browser_id(response, browser)
        return response

    async def _open(self, request: Request) -> Response:
        self._require()
        return await self._question(request, token_of(request))

    async def _enter(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        self._require()
        form = await read_form(request)
        try:
            signed_in, target = await self._links.enter(
                form.one("token"), self._common.greeting.came(request),
                browser=self._common.cookies.browser_id(request), elsewhere=form.one("elsewhere") == "1",
            )  # fmt: skip
        except Elsewhere:
            return await self._question(request, form.one("token"), status=422)
        return self._common.greeting.welcome(request, signed_in, target)

    def _require(self) -> None:
        if not self._on:
            raise Refused(faults.MAIL_OFF, status=404, reason="mail.sign_in_links is off")

    async def _question(self, request: Request, token: str, *, status: int = 200) -> Response:
        opened = await self._links.look(token, self._common.cookies.browser_id(request))
        here = await self._common.here(request)
        return self._common.pages.render(
            "link_open.html", status=status, may_leave=True, token=token, opened=opened, action=OPEN,
            other=None if here is None or here.id == opened.user.id else here, request_id=request_id.of(request),
        )  # fmt: skip

    def _asked(
        self, request: Request, email: str, target: str, *, error: str | None = None, status: int = 200
    ) -> Response:
        return self._common.pages.render(
            "link_asked.html", status=status, email=email[:SHOWN], next=target, error=error, action=ASK,
            request_id=request_id.of(request),
        )  # fmt: skip

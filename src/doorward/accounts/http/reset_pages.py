"""``/sign-in/reset``: ask for a link to choose a new password; ``/sign-in/reset/new``: choose it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.addresses import mail_address
from doorward.accounts.http.mailed_pages import NO_ADDRESS, MailedPages, later, token_of, too_many
from doorward.accounts.http.ways import Block, Entrance
from doorward.accounts.links import PATHS
from doorward.accounts.new_password import MIN_LENGTH
from doorward.accounts.password_reset import PasswordReset, WeakPassword
from doorward.accounts.passwords import Busy
from doorward.model import LinkKind
from doorward.protocol import faults
from doorward.web import request_id
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

ASK: Final = "/sign-in/reset"
CHOOSE: Final = PATHS[LinkKind.RESET]
SHOWN: Final = 254
"""Characters of what was typed that stay in the field."""


class ResetPages:
    """The surface, and its line on the sign-in page."""

    def __init__(self, *, common: MailedPages, reset: PasswordReset) -> None:
        self._common, self._reset = common, reset

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(ASK, self._show, methods=["GET"]),
            Route(ASK, self._ask, methods=["POST"]),
            Route(CHOOSE, self._open, methods=["GET"]),
            Route(CHOOSE, self._choose, methods=["POST"]),
        ]

    async def block(self, entrance: Entrance) -> Block | None:  # noqa: ARG002  (see ``Way``)
        """Return the line on the sign-in page, where mail goes out."""
        return Block(template="sign_in_forgot.html", facts={}, within=True) if self._common.on else None

    async def _show(self, request: Request) -> Response:
        self._common.require_mail()
        return self._asking(request)

    async def _ask(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        self._common.require_mail()
        email = (await read_form(request)).one("email")
        if mail_address(email) is None:
            return self._asking(request, email=email, error=NO_ADDRESS, status=422)
        wait = await self._reset.ask(self._common.asked(request, email))
        if wait:
            return later(self._asking(request, email=email, error=too_many(wait), status=429), wait)
        return self._asking(request, email=email, sent=True)

    async def _open(self, request: Request) -> Response:
        token = token_of(request)
        user = await self._reset.look(token, await self._common.here_id(request))
        return self._choosing(request, token, user.email)

    async def _choose(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        form = await read_form(request)
        token, here = form.one("token"), await self._common.here_id(request)
        came = self._common.greeting.came(request)
        try:
            user = await self._reset.choose(
                token, form.one("password"), came, signed_in=here, disconnect=form.one("disconnect") == "1"
            )
        except WeakPassword as weak:
            user = await self._reset.look(token, here)
            return self._choosing(request, token, user.email, error=str(weak), status=422)
        except Busy as busy:
            raise Refused(
                faults.SIGN_IN_BUSY, status=503, reason="password queue full", headers={"Retry-After": "2"}
            ) from busy
        response = self._common.pages.render(
            "reset_done.html", email=user.email, disconnected=form.one("disconnect") == "1", request_id=request_id.of(request)
        )  # fmt: skip
        self._common.cookies.clear_session(response)
        return response

    def _asking(
        self, request: Request, *, email: str = "", error: str | None = None, sent: bool = False, status: int = 200
    ) -> Response:
        return self._common.pages.render(
            "reset_ask.html", status=status, email=email[:SHOWN], error=error, sent=sent,
            request_id=request_id.of(request),
        )  # fmt: skip

    def _choosing(
        self, request: Request, token: str, email: str, *, error: str | None = None, status: int = 200
    ) -> Response:
        return self._common.pages.render(
            "reset_new.html", status=status, token=token, email=email, error=error, least=MIN_LENGTH,
            request_id=request_id.of(request),
        )  # fmt: skip

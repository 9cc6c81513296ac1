"""``/sign-in/undo``: what the letter to an old address opens; it brings the address back with a new password."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.email_change import EmailChange
from doorward.accounts.http.mailed_pages import MailedPages, token_of
from doorward.accounts.links import PATHS
from doorward.accounts.new_password import MIN_LENGTH
from doorward.accounts.password_reset import WeakPassword
from doorward.accounts.passwords import Busy
from doorward.model import LinkKind
from doorward.protocol import faults
from doorward.web import request_id
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = PATHS[LinkKind.EMAIL_UNDO]


class UndoPage:
    """The surface."""

    def __init__(self, *, common: MailedPages, change: EmailChange) -> None:
        self._common, self._change = common, change

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._open, methods=["GET"]), Route(PATH, self._undo, methods=["POST"])]

    async def _open(self, request: Request) -> Response:
        return await self._page(request, token_of(request))

    async def _undo(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        form = await read_form(request)
        token = form.one("token")
        try:
            email = await self._change.undo(token, form.one("password"), self._common.greeting.came(request))
        except WeakPassword as weak:
            return await self._page(request, token, error=str(weak))
        except Busy as busy:
            raise Refused(
                faults.SIGN_IN_BUSY, status=503, reason="password queue full", headers={"Retry-After": "2"}
            ) from busy
        response = self._common.pages.render("email_undone.html", email=email, request_id=request_id.of(request))
        self._common.cookies.clear_session(response)
        return response

    async def _page(self, request: Request, token: str, *, error: str | None = None) -> Response:
        link = await self._change.look_back(token)
        return self._common.pages.render(
            "email_undo.html", status=422 if error else 200, token=token, link=link, error=error, least=MIN_LENGTH,
            action=PATH, request_id=request_id.of(request),
        )  # fmt: skip

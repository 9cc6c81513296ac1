"""``/invitation``: what a mailed invitation opens; accepted by a new account, or by whoever is signed in with the address."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.accepting import Accepting, BadName
from doorward.accounts.http.mailed_pages import MailedPages, token_of
from doorward.accounts.links import PATHS
from doorward.accounts.new_password import MIN_LENGTH
from doorward.accounts.password_reset import WeakPassword
from doorward.accounts.passwords import Busy
from doorward.model import LinkKind
from doorward.protocol import faults
from doorward.web import request_id
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = PATHS[LinkKind.INVITATION]
HOME: Final = "/"
SHOWN: Final = 200
"""Characters of a typed name that stay in the field."""


class InvitationPage:
    """The surface."""

    def __init__(self, *, common: MailedPages, accepting: Accepting) -> None:
        self._common, self._accepting = common, accepting

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._open, methods=["GET"]), Route(PATH, self._accept, methods=["POST"])]

    async def _open(self, request: Request) -> Response:
        return await self._page(request, token_of(request))

    async def _accept(self, request: Request) -> Response:
        require_same_origin(request, self._common.public_url)
        form = await read_form(request)
        token, here = form.one("token"), await self._common.here(request)
        came = self._common.greeting.came(request)
        if here is not None:
            await self._accepting.as_existing(token, here, came)
            return Response(status_code=303, headers={"Location": HOME, "Cache-Control": "no-store"})
        try:
            signed_in = await self._accepting.as_new(
                token, form.one("name"), form.one("password"), came, signed_in=here
            )
        except BadName as wrong:
            return await self._page(request, token, form, name_error=str(wrong))
        except WeakPassword as wrong:
            return await self._page(request, token, form, password_error=str(wrong))
        except Busy as busy:
            raise Refused(
                faults.SIGN_IN_BUSY, status=503, reason="password queue full", headers={"Retry-After": "2"}
            ) from busy
        if signed_in is None:
            return Response(status_code=303, headers={"Location": "/sign-in", "Cache-Control": "no-store"})
        return self._common.greeting.welcome(request, signed_in, HOME)

    async def _page(
        self, request: Request, token: str, form: Form | None = None, *, name_error: str = "", password_error: str = ""
    ) -> Response:
        here = await self._common.here(request)
        offer = await self._accepting.look(token, here)
        return self._common.pages.render(
            "invitation.html", status=422 if form else 200, token=token, offer=offer, here=here, action=PATH,
            name="" if form is None else form.one("name")[:SHOWN], name_error=name_error, error=password_error,
            least=MIN_LENGTH, sign_in=_sign_in(token),
            request_id=request_id.of(request),
        )  # fmt: skip


def _sign_in(token: str) -> str:
    """Return the way to sign in and back to here."""
    back = f"{PATH}?{urlencode({'token': token})}"
    return f"/sign-in?{urlencode({'next': back})}"

"""The end-session endpoint and its page (RP-Initiated Logout 1.0)."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.authserver import logout
from doorward.authserver.http.answers import see_other
from doorward.authserver.http.services import Services
from doorward.authserver.logout import Plan
from doorward.protocol import faults, form
from doorward.protocol import logout as messages
from doorward.protocol.discovery import END_SESSION_PATH
from doorward.protocol.errors import PageError
from doorward.protocol.logout import LogoutRequest
from doorward.web import causes, request_id
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin

CONFIRM_PATH: Final = END_SESSION_PATH + "/confirm"


class LogoutPages:
    """``/oauth/logout``: with an ID token about whoever is signed in at once, else after a question."""

    def __init__(self, services: Services) -> None:
        self._with = services

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route(END_SESSION_PATH, self._asked, methods=["GET"]),
            Route(END_SESSION_PATH, self._posted, methods=["POST"]),
            Route(CONFIRM_PATH, self._confirmed, methods=["POST"]),
        ]

    async def _posted(self, request: Request) -> Response:
        # A cross-site POST comes without our cookies; the same request as GET brings them.
        pairs = [*_query(request), *(await read_form(request)).pairs]
        messages.parse(pairs)
        return see_other(f"{END_SESSION_PATH}?{urlencode(pairs)}")

    async def _asked(self, request: Request) -> Response:
        wish = messages.parse(_query(request))
        plan = await self._plan(request, wish)
        if not plan.confirm:
            return await self._sign_out(request, plan)
        # No hint goes on: what the person confirms stands for itself.
        wanted = {} if plan.strayed else {"client_id": wish.client_id, "state": wish.state,
                                          "post_logout_redirect_uri": wish.post_logout_redirect_uri}  # fmt: skip
        kept = {name: value for name, value in wanted.items() if value is not None}
        return self._page(request, plan, done=False, kept=kept)

    async def _confirmed(self, request: Request) -> Response:
        require_same_origin(request, self._with.public_url)
        sent = messages.parse((await read_form(request)).pairs)
        if sent.id_token_hint is not None:
            raise PageError(faults.LOGOUT_INVALID, reason="a field that the page does not have")
        return await self._sign_out(request, await self._plan(request, sent))

    async def _plan(self, request: Request, wish: LogoutRequest) -> Plan:
        now, secret = self._with.now(), self._with.session_secret(request)
        return await self._with.database.read(
            lambda reader: logout.plan(
                reader, wish, self._with.session(reader, secret, now), keys=self._with.keys.look(reader),
                directory=self._with.directory, issuer=self._with.public_url,
            )
        )  # fmt: skip

    async def _sign_out(self, request: Request, plan: Plan) -> Response:
        now, secret = self._with.now(), self._with.session_secret(request)
        await self._with.database.write(
            lambda tx: logout.sign_out(
                tx, secret, plan, fingerprinter=self._with.fingerprinter, now=now, cause=causes.of(request)
            )
        )
        response = self._page(request, plan, done=True, kept={}) if plan.location is None else see_other(plan.location)
        self._with.cookies.clear_session(response)
        return response

    def _page(self, request: Request, plan: Plan, *, done: bool, kept: dict[str, str]) -> Response:
        return self._with.pages.render(
            "sign_out.html", status=200, may_leave=True, request_id=request_id.of(request), done=done, kept=kept,
            client=plan.client_name, strayed=plan.strayed, action=CONFIRM_PATH,
        )  # fmt: skip


def _query(request: Request) -> list[tuple[str, str]]:
    try:
        return form.parse(request.scope["query_string"])
    except ValueError:
        raise PageError(faults.REQUEST_MALFORMED, reason="query is not UTF-8, or has too many parameters") from None

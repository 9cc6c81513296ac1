"""Device authorization (RFC 8628): the endpoint where devices ask, and the page where people type the code."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.authserver import device
from doorward.authserver.consent_page import SIGN_IN_PATH
from doorward.authserver.device import APPROVED_PATH, DENIED_PATH, DEVICE_PATH
from doorward.authserver.http.answers import NO_STORE, POST, see_other
from doorward.authserver.http.browsers import to_consent
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.services import Services
from doorward.authserver.http.tokens import TokenEndpoints
from doorward.model import User
from doorward.protocol import device as user_codes
from doorward.protocol.authorization import Identified
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.discovery import DEVICE_AUTHORIZATION_PATH
from doorward.protocol.errors import OAuthError, PageError
from doorward.web import causes, request_id
from doorward.web.budgets import AddressBudget
from doorward.web.client_requests import read_client_request
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

WRONG_PER_MINUTE: Final = 10
WRONG_PER_HOUR: Final = 30
"""Wrong codes of one account."""
WRONG_PER_MINUTE_FROM_ONE: Final = 30
WRONG_PER_HOUR_FROM_ONE: Final = 100
"""Wrong codes from one address, which many people may share."""
NOT_VALID: Final = "This code does not work. Compare it with the one your device shows, or start again there."
_TOO_MANY_REQUESTS: Final = 429


class DeviceAuthorization:
    """``/oauth/device_authorization``: clients authenticate as at the token endpoint, ``tokens`` (section 3.1)."""

    def __init__(self, services: Services, *, tokens: TokenEndpoints) -> None:
        self._with, self._tokens = services, tokens
        self._budget = device.new_requests(services.now)

    def routes(self, machine: MachinePaths) -> list[Route]:
        """Return the advertised path and the one that clients guess."""
        return machine.routes(self._begin, POST, DEVICE_AUTHORIZATION_PATH, "/device_authorization")

    async def _begin(self, request: Request) -> Response:
        sent, presented = await read_client_request(request)
        now, requester = self._with.now(), self._with.requester.of(request)
        await self._document(presented, requester)
        presented = await self._tokens.proven(request, presented, asking=True)
        with self._tokens.throttle.watching(presented, requester, now):
            asked = await self._with.database.read(
                lambda reader: device.asked(
                    reader, sent, presented, directory=self._with.directory, fingerprinter=self._with.fingerprinter,
                    issuer=self._with.public_url, now=now,
                )
            )  # fmt: skip
        device.require_budget(self._budget, requester)
        begun = await self._with.database.write(
            lambda tx: device.begin(
                tx, asked, asked_from=requester, issuer=self._with.public_url, now=now, entropy=self._with.entropy,
                fingerprinter=self._with.fingerprinter, cause=causes.of(request),
            )
        )  # fmt: skip
        return JSONResponse(begun.answer, headers=NO_STORE)

    async def _document(self, presented: PresentedClient, requester: str) -> None:
        """Have the client's metadata document at hand; what fails is told as JSON, for a program asks."""
        identified = Identified(client_id=presented.client_id, redirect_uri=None)
        try:
            await self._with.documents.ready(identified, asker=lambda _: requester)
        except PageError as failed:
            later = isinstance(failed, Refused) and failed.status == _TOO_MANY_REQUESTS
            raise OAuthError(
                failed.fault, "temporarily_unavailable" if later else "invalid_client", reason=failed.reason,
                status=_TOO_MANY_REQUESTS if later else 401, retry_after=60 if later else None,
            ) from None  # fmt: skip


class DevicePages:
    """``/device`` and where its answers end."""

    def __init__(self, services: Services) -> None:
        self._with = services
        self._of_account = AddressBudget(per_minute=WRONG_PER_MINUTE, per_hour=WRONG_PER_HOUR, now=services.now)
        self._of_address = AddressBudget(
            per_minute=WRONG_PER_MINUTE_FROM_ONE, per_hour=WRONG_PER_HOUR_FROM_ONE, now=services.now
        )

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route(DEVICE_PATH, self._show, methods=["GET"]),
            Route(DEVICE_PATH, self._enter, methods=["POST"]),
            Route(APPROVED_PATH, self._done, methods=["GET"]),
            Route(DENIED_PATH, self._done, methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        code = user_codes.typed(request.query_params.get("user_code", ""))
        user = await self._user(request)
        return _sign_in(code) if user is None else self._page(request, user, code=code)

    async def _enter(self, request: Request) -> Response:
        require_same_origin(request, self._with.public_url)
        text = (await read_form(request)).one("user_code")
        user = await self._user(request)
        if user is None:
            return _sign_in(user_codes.typed(text))
        requester, now = self._with.requester.of(request), self._with.now()
        wait = max(self._of_account.wait(user.id), self._of_address.wait(requester))
        if wait:
            # Whatever the code is: otherwise guessing would go on and only the answers to wrong ones would stop.
            page = self._page(request, user, error=f"Too many codes did not work. Wait {wait} seconds.", status=429)
            page.headers["Retry-After"] = str(wait)
            return page
        pending = await self._with.database.read(
            lambda reader: device.typed_in(
                reader, text, directory=self._with.directory, fingerprinter=self._with.fingerprinter, now=now
            )
        )
        if pending is None:
            self._of_account.spend(user.id)
            self._of_address.spend(requester)
            return self._page(request, user, error=NOT_VALID, status=422)
        return to_consent(request, pending, self._with)

    async def _user(self, request: Request) -> User | None:
        secret, now = self._with.cookies.session(request), self._with.now()
        found = await self._with.database.read(lambda reader: self._with.session(reader, secret, now))
        return None if found is None else found[1]

    def _page(
        self, request: Request, user: User, *, code: str | None = None, error: str | None = None, status: int = 200
    ) -> Response:
        return self._with.pages.render(
            "device.html", status=status, may_leave=True, user=user, error=error, request_id=request_id.of(request),
            code=None if code is None else user_codes.grouped(code), minutes=user_codes.LIFETIME // 60,
        )  # fmt: skip

    async def _done(self, request: Request) -> Response:
        approved = request.scope["path"] == APPROVED_PATH
        return self._with.pages.render("device_done.html", approved=approved, request_id=request_id.of(request))


def _sign_in(code: str | None) -> Response:
    """Send the browser to the sign-in page and, with the code, back."""
    back = DEVICE_PATH if code is None else f"{DEVICE_PATH}?{urlencode({'user_code': user_codes.grouped(code)})}"
    return see_other(f"{SIGN_IN_PATH}?{urlencode({'next': back})}")

"""``/sign-in/passkey``: a way in of its own on the sign-in page; without a script the page is as it was."""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.ways import Block, Entrance
from doorward.accounts.passkey_challenges import Purpose
from doorward.accounts.passkeys import Asked, Passkeys
from doorward.model import Instant
from doorward.protocol import faults
from doorward.web.budgets import AddressBudget
from doorward.web.cookies import Cookies
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

ASK: Final = "/sign-in/passkey/ask"
PATH: Final = "/sign-in/passkey"
FAILURES_PER_MINUTE: Final = 30
FAILURES_PER_HOUR: Final = 200
"""From one address. There is nothing to guess: this bounds what answers cost us."""


class PasskeyPages:
    """The surface, and the block of the sign-in page."""

    def __init__(
        self, *, passkeys: Passkeys, greeting: Greeting, cookies: Cookies, now: Callable[[], Instant], public_url: str
    ) -> None:
        self._passkeys, self._greeting, self._cookies, self._public_url = passkeys, greeting, cookies, public_url
        self._failures = AddressBudget(per_minute=FAILURES_PER_MINUTE, per_hour=FAILURES_PER_HOUR, now=now)

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(ASK, self._ask, methods=["POST"]), Route(PATH, self._sign_in, methods=["POST"])]

    async def block(self, _entrance: Entrance) -> Block:
        """Return the button."""
        return Block(template="sign_in_passkey.html", facts={})

    async def _ask(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        browser, is_new = self._greeting.browser_of(request)
        response = asked(await self._passkeys.ask(Purpose.SIGN_IN, browser))
        if is_new:
            self._cookies.set_browser_id(response, browser)
        return response

    async def _sign_in(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form, came = await read_form(request), self._greeting.came(request)
        wait = self._failures.wait(came.address)
        if wait:
            raise Refused(
                faults.PASSKEY_REFUSED, status=429, reason="too many answers failed", headers={"Retry-After": str(wait)}
            )
        signed_in = await self._passkeys.sign_in(
            form.one("challenge"), form.one("passkey"), self._cookies.browser_id(request), came
        )
        if signed_in is None:
            self._failures.spend(came.address)
            raise Refused(
                faults.PASSKEY_REFUSED, status=422, reason="nothing fits", link=("/sign-in", "Sign in in another way")
            )
        return self._greeting.welcome(request, signed_in, same_site_path(form.one("next") or "/"))


def asked(found: Asked) -> JSONResponse:
    """Return the answer that ``passkey.js`` waits for."""
    body: dict[str, Any] = {"options": found.options, "challenge": found.challenge}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})

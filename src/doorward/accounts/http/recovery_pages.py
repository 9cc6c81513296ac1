"""``/sign-in/recovery``: signing in with a recovery code."""

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.entering import SignedIn
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.ways import Block, Entrance
from doorward.accounts.recovery_codes import Recovery
from doorward.accounts.sign_in import Mismatch, Throttled
from doorward.model import Instant
from doorward.web import request_id
from doorward.web.budgets import AddressBudget
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages

PATH: Final = "/sign-in/recovery"
MISMATCH: Final = "That e-mail and code do not match, or the code was used. Try another one."
FAILURES_PER_MINUTE: Final = 10
FAILURES_PER_HOUR: Final = 60
"""From one address, for whatever accounts."""


class RecoveryPages:
    """The surface, and its link on the sign-in page."""

    def __init__(
        self, *, pages: Pages, recovery: Recovery, greeting: Greeting, now: Callable[[], Instant], public_url: str
    ) -> None:
        self._pages, self._recovery, self._greeting, self._public_url = pages, recovery, greeting, public_url
        self._failures = AddressBudget(per_minute=FAILURES_PER_MINUTE, per_hour=FAILURES_PER_HOUR, now=now)

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._show, methods=["GET"]), Route(PATH, self._submit, methods=["POST"])]

    async def block(self, entrance: Entrance) -> Block:
        """Return the link."""
        query = urlencode({"next": entrance.target})
        return Block(template="sign_in_recovery_link.html", facts={"query": query}, within=True)

    async def _show(self, request: Request) -> Response:
        return self._page(request, same_site_path(request.query_params.get("next", "/")))

    async def _submit(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form, came = await read_form(request), self._greeting.came(request)
        target, email = same_site_path(form.one("next") or "/"), form.one("email")
        known = self._greeting.knows(request, email)
        wait = 0 if known else self._failures.wait(came.address)
        outcome: SignedIn | Mismatch | Throttled = Throttled(wait)
        if not wait:
            outcome = await self._recovery.try_code(email, form.one("code"), came, known_device=known)
        match outcome:
            case SignedIn():
                return self._greeting.welcome(request, outcome, target)
            case Mismatch():
                self._failures.spend(came.address)
                return self._page(request, target, email=email, error=MISMATCH, status=422)
            case Throttled():
                words = f"Too many codes failed. Wait {outcome.seconds} seconds, then try again."
                page = self._page(request, target, email=email, error=words, status=429)
                page.headers["Retry-After"] = str(outcome.seconds)
                return page

    def _page(
        self, request: Request, target: str, *, email: str = "", error: str | None = None, status: int = 200
    ) -> Response:
        return self._pages.render(
            "sign_in_recovery.html", status=status, may_leave=True, next=target, email=email[:254], error=error,
            back=urlencode({"next": target}), request_id=request_id.of(request),
        )  # fmt: skip

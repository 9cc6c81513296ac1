"""``/sign-in`` and ``/sign-out``."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward import audit
from doorward.accounts import sessions
from doorward.accounts.entering import SignedIn
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.ways import Entrance, Way, blocks
from doorward.accounts.passwords import Busy
from doorward.accounts.sign_in import Attempt, Elsewhere, Mismatch, SignIn, Throttled, normal_email
from doorward.credentials.secret import Fingerprinter
from doorward.model import Instant
from doorward.protocol import faults
from doorward.storage.database import Database, Transaction
from doorward.web import causes, request_id
from doorward.web.budgets import AddressBudget
from doorward.web.cookies import Cookies
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

MISMATCH: Final = "That e-mail and password do not match. Try again, or ask your administrator for a new password."
ELSEWHERE: Final = "Your organisation signs in with {}. Choose it above."
_BUSY_SECONDS: Final = "2"
FAILURES_PER_MINUTE: Final = 30
FAILURES_PER_HOUR: Final = 200
"""From one address, for whatever accounts: one password is tried on many. Many people may share an address."""
FAILURES_PER_MINUTE_FROM_ALL: Final = 300
"""From all addresses together: guesses that come from many. Then strangers wait, a minute at most; known browsers,
passkeys, mailed links and providers do not."""


Waiting = tuple[str, str | None, str | None]
"""Who waits for this sign-in, for the words on the page: a client's own name, the tenant that its URL names, and the
address that the client thinks is the person's."""


class SignInPages:
    """The surface. ``describe_next(path, browser id)`` tells who waits behind the path that a person is sent on to.

    ``ways`` are those besides the password, in the order of the page.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        cookies: Cookies,
        sign_in: SignIn,
        database: Database,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        public_url: str,
        describe_next: Callable[[str, str | None], Awaitable[Waiting | None]],
        greeting: Greeting,
        ways: Sequence[Way] = (),
    ) -> None:
        self._ways = ways
        self._greeting = greeting
        self._failures = AddressBudget(
            per_minute=FAILURES_PER_MINUTE, per_hour=FAILURES_PER_HOUR,
            per_minute_from_all=FAILURES_PER_MINUTE_FROM_ALL, now=now,
        )  # fmt: skip
        self._pages = pages
        self._cookies = cookies
        self._sign_in = sign_in
        self._database = database
        self._fingerprinter = fingerprinter
        self._now = now
        self._public_url = public_url
        self._describe_next = describe_next

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route("/sign-in", self._show, methods=["GET"]),
            Route("/sign-in", self._submit, methods=["POST"]),
            Route("/sign-out", self._leave, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        target, cookie, now = (
            same_site_path(request.query_params.get("next", "/")),
            self._cookies.session(request),
            self._now(),
        )
        if request.query_params.get("switch") != "1":
            here = await self._database.read(
                lambda reader: sessions.session_user(reader, cookie, fingerprinter=self._fingerprinter, now=now)
            )
            if here is not None:
                return _go(target)
        return await self._page(request, target)

    async def _submit(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form = await read_form(request)
        target, email = same_site_path(form.one("next") or "/"), form.one("email")
        attempt = Attempt(
            email=email,
            password=form.one("password"),
            known_device=self._greeting.knows(request, email),
            came=self._greeting.came(request),
        )
        try:
            outcome = await self._try(attempt)
        except Busy as busy:
            raise Refused(
                faults.SIGN_IN_BUSY, status=503, reason="password queue full", headers={"Retry-After": _BUSY_SECONDS}
            ) from busy
        match outcome:
            case SignedIn():
                return self._greeting.welcome(request, outcome, target)
            case Mismatch():
                return await self._page(request, target, email=email, error=MISMATCH, status=422)
            case Elsewhere():
                words = ELSEWHERE.format(outcome.provider.name)
                return await self._page(request, target, email=email, error=words, status=422)
            case Throttled():
                page = await self._page(request, target, email=email, error=_wait_words(outcome.seconds), status=429)
                page.headers["Retry-After"] = str(outcome.seconds)
                return page

    async def _try(self, attempt: Attempt) -> SignedIn | Mismatch | Elsewhere | Throttled:
        """Try unless too many failed from this address, whoever they were for; a known device is not held off (H4)."""
        if attempt.known_device:
            return await self._sign_in.try_password(attempt)
        wait = self._failures.wait(attempt.came.address)
        if wait:
            return Throttled(wait)
        outcome = await self._sign_in.try_password(attempt)
        if isinstance(outcome, Mismatch | Elsewhere):
            self._failures.spend(attempt.came.address)
        return outcome

    async def _leave(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        cookie, name = self._cookies.session(request), causes.of(request)
        now = self._now()

        def end(tx: Transaction) -> None:
            ended = sessions.end_session(tx, cookie, fingerprinter=self._fingerprinter, now=now)
            if ended is not None:
                audit.record(tx, name="session:ended", at=now, actor_id=ended.user_id, subject=ended.id, cause=name)

        await self._database.write(end)
        response = _go("/sign-in")
        self._cookies.clear_session(response)
        return response

    async def _page(
        self, request: Request, target: str, *, email: str = "", error: str | None = None, status: int = 200
    ) -> Response:
        waiting = await self._describe_next(target, self._cookies.browser_id(request))
        if not email and error is None and waiting is not None:
            email = normal_email(waiting[2] or "") or ""
        shown = email[:254]
        return self._pages.render(
            "sign_in.html",
            status=status,
            may_leave=True,
            next=target,
            email=shown,
            error=error,
            blocks=await blocks(self._ways, Entrance(request=request, target=target, email=shown)),
            waiting=waiting,
            request_id=request_id.of(request),
        )


def _go(target: str) -> Response:
    return Response(status_code=303, headers={"Location": target, "Cache-Control": "no-store"})


def _wait_words(seconds: int) -> str:
    wait = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"  # noqa: PLR2004
    return f"Too many sign-ins failed. Wait {wait}, then try again."

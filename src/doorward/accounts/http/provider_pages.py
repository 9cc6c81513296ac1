"""``/sign-in/with/…``: to an identity provider and back (feature E1; security G7, H3, H15, H17)."""

from typing import Final, NoReturn
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.accounts.entering import SignedIn
from doorward.accounts.first_sign_in import Nobody
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.ways import Block, Entrance
from doorward.accounts.provider_sign_in import Connected, Errand, ProviderSignIns
from doorward.federation.provider_client import ProviderAway
from doorward.federation.vouching import NotVouched
from doorward.model import IdentityProvider, Status, UserId
from doorward.protocol import faults, form
from doorward.protocol.errors import PageError
from doorward.storage import identity_providers
from doorward.storage.database import Database
from doorward.web.budgets import AddressBudget
from doorward.web.cookies import Cookies
from doorward.web.forms import read_form
from doorward.web.local_path import same_site_path
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

START: Final = "/sign-in/with/{provider}"
CALLBACK: Final = "/sign-in/with/{provider}/callback"
PER_MINUTE: Final = 20
PER_HOUR: Final = 300
PER_HOUR_FROM_ALL: Final = 20_000
"""Sign-ins that may be begun from one address, and from all: each is a row."""
_LONGEST: Final = 4096
"""Characters of a code or state that a provider sends."""
_AWAY_SECONDS: Final = "5"


def callback_path(slug: str) -> str:
    """Return the path of a provider's redirect URI."""
    return CALLBACK.replace("{provider}", quote(slug, safe=""))


class ProviderPages:
    """The surface, and its block of the sign-in page."""

    def __init__(
        self,
        *,
        sign_ins: ProviderSignIns,
        database: Database,
        cookies: Cookies,
        greeting: Greeting,
        budget: AddressBudget,
        public_url: str,
    ) -> None:
        self._sign_ins = sign_ins
        self._database = database
        self._cookies = cookies
        self._greeting = greeting
        self._budget = budget
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(START, self._start, methods=["POST"]),
            Route(CALLBACK, self._back, methods=["GET"]),
        ]

    async def block(self, entrance: Entrance) -> Block | None:
        """Return one button for each provider that is switched on; the one that the typed address has to use alone."""
        found, ruled = await self._database.read(
            lambda reader: (
                identity_providers.all_providers(reader),
                ways_in.provider_of(reader, entrance.email.strip().lower()),
            )
        )
        offered = [
            (each.slug, each.name)
            for each in found
            if each.status is Status.ACTIVE and (ruled is None or each.id == ruled.id)
        ]
        return Block(template="sign_in_providers.html", facts={"providers": offered}) if offered else None

    async def _start(self, request: Request) -> Response:
        # POST and from our own page: nobody else sends a person off to sign in as somebody (login forgery, H3).
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        return await self.send(request, request.path_params["provider"], same_site_path(sent.one("next") or "/"))

    async def send(self, request: Request, slug: str, target: str, *, connect: UserId | None = None) -> Response:
        """Send the browser to a provider, and from there to ``target``; ``connect`` as in ``Errand``."""
        provider = await self._provider(slug)
        came = self._greeting.came(request)
        wait = self._budget.wait(came.address)
        if wait:
            raise Refused(
                faults.SIGN_IN_BUSY,
                status=429,
                reason="too many sign-ins were begun",
                headers={"Retry-After": str(wait)},
            )
        self._budget.spend(came.address)
        browser, is_new = self._greeting.browser_of(request)
        try:
            # Whoever is signed in and comes again wants to be somebody else, or to prove who they are.
            location = await self._sign_ins.start(
                provider, browser, target, again=came.old_cookie is not None, connect=connect
            )
        except (ProviderAway, NotVouched) as wrong:
            _away(provider, wrong, target)
        response = Response(status_code=303, headers={"Location": location, "Cache-Control": "no-store"})
        if is_new:
            self._cookies.set_browser_id(response, browser)
        return response

    async def _back(self, request: Request) -> Response:
        provider = await self._provider(request.path_params["provider"])
        answer = _answer(request)
        errand = await self._errand(request, provider, answer.get("state", ""))
        if "error" in answer or "code" not in answer:
            reason = f"{provider.slug} answered {answer.get('error', 'without a code')[:80]!r}"
            raise Refused(faults.PROVIDER_DENIED, status=400, reason=reason, link=_again(errand.target))
        try:
            outcome = await self._sign_ins.finish(
                provider, errand, self._greeting.came(request), code=answer["code"], issuer=answer.get("iss")
            )
        except ProviderAway as wrong:
            _away(provider, wrong, errand.target)
        except NotVouched as wrong:
            reason = f"{provider.slug}: {wrong}"
            raise Refused(faults.PROVIDER_ANSWER, status=400, reason=reason, link=_again(errand.target)) from wrong
        if isinstance(outcome, SignedIn):
            return self._greeting.welcome(request, outcome, errand.target)
        if isinstance(outcome, Connected):
            return Response(status_code=303, headers={"Location": errand.target, "Cache-Control": "no-store"})
        if isinstance(outcome, Nobody):
            raise Refused(faults.ACCOUNT_UNKNOWN, status=403, reason=outcome.why, link=_again(errand.target))
        raise Refused(
            faults.IDENTITY_TAKEN, status=409, reason="connected to another user", link=(errand.target, "Back")
        )

    async def _errand(self, request: Request, provider: IdentityProvider, state: str) -> Errand:
        browser = self._cookies.browser_id(request)
        if browser is None:
            # G7: whoever was only handed the address of an answer has never been sent anywhere.
            raise Refused(faults.PROVIDER_STATE, status=403, reason="no browser cookie", link=_again("/"))
        errand = await self._sign_ins.take(provider, browser, state) if state else None
        if errand is None:
            raise Refused(faults.PROVIDER_STATE, status=400, reason="state unknown, used or foreign", link=_again("/"))
        return errand

    async def _provider(self, slug: str) -> IdentityProvider:
        found = await self._sign_ins.provider(slug)
        if found is None:
            raise Refused(faults.PROVIDER_UNKNOWN, status=404, reason=f"no provider {slug[:80]!r}", link=_again("/"))
        return found


def _answer(request: Request) -> dict[str, str]:
    """Return the parameters of an answer. Raises ``PageError`` where one stands there twice, or is too long."""
    try:
        pairs = form.parse(request.scope["query_string"])
    except ValueError:
        raise PageError(faults.REQUEST_INVALID, reason="query is not UTF-8, or has too many parameters") from None
    if form.repeated(pairs) & {"code", "state", "iss", "error"} or any(len(value) > _LONGEST for _, value in pairs):
        raise PageError(faults.REQUEST_INVALID, reason="a parameter twice, or too long")
    return form.present(pairs)


def _away(provider: IdentityProvider, wrong: Exception, target: str) -> NoReturn:
    raise Refused(
        faults.PROVIDER_AWAY, status=503, reason=f"{provider.slug}: {wrong}", headers={"Retry-After": _AWAY_SECONDS},
        link=_again(target),
    ) from wrong  # fmt: skip


def _again(target: str) -> tuple[str, str]:
    return f"/sign-in?{urlencode({'next': target})}", "Back to the sign-in page"

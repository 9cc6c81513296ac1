"""Somebody's passkeys and recovery codes: sections of the security page, and the passkey as a proof of who they are."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import passkeys as use_cases
from doorward.accounts import ways_in
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.passkey_pages import asked
from doorward.accounts.http.ways import Block
from doorward.accounts.identity_list import OnlyWayIn
from doorward.accounts.passkey_challenges import Purpose
from doorward.accounts.passkeys import Asked, Passkeys
from doorward.accounts.proofs import Unproven
from doorward.dashboard.security import PATH, Here, SecurityPage, Shown
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import PATH as CONFIRM
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Instant, User
from doorward.protocol import faults
from doorward.storage import passkeys as stored
from doorward.storage.database import Database, Transaction
from doorward.web import causes
from doorward.web.cookies import Cookies
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

_ALL: Final = f"{PATH}/passkeys"
_ASK: Final = f"{PATH}/passkeys/ask"
_RENAME: Final = f"{PATH}/passkeys/{{passkey_id}}/rename"
_REMOVE: Final = f"{PATH}/passkeys/{{passkey_id}}/remove"
_CONFIRM_ASK: Final = f"{CONFIRM}/passkey"
_LONGEST: Final = 200
"""Characters of a name that are shown again where it cannot be used."""
_BACK: Final = (PATH, "Back to Security")


class PasskeyProof:
    """One of one's own passkeys proves who one is (``step_up.Proof``)."""

    def __init__(
        self, *, passkeys: Passkeys, signed_in: SignedIn, greeting: Greeting, cookies: Cookies, public_url: str
    ) -> None:
        self._passkeys, self._signed_in, self._greeting = passkeys, signed_in, greeting
        self._cookies, self._public_url = cookies, public_url

    def routes(self) -> Sequence[Route]:
        """Return the route that asks."""
        return [Route(_CONFIRM_ASK, self._ask, methods=["POST"])]

    async def offer(self, request: Request, user: User) -> Block | None:  # noqa: ARG002  (other proofs look at it)
        """Return the button, for somebody who has a passkey."""
        return (
            Block(template="confirm_passkey.html", facts={"ask": _CONFIRM_ASK})
            if await self._passkeys.of(user)
            else None
        )

    async def check(self, request: Request, user: User, form: Form) -> Unproven | None:
        """Return None where a passkey of theirs answered."""
        browser = self._cookies.browser_id(request)
        fits = await self._passkeys.confirm(
            form.one("challenge"), form.one("passkey"), browser, user, cause=causes.of(request)
        )
        return None if fits else Unproven()

    async def _ask(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        here = await self._signed_in.find(request)
        if here is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="no session")
        browser, is_new = self._greeting.browser_of(request)
        return _answer(
            self._cookies, await self._passkeys.ask(Purpose.CONFIRM, browser, here[1]), browser, is_new=is_new
        )


class OwnPasskeys:
    """The section."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        page: SecurityPage,
        step_up: StepUp,
        signed_in: SignedIn,
        database: Database,
        passkeys: Passkeys,
        greeting: Greeting,
        cookies: Cookies,
        now: Callable[[], Instant],
        public_url: str,
    ) -> None:
        self._page, self._step_up, self._signed_in, self._database = page, step_up, signed_in, database
        self._passkeys, self._greeting, self._cookies = passkeys, greeting, cookies
        self._now, self._public_url = now, public_url

    def routes(self) -> Sequence[Route]:
        """Return the routes of its forms."""
        return [
            Route(_ASK, self._ask, methods=["POST"]),
            self._step_up.guard(_ALL, self._add),
            Route(_RENAME, self._rename, methods=["POST"]),
            self._step_up.guard(_REMOVE, self._remove),
        ]

    async def show(self, here: Here) -> Shown:
        """Return all passkeys of this person."""
        found = await self._database.read(lambda reader: stored.passkeys_of_user(reader, here.user.id))
        return Shown(template="security_passkeys.html", facts={"passkeys": found, "ask": _ASK, "most": use_cases.MOST})

    async def _ask(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        here = await self._signed_in.find(request)
        if here is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="no session")
        browser, is_new = self._greeting.browser_of(request)
        return _answer(self._cookies, await self._passkeys.ask_to_add(here[1], browser), browser, is_new=is_new)

    async def _add(self, request: Request, act: Act) -> Response:
        browser = self._cookies.browser_id(request)
        made = self._passkeys.made(act.form.one("challenge"), act.form.one("passkey"), browser, act.user)
        if made is None:
            raise Refused(faults.PASSKEY_REFUSED, status=422, reason="not made for this", link=_BACK)
        challenge, passkey = made

        def add(tx: Transaction) -> bool:
            ways_in.require_no_forging(tx, self._signed_in.require_in(tx, request)[0], use_cases.PASSKEY)
            return use_cases.add(
                tx, challenge, passkey, name=act.form.one("name"), cause=causes.of(request), now=self._now()
            )

        if not await self._database.write(add):
            raise Refused(faults.PASSKEY_REFUSED, status=409, reason="known, too many, or added already", link=_BACK)
        return see_other(f"{PATH}?done=passkey#passkeys")

    async def _rename(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form, wanted = await read_form(request), request.path_params["passkey_id"]
        here = await self._signed_in.require(request, PATH)

        def rename(tx: Transaction) -> bool:
            return use_cases.rename(tx, self._signed_in.require_in(tx, request)[1], wanted, form.one("name"))

        if not await self._database.write(rename):
            errors = {f"passkey {wanted}": "Give it a name of 1 to 64 ordinary characters."}
            typed = {f"passkey {wanted}": form.one("name")[:_LONGEST]}
            return await self._page.page(
                Here(request=request, session=here[0], user=here[1], errors=errors, typed=typed), status=422
            )  # fmt: skip
        return see_other(f"{PATH}?done=passkey-renamed#passkeys")

    async def _remove(self, request: Request, act: Act) -> Response:
        wanted = act.path["passkey_id"]

        def remove(tx: Transaction) -> bool:
            _, user = self._signed_in.require_in(tx, request)
            return use_cases.remove(tx, user, wanted, cause=causes.of(request), now=self._now())

        try:
            await self._database.write(remove)
        except OnlyWayIn:
            errors = {"passkeys": "It is the only way in that you have. Set a password or add another passkey first."}
            here = Here(request=request, session=act.session, user=act.user, errors=errors)
            return await self._page.page(here, status=409)
        return see_other(f"{PATH}?done=passkey-removed#passkeys")


def _answer(cookies: Cookies, found: Asked, browser: str, *, is_new: bool) -> Response:
    response = asked(found)
    if is_new:
        cookies.set_browser_id(response, browser)
    return response

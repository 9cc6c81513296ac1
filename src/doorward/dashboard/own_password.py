"""Somebody's own password: a section of the security page."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import new_password, ways_in
from doorward.accounts.entering import PASSWORD
from doorward.accounts.own_account import Ending, change_password, has_password
from doorward.accounts.passwords import Busy, PasswordPool
from doorward.dashboard.security import PATH, Here, SecurityPage, Shown
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Instant
from doorward.protocol import faults
from doorward.storage import accounts
from doorward.storage.database import Database, Transaction
from doorward.web import causes
from doorward.web.refused import Refused

_CHANGE: Final = f"{PATH}/password"


class OwnPassword:
    """The section."""

    def __init__(
        self,
        *,
        page: SecurityPage,
        step_up: StepUp,
        signed_in: SignedIn,
        database: Database,
        passwords: PasswordPool,
        now: Callable[[], Instant],
    ) -> None:
        self._page, self._step_up, self._signed_in = page, step_up, signed_in
        self._database, self._passwords, self._now = database, passwords, now

    def routes(self) -> Sequence[Route]:
        """Return the routes of its forms."""
        return [self._step_up.guard(_CHANGE, self._change)]

    async def show(self, here: Here) -> Shown:
        """Return whether there is a password."""
        known = await self._database.read(lambda reader: has_password(reader, here.user))
        return Shown(
            template="security_password.html", facts={"known": known, "least": new_password.MIN_LENGTH}
        )  # fmt: skip

    async def _change(self, request: Request, act: Act) -> Response:
        wanted, user = act.form.one("new"), act.user
        why = new_password.why_not(wanted, email=user.email, name=user.name)
        wrong = {} if why is None else {"new": why}
        if why is None and wanted != act.form.one("again"):
            wrong = {"again": "The two are not the same. Type the new password twice."}
        if wrong:
            typed = {"apps": act.form.one("apps")}
            here = Here(request=request, session=act.session, user=user, errors=wrong, typed=typed)
            return await self._page.page(here, status=422)
        seen = await self._database.read(lambda reader: accounts.password_hash(reader, user.id))
        try:
            fresh = await self._passwords.hash(wanted)
        except Busy as busy:
            raise Refused(faults.SIGN_IN_BUSY, status=503, reason="password queue full") from busy
        ending = Ending(
            session=act.session, apps=act.form.one("apps") == "yes", cause=causes.of(request)
        )  # fmt: skip

        def change(tx: Transaction) -> bool:
            session, _ = self._signed_in.require_in(tx, request)
            ways_in.require_no_forging(tx, session, PASSWORD)
            return change_password(tx, user, expected=seen, new=fresh, ending=ending, now=self._now())

        if not await self._database.write(change):
            raise Refused(faults.CONFIRMATION_EXPIRED, status=409, reason="password was changed meanwhile")
        return see_other(f"{PATH}?done=password")

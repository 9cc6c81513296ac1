"""Somebody's recovery codes: a section of the security page. They are shown once, when they are made."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import recovery_codes
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard import once
from doorward.dashboard.security import PATH, Here, SecurityPage, Shown
from doorward.dashboard.signed_in import SignedIn
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Entropy, Instant
from doorward.storage import passkeys as stored
from doorward.storage.database import Database, Transaction
from doorward.web import causes

_RENEW: Final = f"{PATH}/recovery-codes"


class OwnRecoveryCodes:
    """The section."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        page: SecurityPage,
        step_up: StepUp,
        signed_in: SignedIn,
        database: Database,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        entropy: Entropy,
    ) -> None:
        self._page, self._step_up, self._signed_in, self._database = page, step_up, signed_in, database
        self._fingerprinter, self._now, self._entropy = fingerprinter, now, entropy

    def routes(self) -> Sequence[Route]:
        """Return the route of its form."""
        return [self._step_up.guard(_RENEW, self._renew)]

    async def show(self, here: Here) -> Shown:
        """Return how many are left, and those that were made a moment ago."""
        left = await self._database.read(lambda reader: stored.recovery_codes_left(reader, here.user.id))
        fresh = here.once.get("recovery_codes", [])
        return Shown(template="security_recovery_codes.html", facts={"left": left, "fresh": fresh})

    async def _renew(self, request: Request, act: Act) -> Response:
        def renew(tx: Transaction) -> list[str]:
            _, user = self._signed_in.require_in(tx, request)
            once.require_first_time(tx, request, self._now(), look=(PATH, "Back to Security"))
            return recovery_codes.renew(
                tx, user, now=self._now(), entropy=self._entropy, fingerprinter=self._fingerprinter,
                cause=causes.of(request),
            )  # fmt: skip

        codes = await self._database.write(renew)
        here = Here(request=request, session=act.session, user=act.user, once={"recovery_codes": codes})
        return await self._page.page(here)

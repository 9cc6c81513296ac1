"""Signing in by a link to one's mail: bound to the browser that asked, and in another only after a plain question (H9).

Opening the link changes nothing: mail scanners open links (H7). Only the form on its page signs in, once (H8).
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

from doorward import audit
from doorward.accounts import links
from doorward.accounts.asking import Asked
from doorward.accounts.entering import Entering, SignedIn
from doorward.accounts.links import LinkRefused, Wish
from doorward.accounts.mailed import Mailing, person_of
from doorward.accounts.sessions import Came
from doorward.mail.letters import SIGN_IN
from doorward.model import Instant, Link, LinkKind, User
from doorward.protocol import faults
from doorward.storage.database import Reader, Transaction

MEANS: Final = "link"
"""As tenants call this way in (``ways_in.WORDS``)."""
_KIND: Final = LinkKind.SIGN_IN


class Elsewhere(Exception):  # noqa: N818  (an answer)
    """This is not the browser that asked, and nobody said yet that it is meant to be signed in."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that can be used: whose it is, and whether this is the browser that asked."""

    link: Link
    user: User
    same_browser: bool


class SignInLinks:
    """The use case, with what it needs. The browser that asked is remembered by a fingerprint of its id."""

    def __init__(self, *, mailing: Mailing, entering: Entering) -> None:
        self._mailing, self._entering = mailing, entering

    async def ask(self, asked: Asked) -> int:
        """Send a link to the address, if it is somebody's; return the seconds to wait where too many were asked for."""
        work = partial(self._ask, asked=asked, now=self._mailing.now())
        return await self._mailing.database.write(work)

    async def look(self, secret: str, browser: str | None) -> Opened:
        """Return what a link is for, using nothing. Raises ``LinkRefused``."""
        now = self._mailing.now()
        return await self._mailing.database.read(lambda reader: self._opened(reader, secret, browser, now))

    async def enter(self, secret: str, came: Came, *, browser: str | None, elsewhere: bool) -> tuple[SignedIn, str]:
        """Sign the person in; return that, and where they wanted to go when they asked.

        Raises ``LinkRefused``, and ``Elsewhere`` in another browser without ``elsewhere``.
        """
        work = partial(
            self._enter, secret=secret, came=came, browser=browser, elsewhere=elsewhere, now=self._mailing.now()
        )
        return await self._mailing.database.write(work)

    def _ask(self, tx: Transaction, *, asked: Asked, now: Instant) -> int:
        wait, user = self._mailing.asked_by(tx, asked, MEANS, now)
        if user is not None:
            wish = Wish(
                kind=_KIND, email=user.email, user_id=user.id, target=asked.target, asked_from=asked.requester,
                browser=None if asked.browser is None else self._mailing.fingerprinter.of(asked.browser),
            )  # fmt: skip
            link, _ = self._mailing.send_link(tx, wish, SIGN_IN, now=now, origin=asked.requester)
            audit.record(
                tx, name="sign_in_link:asked", at=now, subject=user.id, detail={"link": link.id},
                cause=asked.cause,
            )  # fmt: skip
        return wait

    def _enter(
        self, tx: Transaction, *, secret: str, came: Came, browser: str | None, elsewhere: bool, now: Instant
    ) -> tuple[SignedIn, str]:
        found = self._opened(tx, secret, browser, now)
        if not found.same_browser and not elsewhere:
            raise Elsewhere
        links.use(tx, found.link, now)
        begun = self._entering.begin(tx, found.user.id, came, means=MEANS, now=now)
        if begun is None:
            raise LinkRefused(faults.ACCOUNT_CLOSED, reason=f"{found.link.id}: closed at this moment", status=403)
        # Another browser goes nowhere that somebody else may have chosen.
        return begun, found.link.target if found.same_browser else "/"

    def _opened(self, reader: Reader, secret: str, browser: str | None, now: Instant) -> Opened:
        link = links.find(reader, secret, _KIND, fingerprinter=self._mailing.fingerprinter, now=now)
        same = browser is not None and link.browser == self._mailing.fingerprinter.of(browser)
        return Opened(link, person_of(reader, link, MEANS), same)

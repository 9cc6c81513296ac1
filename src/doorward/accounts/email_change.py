"""Another address for an account: the new one proves itself by a link, the old one is told and can undo it for a week.

A mail address is the way back into an account, so that what takes it away must be undone by whom it was taken from:
undoing brings the address back, sets a new password, takes every other way in away and signs everybody out. Whose domain
comes through a provider has the address that the provider says.
"""

from dataclasses import replace
from functools import partial
from typing import Final

from doorward import audit
from doorward.accounts import links, ways_in
from doorward.accounts.addresses import mail_address, masked
from doorward.accounts.asking import TO_ONE, Asked
from doorward.accounts.holdings import TAKEN_BACK, taken_over
from doorward.accounts.links import LinkRefused, Wish
from doorward.accounts.mailed import Mailing, why_not
from doorward.accounts.own_account import Ending, sign_out
from doorward.accounts.password_reset import checked_and_hashed, set_password
from doorward.accounts.passwords import PasswordPool
from doorward.accounts.sessions import Came
from doorward.accounts.sign_in_links import MEANS
from doorward.mail.letters import EMAIL_CHANGED, EMAIL_CONFIRM, EMAIL_TAKEN
from doorward.model import Instant, Link, LinkKind, Session, User
from doorward.protocol import faults
from doorward.storage import accounts, leaving
from doorward.storage.database import Conflict, Reader, Transaction
from doorward.web.words import moment

_CHANGE: Final = LinkKind.EMAIL_CHANGE
_UNDO: Final = LinkKind.EMAIL_UNDO


class BadAddress(Exception):  # noqa: N818  (an answer)
    """The address cannot be asked for; the text says why, for the person. ``wait`` is in seconds."""

    def __init__(self, words: str, wait: int = 0) -> None:
        super().__init__(words)
        self.wait = wait


class EmailChange:
    """The use case, with what it needs."""

    def __init__(self, *, mailing: Mailing, passwords: PasswordPool) -> None:
        self._mailing, self._passwords = mailing, passwords

    def ask(self, tx: Transaction, user: User, typed: str, came: Came, *, now: Instant) -> str:
        """Send a link to the new address, and return that. Raises ``BadAddress``.

        Says the same where another account has the address (H6): then its owner is told, and nothing else happens.
        """
        email = mail_address(typed)
        if email is None or email == user.email:
            raise BadAddress("This is not another e-mail address that mail can go to.")
        if _is_ruled(tx, user.email, email):
            raise BadAddress("People of this domain have the address that their provider says.")
        asked = Asked(email=email, requester=f"account {user.id}", known_device=True, most=TO_ONE, cause=None)
        wait = self._mailing.budgets.admit(tx, asked, email, now)
        if wait:
            raise BadAddress("Too many mails were asked for. Ask again in an hour.", wait)
        if accounts.user_by_email(tx, email) is not None:
            self._mailing.tell(tx, email, EMAIL_TAKEN, now=now)
        else:
            wish = Wish(kind=_CHANGE, email=email, user_id=user.id, subject=user.email, asked_from=came.address)
            self._mailing.send_link(tx, wish, EMAIL_CONFIRM, now=now)
        audit.record(tx, name="email:change_asked", at=now, actor_id=user.id, subject=user.id, cause=came.cause)
        return email

    def look(self, reader: Reader, secret: str, user: User, now: Instant) -> Link:
        """Return the link that proves a new address for this person. Raises ``LinkRefused``."""
        link = links.find(reader, secret, _CHANGE, fingerprinter=self._mailing.fingerprinter, now=now)
        if link.user_id != user.id:
            raise LinkRefused(faults.LINK_OF_ANOTHER, reason=f"{link.id} is another person's", status=409)
        if link.subject != user.email:
            raise LinkRefused(faults.LINK_ENDED, reason=f"{link.id}: the address has changed since")
        if _is_ruled(reader, user.email, link.email):
            raise LinkRefused(faults.LINK_ENDED, reason=f"{link.id}: a provider says the address since")
        return link

    def confirm(self, tx: Transaction, secret: str, session: Session, user: User, came: Came, *, now: Instant) -> None:
        """Give the person the address that the link has proven; all their other sessions and links end (H22).

        Raises ``LinkRefused``.
        """
        link = self.look(tx, secret, user, now)
        links.use(tx, link, now)
        self._change(tx, user, link.email)
        links.end_all(tx, user.id, now)
        sign_out(tx, user, Ending(session=session, cause=came.cause), now=now)
        if mail_address(user.email) == user.email:
            wish = Wish(kind=_UNDO, email=user.email, user_id=user.id, subject=link.email, asked_from=came.address)
            self._mailing.send_link(
                tx, wish, EMAIL_CHANGED, now=now, at=moment(now), new=masked(link.email)
            )  # fmt: skip
        audit.record(
            tx, name="email:changed", at=now, actor_id=user.id, subject=user.id,
            detail={"from": user.email, "to": link.email, "link": link.id}, cause=came.cause,
        )  # fmt: skip

    async def look_back(self, secret: str) -> Link:
        """Return the link that leads back to an old address, using nothing. Raises ``LinkRefused``."""
        now = self._mailing.now()
        link, _ = await self._mailing.database.read(lambda reader: self._undoing(reader, secret, now))
        return link

    async def undo(self, secret: str, password: str, came: Came) -> str:
        """Bring the old address back with a new password, and sign everybody out; return the address.

        Raises ``LinkRefused``, ``WeakPassword``, ``Busy``.
        """
        now = self._mailing.now()
        link, user = await self._mailing.database.read(lambda reader: self._undoing(reader, secret, now))
        hashed = await checked_and_hashed(self._passwords, password, replace(user, email=link.email))
        await self._mailing.database.write(partial(self._undo, secret=secret, hashed=hashed, came=came, now=now))
        return link.email

    def _undo(self, tx: Transaction, *, secret: str, hashed: str, came: Came, now: Instant) -> None:
        link, user = self._undoing(tx, secret, now)
        leaving.lock_user(tx, user.id)
        links.use(tx, link, now)
        self._change(tx, user, link.email)
        set_password(tx, user, hashed, now=now)
        # Whoever took the address may have added a way in of their own, by which they would only take it again.
        leaving.forget_passkeys(tx, user.id)
        leaving.forget_identities(tx, user.id)
        links.end_all(tx, user.id, now, undoing_too=True)
        taken_over(tx, user.id, now=now, reason=TAKEN_BACK, cause=came.cause)
        audit.record(
            tx, name="email:change_undone", at=now, actor_id=user.id, subject=user.id,
            detail={"from": user.email, "to": link.email, "link": link.id}, cause=came.cause,
        )  # fmt: skip

    def _undoing(self, reader: Reader, secret: str, now: Instant) -> tuple[Link, User]:
        link = links.find(reader, secret, _UNDO, fingerprinter=self._mailing.fingerprinter, now=now)
        user = None if link.user_id is None else accounts.user_by_id(reader, link.user_id)
        # Judged with the address that it will have: a domain may have got a provider since.
        if user is None or why_not(reader, replace(user, email=link.email), MEANS) is not None:
            raise LinkRefused(faults.ACCOUNT_CLOSED, reason=f"{link.id}: not allowed to sign in", status=403)
        return link, user

    @staticmethod
    def _change(tx: Transaction, user: User, email: str) -> None:
        try:
            changed = accounts.change_email(tx, user.id, expected=user.email, new=email)
        except Conflict as taken:
            raise LinkRefused(
                faults.LINK_ENDED, reason="the address got an account meanwhile", status=409,
                public="Another account uses this address by now.",
            ) from taken  # fmt: skip
        if not changed:
            raise LinkRefused(faults.LINK_ENDED, reason="the address was changed at this moment", status=409)


def _is_ruled(reader: Reader, *emails: str) -> bool:
    """Say whether a provider has the word about one of these addresses."""
    return any(ways_in.provider_of(reader, each) is not None for each in emails)

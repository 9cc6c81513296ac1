"""A new password for somebody who forgot theirs: a link to their mail, and nothing without it (H14).

It is open to whom a mailed link is: an owner who may break the glass (``ways_in``) does not get a password by mail.

Whoever asks hears the same, whether or not anybody has the address (H6). The new password ends every session and every
other link of the account.
"""

from functools import partial
from typing import Final

from doorward import audit
from doorward.accounts import links, new_password, ways_in
from doorward.accounts.asking import Asked
from doorward.accounts.entering import PASSWORD
from doorward.accounts.links import LinkRefused, Wish
from doorward.accounts.mailed import Mailing, person_of
from doorward.accounts.passwords import PasswordPool
from doorward.accounts.sessions import Came
from doorward.accounts.sign_in_links import MEANS
from doorward.mail.letters import PASSWORD_CHANGED, RESET
from doorward.model import Instant, Link, LinkKind, User, UserId
from doorward.protocol import faults
from doorward.storage import accounts, leaving, sessions
from doorward.storage.database import Reader, Transaction

_KIND: Final = LinkKind.RESET


class WeakPassword(Exception):  # noqa: N818  (an answer)
    """The password may not become anybody's; the text says why, for the person."""


class PasswordReset:
    """The use case, with what it needs."""

    def __init__(self, *, mailing: Mailing, passwords: PasswordPool) -> None:
        self._mailing, self._passwords = mailing, passwords

    async def ask(self, asked: Asked) -> int:
        """Send a link to the address, if it is somebody's; return the seconds to wait where too many were asked for."""
        work = partial(self._ask, asked=asked, now=self._mailing.now())
        return await self._mailing.database.write(work)

    async def look(self, secret: str, signed_in: UserId | None) -> User:
        """Return whose password a link is for, using nothing. Raises ``LinkRefused``."""
        now = self._mailing.now()
        _, user = await self._mailing.database.read(lambda reader: self._found(reader, secret, signed_in, now))
        return user

    async def choose(
        self, secret: str, password: str, came: Came, *, signed_in: UserId | None, disconnect: bool = False
    ) -> User:
        """Give the person of the link a new password; with ``disconnect``, end also what they let apps into.

        Raises ``LinkRefused``, ``WeakPassword``, ``Busy``.
        """
        # The link is looked at before the password is hashed: nobody without one makes us work.
        user = await self.look(secret, signed_in)
        hashed = await checked_and_hashed(self._passwords, password, user)
        work = partial(
            self._choose, secret=secret, hashed=hashed, came=came, signed_in=signed_in, disconnect=disconnect,
            now=self._mailing.now(),
        )  # fmt: skip
        return await self._mailing.database.write(work)

    def _ask(self, tx: Transaction, *, asked: Asked, now: Instant) -> int:
        wait, user = self._mailing.asked_by(tx, asked, MEANS, now)
        if user is not None and not ways_in.forges_glass(tx, user.id, MEANS, PASSWORD):
            wish = Wish(kind=_KIND, email=user.email, user_id=user.id, asked_from=asked.requester)
            link, _ = self._mailing.send_link(tx, wish, RESET, now=now, origin=asked.requester)
            audit.record(
                tx, name="password:reset_asked", at=now, subject=user.id, detail={"link": link.id},
                cause=asked.cause,
            )  # fmt: skip
        return wait

    def _choose(  # noqa: PLR0913
        self, tx: Transaction, *, secret: str, hashed: str, came: Came, signed_in: UserId | None, disconnect: bool,
        now: Instant,
    ) -> User:  # fmt: skip
        link, user = self._found(tx, secret, signed_in, now)
        if disconnect:
            leaving.lock_user(tx, user.id)
        links.use(tx, link, now)
        set_password(tx, user, hashed, now=now)
        ended = leaving.end_connections(tx, user.id, None, now, "password:reset") if disconnect else []
        audit.record(
            tx, name="password:reset", at=now, actor_id=user.id, subject=user.id,
            detail={"link": link.id, "address": came.address, "connections_ended": str(len(ended))},
            cause=came.cause,
        )  # fmt: skip
        self._mailing.tell(tx, user.email, PASSWORD_CHANGED, now=now, origin=came.address)
        return user

    def _found(self, reader: Reader, secret: str, signed_in: UserId | None, now: Instant) -> tuple[Link, User]:
        link = links.find(reader, secret, _KIND, fingerprinter=self._mailing.fingerprinter, now=now)
        user = person_of(reader, link, MEANS)
        if ways_in.forges_glass(reader, user.id, MEANS, PASSWORD):
            raise LinkRefused(
                faults.ACCOUNT_CLOSED, reason=f"{link.id}: an owner's password comes by no mail", status=403
            )
        if signed_in is not None and signed_in != user.id:
            raise LinkRefused(faults.LINK_OF_ANOTHER, reason=f"{link.id} is another person's", status=409)
        return link, user


async def checked_and_hashed(passwords: PasswordPool, password: str, user: User) -> str:
    """Return the hash of a password that may become this person's. Raises ``WeakPassword``, ``Busy``."""
    wrong = new_password.why_not(password, email=user.email, name=user.name)
    if wrong is not None:
        raise WeakPassword(wrong)
    return await passwords.hash(password)


def set_password(tx: Transaction, user: User, hashed: str, *, now: Instant) -> None:
    """Store a password that a link was proof enough for: every session ends, and every link but those that undo."""
    if not accounts.replace_password_hash(tx, user.id, expected=accounts.password_hash(tx, user.id), new=hashed):
        raise LinkRefused(faults.LINK_ENDED, reason="the password was changed at this moment")
    sessions.end_sessions_of_user(tx, user.id, now)
    links.end_all(tx, user.id, now)

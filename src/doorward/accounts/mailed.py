"""What every use case that sends a link by mail is made with, and who such a link may be for."""

from collections.abc import Callable
from dataclasses import dataclass

from doorward.accounts import ways_in
from doorward.accounts.addresses import mail_address
from doorward.accounts.asking import Asked, Budgets
from doorward.accounts.links import LinkRefused, Wish, issue, url_of
from doorward.accounts.sessions import may_sign_in
from doorward.credentials.secret import Fingerprinter
from doorward.mail.letters import Letter
from doorward.mail.outbox import Outbox
from doorward.model import Entropy, Instant, Link, TenantId, User
from doorward.protocol import faults
from doorward.storage import accounts
from doorward.storage.database import Database, Reader, Transaction
from doorward.web.words import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """Collaborators. ``public_url`` is the only origin that links are made of (H11)."""

    database: Database
    fingerprinter: Fingerprinter
    outbox: Outbox
    budgets: Budgets
    now: Callable[[], Instant]
    entropy: Entropy
    public_url: str

    def send_link(
        self,
        tx: Transaction,
        wish: Wish,
        kind: str,
        *,
        now: Instant,
        tenant_id: TenantId | None = None,
        **detail: str,
    ) -> tuple[Link, str]:
        """Make a link and queue the letter of ``kind`` that carries it, to the address of the wish; return both parts."""
        link, secret = issue(tx, wish, now=now, entropy=self.entropy, fingerprinter=self.fingerprinter)
        letter = Letter(
            kind=kind,
            to=wish.email,
            detail={"until": moment(link.expires_at), **detail},
            url=url_of(self.public_url, wish.kind, secret),
        )
        self.outbox.post(tx, letter, now=now, useless_at=link.expires_at, tenant_id=tenant_id)
        return link, secret

    def tell(self, tx: Transaction, to: str, kind: str, *, now: Instant, **detail: str) -> None:
        """Queue a letter that carries no link, where mail can go to this address."""
        if mail_address(to) == to:
            self.outbox.post(tx, Letter(kind=kind, to=to, detail={"at": moment(now), **detail}), now=now)

    def asked_by(self, tx: Transaction, asked: Asked, means: str, now: Instant) -> tuple[int, User | None]:
        """Return the seconds to wait, or who gets the mail that was asked for: nobody, where it is nobody's address.

        The same is done for an address that nobody has, so that neither answer nor time says which it was (H6).
        """
        email = mail_address(asked.email)
        if email is None:
            return 0, None
        wait = self.budgets.admit(tx, asked, email, now)
        user = accounts.user_by_email(tx, email)
        fits = not wait and user is not None and user.email == email and why_not(tx, user, means) is None
        return wait, user if fits else None


def why_not(reader: Reader, user: User, means: str) -> str | None:
    """Return why a link may not let this person in by ``means``, in private words; None where it may (H5, H21)."""
    return ways_in.why_not(reader, user, means) if may_sign_in(user) else "not allowed to sign in"


def person_of(reader: Reader, link: Link, means: str) -> User:
    """Return the person of a link that went to the address they have now. Raises ``LinkRefused``."""
    user = None if link.user_id is None else accounts.user_by_id(reader, link.user_id)
    why = "nobody" if user is None else why_not(reader, user, means)
    if user is None or why is not None:
        raise LinkRefused(faults.ACCOUNT_CLOSED, reason=f"{link.id}: {why}", status=403)
    if link.email != user.email:
        raise LinkRefused(faults.LINK_ENDED, reason=f"{link.id} went to an address that the account had before")
    return user

"""Links that go by mail: made for one purpose, known by a fingerprint, good once and only when posted (H7, H8, H10).

A link is found by its secret and refused by its state; whether the person it is about may use it is asked by whoever
uses it, in the same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from doorward.credentials.secret import Fingerprinter, SecretKind, mint, well_formed
from doorward.model import SECOND, Entropy, Fingerprint, Instant, Link, LinkKind, UserId
from doorward.protocol import faults
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault
from doorward.storage import links
from doorward.storage.database import Reader, Transaction

LIFETIMES: Final[Mapping[LinkKind, int]] = {
    LinkKind.SIGN_IN: 15 * 60,
    LinkKind.RESET: 30 * 60,
    LinkKind.EMAIL_CHANGE: 60 * 60,
    LinkKind.EMAIL_UNDO: 7 * 86_400,
    LinkKind.INVITATION: 7 * 86_400,
}
"""Seconds."""
PATHS: Final[Mapping[LinkKind, str]] = {
    LinkKind.SIGN_IN: "/sign-in/link",
    LinkKind.RESET: "/sign-in/reset/new",
    LinkKind.EMAIL_CHANGE: "/settings/email/confirm",
    LinkKind.EMAIL_UNDO: "/sign-in/undo",
    LinkKind.INVITATION: "/invitation",
}
"""Where a link leads; the pages answer GET with a question and POST with the deed."""
_ID_BYTES: Final = 12


class LinkRefused(PageError):  # noqa: N818  (an answer)
    """A link that cannot be used. ``status`` is the page's."""

    def __init__(self, fault: Fault, *, reason: str, status: int = 410, public: str | None = None) -> None:
        super().__init__(fault, reason=reason, public=public)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a link is to be for; see ``model.Link``."""

    kind: LinkKind
    email: str
    user_id: UserId | None = None
    subject: str = ""
    browser: Fingerprint | None = None
    target: str = "/"
    asked_from: str = ""


def issue(
    tx: Transaction, wish: Wish, *, now: Instant, entropy: Entropy, fingerprinter: Fingerprinter
) -> tuple[Link, str]:
    """Make a link and return it with its secret; unused ones for the same end at this moment (H8).

    Of the undoing of changes each stays: a thief who changes the address again must not end the owner's way back.
    """
    secret = mint(SecretKind.LINK, entropy)
    link = Link(
        id=f"lnk_{entropy(_ID_BYTES).hex()}",
        kind=wish.kind,
        fingerprint=fingerprinter.of(secret),
        user_id=wish.user_id,
        email=wish.email,
        subject=wish.subject,
        browser=wish.browser,
        target=wish.target,
        asked_from=wish.asked_from,
        created_at=now,
        expires_at=Instant(now + LIFETIMES[wish.kind] * SECOND),
    )
    if wish.user_id is None:
        links.end_links_about(tx, wish.subject, wish.kind, now)
    elif wish.kind is not LinkKind.EMAIL_UNDO:
        links.end_links_of_user(tx, wish.user_id, wish.kind, now)
    links.insert_link(tx, link)
    return link, secret


def url_of(public_url: str, kind: LinkKind, secret: str) -> str:
    """Return the address for the mail: of the configured origin, whatever a request's headers say (H11)."""
    return f"{public_url}{PATHS[kind]}?{urlencode({'token': secret})}"


def find(reader: Reader, secret: str, kind: LinkKind, *, fingerprinter: Fingerprinter, now: Instant) -> Link:
    """Return the link if it may be used now. Raises ``LinkRefused``."""
    intact = len(secret) < 100 and well_formed(secret, SecretKind.LINK)  # noqa: PLR2004  (ours have 53 characters)
    link = links.link_by_fingerprint(reader, fingerprinter.of(secret)) if intact else None
    if link is None or link.kind is not kind:
        raise LinkRefused(faults.LINK_UNKNOWN, reason="no link of this kind", status=404)
    if link.used_at is not None:
        raise LinkRefused(faults.LINK_USED, reason=f"{link.id} was used")
    if link.ended_at is not None:
        raise LinkRefused(faults.LINK_ENDED, reason=f"{link.id} was ended")
    if link.expires_at <= now:
        raise LinkRefused(faults.LINK_EXPIRED, reason=f"{link.id} has expired")
    return link


def use(tx: Transaction, link: Link, now: Instant) -> None:
    """Use the link, for the first and last time. Raises ``LinkRefused`` where somebody was quicker."""
    if not links.use_link(tx, link.id, now):
        raise LinkRefused(faults.LINK_USED, reason=f"{link.id} was used at this moment")


def end_all(tx: Transaction, user_id: UserId, now: Instant, *, undoing_too: bool = False) -> None:
    """End every link that is about an account; without ``undoing_too``, not those that lead back to an old address."""
    for kind in LinkKind:
        if undoing_too or kind is not LinkKind.EMAIL_UNDO:
            links.end_links_of_user(tx, user_id, kind, now)

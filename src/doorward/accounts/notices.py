"""Telling a person what happened to something of theirs, in their own words and until they have read it.

A notice is a record: pages show it, and whoever sends mail reads the same records.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward.model import Instant, UserId
from doorward.storage import notices
from doorward.storage.database import Reader, Transaction
from doorward.storage.notices import Notice

CODE_REPLAYED: Final = "code:replayed"
REFRESH_REPLAYED: Final = "refresh_token:replayed"
PASSKEY_COPIED: Final = "passkey:copied"
CLIENT_DENIED: Final = "client:denied"
APP_ENDED: Final = "connection:ended"
KEY_ENDING: Final = "api_key:ending"
KEY_LEAKED: Final = "api_key:leaked"

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    REFRESH_REPLAYED: (
        "{client} was disconnected from {tenant}",
        (
            "A token that it had already used came again: two programs held it, and one of them may not be yours. Everything"
            " that this connection had has stopped working; your other connections have not. If {client} runs on one"
            " machine only, look for a copy of its files elsewhere. Then connect it again."
        ),
    ),
    CODE_REPLAYED: (
        "{client} was disconnected from {tenant}",
        (
            "The code that it got when you let it in was used twice: somebody else may have seen it. Everything that this"
            " connection had has stopped working. Connect it again, and deny what you did not start."
        ),
    ),
    KEY_ENDING: (
        "The API key {key} ends soon",
        (
            "It is for {tenant} and ends on {until}. What uses it stops working then. Rotate it: the secret that it has"
            " goes on for as long as you choose. If nothing uses it, there is nothing to do."
        ),
    ),
    KEY_LEAKED: (
        "The API key {key} was found in the open and revoked",
        (
            "It was for {tenant}, and others could read it: {where}. What used it has stopped working. Create another key,"
            " take the old one out of that place, and look into what it was used for before."
        ),
    ),
    PASSKEY_COPIED: (
        "The passkey {passkey} is not accepted any more",
        (
            "It was used by something that had used it less often than it was used: there are two of it, and one of them"
            " may not be yours. Remove it under Security and add a new one."
        ),
    ),
    APP_ENDED: (
        "{client} was disconnected from {tenant}",
        (
            "An administrator ended this connection, so everything that it had has stopped working. You did nothing wrong."
            " If you still need it, connect it again; you are asked as the first time."
        ),
    ),
    CLIENT_DENIED: (
        "{client} was disconnected from {tenant}",
        (
            "An administrator does not allow it there, so everything that this connection had has stopped working. You did"
            " nothing wrong. Ask your administrator if you need it: while it is not allowed, it cannot be connected again."
        ),
    ),
}
"""Kind to headline and text; the names in braces are those of ``detail``."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice as people read it."""

    id: str
    at: Instant
    headline: str
    text: str


def tell(tx: Transaction, user_id: UserId, kind: str, about: str, detail: Mapping[str, str], *, now: Instant) -> bool:
    """Have the person told, once for each ``kind`` and ``about``: a connection's id, or what else names it.

    ``kind`` is one of ``WORDS``.
    """
    if kind not in WORDS:
        message = f"unknown notice {kind!r}"
        raise ValueError(message)
    name = f"{kind.replace(':', '-')}-{about}"
    return notices.insert_notice(tx, Notice(id=name, user_id=user_id, kind=kind, detail=detail, at=now))


def waiting(reader: Reader, user_id: UserId) -> list[Told]:
    """Return what the person has not read yet, oldest first."""
    return [_told(each) for each in notices.waiting_notices(reader, user_id)]


def dismiss(tx: Transaction, user_id: UserId, notice_id: str, *, now: Instant) -> bool:
    """Say that the person has read it; False where there is nothing of theirs to read."""
    return notices.dismiss_notice(tx, user_id, notice_id, now)


def _told(notice: Notice) -> Told:
    headline, text = WORDS[notice.kind]
    # Names that others chose are filled in once and never read as a pattern.
    return Told(notice.id, notice.at, headline.format_map(notice.detail), text.format_map(notice.detail))

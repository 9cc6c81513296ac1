"""Every letter we send, in words: what it tells, the one thing that can be done, and what to do if it was not you.

Short and plain, nothing of others but names in one line. Names in braces are filled from ``Letter.detail``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

INVITATION: Final = "invitation"
RESET: Final = "reset"
SIGN_IN: Final = "sign_in"
EMAIL_CONFIRM: Final = "email_confirm"
EMAIL_TAKEN: Final = "email_taken"
EMAIL_CHANGED: Final = "email_changed"
PASSWORD_CHANGED: Final = "password_changed"  # noqa: S105  (a name)
KEY_ENDING: Final = "key_ending"
KEY_LEAKED: Final = "key_leaked"
TEST: Final = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One kind of letter. ``button`` names what the link does; without one the letter has no link."""

    subject: str
    before: tuple[str, ...]
    button: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to one person. ``kind`` is one of ``LETTERS``; ``url`` may let somebody in."""

    kind: str
    to: str
    detail: Mapping[str, str]
    url: str = ""


_IGNORE: Final = "Was it not you? Then do nothing: without the link nothing changes."

LETTERS: Final[Mapping[str, Words]] = {
    INVITATION: Words(
        subject="You are invited to {tenant}",
        before=(
            "{inviter} invites you to “{tenant}” at {host}, as {roles}.",
            "The invitation is for {email} only.",
        ),
        button="Accept the invitation",
        after=("The link works once, until {until}.", "You do not know them? Then do nothing."),
    ),
    RESET: Words(
        subject="Choose a new password",
        before=("Somebody, we hope you, asked from {origin} for a new password for {email} at {host}.",),
        button="Choose a new password",
        after=("The link works once, until {until}.", _IGNORE),
    ),
    SIGN_IN: Words(
        subject="Your link to sign in",
        before=("Somebody, we hope you, asked from {origin} to sign in as {email} at {host}.",),
        button="Sign in",
        after=("The link works once, until {until}. Open it in the browser that asked.", _IGNORE),
    ),
    EMAIL_CONFIRM: Words(
        subject="Confirm your new address",
        before=("You asked to use {email} for your account at {host}.",),
        button="Confirm this address",
        after=("The link works once, until {until}, where you are signed in.", _IGNORE),
    ),
    EMAIL_TAKEN: Words(
        subject="This address is in use",
        before=(
            "Somebody asked to use {email} for an account at {host}. It belongs to an account there already.",
            "Nothing was changed. If it was you: sign in with this address, or give the other account another one.",
        ),
    ),
    EMAIL_CHANGED: Words(
        subject="Your address was changed",
        before=(
            "Your account at {host} has another address since {at}: {new}.",
            "Was it you? Then there is nothing to do.",
            "Was it not you? Then take your account back:",
        ),
        button="Undo the change",
        after=("The link works once, until {until}. It sets a new password and signs everybody else out.",),
    ),
    PASSWORD_CHANGED: Words(
        subject="Your password was changed",
        before=(
            "The password of {email} at {host} was changed at {at}, from {origin}.",
            "Was it not you? Ask for a new password there at once, and tell your administrator.",
        ),
    ),
    KEY_ENDING: Words(
        subject="An API key ends soon: {key}",
        before=("The API key “{key}” for “{tenant}” at {host} ends on {until}. What uses it stops working then.",),
        button="Look at your keys",
        after=("Rotate it there: the old secret goes on for as long as you choose. If nothing uses it, do nothing.",),
    ),
    KEY_LEAKED: Words(
        subject="An API key was found in the open: {key}",
        before=(
            "The API key “{key}” for “{tenant}” at {host} was found where others can read it: {where}.",
            "It was revoked at once. Nothing can be done with it any more, and what used it has stopped working.",
        ),
        button="Create another key",
        after=("Take the old one out of that place, and look into what it was used for before.",),
    ),
    TEST: Words(
        subject="Mail works",
        before=("This is the mail that you asked for at {host}. There is nothing to do.",),
    ),
}
"""Kind to words."""

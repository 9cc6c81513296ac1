"""What may become a password (NIST SP 800-63B section 5.1.1.2): long enough, and not what anybody would try first."""

import unicodedata
from typing import Final

from doorward.accounts.passwords import MAX_BYTES

MIN_LENGTH: Final = 12
_DIFFERENT: Final = 5
"""Different characters at least: no ``aaaaaaaaaaaa``, no ``121212121212``."""
_RUNS: Final = ("0123456789012345678901234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")
_USUAL: Final = ("password", "passwort", "motdepasse", "contrasena", "letmein", "welcome", "doorward", "iloveyou")


def why_not(password: str, *, email: str, name: str = "") -> str | None:
    """Return what is wrong with a new password, in words for its person; None where it may be used."""
    text = unicodedata.normalize("NFC", password)
    if len(text) < MIN_LENGTH:
        return (
            f"Use at least {MIN_LENGTH} characters. A few words that only you would put together are easiest to keep."
        )
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"That is longer than {MAX_BYTES} bytes. Use a shorter one."
    if len(set(text)) < _DIFFERENT or _is_guessed(text.casefold(), (email.partition("@")[0], email, *name.split())):
        return "That is easy to guess. Use words that have nothing to do with you, this site or the keyboard."
    return None


def _is_guessed(text: str, about: tuple[str, ...]) -> bool:
    """Say whether little is left when what is guessed first is taken out."""
    for known in sorted({*_USUAL, *(each.casefold() for each in about if len(each) > 2)}, key=len, reverse=True):  # noqa: PLR2004
        text = text.replace(known, "")
    letters = "".join(each for each in text if each.isalnum())
    return len(letters) < _DIFFERENT or any(letters in run or letters[::-1] in run for run in _RUNS)

"""User codes of the device authorization grant (RFC 8628 sections 3.1, 3.2 and 6.1): how they look and are read.

Eight of twenty consonants: no vowels, so that no words come out, and no digits, so that none looks like a letter. That
is 34 bits; a person has a few tries (``authserver/http/device.py``).
"""

from doorward.model import Entropy

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH = 8
LIFETIME = 600
"""Seconds from the device's request to its token."""
INTERVAL = 5
"""Seconds between two questions of a device; also what ``slow_down`` adds (section 3.5)."""

_FAIR = 256 - 256 % len(ALPHABET)
_MAX_TYPED = 64


def new_user_code(entropy: Entropy) -> str:
    """Return a code without separators, every one equally likely."""
    letters: list[str] = []
    while len(letters) < LENGTH:
        # Bytes above the last whole multiple would make the first letters likelier.
        letters += [ALPHABET[byte % len(ALPHABET)] for byte in entropy(2 * LENGTH) if byte < _FAIR]
    return "".join(letters[:LENGTH])


def grouped(code: str) -> str:
    """Return a code as it is shown: ``WDJB-MJHT``."""
    half = LENGTH // 2
    return f"{code[:half]}-{code[half:]}"


def typed(text: str) -> str | None:
    """Return the code that was typed, or None where it can be none. Case, spaces and dashes do not matter."""
    code = "".join(character for character in text[:_MAX_TYPED].upper() if character.isalnum())
    return code if len(code) == LENGTH and all(letter in ALPHABET for letter in code) else None

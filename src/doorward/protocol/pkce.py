"""Proof Key for Code Exchange, S256 only (RFC 7636; OAuth 2.1 section 4.1.1)."""

import base64
import hashlib
import hmac
import re

METHOD = "S256"

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def challenge_ok(challenge: str) -> bool:
    """Tell whether this can be an S256 challenge: exactly 43 base64url characters, the length of a SHA-256."""
    return _CHALLENGE.fullmatch(challenge) is not None


def challenge_of(verifier: str) -> str:
    """Return BASE64URL(SHA256(ASCII(verifier))) (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def verify(challenge: str, verifier: str) -> bool:
    """Tell whether the verifier is well formed (RFC 7636 section 4.1) and belongs to the challenge (section 4.6).

    Compared in constant time. A malformed challenge belongs to no verifier.
    """
    if not challenge_ok(challenge) or _VERIFIER.fullmatch(verifier) is None:
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)

"""The relying party of passkeys (WebAuthn Level 3 section 4)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who we are to a browser: made of the public URL, never of a Host header."""

    host: str
    origin: str
    name: str = "Doorward"

"""Passkeys."""

from dataclasses import dataclass

from doorward.model.basics import Instant, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A public key (WebAuthn) whose private half never leaves its person's devices."""

    id: str
    user_id: UserId
    credential_id: str
    """Base64url, as the authenticator chose it."""
    public_key: str
    """Base64url of its COSE form."""
    sign_count: int
    """As it was last said; 0 from those that do not count."""
    transports: tuple[str, ...] = ()
    name: str
    created_at: Instant
    last_used_at: Instant | None = None
    disabled_at: Instant | None = None
    """Since then it lets nobody in: its counter went back, so that there are two of it."""

"""Links and mail: what reaches people outside."""

from dataclasses import dataclass
from enum import StrEnum

from doorward.model.basics import Fingerprint, Instant, TenantId, UserId
from doorward.model.tenants import Placement


class LinkKind(StrEnum):
    """What a link that went by mail is for."""

    INVITATION = "invitation"
    RESET = "reset"
    """Choosing a new password."""
    SIGN_IN = "sign_in"
    EMAIL_CHANGE = "email_change"
    """Proving a new address."""
    EMAIL_UNDO = "email_undo"
    """Going back to the address before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that went by mail: who has it reads the mail of ``email``. It acts once, and only when it is posted."""

    id: str
    kind: LinkKind
    fingerprint: Fingerprint
    user_id: UserId | None
    """Whose account it is about; ``None`` for an invitation."""
    email: str
    subject: str = ""
    """The id of an invitation; of a change, the address that the account had when it was asked for."""
    browser: Fingerprint | None = None
    """The browser that asked."""
    target: str = "/"
    """Where that browser wanted to go: a path of ours."""
    asked_from: str = ""
    """The network address that asked, for people."""
    created_at: Instant
    expires_at: Instant
    used_at: Instant | None = None
    ended_at: Instant | None = None
    """A newer one took its place, or what it was for is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Whoever reads the mail of ``email`` may become a member of the tenant, with these roles."""

    id: str
    tenant_id: TenantId
    email: str
    roles: tuple[str, ...]
    """At the tenant, by name."""
    places: tuple[Placement, ...] = ()
    invited_by: UserId | None = None
    """``None``: the operator, by a command."""
    created_at: Instant
    sent_at: Instant
    expires_at: Instant
    accepted_at: Instant | None = None
    revoked_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMail:
    """A mail that waits to be sent. ``sealed`` holds its words: they may carry a link that lets somebody in."""

    id: str
    kind: str
    recipient: str
    sealed: str
    tenant_id: TenantId | None = None
    created_at: Instant
    useless_at: Instant
    """From then on nobody needs it any more."""
    next_try_at: Instant
    attempts: int = 0

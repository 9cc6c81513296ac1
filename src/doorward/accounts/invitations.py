"""Inviting somebody into a tenant: bound to their mail address, good once, and never for more than who invited may give.

What the invitation gives stands in its row, never in the link (H20). Whoever invited is asked for again when it is
accepted: somebody who has left since, or lost the right, invites nobody any more. Nothing tells who invites whether the
address has an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from doorward import audit
from doorward.accounts import links
from doorward.accounts.actors import Actor, require_may_give
from doorward.accounts.addresses import mail_address
from doorward.accounts.asking import OF_TENANT, Asked
from doorward.accounts.links import LinkRefused, Wish, url_of
from doorward.accounts.mailed import Mailing
from doorward.accounts.members import Place, placements_of
from doorward.accounts.refused import PeopleRefused
from doorward.mail.letters import INVITATION
from doorward.model import SECOND, Cause, Instant, Invitation, LinkKind, Tenant, User
from doorward.protocol import faults
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault
from doorward.storage import accounts, permissions
from doorward.storage import invitations as stored
from doorward.storage import links as stored_links
from doorward.storage.database import Reader, Transaction
from doorward.web.words import cut

KIND: Final = LinkKind.INVITATION
_ID_BYTES: Final = 16


class State(StrEnum):
    """What became of an invitation."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


class InvitationRefused(PageError):  # noqa: N818  (an answer)
    """Nothing was sent or changed. ``retry_after`` is in seconds, where it may be tried again."""

    def __init__(self, fault: Fault, *, reason: str, status: int, retry_after: int | None = None) -> None:
        super().__init__(fault, reason=reason)
        self.status, self.retry_after = status, retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Whom to invite, as what."""

    email: str
    roles: Sequence[str] = ()
    places: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """An invitation that was sent, and its link: for the mail, and for an operator without mail; nobody else's."""

    invitation: Invitation
    url: str


def state(invitation: Invitation, now: Instant) -> State:
    """Return what became of it by now."""
    if invitation.accepted_at is not None:
        return State.ACCEPTED
    if invitation.revoked_at is not None:
        return State.REVOKED
    return State.EXPIRED if invitation.expires_at <= now else State.WAITING


def invite(tx: Transaction, tenant: Tenant, guest: Guest, actor: Actor, mailing: Mailing, *, now: Instant) -> Sent:
    """Invite somebody. Raises ``PeopleRefused``, ``InvitationRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    _require(tx, tenant, actor, {*guest.roles, *(place.role for place in guest.places)})
    email = mail_address(guest.email)
    if email is None:
        raise _invalid("an e-mail address that mail can go to is needed", field="email")
    _require_roles(tx, tenant, guest)
    member = accounts.user_by_email(tx, email)
    if member is not None and permissions.is_member(tx, tenant.id, member.id):
        raise _invalid(f"{email} is a member already", field="email")
    if stored.waiting_invitation(tx, tenant.id, email, now) is not None:
        words = f"{email} is invited already: send that invitation again, or take it back"
        raise _invalid(words, field="email")
    try:
        places = tuple(placements_of(tx, tenant, guest.places))
    except LookupError as unknown:
        raise _invalid(str(unknown)) from unknown
    invitation = Invitation(
        id=f"inv_{mailing.entropy(_ID_BYTES).hex()}",
        tenant_id=tenant.id,
        email=email,
        roles=tuple(dict.fromkeys(guest.roles)),
        places=places,
        invited_by=actor.user_id,
        created_at=now,
        sent_at=now,
        expires_at=_end(now),
    )
    stored.insert_invitation(tx, invitation)
    return _send(tx, tenant, invitation, actor, mailing, now=now)


def send_again(
    tx: Transaction, tenant: Tenant, invitation_id: str, actor: Actor, mailing: Mailing, *, now: Instant
) -> Sent:
    """Send a new link for an invitation that nobody accepted; the old one ends.

    It becomes the actor's: what it gives must be theirs to give. Raises ``PeopleRefused``, ``InvitationRefused``.
    """
    tx.lock_tenant(tenant.id, for_rights=True)
    invitation = _of_tenant(tx, tenant, invitation_id, actor)
    if not stored.send_invitation_again(tx, invitation_id, sent_at=now, expires_at=_end(now), invited_by=actor.user_id):
        raise _void(f"{invitation_id} is over")
    renewed = replace(invitation, sent_at=now, expires_at=_end(now), invited_by=actor.user_id)
    return _send(tx, tenant, renewed, actor, mailing, now=now)


def revoke(tx: Transaction, tenant: Tenant, invitation_id: str, actor: Actor, *, now: Instant) -> Invitation:
    """Take an invitation back; its link ends. Raises ``PeopleRefused``, and ``InvitationRefused`` where it is over."""
    tx.lock_tenant(tenant.id, for_rights=True)
    invitation = _of_tenant(tx, tenant, invitation_id, actor, giving=False)
    if not stored.revoke_invitation(tx, invitation_id, now):
        raise _void(f"{invitation_id} is over")
    stored_links.end_links_about(tx, invitation_id, KIND, now)
    _tell(tx, "invitation:revoked", invitation, actor, now=now)
    return invitation


def listed(reader: Reader, tenant: Tenant, actor: Actor) -> list[Invitation]:
    """Return the tenant's invitations, newest first, for whoever may look. Raises ``PeopleRefused``."""
    actor.authority(reader, tenant.id)
    return stored.invitations_of_tenant(reader, tenant.id)


def still_good(reader: Reader, invitation: Invitation, tenant: Tenant, now: Instant) -> None:
    """Raise ``LinkRefused`` unless it waits, and who invited may give all of it now."""
    if state(invitation, now) is not State.WAITING:
        raise LinkRefused(faults.INVITATION_VOID, reason=f"{invitation.id} is {state(invitation, now)}")
    try:
        _require(reader, tenant, Actor(user_id=invitation.invited_by, by="invitation", cause=None), _names(invitation))
    except PeopleRefused as lost:
        raise LinkRefused(faults.INVITATION_VOID, reason=f"{invitation.id}: {lost.reason}") from lost


def join(
    tx: Transaction, invitation: Invitation, tenant: Tenant, user: User, *, now: Instant, cause: Cause | None
) -> None:
    """Make somebody a member who has proven that the invitation's address is theirs. Raises ``LinkRefused``.

    The tenant is locked for rights; the caller has looked that the invitation is ``still_good``.
    """
    if user.email != invitation.email:
        raise LinkRefused(faults.LINK_OF_ANOTHER, reason=f"{invitation.id} is for another address", status=409)
    if permissions.is_member(tx, tenant.id, user.id):
        # Roles that somebody has must neither grow nor shrink by an old mail.
        raise LinkRefused(faults.INVITATION_VOID, reason=f"{user.id} is a member already", status=409)
    if not stored.accept_invitation(tx, invitation.id, now):
        raise LinkRefused(faults.INVITATION_VOID, reason=f"{invitation.id} is over")
    try:
        permissions.set_membership(tx, tenant.id, user.id, invitation.roles)
        permissions.set_placements(tx, tenant.id, user.id, invitation.places)
    except LookupError as gone:
        raise LinkRefused(faults.INVITATION_VOID, reason=f"{invitation.id}: {gone}") from gone
    stored_links.end_links_about(tx, invitation.id, KIND, now)
    detail = {"invitation": invitation.id, "roles": ", ".join(sorted(_names(invitation))) or "none"}
    for name, subject in (("invitation:accepted", invitation.id), ("membership:changed", user.id)):
        audit.record(
            tx, name=name, at=now, tenant_id=tenant.id, actor_id=user.id, subject=subject, detail=detail,
            cause=cause,
        )  # fmt: skip


def _send(
    tx: Transaction, tenant: Tenant, invitation: Invitation, actor: Actor, mailing: Mailing, *, now: Instant
) -> Sent:
    if actor.user_id is not None:
        _require_mail(tx, tenant, invitation, mailing, now)
    inviter = None if actor.user_id is None else accounts.user_by_id(tx, actor.user_id)
    wish = Wish(kind=KIND, email=invitation.email, subject=invitation.id)
    _, secret = mailing.send_link(
        tx, wish, INVITATION, now=now, tenant_id=tenant.id, tenant=cut(tenant.name),
        inviter="An administrator" if inviter is None else cut(inviter.name),
        roles=", ".join(sorted(_names(invitation))) or "a member",
    )  # fmt: skip
    _tell(tx, "invitation:sent", invitation, actor, now=now)
    return Sent(invitation, url_of(mailing.public_url, KIND, secret))


def _require_mail(tx: Transaction, tenant: Tenant, invitation: Invitation, mailing: Mailing, now: Instant) -> None:
    if not mailing.outbox.on:
        raise InvitationRefused(faults.MAIL_OFF, reason="mail.mode is off", status=409)
    asked = Asked(
        email=invitation.email, requester=f"tenant {tenant.id}", known_device=True, most=OF_TENANT, cause=None
    )  # fmt: skip
    wait = mailing.budgets.admit(tx, asked, invitation.email, now)
    if wait:
        raise InvitationRefused(faults.TOO_MANY_MAILS, reason="mail budget", status=429, retry_after=wait)


def _require(reader: Reader, tenant: Tenant, actor: Actor, names: set[str]) -> None:
    authority = actor.authority(reader, tenant.id)
    if authority is not None:
        require_may_give(reader, authority, tenant, frozenset(names))


def _require_roles(reader: Reader, tenant: Tenant, guest: Guest) -> None:
    known = {role.name for role in permissions.roles_of_tenant(reader, tenant.id)}
    if any(name not in known for name in (*guest.roles, *(place.role for place in guest.places))):
        raise _invalid(f"one of the roles is not known here: {', '.join(sorted(known))} are", field="roles")


def _of_tenant(reader: Reader, tenant: Tenant, invitation_id: str, actor: Actor, *, giving: bool = True) -> Invitation:
    invitation = stored.invitation_by_id(reader, invitation_id)
    _require(reader, tenant, actor, _names(invitation) if invitation is not None and giving else set())
    if invitation is None or invitation.tenant_id != tenant.id:
        # In the same words for another tenant's and for none (decision 0077.8).
        raise InvitationRefused(faults.INVITATION_UNKNOWN, reason="no such invitation", status=404)
    return invitation


def _names(invitation: Invitation) -> set[str]:
    return {*invitation.roles, *(place.role for place in invitation.places)}


def _end(now: Instant) -> Instant:
    return Instant(now + links.LIFETIMES[KIND] * SECOND)


def _tell(tx: Transaction, name: str, invitation: Invitation, actor: Actor, *, now: Instant) -> None:
    detail = {"by": actor.by, "to": invitation.email, "roles": ", ".join(sorted(_names(invitation))) or "none"}
    audit.record(
        tx, name=name, at=now, tenant_id=invitation.tenant_id, actor_id=actor.user_id, subject=invitation.id,
        detail=detail, cause=actor.cause,
    )  # fmt: skip


def _void(reason: str) -> InvitationRefused:
    return InvitationRefused(faults.INVITATION_VOID, reason=reason, status=409)


def _invalid(what: str, *, field: str = "") -> PeopleRefused:
    public = f"{what[:1].upper()}{what[1:]}."
    return PeopleRefused(faults.MEMBER_INVALID, reason="not to be invited", public=public, field=field)

"""Accepting an invitation: a new account whose address the mail has proven, or the account that has that address.

An account is made only here and by an operator's word, so that none carries an address that nobody has proven (H19).
"""

from dataclasses import dataclass
from functools import partial

from doorward import audit
from doorward.accounts import links, ways_in
from doorward.accounts.entering import PASSWORD, Entering, SignedIn
from doorward.accounts.invitations import KIND, join, still_good
from doorward.accounts.links import LinkRefused
from doorward.accounts.mailed import Mailing
from doorward.accounts.password_reset import checked_and_hashed
from doorward.accounts.passwords import PasswordPool
from doorward.accounts.sessions import Came, may_sign_in
from doorward.credentials.api_keys import is_plain_name
from doorward.model import Instant, Invitation, Link, Status, Tenant, User, UserId
from doorward.protocol import faults
from doorward.storage import accounts, invitations
from doorward.storage.database import Conflict, Reader, Transaction

_ID_BYTES = 16


class BadName(Exception):  # noqa: N818  (an answer)
    """The name may not be anybody's; the text says why, for the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An invitation that can be accepted."""

    link: Link
    invitation: Invitation
    tenant: Tenant
    account: User | None
    """Whose address it is; None: nobody's yet."""
    provider: str | None
    """The name of the provider that everybody with such an address signs in with."""


class Accepting:
    """The use case, with what it needs."""

    def __init__(self, *, mailing: Mailing, passwords: PasswordPool, entering: Entering) -> None:
        self._mailing, self._passwords, self._entering = mailing, passwords, entering

    async def look(self, secret: str, signed_in: User | None) -> Offer:
        """Return what a link offers, using nothing. Raises ``LinkRefused``."""
        now = self._mailing.now()
        offer = await self._mailing.database.read_long(lambda reader: self._offer(reader, secret, now))
        require_own(offer, signed_in)
        return offer

    async def as_new(
        self, secret: str, name: str, password: str, came: Came, *, signed_in: User | None
    ) -> SignedIn | None:
        """Make an account, let it into the tenant and sign it in; None where its people come through a provider.

        Such an account has no password: the provider is its first and only way in. Raises ``LinkRefused``, ``BadName``,
        ``WeakPassword``, ``Busy``.
        """
        offer = await self.look(secret, signed_in)
        _require_new(offer)
        if not is_plain_name(name):
            raise BadName("Write a name of 1 to 64 ordinary characters.")
        now = self._mailing.now()
        user = User(
            id=UserId(f"usr_{self._mailing.entropy(_ID_BYTES).hex()}"), email=offer.invitation.email, name=name.strip(),
            created_at=now,
        )  # fmt: skip
        hashed = None if offer.provider else await checked_and_hashed(self._passwords, password, user)
        work = partial(self._as_new, secret=secret, user=user, hashed=hashed, came=came, now=now)
        return await self._mailing.database.write(work)

    async def as_existing(self, secret: str, signed_in: User, came: Came) -> None:
        """Let the person who is signed in into the tenant. Raises ``LinkRefused``."""
        work = partial(self._as_existing, secret=secret, signed_in=signed_in, came=came, now=self._mailing.now())
        await self._mailing.database.write(work)

    def _as_new(
        self, tx: Transaction, *, secret: str, user: User, hashed: str | None, came: Came, now: Instant
    ) -> SignedIn | None:
        offer = self._locked(tx, secret, now)
        _require_new(offer)
        if (offer.provider is None) == (hashed is None):
            raise LinkRefused(faults.LINK_ENDED, reason="the way in of this domain changed at this moment", status=409)
        links.use(tx, offer.link, now)
        try:
            accounts.insert_user(tx, user, hashed)
        except Conflict as taken:
            raise LinkRefused(faults.LINK_ENDED, reason="the address got an account at this moment") from taken
        detail = {"by": f"invitation {offer.invitation.id}", "change": f"added {user.kind} {user.email}"}
        audit.record(
            tx, name="user:changed", at=now, tenant_id=offer.tenant.id, actor_id=user.id, subject=user.id, detail=detail,
            cause=came.cause,
        )  # fmt: skip
        join(tx, offer.invitation, offer.tenant, user, now=now, cause=came.cause)
        if hashed is None:
            return None
        begun = self._entering.begin(tx, user.id, came, means=PASSWORD, now=now)
        if begun is None:
            raise LinkRefused(faults.ACCOUNT_CLOSED, reason="no session for a new account", status=403)
        return begun

    def _as_existing(self, tx: Transaction, *, secret: str, signed_in: User, came: Came, now: Instant) -> None:
        offer = self._locked(tx, secret, now)
        user = accounts.held_user(tx, signed_in.id)
        if user is None or offer.account is None or offer.account.id != user.id or not may_sign_in(user):
            raise LinkRefused(faults.LINK_OF_ANOTHER, reason="another account than is signed in", status=409)
        links.use(tx, offer.link, now)
        join(tx, offer.invitation, offer.tenant, user, now=now, cause=came.cause)

    def _locked(self, tx: Transaction, secret: str, now: Instant) -> Offer:
        found = self._offer(tx, secret, now)
        # Read again: who invited may lose the right to at this moment.
        return self._offer(tx, secret, now) if tx.lock_tenant(found.tenant.id, for_rights=True) else found

    def _offer(self, reader: Reader, secret: str, now: Instant) -> Offer:
        link = links.find(reader, secret, KIND, fingerprinter=self._mailing.fingerprinter, now=now)
        invitation = invitations.invitation_by_id(reader, link.subject)
        tenant = None if invitation is None else accounts.tenant_by_id(reader, invitation.tenant_id)
        if invitation is None or tenant is None or tenant.status is not Status.ACTIVE or invitation.email != link.email:
            raise LinkRefused(faults.INVITATION_VOID, reason=f"{link.id}: no such invitation or tenant")
        still_good(reader, invitation, tenant, now)
        account = accounts.user_by_email(reader, invitation.email)
        if account is not None and not may_sign_in(account):
            raise LinkRefused(faults.ACCOUNT_CLOSED, reason=f"{link.id}: not allowed to sign in", status=403)
        provider = ways_in.provider_of(reader, invitation.email)
        return Offer(
            link=link, invitation=invitation, tenant=tenant, account=account,
            provider=None if provider is None else provider.name,
        )  # fmt: skip


def require_own(offer: Offer, signed_in: User | None) -> None:
    """Raise ``LinkRefused`` where somebody else than the invitation is for is signed in."""
    if signed_in is not None and signed_in.email != offer.invitation.email:
        raise LinkRefused(faults.LINK_OF_ANOTHER, reason=f"{offer.link.id} is for another address", status=409)


def _require_new(offer: Offer) -> None:
    if offer.account is not None:
        raise LinkRefused(faults.LINK_ENDED, reason="the address has an account: sign in with it", status=409)

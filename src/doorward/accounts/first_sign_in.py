"""Whose identity this is: the subject's own user, or whose it becomes the first time (security H18, H19).

A mail address never makes anybody somebody. The first time counts only an address that its provider has proven, and then:
a user who has no other credential (an administrator wrote the address down, nobody has used it) or whose domain has to
come through this provider is connected, and whatever else let somebody in there is dropped; whoever has credentials of their
own signs in with them and connects the provider themselves; and whoever is unknown becomes a member where they are invited,
or where a tenant that has proven the domain wants that. Everybody else is nobody.
"""

from dataclasses import dataclass, replace

from doorward import audit
from doorward.accounts import arriving, ways_in
from doorward.accounts.holdings import TAKEN_BY_PROVIDER, taken_over
from doorward.accounts.sessions import may_sign_in
from doorward.federation.vouching import Vouched
from doorward.model import Cause, Entropy, Identity, IdentityProvider, Instant, MailDomain, TenantId, User, UserId
from doorward.protocol.mail_domain import domain_of
from doorward.storage import accounts, identities, leaving, mail_domains, passkeys, permissions
from doorward.storage.database import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Nobody:
    """Not let in. ``why`` is private: whether somebody has the address is not told."""

    why: str


def whose(
    tx: Transaction, provider: IdentityProvider, vouched: Vouched, *, now: Instant, entropy: Entropy,
    cause: Cause | None,
) -> UserId | Nobody:  # fmt: skip
    """Return whose session may begin, after connecting or making the user where that is due.

    Raises ``Conflict`` where somebody else did the same at this moment: then it is asked again.
    """
    proven = vouched.email if vouched.email_proven else None
    if proven is not None:
        # Before anybody's row is held: whoever changes rights holds the tenant first.
        arriving.lock(tx, _tenants(tx, provider, vouched, proven, now))
    found = _found(tx, provider, vouched, now=now, entropy=entropy, cause=cause)
    if proven is not None and not isinstance(found, Nobody):
        user = accounts.user_by_id(tx, found)
        if user is not None and user.email == proven and may_sign_in(user):
            arriving.accept_for_nobodys(tx, user, provider, now=now, cause=cause)
    return found


def _found(
    tx: Transaction, provider: IdentityProvider, vouched: Vouched, *, now: Instant, entropy: Entropy,
    cause: Cause | None,
) -> UserId | Nobody:  # fmt: skip
    known = identities.identity(tx, vouched.issuer, vouched.subject)
    if known is not None:
        seen = replace(known, provider_id=provider.id, email=vouched.email, last_used_at=now)
        return known.user_id if identities.seen_again(tx, seen) else Nobody("disconnected meanwhile")
    if vouched.email is None or not vouched.email_proven:
        return Nobody("unknown, and no address that this provider has proven")
    user = accounts.user_by_email(tx, vouched.email)
    if user is not None:
        return _connected(tx, provider, vouched, user, now, cause)
    return _joined(tx, provider, vouched, vouched.email, now=now, entropy=entropy, cause=cause)


def connect(
    tx: Transaction, provider: IdentityProvider, vouched: Vouched, user_id: UserId, *, now: Instant, cause: Cause | None
) -> None:
    """Tie the identity to a user. Raises ``Conflict`` where it is somebody's already."""
    tied = Identity(
        issuer=vouched.issuer, subject=vouched.subject, user_id=user_id, provider_id=provider.id, email=vouched.email,
        created_at=now, last_used_at=now,
    )  # fmt: skip
    identities.insert_identity(tx, tied)
    audit.record(
        tx, name="identity:connected", at=now, actor_id=user_id, subject=user_id,
        detail={"provider": provider.slug, "issuer": vouched.issuer}, cause=cause,
    )  # fmt: skip


def _connected(
    tx: Transaction, provider: IdentityProvider, vouched: Vouched, user: User, now: Instant, cause: Cause | None
) -> UserId | Nobody:  # fmt: skip
    held = accounts.held_user(tx, user.id)
    if held is None or held.email != vouched.email or not may_sign_in(held):
        return Nobody("may not sign in")
    known = identities.identity(tx, vouched.issuer, vouched.subject)
    if known is not None:
        # They came twice at once, and the other one was first.
        return known.user_id
    if has_credentials(tx, held.id):
        ruled = ways_in.provider_of(tx, held.email)
        if ruled is None or ruled.id != provider.id or ways_in.why_not(tx, held, "password") is None:
            return Nobody("has credentials of their own, which have to come first")
        if any(each.issuer == vouched.issuer for each in identities.identities_of_user(tx, held.id)):
            # H18: the address counted once. Now it may be that of somebody who came after.
            return Nobody("known there as another subject")
        # H19: somebody may have put it there who never had the address. It opens nothing any more in any case.
        # Nor may it open anything again when the domain's rule ends some day. What they made call for them goes too.
        accounts.drop_password(tx, held.id)
        leaving.forget_passkeys(tx, held.id)
        leaving.forget_identities(tx, held.id)
        taken_over(tx, held.id, now=now, reason=TAKEN_BY_PROVIDER, cause=cause)
    connect(tx, provider, vouched, held.id, now=now, cause=cause)
    return held.id


def _joined(  # noqa: PLR0913  (whose address, through whom, and what an account is made of)
    tx: Transaction, provider: IdentityProvider, vouched: Vouched, email: str, *, now: Instant, entropy: Entropy,
    cause: Cause | None,
) -> UserId | Nobody:  # fmt: skip
    """Make whoever is unknown a member of the tenants that wait for them. Those are locked."""
    invited = arriving.waiting(tx, provider, email, now)
    place = _place(tx, provider, email)
    if place is None and not invited:
        return Nobody("no account, no invitation, and nobody has said that the domain's people may join")
    user = User(id=UserId(f"usr_{entropy(16).hex()}"), email=email, name=vouched.name, created_at=now)
    accounts.insert_user(tx, user, None)
    arriving.accept(tx, user, invited, now=now, cause=cause)
    if place is not None and not permissions.is_member(tx, place[0].tenant_id, user.id):
        # Invited there, they are what the invitation says.
        domain, role = place
        permissions.set_membership(tx, domain.tenant_id, user.id, (role,))
        audit.record(
            tx, name="user:joined", at=now, tenant_id=domain.tenant_id, actor_id=user.id, subject=user.id,
            detail={"provider": provider.slug, "domain": domain.domain, "role": role}, cause=cause,
        )  # fmt: skip
    connect(tx, provider, vouched, user.id, now=now, cause=cause)
    return user.id


def _tenants(
    reader: Reader, provider: IdentityProvider, vouched: Vouched, email: str, now: Instant
) -> list[TenantId]:  # fmt: skip
    """Return the tenants in which rights may change when somebody with this address signs in."""
    found = [tenant.id for _, tenant in arriving.waiting(reader, provider, email, now)]
    if identities.identity(reader, vouched.issuer, vouched.subject) is not None:
        return found
    user, domain = accounts.user_by_email(reader, email), _domain(reader, provider, email)
    if user is not None:
        return [*found, *(tenant.id for tenant, _ in accounts.memberships_of_user(reader, user.id))]
    return found if domain is None else [*found, domain.tenant_id]


def _place(reader: Reader, provider: IdentityProvider, email: str) -> tuple[MailDomain, str] | None:
    """Return the domain whose people may join, and as what; None where its tenant has no such role any more."""
    found = _domain(reader, provider, email)
    if found is None or found.join_role is None:
        return None
    roles = [role.name for role in permissions.roles_of_tenant(reader, found.tenant_id)]
    return (found, found.join_role) if found.join_role in roles else None


def _domain(reader: Reader, provider: IdentityProvider, email: str) -> MailDomain | None:
    """Return the proven domain whose people may join through this provider, if its tenant is there."""
    name = domain_of(email)
    found = None if name is None else mail_domains.proven_domain(reader, name)
    if found is None or found.join_role is None or found.provider_id not in (None, provider.id):
        return None
    return found if ways_in.is_open(reader, found.tenant_id, provider) else None


def has_credentials(reader: Reader, user_id: UserId) -> bool:
    """Say whether somebody could sign in as this user by something of their own."""
    return (
        accounts.password_hash(reader, user_id) is not None
        or bool(identities.identities_of_user(reader, user_id))
        or bool(passkeys.passkeys_of_user(reader, user_id))
    )

"""Invitations that wait for somebody who comes through an identity provider (decision 0074).

The mail of an invitation proves that its address is somebody's; so does a provider that speaks for the address's domain
and says that it is verified. Whoever belongs nowhere yet and comes so has come for the invitation, and accepts it by
signing in. Whoever is a member somewhere is not put anywhere else unasked: they accept by the link, on its page.
"""

from collections.abc import Iterable, Sequence

from doorward.accounts import ways_in
from doorward.accounts.invitations import join, still_good
from doorward.accounts.links import LinkRefused
from doorward.model import Cause, IdentityProvider, Instant, Invitation, Tenant, TenantId, User
from doorward.storage import accounts, invitations, permissions
from doorward.storage.database import Reader, Transaction


def waiting(
    reader: Reader, provider: IdentityProvider, email: str, now: Instant
) -> Sequence[tuple[Invitation, Tenant]]:  # fmt: skip
    """Return the invitations of a proven address that hold, each with its tenant, which takes people through ``provider``."""
    found = ((each, _open(reader, each, provider)) for each in invitations.invitations_for(reader, email, now))
    return [(each, tenant) for each, tenant in found if tenant is not None and _holds(reader, each, tenant, now)]


def lock(tx: Transaction, tenants: Iterable[TenantId]) -> None:
    """Hold the tenants for a change of rights, always in the same order: nobody waits for somebody who waits for them."""
    for tenant_id in sorted(set(tenants)):
        tx.lock_tenant(tenant_id, for_rights=True)


def accept(
    tx: Transaction, user: User, invited: Iterable[tuple[Invitation, Tenant]], *, now: Instant, cause: Cause | None
) -> None:  # fmt: skip
    """Make ``user``, whose address is proven, a member by each of these. Their tenants are locked, and they were looked up since."""
    for invitation, tenant in invited:
        join(tx, invitation, tenant, user, now=now, cause=cause)


def accept_for_nobodys(
    tx: Transaction, user: User, provider: IdentityProvider, *, now: Instant, cause: Cause | None
) -> None:  # fmt: skip
    """Accept what waits for a user who belongs to no tenant. Their tenants are locked."""
    if not accounts.memberships_of_user(tx, user.id):
        accept(tx, user, waiting(tx, provider, user.email, now), now=now, cause=cause)


def _open(reader: Reader, invitation: Invitation, provider: IdentityProvider) -> Tenant | None:
    if not ways_in.is_open(reader, invitation.tenant_id, provider):
        return None
    return accounts.tenant_by_id(reader, invitation.tenant_id)


def _holds(reader: Reader, invitation: Invitation, tenant: Tenant, now: Instant) -> bool:
    """Say whether it can be accepted, and all that it gives is still there: a sign-in must not fail for it."""
    try:
        still_good(reader, invitation, tenant, now)
    except LinkRefused:
        return False
    roles = {role.name for role in permissions.roles_of_tenant(reader, tenant.id)}
    nodes = {node.id for node in permissions.resources_of_tenant(reader, tenant.id)} if invitation.places else set()
    named = {*invitation.roles, *(place.role for place in invitation.places)}
    return named <= roles and {place.resource_id for place in invitation.places} <= nodes

"""What a person may choose among on the consent page: tenants, and in each what could be granted (B10 to B12, B17).

A client that asks for more than it has is shown the whole of what it would have then: what it has, and what is new. What
it has is told by its earlier connections on the same device, which means: approved in the same browser.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doorward.accounts import ways_in
from doorward.authserver import standing
from doorward.authserver.authorize import SignedIn
from doorward.authserver.envelope import Pending
from doorward.model import Client, Connection, Fingerprint, Permission, Tenant, User
from doorward.policy.permission import expand
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.scope import OFFLINE_ACCESS, OIDC_SCOPES
from doorward.storage import connections, permissions, servers
from doorward.storage.database import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A tenant that may be chosen.

    ``shown`` is all that the page lists for it, in that order; ``allowed`` is what of it could be granted; ``held`` is
    what the client has there already.
    """

    tenant: Tenant
    roles: tuple[str, ...]
    shown: tuple[str, ...]
    allowed: frozenset[str]
    held: frozenset[Permission]


def choices(
    reader: Reader, pending: Pending, here: SignedIn, client: Client, endpoint: Endpoint, browser: Fingerprint | None
) -> list[Choice]:
    """Return the tenants in which whoever is signed in can use ``endpoint``, by the way that they came."""
    found = []
    session, user = here
    if client.owner_id not in {None, user.id}:
        return []
    for tenant, membership in ways_in.open_memberships(reader, session):
        pinned_elsewhere = endpoint.tenant_slug not in (None, tenant.slug) or client.tenant_id not in (None, tenant.id)
        if pinned_elsewhere or not servers.enabled(reader, tenant.id, endpoint.server_id):
            continue
        held = _held(earlier(reader, pending, user, client, tenant, endpoint, browser))
        shown = _whole(reader, pending.scopes, held, client)
        allowed = grantable(reader, shown, user, client, tenant)
        found.append(Choice(tenant=tenant, roles=membership.roles, shown=shown, allowed=allowed, held=held))
    return found


def grantable(
    reader: Reader, shown: Sequence[str], user: User, client: Client, tenant: Tenant
) -> frozenset[str]:  # fmt: skip
    """Return what of ``shown`` the person may do in ``tenant`` now, within the client's limit."""
    patterns = permissions.permissions_anywhere(reader, tenant.id, user.id)
    asked = frozenset(Permission(each) for each in shown if each not in OIDC_SCOPES)
    allowed: frozenset[str] = standing.within_limit(expand(patterns, asked), client)
    # No role gives or takes these: they are the person's own.
    return allowed | (OIDC_SCOPES & set(shown))


def earlier(  # noqa: PLR0913, PLR0917
    reader: Reader,
    pending: Pending,
    user: User,
    client: Client,
    tenant: Tenant,
    endpoint: Endpoint,
    browser: Fingerprint | None,
) -> list[Connection]:
    """Return the client's living connections of this user, tenant and server URL on the device at hand.

    A device is told by the browser in which the person said yes. Many installations share one client id, so without
    that they would be taken for each other: where the browser is not known, there is no earlier connection.
    """
    if browser is None:
        return []
    return [
        each
        for each in connections.connections_on_device(reader, user.id, client.id, browser)
        if (each.tenant_id, each.resource) == (tenant.id, endpoint.url)
        and each.activated_at is not None
        # The moment of the request is near enough: a connection lives for months.
        and standing.why_ended(each, pending.issued_at) is None
    ]


def _held(connected: Iterable[Connection]) -> frozenset[Permission]:
    return frozenset(scope for connection in connected for scope in connection.scopes)


def _whole(reader: Reader, asked: tuple[str, ...], held: frozenset[Permission], client: Client) -> tuple[str, ...]:
    """Return what the page lists: what is asked and, if that is more than the client has, what it has as well."""
    away = (OFFLINE_ACCESS,) if OFFLINE_ACCESS in asked else ()
    asked = tuple(each for each in asked if each != OFFLINE_ACCESS)
    if not held or set(asked) - OIDC_SCOPES <= held:
        return (*asked, *away)
    known = standing.within_limit(frozenset(entry.permission for entry in permissions.catalogue(reader)), client)
    return (*asked, *sorted((held & known) - set(asked)), *away)

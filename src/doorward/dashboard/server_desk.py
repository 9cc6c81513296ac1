"""What the pages of servers and tools have in common: who is there, in which tenant, and what they work with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from doorward.accounts.actors import Actor
from doorward.accounts.insiders import Insiders
from doorward.dashboard import tenant_desk
from doorward.dashboard.signed_in import SignedIn
from doorward.gateway.testing import Told
from doorward.gateway.trying import Trying
from doorward.model import Entropy, Instant, Server, Session, Tenant, TenantId, User
from doorward.protocol import faults
from doorward.rights import MANAGE_SERVERS
from doorward.storage import servers
from doorward.storage.database import Database, Reader, Transaction
from doorward.vault import Sealer
from doorward.web import causes
from doorward.web.budgets import MinuteBudget
from doorward.web.pages import Pages
from doorward.web.refused import Refused
from doorward.web.requester import Requester

PATH = "/settings/servers"
ONE = "/settings/server/{server}"


class TenantLike(Protocol):
    """Whoever belongs to a tenant, as an identity token names it."""

    @property
    def tenant_id(self) -> TenantId:
        """Its id."""

    @property
    def tenant_slug(self) -> str:
        """Its slug."""

    @property
    def tenant_name(self) -> str:
        """Its name."""


@dataclass(frozen=True, slots=True)
class Belongs:
    """See ``TenantLike``."""

    tenant_id: TenantId
    tenant_slug: str
    tenant_name: str


Test = Callable[[Server, TenantLike, str | None], Awaitable[Told]]
"""``test(server, tenant, secret)``: a credential that is typed and not kept yet, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The ``tenant`` shown, and all in which this person looks after servers."""

    tenant: Tenant
    tenants: Sequence[Tenant]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDesk:
    """``resting(server)``: connections to it fail. ``tests`` bounds how often a tenant tests one."""

    pages: Pages
    signed_in: SignedIn
    database: Database
    requester: Requester
    sealer: Sealer
    entropy: Entropy
    now: Callable[[], Instant]
    public_url: str
    allowed: bool
    resting: Callable[[Server], bool]
    test: Test
    look: Callable[[Server, TenantLike], Awaitable[None]]
    """Has the gateway look at what a server offers, and waits for it."""
    tests: MinuteBudget
    insiders: Insiders
    trying: Trying

    def actor(self, tx: Transaction, request: Request, slug: str) -> tuple[Tenant, Actor]:
        """Return who acts, where, in the transaction that writes. Raises ``Refused``."""
        here = self.signed_in.require_in(tx, request)
        place = self.place(tx, here, slug)
        return place.tenant, Actor(user_id=here[1].id, by="page", cause=causes.of(request))

    @staticmethod
    def place(reader: Reader, here: tuple[Session, User], slug: str) -> Place:
        """Return the tenant of this slug, or the first in which this person may. Raises ``Refused``."""
        found, tenants = tenant_desk.place(reader, here, slug, (MANAGE_SERVERS,))
        return Place(tenant=found, tenants=tenants)


def server_here(reader: Reader, tenant: Tenant, slug: str) -> Server:
    """Return a server that the tenant has. Raises ``Refused``: a foreign one and a missing one are alike (M1)."""
    server = servers.server_by_slug(reader, slug)
    if server is None or server.id not in servers.servers_of_tenant(reader, tenant.id):
        raise Refused(faults.SERVER_NOT_HERE, status=404, reason=f"no server {slug[:80]!r} in {tenant.slug}")
    return server

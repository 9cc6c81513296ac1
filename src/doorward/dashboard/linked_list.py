"""A person's linked accounts as the pages show them, and where they could link one."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from doorward.gateway.upstream_oauth.linking import linkable
from doorward.model import Server, Tenant, UpstreamGrant, User
from doorward.storage import accounts, servers, upstream_grants
from doorward.storage.database import Reader


@dataclass(frozen=True, slots=True)
class Linkable:
    """A server at which the person may link an account for a tenant, and the one that is linked."""

    server: Server
    tenant: Tenant
    grant: UpstreamGrant | None

    @property
    def host(self) -> str:
        """Where the server is: what tells it from another one of the same name."""
        return urlsplit(self.server.upstream).netloc

    @property
    def kept_by(self) -> str:
        """Whose account it is, as a host."""
        return "" if self.grant is None else urlsplit(self.grant.issuer).netloc

    @property
    def ended(self) -> bool:
        """Whether the account has to be linked again: it was rejected, or linked for another declaration."""
        grant = self.grant
        return grant is not None and (grant.rejected_at is not None or grant.upstream != self.server.upstream)


def listed(reader: Reader, user: User) -> Sequence[Linkable]:
    """Return what the person linked, and what they may link: linked ones first, each part by name of the server.

    An account at a server that is not offered any more is listed as well: it can still be unlinked.
    """
    offered = {(server.id, tenant.id): (server, tenant) for server, tenant in linkable(reader, user)}
    grants = {(grant.server_id, grant.tenant_id): grant for grant in upstream_grants.grants_of_user(reader, user.id)}
    by_id = {server.id: server for server in servers.all_servers(reader)} if grants.keys() - offered.keys() else {}
    for server_id, tenant_id in grants:
        tenant = accounts.tenant_by_id(reader, tenant_id)
        if tenant is not None and server_id in by_id:
            offered.setdefault((server_id, tenant_id), (by_id[server_id], tenant))
    rows = [Linkable(server, tenant, grants.get(key)) for key, (server, tenant) in offered.items()]
    return sorted(rows, key=lambda row: (row.grant is None, row.server.name, row.tenant.name))


def one(reader: Reader, user: User, tenant_slug: str, server_slug: str) -> Linkable | None:
    """Return a linked account of this person; None for a foreign one as for one that does not exist (M1)."""
    mine = (row for row in listed(reader, user) if row.grant is not None)
    return next((row for row in mine if row.tenant.slug == tenant_slug and row.server.slug == server_slug), None)


def shows(reader: Reader, user: User) -> bool:
    """Say whether there is anything to show: most deployments have no such server."""
    return bool(listed(reader, user))

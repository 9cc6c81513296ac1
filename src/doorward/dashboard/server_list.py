"""What the pages show of servers: read once, in words for people; never a credential."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from doorward.model import AuthKind, Instant, Server, Status, Tenant, ToolState, User
from doorward.policy.vetting import standing
from doorward.protocol.endpoints import Endpoints
from doorward.provisioning.own_servers import secret_name
from doorward.provisioning.sightings import in_words
from doorward.rights import MANAGE_SERVERS, may
from doorward.storage import accounts, known_tools, servers, sightings, upstream_secrets
from doorward.storage.database import Reader
from doorward.storage.sightings import LastSeen

AUTH_WORDS = {
    None: "our identity token",
    AuthKind.NONE: "nothing",
    AuthKind.BEARER: "a bearer credential that is kept here",
    AuthKind.HEADER: "a credential in a header that is kept here",
    AuthKind.OAUTH: "each person's own account there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """One server of a tenant. ``address`` holds no credential and no arguments of a command."""

    server: Server
    own: bool
    url: str | None
    """The tenant's own URL of it."""
    address: str
    auth: str
    secret_since: Instant | None
    seen: LastSeen | None
    says: str
    resting: bool
    tools: int
    held: int
    """Tools that wait for a review."""

    @property
    def disabled(self) -> bool:
        """Whether nobody can call it for now."""
        return self.server.status is Status.DISABLED


def rows(reader: Reader, tenant: Tenant, *, public_url: str, resting: Callable[[Server], bool]) -> list[ServerRow]:
    """Return the tenant's servers: its own first, each part by name."""
    enabled = servers.servers_of_tenant(reader, tenant.id)
    found = [server for server in servers.all_servers(reader) if server.id in enabled]
    made = [row(reader, tenant, server, public_url=public_url, resting=resting) for server in found]
    return sorted(made, key=lambda each: (not each.own, each.server.name.casefold()))


def row(
    reader: Reader, tenant: Tenant, server: Server, *, public_url: str, resting: Callable[[Server], bool]
) -> ServerRow:
    """Return what is shown of one."""
    seen = sightings.last_seen(reader, server.id)
    newest = {tool.name: tool for tool in known_tools.known_of_server(reader, server.id)}  # The last of a name is.
    states = [standing(server, name, tool.digest) for name, tool in newest.items()]
    endpoint = Endpoints(public_url=public_url, servers=[server]).of_tenant(server, tenant.slug)
    kept = {each.name: each.changed_at for each in upstream_secrets.secrets(reader)}
    return ServerRow(
        server=server,
        own=server.tenant_id == tenant.id,
        url=None if endpoint is None else endpoint.url,
        address=_address(server, own=server.tenant_id == tenant.id),
        auth="its environment"
        if server.stdio is not None
        else AUTH_WORDS[None if server.auth is None else server.auth.kind],
        secret_since=kept.get(secret_name(server) or "") if server.tenant_id == tenant.id else None,
        seen=seen,
        says="" if seen is None else in_words(seen.sighting),
        resting=server.status is Status.ACTIVE and resting(server),
        tools=len(newest),
        held=states.count(ToolState.HELD),
    )


def managers(reader: Reader, tenant: Tenant) -> Sequence[User]:
    """Return who may look after the tenant's servers."""
    members = (user for user, _ in accounts.members_of_tenant(reader, tenant.id))
    return [user for user in members if may(reader, tenant.id, user.id, MANAGE_SERVERS)]


def _address(server: Server, *, own: bool) -> str:
    if server.stdio is not None:
        return "a command on the operator's machine"
    if own:
        return server.upstream
    # A path or query of the operator's may be a secret of its own.
    parts = urlsplit(server.upstream)
    return f"{parts.scheme}://{parts.netloc}"

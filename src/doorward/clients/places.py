"""Which URLs a tenant's people give to their clients."""

from collections.abc import Sequence

from doorward.model import Tenant
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.storage import servers
from doorward.storage.database import Reader


def endpoints_of(reader: Reader, tenant: Tenant, public_url: str) -> Sequence[Endpoint]:
    """Return the tenant's own URL of each server that it has, by slug; those that it added itself come last."""
    known = sorted(servers.servers(reader), key=lambda server: server.tenant_id is not None)
    enabled = servers.servers_of_tenant(reader, tenant.id)
    endpoints = Endpoints(public_url=public_url, servers=known)
    found = (endpoints.of_tenant(server, tenant.slug) for server in known if server.id in enabled)
    return [endpoint for endpoint in found if endpoint is not None]


def short_form(endpoint: Endpoint, public_url: str) -> str | None:
    """Return the server's other URL, at which the tenant is picked while approving; None where it has none."""
    if endpoint.server.tenant_id is not None:
        return None
    path = next((template for template in endpoint.server.paths if "{tenant}" not in template), None)
    return None if path is None or endpoint.tenant_slug is None else public_url + path

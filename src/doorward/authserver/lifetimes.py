"""How long an access token lives (feature B14).

Said for the client or for the tenant: the shorter of what is said counts, so that a client may be given more than the
deployment's default and a tenant can always bound it. Where neither is said, the deployment's default.
"""

from typing import Final

from doorward.model import ClientId, TenantId
from doorward.storage import clients
from doorward.storage.database import Reader

LONGEST: Final = 30 * 86_400


def access_ttl(
    reader: Reader, client_id: ClientId, tenant_id: TenantId, *, default: int, most: int = LONGEST
) -> int:  # fmt: skip
    """Return the lifetime in seconds. ``most`` is how long the key that signs it is known afterwards."""
    return min(most, min(clients.access_ttls(reader, client_id, tenant_id), default=default))

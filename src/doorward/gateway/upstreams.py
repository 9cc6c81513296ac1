"""The upstreams of the operator and those of tenants, each over a pool of its own: only the latter are judged (L19)."""

from typing_extensions import override

from doorward.gateway.http_pool import HttpPool, target
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.upstream import Upstream
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.gateway.upstream_oauth.calls import Accounts
from doorward.model import Server


class Upstreams(Upstream):
    """Looks like an ``Upstream``. A connection, or a circuit breaker, of one kind is never the other's."""

    def __init__(
        self,
        pool: HttpPool,
        judged: HttpPool,
        stdio: StdioServers,
        auth: UpstreamAuth,
        accounts: Accounts | None = None,
    ) -> None:
        super().__init__(pool, stdio, auth, accounts)
        self._judged = judged

    @override
    def pool(self, server: Server) -> HttpPool:
        """See ``Upstream``."""
        return self._pool if server.tenant_id is None else self._judged

    def resting(self, server: Server) -> bool:
        """Say whether a server at a URL could not be connected to several times in a row, seen from this node."""
        pool = self.pool(server)
        try:
            return server.stdio is None and pool.resting(target(server.upstream))
        except ValueError:
            return False

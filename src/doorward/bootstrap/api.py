"""The management API."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.api.call import Parts
from doorward.api.callers import Callers
from doorward.api.frame import Frame
from doorward.api.keys import KeyDoor
from doorward.api.leaks import LeaksApi
from doorward.api.table import ROUTES
from doorward.authserver.routes import AuthServer
from doorward.bootstrap.approvals import approval_terms
from doorward.bootstrap.domains import text_lookup
from doorward.bootstrap.keys import leak_secrets
from doorward.bootstrap.mail import outbox_of
from doorward.bootstrap.mailed import mailing_of
from doorward.bootstrap.shared import Shared
from doorward.clients import profiles


def api(shared: Shared, authserver: AuthServer) -> Sequence[Route]:
    """Return the routes of the API."""
    core = shared.core
    leaks = LeaksApi(
        database=core.database,
        secrets=leak_secrets(core.settings),
        fingerprinter=core.fingerprinter,
        prefix=core.settings.api_keys.prefix,
        outbox=outbox_of(core),
        public_url=core.settings.public_url,
        now=core.now,
    )
    return [*Frame(_parts(shared, authserver), _callers(shared)).routes(ROUTES), *leaks.routes()]


def _parts(shared: Shared, authserver: AuthServer) -> Parts:
    core = shared.core
    return Parts(
        database=core.database,
        now=core.now,
        entropy=core.entropy,
        fingerprinter=core.fingerprinter,
        sealer=core.sealer,
        key_prefix=core.settings.api_keys.prefix,
        public_url=core.settings.public_url,
        terms=approval_terms(core),
        mailing=mailing_of(core),
        directory=authserver.directory,
        vendor_schemes=profiles.vendor_schemes(),
        lookup=text_lookup(core),
        own_servers=core.settings.own_servers.allowed,
    )


def _callers(shared: Shared) -> Callers:
    core = shared.core
    return Callers(
        authenticate=KeyDoor(
            door=shared.door, requester=shared.requester, touch=shared.credential_uses.touch, now=core.now
        ),
        cookies=shared.cookies,
        fingerprinter=core.fingerprinter,
        public_url=core.settings.public_url,
        recent_seconds=core.settings.tokens.recent,
        used=shared.sessions.used,
    )

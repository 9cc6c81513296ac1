"""People's own accounts at servers behind the gateway."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from doorward.bootstrap.core import Core
from doorward.credentials import upstream_secrets
from doorward.gateway.upstream_oauth.asking import Asking
from doorward.gateway.upstream_oauth.calls import Accounts
from doorward.gateway.upstream_oauth.exchange import Exchange
from doorward.gateway.upstream_oauth.grants import Grants
from doorward.gateway.upstream_oauth.linking import Linking
from doorward.gateway.upstream_oauth.own_clients import OwnClients
from doorward.gateway.upstream_oauth.secrets import ClientSecrets
from doorward.gateway.upstream_oauth.tokens import Safe
from doorward.web.fetch import Fetcher

PER_MINUTE: Final = 3000
"""Questions to authorization servers: many people, few servers, all of them behind what the operator declared."""


@dataclass(frozen=True, slots=True)
class Linked:
    """What links accounts, and what calls with them."""

    linking: Linking
    accounts: Accounts


def asking_of(core: Core) -> Asking:
    """Return what asks authorization servers of others."""
    allow = core.settings.linked_accounts.allow_loopback
    return Asking(Fetcher(now=core.now, allow_loopback=allow, per_minute=PER_MINUTE))


def linked(core: Core) -> Linked:
    """Return both over one fetcher."""
    asking = asking_of(core)
    safe = Safe(core.sealer, core.entropy)
    secrets = ClientSecrets(core.database, partial(upstream_secrets.unseal, sealer=core.sealer))
    grants = Grants(
        database=core.database, exchange=Exchange(asking), secrets=secrets, safe=safe, now=core.now,
        entropy=core.entropy,
    )  # fmt: skip
    public_url = core.settings.public_url
    linking = Linking(
        database=core.database,
        asking=asking,
        own_clients=OwnClients(asking=asking, database=core.database, safe=safe, public_url=public_url, now=core.now),
        secrets=secrets,
        safe=safe,
        fingerprinter=core.fingerprinter,
        public_url=public_url,
        now=core.now,
        entropy=core.entropy,
    )
    return Linked(linking, Accounts(grants, core.database))

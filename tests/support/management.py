"""The management API over whatever a test has of the program."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from starlette.routing import Route

from doorward.accounts.asking import Budgets
from doorward.accounts.mailed import Mailing
from doorward.accounts.sessions import SessionUses
from doorward.api.call import Parts
from doorward.api.callers import Callers
from doorward.api.frame import Frame
from doorward.api.table import ROUTES
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.authenticate import Door
from doorward.credentials.secret import Fingerprinter
from doorward.gateway.approvals.asking import Terms
from doorward.mail.outbox import Outbox
from doorward.model import Instant
from doorward.storage.database import Database
from doorward.vault import Sealer
from doorward.web.cookies import Cookies
from doorward.web.dns_lookup import TextLookup
from support.pages import FINGERPRINTER, PUBLIC_URL, TERMS
from support.signing import key_ring

SEALER = Sealer(b"s" * 32)


async def management(
    database: Database, now: Callable[[], Instant], *, fingerprinter: Fingerprinter = FINGERPRINTER,
    authenticate: Any = None, mailing: Mailing | None = None, terms: Terms = TERMS, public_url: str = PUBLIC_URL,
    name_servers: Callable[[], Sequence[tuple[str, int]]] = tuple,
) -> list[Route]:  # fmt: skip
    """Return the routes of the API, as ``bootstrap`` makes them, for API keys with the prefix ``dw``."""
    ring = await key_ring(database, SEALER, now)
    door = Door(issuer=public_url, keys=ring.look, fingerprinter=fingerprinter, prefix="dw")
    parts = Parts(
        database=database, now=now, entropy=os.urandom, fingerprinter=fingerprinter, sealer=SEALER, key_prefix="dw",
        public_url=public_url, terms=terms, mailing=mailing or _no_mail(database, now, fingerprinter, public_url),
        directory=ClientDirectory(pinned_documents={}, vendor_schemes=frozenset()), vendor_schemes=frozenset(),
        lookup=TextLookup(servers=name_servers, entropy=os.urandom),
    )  # fmt: skip
    callers = Callers(
        authenticate=authenticate or (lambda reader, text: door.authenticate(reader, text, now=now()).principal),
        cookies=Cookies(secure=public_url.startswith("https:")), fingerprinter=fingerprinter, public_url=public_url,
        recent_seconds=600, used=SessionUses(database, idle=86_400).used,
    )  # fmt: skip
    return Frame(parts, callers).routes(ROUTES)


def _no_mail(
    database: Database, now: Callable[[], Instant], fingerprinter: Fingerprinter, public_url: str
) -> Mailing:  # fmt: skip
    return Mailing(
        database=database, fingerprinter=fingerprinter, budgets=Budgets(fingerprinter), now=now, entropy=os.urandom,
        outbox=Outbox(sealer=SEALER, entropy=os.urandom, on=False), public_url=public_url,
    )  # fmt: skip

"""What the pages about registered clients share: who is there, in which tenant, and forms that count once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from doorward.accounts import ways_in
from doorward.authserver.client_makers import ClientMaker, ClientWork, person
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard import once_forms, tenant_desk
from doorward.dashboard.signed_in import SignedIn
from doorward.model import ClientId, Entropy, Instant, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import MANAGE_CLIENTS, REGISTER_CLIENTS
from doorward.storage import accounts, clients
from doorward.storage.database import Database, Reader, Transaction
from doorward.web import causes
from doorward.web.pages import Pages

PATH: Final = "/settings/clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where somebody registers clients: one of their ``tenants``; None: in none of them."""

    tenants: Sequence[Tenant]
    tenant: Tenant | None
    maker: ClientMaker | None


class ClientDesk:
    """One per program."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        signed_in: SignedIn,
        database: Database,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
    ) -> None:
        self.pages, self.signed_in, self.database = pages, signed_in, database
        self.now, self.public_url = now, public_url
        self._fingerprinter, self._entropy = fingerprinter, entropy

    def new_nonce(self) -> str:
        """Return what makes a form one that was shown."""
        return once_forms.new_nonce(self._entropy)

    def work(self, tx: Transaction, request: Request, tenant: Tenant, nonce: str | None = None) -> ClientWork:
        """Return the work of whoever is at the browser now; a form with a ``nonce`` is done once. Raises ``Refused``."""
        session, user = self.signed_in.require_in(tx, request)
        ways_in.require_open(tx, session, tenant.id)
        if nonce is not None:
            once_forms.claim(tx, user, "client-form", nonce, now=self.now(), twice=faults.CLIENT_SENT_ALREADY)
        return ClientWork(
            tenant=tenant, maker=person(tx, tenant.id, user.id), now=self.now(), entropy=self._entropy,
            fingerprinter=self._fingerprinter, cause=causes.of(request),
        )  # fmt: skip


def place(reader: Reader, here: tuple[Session, User], slug: str) -> Place:
    """Return the tenant of this slug, or the first in which this person registers clients. Raises ``Refused``."""
    tenant, tenants = tenant_desk.place_if_any(reader, here, slug, (MANAGE_CLIENTS, REGISTER_CLIENTS))
    maker = None if tenant is None else person(reader, tenant.id, here[1].id)
    return Place(tenants=tenants, tenant=tenant, maker=maker)


def tenant_of(reader: Reader, here: tuple[Session, User], client_id: str) -> tuple[Tenant, ClientMaker] | None:
    """Return the tenant of a client and who this person is there; None where there is none (M1)."""
    client = clients.client_by_id(reader, ClientId(client_id))
    tenant = None if client is None or client.tenant_id is None else accounts.tenant_by_id(reader, client.tenant_id)
    if tenant is None or tenant.id not in {each.id for each, _ in accounts.memberships_of_user(reader, here[1].id)}:
        return None
    if not ways_in.may_act(reader, here[0], tenant.id):
        return None
    return tenant, person(reader, tenant.id, here[1].id)

"""What the pages about keys share: who is there, forms that count once, and the one moment at which a secret is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from doorward.clients import filling, guides, places
from doorward.clients.filling import Values
from doorward.clients.guides import Step
from doorward.credentials.api_keys import CreatedKey
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard import once_forms
from doorward.dashboard.signed_in import SignedIn
from doorward.model import Entropy, Instant, Session, Tenant, User
from doorward.protocol import faults
from doorward.protocol.endpoints import Endpoint
from doorward.storage.database import Database, Reader, Transaction
from doorward.web.pages import Pages

PATH: Final = "/settings/keys"


@dataclass(frozen=True, slots=True)
class Made:
    """A secret that exists since a moment ago, where it works, and a server to try it on (None: no server yet)."""

    created: CreatedKey
    tenant: Tenant
    endpoint: Endpoint | None
    client: str = ""
    """The guide of the client that it is for; any other text is none."""


TEST_WITH: Final = "curl"
"""The guide whose steps try a key."""


class KeyDesk:
    """One per program. ``prefix`` is what every API key begins with."""

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
        prefix: str,
    ) -> None:
        self.pages = pages
        self.signed_in = signed_in
        self.database = database
        self.now = now
        self.public_url = public_url
        self._fingerprinter = fingerprinter
        self._entropy = entropy
        self._prefix = prefix

    async def told(self, user: User, made: Made, *, rotated: bool) -> Response:
        """Show a secret, the only time that it is shown."""
        shell, guide = await self.signed_in.shell(user), guides.guides().get(made.client)
        return self.pages.render(
            "key_created.html", here=PATH, made=made, rotated=rotated, guide=guide, steps=_steps(made, made.client),
            tests=_steps(made, TEST_WITH), **shell,
        )  # fmt: skip

    def once(self, tx: Transaction, request: Request, nonce: str) -> tuple[Session, User]:
        """Return who is at the browser, and let a form that was shown be sent once. Raises ``Refused``."""
        session, user = self.signed_in.require_in(tx, request)
        once_forms.claim(tx, user, "key-form", nonce, now=self.now(), twice=faults.KEY_MADE_ALREADY)
        return session, user

    def new_nonce(self) -> str:
        """Return what makes a form one that was shown."""
        return once_forms.new_nonce(self._entropy)

    def minting(self) -> dict[str, Any]:
        """Return what a use case makes a secret with."""
        return {"entropy": self._entropy, "fingerprinter": self._fingerprinter, "prefix": self._prefix}

    def endpoint(self, reader: Reader, tenant: Tenant) -> Endpoint | None:
        """Return the URL of the first server that the tenant has, for the snippets."""
        return next(iter(places.endpoints_of(reader, tenant, self.public_url)), None)


def _steps(made: Made, client: str) -> tuple[Step, ...]:
    """Return what to do in a client, with the key and the URL in their places."""
    guide = guides.guides().get(client)
    if made.endpoint is None or guide is None:
        return ()
    return filling.steps(
        guide, "key", Values(url=made.endpoint.url, name=made.endpoint.server.slug, key=made.created.text)
    )

"""What the endpoints share: one record of collaborators, made once by the composition root."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from doorward.accounts.sessions import session_user
from doorward.authserver.authorize import SignedIn
from doorward.authserver.client_documents import ClientDocuments
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.envelope import Envelopes
from doorward.authserver.grants.outcome import TokenRules
from doorward.authserver.http.trail import Trails
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.secret import Fingerprinter
from doorward.federation.key_sets import KeySets
from doorward.model import Entropy, Instant, Session
from doorward.protocol import faults
from doorward.storage.database import Database, Reader, Transaction
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.pages import Pages
from doorward.web.refused import Refused
from doorward.web.requester import Requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Collaborators of every endpoint; ``public_url`` is the issuer, byte for byte."""

    database: Database
    now: Callable[[], Instant]
    entropy: Entropy
    public_url: str
    keys: KeyRing
    fingerprinter: Fingerprinter
    directory: ClientDirectory
    documents: ClientDocuments
    key_sets: KeySets
    envelopes: Envelopes
    token_rules: TokenRules
    origins: frozenset[str]
    """Origins whose scripts may send credentials to machine paths, our own among them."""
    pages: Pages
    errors: Errors
    cookies: Cookies
    requester: Requester
    trails: Trails
    used: Callable[[Session, Instant], None]
    """Told of every session that is looked up: what is not used for long ends."""

    def session(self, reader: Reader, secret: str | None, now: Instant) -> SignedIn | None:
        """Return the live session behind a cookie's ``secret``, and its active user."""
        found = session_user(reader, secret, fingerprinter=self.fingerprinter, now=now)
        if found is not None:
            self.used(found[0], now)
        return found

    def require_session(self, tx: Transaction, secret: str | None, now: Instant) -> SignedIn:
        """Look again in the transaction of a change: who signed out meanwhile changes nothing (G11)."""
        found = self.session(tx, secret, now)
        if found is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")
        return found

    def session_secret(self, request: Request) -> str | None:
        """Return what the session cookie holds."""
        return self.cookies.session(request)

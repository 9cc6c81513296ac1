"""The authorization server as one surface: puts its groups of endpoints together. Decides nothing."""

from collections.abc import Callable, Collection
from typing import Final

from starlette.routing import Route

from doorward.authserver.admission import Admission
from doorward.authserver.approval import ConsentRules
from doorward.authserver.client_documents import ClientDocuments
from doorward.authserver.client_keys import ClientKeys
from doorward.authserver.clients import ClientDirectory, Copies
from doorward.authserver.envelope import Envelopes
from doorward.authserver.grants.outcome import TokenRules
from doorward.authserver.http.device import DeviceAuthorization, DevicePages
from doorward.authserver.http.logout import LogoutPages
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.metadata import MetadataEndpoints
from doorward.authserver.http.pages import AuthorizationPages
from doorward.authserver.http.registration import RegistrationEndpoint
from doorward.authserver.http.services import Services
from doorward.authserver.http.tokens import TokenEndpoints
from doorward.authserver.http.trail import Trails
from doorward.authserver.http.userinfo import UserinfoEndpoint
from doorward.authserver.lifetimes import LONGEST
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.secret import Fingerprinter
from doorward.federation.key_sets import KeySets
from doorward.model import Entropy, Instant, Session
from doorward.protocol.discovery import AUTHORIZATION_PATH, INTROSPECTION_PATH, REVOCATION_PATH, TOKEN_PATH
from doorward.storage.database import Database
from doorward.vault import Sealer
from doorward.web.attempt_log import AttemptLog
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.fetch import Fetcher
from doorward.web.pages import Pages
from doorward.web.requester import Requester

DIRECT_PATHS: Final = frozenset({TOKEN_PATH, REVOCATION_PATH, INTROSPECTION_PATH, AUTHORIZATION_PATH})
"""What clients ask most, in short messages (``web.direct``)."""


class AuthServer:
    """All routes of the authorization server. Times are in seconds; ``public_url`` is the issuer, byte for byte."""

    def __init__(  # noqa: PLR0913  (the composition root fills it in once)
        self,
        *,
        database: Database,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
        issuer: TokenIssuer,
        keys: KeyRing,
        fingerprinter: Fingerprinter,
        sealer: Sealer,
        pages: Pages,
        errors: Errors,
        cookies: Cookies,
        pinned_documents: Copies,
        vendor_schemes: frozenset[str],
        verified_host: Callable[[str, str], str | None],
        code_ttl: int,
        access_ttl: int,
        access_most: int = LONGEST,
        refresh_idle: int,
        refresh_absolute: int,
        replay_window: int = 60,
        registration_policy: str = "open",
        api_key_prefix: str = "dw",
        allowed_origins: Collection[str] = (),
        bundled_documents: Copies | None = None,
        cimd_policy: str = "pinned",
        fetcher: Fetcher | None = None,
        key_fetcher: Fetcher | None = None,
        requester: Requester | None = None,
        attempts: AttemptLog | None = None,
        used: Callable[[Session, Instant], None] = lambda _session, _now: None,
    ) -> None:
        """Raise ``ValueError`` where a pinned document cannot be used; the message names it."""
        requester = requester or Requester()
        self.attempts = attempts or AttemptLog(database, now=now)
        """Where the steps of clients on their way in wait to be written."""
        self.directory = directory = ClientDirectory(
            pinned_documents=pinned_documents, bundled_documents=bundled_documents, policy=cimd_policy,
            vendor_schemes=vendor_schemes,
        )  # fmt: skip
        self._services = services = Services(
            database=database,
            now=now,
            entropy=entropy,
            public_url=public_url,
            keys=keys,
            fingerprinter=fingerprinter,
            directory=directory,
            documents=ClientDocuments(database=database, directory=directory, fetcher=fetcher, now=now),
            key_sets=KeySets(database=database, fetcher=key_fetcher or fetcher, now=now),
            envelopes=Envelopes(sealer),
            token_rules=TokenRules(
                issuer=issuer,
                fingerprinter=fingerprinter,
                refresh_idle=refresh_idle,
                replay_window=replay_window,
                access_ttl=access_ttl,
                access_most=access_most,
                cause=None,
            ),
            origins=frozenset({public_url, *allowed_origins}),
            pages=pages,
            errors=errors,
            cookies=cookies,
            requester=requester,
            used=used,
            trails=Trails(self.attempts, requester=requester, now=now, vendor_schemes=vendor_schemes),
        )
        self.admission = Admission(registration_policy, directory.is_fixed)
        rules = ConsentRules(
            issuer=public_url, directory=directory, admission=self.admission, fingerprinter=fingerprinter, code_ttl=code_ttl,
            access_ttl=access_ttl, refresh_absolute=refresh_absolute,
        )  # fmt: skip
        self._machine = MachinePaths(errors=errors, origins=services.origins)
        self._pages = AuthorizationPages(services, rules=rules, verified_host=verified_host)
        self._metadata = MetadataEndpoints(
            services, registration=registration_policy != "off", documents=cimd_policy != "off"
        )
        self._registration = RegistrationEndpoint(services, policy=registration_policy, vendor_schemes=vendor_schemes)
        self._tokens = TokenEndpoints(
            services,
            api_key_prefix=api_key_prefix,
            client_keys=ClientKeys(database=database, directory=directory, fetcher=fetcher, now=now),
        )
        self._device = DeviceAuthorization(services, tokens=self._tokens)
        self._device_pages = DevicePages(services)
        self._userinfo = UserinfoEndpoint(services, api_key_prefix=api_key_prefix)
        self._logout = LogoutPages(services)
        self.describe = self._pages.describe
        """Who waits behind the sign-in page; see ``AuthorizationPages.describe``."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        machine = self._machine
        return [
            *self._tokens.routes(machine),
            *self._device.routes(machine),
            *self._registration.routes(machine),
            *self._metadata.routes(machine),
            *self._userinfo.routes(machine),
            *self._pages.routes(),
            *self._device_pages.routes(),
            *self._logout.routes(),
        ]

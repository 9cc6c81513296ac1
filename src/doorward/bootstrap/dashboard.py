"""The pages of those who are signed in."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.accounts.http.provider_pages import ProviderPages
from doorward.authserver.routes import AuthServer
from doorward.bootstrap.approvals import approval_terms
from doorward.bootstrap.mailed import mailed_settings
from doorward.bootstrap.own_servers import testing_of
from doorward.bootstrap.providers import profile
from doorward.bootstrap.security import security, step_up_of
from doorward.bootstrap.shared import Shared
from doorward.bootstrap.tenant_people import tenant_people
from doorward.bootstrap.tenants import tenant_settings
from doorward.clients import profiles
from doorward.dashboard.approvals import ApprovalsPage
from doorward.dashboard.apps import AppsPage
from doorward.dashboard.attempts import AttemptsPage
from doorward.dashboard.audit_page import AuditPage, Kept
from doorward.dashboard.client_desk import ClientDesk
from doorward.dashboard.clients import ClientsPage
from doorward.dashboard.desk import Desk
from doorward.dashboard.key_desk import KeyDesk
from doorward.dashboard.keys import KeysPage
from doorward.dashboard.linked import LinkedPage
from doorward.dashboard.notices import Notices
from doorward.dashboard.server_desk import ServerDesk
from doorward.dashboard.server_page import ServerPage
from doorward.dashboard.servers import ServersPage
from doorward.dashboard.setup import SetupPage
from doorward.dashboard.signed_in import Home
from doorward.dashboard.step_up import StepUp
from doorward.dashboard.tenant_credentials import CredentialsPage
from doorward.dashboard.tool_page import ToolPage
from doorward.dashboard.usage import UsagePage
from doorward.dashboard.why import WhyPage
from doorward.gateway.proxy import Gateway
from doorward.gateway.trying import Trying
from doorward.web.budgets import MinuteBudget

TESTS_PER_MINUTE = 10


def dashboard(shared: Shared, authserver: AuthServer, providers: ProviderPages, gateway: Gateway) -> Sequence[Route]:
    """Return the routes of all pages behind a session."""
    desk = _desk(shared)
    attempts = AttemptsPage(
        desk, directory=authserver.directory, admission=authserver.admission, vendor_schemes=profiles.vendor_schemes()
    )
    step_up = step_up_of(shared)
    own = security(shared, step_up)
    return [
        *Home.routes(),
        *LinkedPage(desk, linking=shared.linked.linking).routes(),
        *AppsPage(desk).routes(),
        *CredentialsPage(desk).routes(),
        *_clients(shared),
        *_keys(shared),
        *Notices(desk).routes(),
        *attempts.routes(),
        *SetupPage(desk).routes(),
        *WhyPage(desk).routes(),
        *UsagePage(desk).routes(),
        *_audit(shared, desk),
        *profile(shared, step_up, providers),
        *mailed_settings(shared, step_up),
        *tenant_people(shared, step_up),
        *own,
        *step_up.routes(),
        *tenant_settings(shared, step_up),
        *ApprovalsPage(desk, fingerprinter=shared.core.fingerprinter, terms=approval_terms(shared.core)).routes(),
        *_servers(shared, step_up, gateway),
    ]


def _servers(shared: Shared, step_up: StepUp, gateway: Gateway) -> Sequence[Route]:
    core = shared.core
    desk = ServerDesk(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        requester=shared.requester,
        sealer=core.sealer,
        entropy=core.entropy,
        now=core.now,
        public_url=core.settings.public_url,
        allowed=core.settings.own_servers.allowed,
        resting=gateway.resting,
        test=testing_of(core, shared.outside),
        look=gateway.look_at,
        tests=MinuteBudget(TESTS_PER_MINUTE, now=core.now),
        insiders=shared.insiders,
        trying=Trying(gateway, public_url=core.settings.public_url),
    )
    servers, server = ServersPage(desk=desk, step_up=step_up), ServerPage(desk=desk, step_up=step_up)
    return [*servers.routes(), *server.routes(), *ToolPage(desk=desk).routes()]


def _desk(shared: Shared) -> Desk:
    core = shared.core
    return Desk(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        now=core.now,
        public_url=core.settings.public_url,
    )


def _keys(shared: Shared) -> Sequence[Route]:
    core = shared.core
    desk = KeyDesk(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
        prefix=core.settings.api_keys.prefix,
    )
    return KeysPage(desk).routes()


def _clients(shared: Shared) -> Sequence[Route]:
    core = shared.core
    desk = ClientDesk(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
    )
    return ClientsPage(desk).routes()


def _audit(shared: Shared, desk: Desk) -> Sequence[Route]:
    kept = shared.core.settings.audit
    return AuditPage(desk, kept=Kept(changes=kept.days, calls=kept.call_days)).routes()

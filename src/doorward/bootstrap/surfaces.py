"""Everything that a person or a program meets besides the gateway."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.authserver.routes import AuthServer
from doorward.bootstrap.api import api
from doorward.bootstrap.clients import bundled, pinned
from doorward.bootstrap.dashboard import dashboard
from doorward.bootstrap.people import people
from doorward.bootstrap.providers import providers
from doorward.bootstrap.shared import Shared
from doorward.clients import profiles
from doorward.dashboard.kept_forms import KeptForms
from doorward.gateway.proxy import Gateway
from doorward.web.fetch import Fetcher


def surfaces(shared: Shared, gateway: Gateway) -> Sequence[Route]:
    """Return the routes of all surfaces."""
    authserver, others = _authserver(shared), providers(shared)
    return [
        *authserver.routes(),
        *people(shared, describe_next=authserver.describe, providers=others),
        *_kept_forms(shared).keeping(dashboard(shared, authserver, others, gateway)),
        *api(shared, authserver),
    ]


def _kept_forms(shared: Shared) -> KeptForms:
    core = shared.core
    return KeptForms(
        pages=shared.pages, signed_in=shared.signed_in, shown_to=shared.shown_to, database=core.database,
        sealer=core.sealer, entropy=core.entropy, now=core.now, public_url=core.settings.public_url,
    )  # fmt: skip


def _authserver(shared: Shared) -> AuthServer:
    core, settings = shared.core, shared.core.settings
    return AuthServer(
        database=core.database,
        now=core.now,
        entropy=core.entropy,
        public_url=settings.public_url,
        issuer=shared.issuer,
        keys=core.keys,
        fingerprinter=core.fingerprinter,
        sealer=core.sealer,
        pages=shared.pages,
        errors=shared.errors,
        cookies=shared.cookies,
        pinned_documents=pinned(settings),
        bundled_documents=bundled(settings),
        cimd_policy=settings.cimd.policy,
        fetcher=Fetcher(now=core.now, allow_loopback=settings.cimd.allow_loopback),
        key_fetcher=Fetcher(now=core.now, allow_loopback=settings.workload.allow_loopback),
        vendor_schemes=profiles.vendor_schemes(),
        verified_host=profiles.verified_host,
        code_ttl=settings.tokens.code_ttl,
        access_ttl=settings.tokens.access_ttl,
        access_most=settings.keys.keep,
        refresh_idle=settings.tokens.refresh_idle,
        refresh_absolute=settings.tokens.refresh_absolute,
        registration_policy=settings.registration.policy,
        api_key_prefix=settings.api_keys.prefix,
        allowed_origins=settings.server.allowed_origins,
        requester=shared.requester,
        attempts=shared.attempts,
        used=shared.sessions.used,
    )

"""Where people come in through other systems."""

from collections.abc import Sequence
from functools import partial

from starlette.routing import Route

from doorward.accounts.http.provider_pages import (
    PER_HOUR,
    PER_HOUR_FROM_ALL,
    PER_MINUTE,
    ProviderPages,
    callback_path,
)
from doorward.accounts.provider_sign_in import ProviderSignIns
from doorward.bootstrap.core import Core
from doorward.bootstrap.shared import Shared
from doorward.credentials import upstream_secrets
from doorward.dashboard.profile import ProfilePage
from doorward.dashboard.step_up import StepUp
from doorward.federation.provider_client import ProviderClient
from doorward.web.budgets import AddressBudget
from doorward.web.fetch import Fetcher

PER_MINUTE_ASKED = 1200
"""Questions to one provider: two or three for each sign-in."""


def provider_client(core: Core) -> ProviderClient:
    """Return what asks identity providers."""
    said = core.settings.sign_in
    fetcher = Fetcher(
        now=core.now, allow_loopback=said.allow_loopback, allow_private=said.allow_private, per_minute=PER_MINUTE_ASKED
    )
    return ProviderClient(
        database=core.database,
        fetcher=fetcher,
        now=core.now,
        open_secret=partial(upstream_secrets.unseal, sealer=core.sealer),
    )


def providers(shared: Shared) -> ProviderPages:
    """Return the surface that sends people to identity providers and takes them back."""
    core, public_url = shared.core, shared.core.settings.public_url
    sign_ins = ProviderSignIns(
        database=core.database,
        client=provider_client(core),
        entering=shared.entering,
        sealer=core.sealer,
        fingerprinter=core.fingerprinter,
        now=core.now,
        entropy=core.entropy,
        callback=lambda slug: public_url + callback_path(slug),
    )
    budget = AddressBudget(
        per_minute=PER_MINUTE, per_hour=PER_HOUR, per_hour_from_all=PER_HOUR_FROM_ALL, now=core.now
    )  # fmt: skip
    return ProviderPages(
        sign_ins=sign_ins,
        database=core.database,
        cookies=shared.cookies,
        greeting=shared.greeting,
        budget=budget,
        public_url=public_url,
    )


def profile(shared: Shared, step_up: StepUp, surface: ProviderPages) -> Sequence[Route]:
    """Return the routes of the page on which people connect accounts of other systems."""
    core = shared.core
    page = ProfilePage(
        pages=shared.pages,
        signed_in=shared.signed_in,
        database=core.database,
        now=core.now,
        step_up=step_up,
        providers=surface,
    )
    return page.routes()

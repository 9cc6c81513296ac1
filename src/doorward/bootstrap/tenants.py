"""The page on which a tenant says what holds in it."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.bootstrap.shared import Shared
from doorward.dashboard.step_up import StepUp
from doorward.dashboard.tenant_page import Elsewhere, TenantPage
from doorward.settings import Settings
from doorward.web.words import duration


def tenant_settings(shared: Shared, step_up: StepUp) -> Sequence[Route]:
    """Return its routes."""
    core = shared.core
    page = TenantPage(
        pages=shared.pages, signed_in=shared.signed_in, step_up=step_up, database=core.database, now=core.now,
        elsewhere=elsewhere(core.settings),
    )  # fmt: skip
    return page.routes()


def elsewhere(settings: Settings) -> Sequence[Elsewhere]:
    """Return what the deployment says of what people ask about on this page; nothing that is secret."""
    kept, tokens, approvals = settings.audit, settings.tokens, settings.approvals
    return [
        Elsewhere("Address", settings.public_url, "server.public_url"),
        Elsewhere("Security events are kept", _days(kept.days), "audit.days"),
        Elsewhere("Calls are kept", _days(kept.call_days), "audit.call_days"),
        Elsewhere("Connection attempts are kept", _days(settings.attempts.days), "attempts.days"),
        Elsewhere("Time to decide about a call, and then to make it", duration(approvals.ttl), "approvals.ttl"),
        Elsewhere("Calls of one app or key that may wait", str(approvals.waiting), "approvals.waiting"),
        Elsewhere("Life of an access token", duration(tokens.access_ttl), "tokens.access_ttl"),
        Elsewhere("A connection that is not used ends after", duration(tokens.refresh_idle), "tokens.refresh_idle"),
        Elsewhere("A connection ends after", duration(tokens.refresh_absolute), "tokens.refresh_absolute"),
        Elsewhere("Apps that register themselves", settings.registration.policy, "registration.policy"),
        Elsewhere("Keys begin with", f"{settings.api_keys.prefix}_", "api_keys.prefix"),
    ]


def _days(days: int) -> str:
    return duration(days * 86_400) if days else "for ever"

"""The pages on which a tenant looks after its people, its roles and its tree."""

from collections.abc import Sequence

from starlette.routing import Route

from doorward.bootstrap.shared import Shared
from doorward.dashboard.members import MembersPage
from doorward.dashboard.resources import ResourcesPage
from doorward.dashboard.roles import RolesPage
from doorward.dashboard.step_up import StepUp
from doorward.dashboard.tenant_desk import TenantDesk


def tenant_people(shared: Shared, step_up: StepUp) -> Sequence[Route]:
    """Return their routes."""
    core = shared.core
    desk = TenantDesk(
        pages=shared.pages,
        signed_in=shared.signed_in,
        step_up=step_up,
        database=core.database,
        now=core.now,
        entropy=core.entropy,
        public_url=core.settings.public_url,
    )
    return [*MembersPage(desk).routes(), *RolesPage(desk).routes(), *ResourcesPage(desk).routes()]

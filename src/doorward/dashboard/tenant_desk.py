"""What the pages about a tenant's people share: which tenant, who is there, in whose name a change is made."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from doorward.accounts import ways_in
from doorward.accounts.actors import Actor
from doorward.accounts.refused import PeopleRefused
from doorward.dashboard import once
from doorward.dashboard.signed_in import SignedIn
from doorward.dashboard.step_up import StepUp
from doorward.model import Entropy, Instant, Permission, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import tenants_with
from doorward.storage.database import Database, Reader, Transaction
from doorward.web import causes
from doorward.web.pages import Pages
from doorward.web.refused import Refused

Here = tuple[Session, User]
SHOWN: Final = 200
"""Characters of what was typed that are shown again where it cannot be used."""
NOT_FORMS: Final = frozenset({faults.NOT_PERMITTED.code, faults.MEMBER_UNKNOWN.code, faults.ROLE_UNKNOWN.code})
"""What is no mistake of a form: these get a page of their own."""


class TenantDesk:
    """One per program. ``rights``: any of them in a tenant opens its pages."""

    def __init__(  # noqa: PLR0913
        self, *, pages: Pages, signed_in: SignedIn, step_up: StepUp, database: Database, now: Callable[[], Instant],
        entropy: Entropy, public_url: str,
    ) -> None:  # fmt: skip
        self.pages, self.signed_in, self.step_up, self.database = pages, signed_in, step_up, database
        self.now, self.entropy, self.public_url = now, entropy, public_url

    def acting(
        self, tx: Transaction, request: Request, slug: str, rights: Collection[Permission]
    ) -> tuple[Tenant, Actor]:
        """Return where and in whose name a change is made, at the moment of the change. Raises ``Refused``."""
        here = self.signed_in.require_in(tx, request)
        tenant, _ = place(tx, here, slug, rights)
        return tenant, Actor(user_id=here[1].id, by="page", cause=causes.of(request))

    async def do(
        self, request: Request, slug: str, rights: Collection[Permission],
        work: Callable[[Transaction, Tenant, Actor], object], look: tuple[str, str] | None = None,
    ) -> PeopleRefused | None:  # fmt: skip
        """Make a change, and return what is wrong with its form, if something is. Raises what is no form's fault.

        ``look``: its form is done once, and there its person sees whether it is.
        """

        def run(tx: Transaction) -> None:
            tenant, actor = self.acting(tx, request, slug, rights)
            if look is not None:
                once.require_first_time(tx, request, self.now(), look=look)
            work(tx, tenant, actor)

        try:
            await self.database.write(run)
        except PeopleRefused as refused:
            if refused.code in NOT_FORMS:
                raise
            return refused
        return None

    async def render(self, template: str, user: User, *, here: str, status: int = 200, **context: Any) -> Response:
        """Return a page of the settings; ``here`` is its entry in the navigation."""
        shell = await self.signed_in.shell(user)
        return self.pages.render(template, status=status, here=here, **shell, **context)


def place(reader: Reader, here: Here, slug: str, rights: Collection[Permission]) -> tuple[Tenant, Sequence[Tenant]]:
    """Return the tenant of this slug, or the first that is open to this person, and all of these. Raises ``Refused``."""
    found, tenants = place_if_any(reader, here, slug, rights)
    if found is not None:
        return found, tenants
    for each in _mine(reader, here[1], rights):
        ways_in.require_open(reader, here[0], each.id)
    raise _no_right(rights)


def place_if_any(
    reader: Reader, here: Here, slug: str, rights: Collection[Permission]
) -> tuple[Tenant | None, Sequence[Tenant]]:
    """Return the same; None for who has none of the ``rights`` anywhere and asked for no tenant. Raises ``Refused``.

    In the same words for a tenant where they have no right as for none (decision 0077.8).
    """
    mine = _mine(reader, here[1], rights)
    tenants = ways_in.only_open(reader, here[0], mine)
    found = next((each for each in tenants if each.slug == slug or not slug), None)
    if found is not None or not slug:
        return found, tenants
    for each in mine:
        if each.slug == slug:
            ways_in.require_open(reader, here[0], each.id)
    raise _no_right(rights)


def _mine(reader: Reader, user: User, rights: Collection[Permission]) -> list[Tenant]:
    found = {each.id: each for right in rights for each in tenants_with(reader, user.id, right)}
    return sorted(found.values(), key=lambda each: (each.name, each.slug))


def _no_right(rights: Collection[Permission]) -> Refused:
    return Refused(faults.NOT_PERMITTED, status=403, reason=f"no {' or '.join(sorted(rights))} in that tenant")


def actor_of(user: User) -> Actor:
    """Return somebody who only looks."""
    return Actor(user_id=user.id, by="page", cause=None)

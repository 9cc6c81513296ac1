"""``/settings/setup``: how each client is set up, with the person's own URL in it, and how far it got (A5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.clients import filling, guides, places
from doorward.clients.filling import Values
from doorward.clients.guides import Guide, Step, Trouble, Way
from doorward.dashboard import setup_status
from doorward.dashboard.desk import SettingsPage
from doorward.dashboard.setup_status import ClientStatus
from doorward.model import ApiKey, Instant, Tenant, User
from doorward.protocol import faults
from doorward.protocol.endpoints import Endpoint
from doorward.storage import accounts
from doorward.storage.database import Reader
from doorward.web.refused import Refused

PATH: Final = "/settings/setup"
FIRST: Final = "claude-code"
_LONGEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the person sets something up: one of their tenants, and one of its servers (None: it has none)."""

    tenants: Sequence[Tenant]
    tenant: Tenant | None
    endpoints: Sequence[Endpoint]
    endpoint: Endpoint | None
    short: str | None
    statuses: Mapping[str, ClientStatus]
    key: ApiKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One client's guide, filled in. ``cannot`` is the reason where it cannot go this way."""

    guide: Guide
    way: Way
    cannot: str
    steps: Sequence[Step]
    troubles: Sequence[Trouble]
    link: str | None
    prompt: str
    reconnect: str
    remove: str
    command: str


class SetupPage(SettingsPage):
    """The surface."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._show, methods=["GET"])]

    async def _show(self, request: Request) -> Response:
        asked = request.query_params
        names = ("tenant", "server", "client", "how")
        known = {name: value for name in names if _plain(value := asked.get(name, ""))}
        here = await self._signed_in.require(request, f"{PATH}?{urlencode(known)}" if known else PATH)
        user, now = here[1], self._now()
        place = await self._database.read_long(
            lambda reader: self._place(reader, user, asked.get("tenant", ""), asked.get("server", ""), now)
        )
        guide = guides.guides().get(asked.get("client", ""), guides.guides()[FIRST])
        way: Way = "key" if asked.get("how") == "key" or "oauth" in guide.cannot else "oauth"
        if place.tenant is None or place.endpoint is None:
            return self._pages.render("setup_nothing.html", here=PATH, place=place, **await self._signed_in.shell(user))
        return self._pages.render(
            "setup.html", here=PATH, place=place, now=now, guides=guides.guides().values(), methods=guides.methods(),
            shown=_shown(guide, way, _values(place.tenant, place.endpoint, place.tenants)), link_to=_links(place, guide, way),
            **await self._signed_in.shell(user),
        )  # fmt: skip

    def _place(self, reader: Reader, user: User, slug: str, server: str, now: Instant) -> Place:
        tenants = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
        tenant = next((each for each in tenants if each.slug == slug or not slug), None)
        if tenant is None and slug:
            # In the same words for another's tenant as for none (decision 0077.8).
            raise Refused(faults.NOT_PERMITTED, status=403, reason="no member of that tenant")
        endpoints = () if tenant is None else places.endpoints_of(reader, tenant, self._public_url)
        first = endpoints[0] if endpoints else None
        endpoint = next((each for each in endpoints if each.server.slug == server), first)
        return Place(
            tenants=tenants, tenant=tenant, endpoints=endpoints, endpoint=endpoint,
            short=None if endpoint is None else places.short_form(endpoint, self._public_url),
            statuses={} if tenant is None else setup_status.of_clients(reader, user, tenant, now),
            key=None if tenant is None else setup_status.newest_key(reader, user, tenant),
        )  # fmt: skip


def _plain(value: str) -> bool:
    return 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable()


def _values(tenant: Tenant, endpoint: Endpoint, tenants: Sequence[Tenant]) -> Values:
    """Return what is put in. Who is in several tenants gets names that do not meet in one client."""
    slug = endpoint.server.slug
    return Values(url=endpoint.url, name=slug if len(tenants) == 1 else f"{slug}-{tenant.slug}"[:64].rstrip("-"))


def _shown(guide: Guide, way: Way, values: Values) -> Shown:
    flag = " --key" if way == "key" else ""
    writes = guide.config is not None and bool(guide.config.files or guide.config.project)
    return Shown(
        guide=guide, way=way, cannot=guide.cannot.get(way, ""), steps=filling.steps(guide, way, values),
        troubles=filling.troubles(guide, values), link=filling.link(guide, values) if way == "oauth" else None,
        prompt=filling.text(guides.check_prompt(), values), reconnect=filling.text(guide.reconnect, values),
        remove=filling.text(guide.remove, values),
        command=f"doorward connect {guide.id} --url {values.url} --name {values.name}{flag} --write" if writes else "",
    )  # fmt: skip


def _links(place: Place, guide: Guide, way: Way) -> Callable[..., str]:
    """Return what makes links to this page with something else chosen."""
    chosen = {
        "tenant": place.tenant.slug if place.tenant else "",
        "server": place.endpoint.server.slug if place.endpoint else "",
        "client": guide.id,
        "how": way,
    }

    def link(**changed: str) -> str:
        # Another tenant has other servers.
        kept = {name: value for name, value in chosen.items() if not ("tenant" in changed and name == "server")}
        return f"{PATH}?{urlencode({**kept, **changed})}"

    return link

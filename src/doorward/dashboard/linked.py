"""``/settings/upstreams`` and ``/upstreams/…``: a person's own accounts at servers behind the gateway (D6).

The page with the button is our consent and comes first (G7). It says who, where, and for which tenant; what the other
side asks then is between the person and that side. A link to it, wherever it comes from, can at most make people link
their own account to themselves.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.dashboard.desk import Desk, SettingsPage
from doorward.dashboard.linked_list import Linkable, listed, one
from doorward.dashboard.signed_in import see_other
from doorward.gateway.upstream_oauth.asking import Elsewhere
from doorward.gateway.upstream_oauth.linking import Came, Linking, LinkRefused, Who, may_link
from doorward.model import AuthKind, Server, Session, Tenant, User
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.protocol.outbound.client import document
from doorward.storage import servers
from doorward.storage.database import Reader
from doorward.web import causes
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/upstreams"
_ONE: Final = f"{PATH}/{{tenant}}/{{server}}/unlink"
_STATUS: Final[dict[Fault, int]] = {faults.NOT_LINKABLE: 404, faults.LINK_TOO_OFTEN: 429}
_BAD_REQUEST, _UNAVAILABLE = 400, 503
_PUBLIC: Final = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}
_LONGEST: Final = 8 * 1024
"""Characters of a parameter that comes back."""


class LinkedPage(SettingsPage):
    """The surface."""

    def __init__(self, desk: Desk, *, linking: Linking) -> None:
        super().__init__(desk)
        self._linking = linking

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(_ONE, self._ask_to_unlink, methods=["GET"]),
            Route(_ONE, self._unlink, methods=["POST"]),
            Route("/upstreams/{server}/connect", self._form, methods=["GET"]),
            Route("/upstreams/{server}/connect", self._begin, methods=["POST"]),
            Route("/upstreams/{server}/callback", self._come_back, methods=["GET"]),
            Route("/upstreams/{server}/client.json", self._document, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        rows = await self._database.read_long(lambda reader: listed(reader, here[1]))
        linked = request.query_params.get("linked", "")
        return self._pages.render(
            "linked.html", here=PATH, rows=rows, unlinked=request.query_params.get("unlinked", ""),
            done=next((row for row in rows if row.server.slug == linked and row.grant is not None), None),
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _form(self, request: Request) -> Response:
        here = await self._signed_in.require(request, _path(request))
        server, tenants = await self._offered(request, here[1])
        asked = request.query_params.get("tenant", "")
        chosen = next((tenant for tenant in tenants if tenant.slug == asked or not asked), None)
        if chosen is None:
            raise _refused(faults.NOT_LINKABLE, "tenant is none of this person's, or has not the server")
        # From the button on, the browser is sent to where the other side signs people in (decision 0077.4).
        return self._pages.render(
            "link.html", may_leave=True, here=PATH, server=server, tenants=tenants, chosen=chosen, asked=asked,
            row=Linkable(server, chosen, None), **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _begin(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        here = await self._signed_in.require(request, _path(request))
        server, tenants = await self._offered(request, here[1])
        tenant = next((tenant for tenant in tenants if tenant.slug == sent.one("tenant")), None)
        if tenant is None:
            raise _refused(faults.NOT_LINKABLE, "tenant is none of this person's, or has not the server")
        await self._database.read(lambda reader: ways_in.require_open(reader, here[0], tenant.id))
        try:
            return see_other(await self._linking.begin(server, tenant, _who(here)))
        except (LinkRefused, Elsewhere) as refused:
            raise _refused(refused.fault, refused.reason, elsewhere=isinstance(refused, Elsewhere)) from refused

    async def _come_back(self, request: Request) -> Response:
        here = await self._signed_in.find(request)
        if here is None:
            # The state is this browser's session's: signing in again would not bring it back.
            raise _refused(faults.LINK_REQUEST_UNKNOWN, "nobody is signed in")
        came = _came(request)
        try:
            server = await self._linking.finish(
                request.path_params["server"], came, _who(here), cause=causes.of(request)
            )
        except (LinkRefused, Elsewhere) as refused:
            raise _refused(refused.fault, refused.reason, elsewhere=isinstance(refused, Elsewhere)) from refused
        # On at once: the address that it came back with holds a code.
        return see_other(f"{PATH}?{urlencode({'linked': server.slug})}")

    async def _document(self, request: Request) -> Response:
        slug = request.path_params["server"]
        server = await self._database.read(lambda reader: servers.server_by_slug(reader, slug))
        if server is None or not _has_accounts(server) or not self._public_url.startswith("https://"):
            raise HTTPException(404)
        return JSONResponse(document(self._public_url, slug), headers=_PUBLIC)

    async def _ask_to_unlink(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        row = await self._own(request, here[1])
        return self._pages.render("unlink.html", here=PATH, row=row, **await self._signed_in.shell(here[1]))

    async def _unlink(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        here = await self._signed_in.require(request, PATH)
        row = await self._own(request, here[1])
        if row.grant is not None:
            await self._linking.unlink(row.grant, by=here[1], cause=causes.of(request))
        return see_other(f"{PATH}?{urlencode({'unlinked': row.server.slug})}")

    async def _offered(self, request: Request, user: User) -> tuple[Server, Sequence[Tenant]]:
        slug = request.path_params["server"]

        def look(reader: Reader) -> tuple[Server | None, Sequence[Tenant]]:
            server = servers.server_by_slug(reader, slug)
            return server, () if server is None else may_link(reader, user, server)

        server, tenants = await self._database.read_long(look)
        if server is None or not tenants:
            raise _refused(faults.NOT_LINKABLE, "no such server with accounts for this person")
        return server, tenants

    async def _own(self, request: Request, user: User) -> Linkable:
        place = request.path_params["tenant"], request.path_params["server"]
        row = await self._database.read_long(lambda reader: one(reader, user, *place))
        if row is None:
            raise HTTPException(404)
        return row


def _who(here: tuple[Session, User]) -> Who:
    return Who(session=here[0], user=here[1])


def _has_accounts(server: Server) -> bool:
    return server.auth is not None and server.auth.kind is AuthKind.OAUTH


def _path(request: Request) -> str:
    """Return the page to come back to after signing in, with the tenant that was asked for."""
    asked: dict[str, Any] = {"tenant": request.query_params["tenant"]} if "tenant" in request.query_params else {}
    path = f"/upstreams/{request.path_params['server']}/connect"
    return f"{path}?{urlencode(asked)}" if asked else path


def _came(request: Request) -> Came:
    """Return what the browser brings. Raises ``Refused`` for parameters that come twice, or are longer than any."""
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in values or len(value) > _LONGEST:
            raise _refused(faults.LINK_REQUEST_UNKNOWN, "a parameter twice, or too long")
        values[name] = value
    return Came(
        state=values.get("state", ""), code=values.get("code", ""), error=values.get("error", "")[:64],
        iss=values.get("iss"),
    )  # fmt: skip


def _refused(fault: Fault, reason: str, *, elsewhere: bool = False) -> Refused:
    status = _STATUS.get(fault, _UNAVAILABLE if elsewhere else _BAD_REQUEST)
    later = {"Retry-After": "60"} if fault is faults.LINK_TOO_OFTEN else {}
    return Refused(fault, status=status, reason=reason, headers=later, link=(PATH, "Linked accounts"))

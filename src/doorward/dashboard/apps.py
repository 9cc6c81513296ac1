"""``/settings/apps``: what people let in, and what becomes of it: renamed, narrowed, disconnected (F1, G14)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.authserver import connected, consent_memory
from doorward.authserver.connected import AppRefused, ConnectedApp
from doorward.clients import profiles
from doorward.dashboard.desk import SettingsPage
from doorward.dashboard.signed_in import see_other
from doorward.model import ClientId, ConnectionId, Instant, Permission, PermissionEntry, Session, Tenant, User
from doorward.rights import MANAGE_CLIENTS, may, tenants_with
from doorward.storage import clients, consents, permissions
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin

PATH: Final = "/settings/apps"
SHOWN: Final = 200
_LONGEST: Final = 200
"""Characters of a name that are shown again where it cannot be used."""
_DONE: Final = frozenset({"renamed", "narrowed", "disconnected", "asked again"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the list shows. ``tenant``: whose apps, with None the person's own; ``tenants`` may be chosen."""

    rows: Sequence[ConnectedApp]
    tenant: Tenant | None
    tenants: Sequence[Tenant]
    remembered: Sequence[tuple[ClientId, str]]
    """Clients that come in without being asked about, with their names."""


class AppsPage(SettingsPage):
    """The surface."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        one = f"{PATH}/{{connection_id}}"
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(f"{PATH}/ask-again", self._ask_again, methods=["POST"]),
            Route(one, self._show, methods=["GET"]),
            Route(f"{one}/rename", self._rename, methods=["POST"]),
            Route(f"{one}/narrow", self._narrow, methods=["POST"]),
            Route(f"{one}/disconnect", self._ask_to_disconnect, methods=["GET"]),
            Route(f"{one}/disconnect", self._disconnect, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        slug, now, done = request.query_params.get("tenant", ""), self._now(), request.query_params.get("done", "")
        found = await self._database.read_long(lambda reader: _listed(reader, *here, slug, now))
        return self._pages.render(
            "apps.html", here=PATH, listed=found, done=done if done in _DONE else "",
            name=request.query_params.get("name", "")[:100], verified=_verified, **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        return await self._page(here[1], await self._one(request, *here))

    async def _ask_to_disconnect(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        row = await self._one(request, *here)
        if row.over:
            return see_other(PATH)
        everybodys = await self._database.read(
            lambda reader: may(reader, row.tenant.id, here[1].id, MANAGE_CLIENTS)
        )  # fmt: skip
        return self._pages.render(
            "app_disconnect.html", here=PATH, row=row, everybodys=everybodys, **await self._signed_in.shell(here[1])
        )

    async def _rename(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        label = (await read_form(request)).one("label")
        return await self._changed(
            request, lambda tx, row, by: connected.rename(tx, row, label, by=by, now=self._now()), "renamed"
        )

    async def _narrow(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        kept = frozenset(map(Permission, (await read_form(request)).many("scope")))
        return await self._changed(
            request,
            lambda tx, row, by: connected.keep_only(tx, row, kept, by=by, now=self._now(), cause=causes.of(request)),
            "narrowed",
        )

    async def _disconnect(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        everybodys = (await read_form(request)).one("whose") == "everybody"
        end = connected.disconnect_all if everybodys else connected.disconnect
        return await self._changed(
            request,
            lambda tx, row, by: end(tx, row, by=by, now=self._now(), cause=causes.of(request)),
            "disconnected",
            everybodys=everybodys,
        )

    async def _ask_again(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        client_id = ClientId((await read_form(request)).one("client"))
        here = await self._signed_in.require(request, PATH)
        await self._database.write(
            lambda tx: consent_memory.forget(tx, here[1].id, client_id, now=self._now(), cause=causes.of(request))
        )
        return see_other(f"{PATH}?{urlencode({'done': 'asked again'})}")

    async def _changed(
        self, request: Request, change: Callable[[Transaction, ConnectedApp, User], object], done: str, *,
        everybodys: bool = False,
    ) -> Response:  # fmt: skip
        """Do it as whoever is at the browser then, and say so; what cannot be done is told on the app's page."""
        here = await self._signed_in.require(request, PATH)
        row = await self._one(request, *here)

        def work(tx: Transaction) -> None:
            session, user = self._signed_in.require_in(tx, request)
            if everybodys or row.owner.id != user.id:
                ways_in.require_open(tx, session, row.tenant.id)
            change(tx, row, user)

        try:
            await self._database.write(work)
        except AppRefused as refused:
            return await self._page(here[1], row, refused=refused, sent=await read_form(request))
        told = {"done": done, "name": row.name} | ({} if row.owner.id == here[1].id else {"tenant": row.tenant.slug})
        return see_other(f"{PATH}?{urlencode(told)}")

    async def _one(self, request: Request, session: Session, user: User) -> ConnectedApp:
        connection_id, now = ConnectionId(request.path_params["connection_id"]), self._now()
        row = await self._database.read_long(lambda reader: connected.app(reader, connection_id, user.id, now))
        if row is None:
            raise HTTPException(404)
        if row.owner.id != user.id:
            await self._database.read(lambda reader: ways_in.require_open(reader, session, row.tenant.id))
        return row

    async def _page(
        self, user: User, row: ConnectedApp, *, refused: AppRefused | None = None, sent: Form | None = None
    ) -> Response:
        words = await self._database.read_long(lambda reader: _words(reader, row))
        errors = {} if refused is None else {refused.field: str(refused)}
        label, kept = row.connection.label or "", frozenset(each.permission for each in words)
        if sent is not None and "label" in errors:
            label = sent.one("label")[:_LONGEST]
        if sent is not None and "scope" in errors:
            kept = frozenset(map(Permission, sent.many("scope")))
        return self._pages.render(
            "app.html", status=200 if refused is None else 422, here=PATH, row=row, words=words, errors=errors,
            label=label, kept=kept, own=row.owner.id == user.id, verified=_verified, max_label=connected.MAX_LABEL,
            **await self._signed_in.shell(user),
        )  # fmt: skip


def _listed(reader: Reader, session: Session, user: User, slug: str, now: Instant) -> Listed:
    tenants = ways_in.only_open(reader, session, tenants_with(reader, user.id, MANAGE_CLIENTS))
    tenant = next((each for each in tenants if each.slug == slug), None)
    if tenant is not None:
        return Listed(
            rows=connected.apps_in(reader, tenant.id, now, most=SHOWN), tenant=tenant, tenants=tenants, remembered=()
        )
    remembered = {each.client_id for each in consents.remembered_consents_of(reader, user.id) if each.expires_at > now}
    named = [(each, client.name) for each in sorted(remembered) if (client := clients.client_by_id(reader, each))]
    rows = connected.apps_of(reader, user.id, now)[:SHOWN]
    return Listed(rows=rows, tenant=None, tenants=tenants, remembered=named)


def _words(reader: Reader, row: ConnectedApp) -> list[PermissionEntry]:
    """Return what the app may do, in words; what has left the catalogue can do nothing and is not shown."""
    return [entry for entry in permissions.catalogue(reader) if entry.permission in row.connection.scopes]


def _verified(row: ConnectedApp) -> str | None:
    return profiles.verified_host(row.connection.redirect_uri, row.connection.client_id)

"""``/settings/clients``: OAuth clients that people register, for their tenant or for themselves (B5, F2)."""

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.authserver import registered, registered_list
from doorward.authserver.client_makers import ClientRefused
from doorward.authserver.registered import Registered
from doorward.authserver.registered_list import ClientRow
from doorward.dashboard import client_form
from doorward.dashboard.client_desk import PATH, ClientDesk, Place, place
from doorward.dashboard.client_form import ClientForm
from doorward.dashboard.client_page import ClientPage
from doorward.model import Session, User
from doorward.storage.database import Transaction
from doorward.storage.registered_clients import START
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin

PAGE: Final = 50
_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9A-Za-z._-]{1,128})")


class ClientsPage:
    """The surface: the list, and the form for a new one."""

    def __init__(self, desk: ClientDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(PATH, self._register, methods=["POST"]),
            Route(f"{PATH}/new", self._new, methods=["GET"]),
            *ClientPage(self._desk).routes(),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        where = await self._place(here, request.query_params.get("tenant", ""))
        cursor = _CURSOR.fullmatch(request.query_params.get("after", ""))
        after, now = START if cursor is None else (int(cursor[1]), cursor[2]), self._desk.now()
        tenant, maker = where.tenant, where.maker
        rows: list[ClientRow] = []
        following = None
        if tenant is not None and maker is not None:
            rows, following = await self._desk.database.read_long(
                lambda reader: registered_list.listed(reader, tenant, maker, now, after=after, most=PAGE)
            )
        return self._desk.pages.render(
            "clients.html", here=PATH, place=where, rows=rows, following=following, later=cursor is not None,
            deleted=request.query_params.get("deleted", "")[:64], **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _new(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._form(here, await self._place(here, request.query_params.get("tenant", "")))

    async def _register(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        slug = sent.one("tenant")
        where, form = await self._place(here, slug), client_form.read(sent)
        tenant = where.tenant
        if tenant is None or tenant.slug != slug:
            raise HTTPException(404)

        def make(tx: Transaction) -> Registered:
            work = self._desk.work(tx, request, tenant, sent.one("form"))
            return registered.register(tx, client_form.wish_of(form), work)

        try:
            made = await self._desk.database.write(make)
        except ClientRefused as wrong:
            return await self._form(here, where, client_form.refused(form, wrong), status=422)
        return self._desk.pages.render(
            "client_created.html", here=PATH, client=made.client, secret=made.secret, tenant=tenant, more=False,
            issuer=self._desk.public_url, **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _place(self, here: tuple[Session, User], slug: str) -> Place:
        return await self._desk.database.read_long(lambda reader: place(reader, here, slug))

    async def _form(
        self, here: tuple[Session, User], where: Place, form: ClientForm | None = None, *, status: int = 200
    ) -> Response:
        tenant, maker = where.tenant, where.maker
        if tenant is None or maker is None:
            raise HTTPException(404)
        choices = await self._desk.database.read_long(
            lambda reader: client_form.offered(reader, tenant, maker, here[1])
        )
        return self._desk.pages.render(
            "client_form.html", status=status, here=PATH, place=where, offered=choices, kinds=client_form.KINDS,
            form=form or client_form.blank(choices), nonce=self._desk.new_nonce(), client=None,
            **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip

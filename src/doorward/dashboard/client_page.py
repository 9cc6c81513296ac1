"""``/settings/clients/{id}``: one registered client, its secrets, who uses it, and what can become of it (B5)."""

from collections.abc import Callable
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.authserver import connected, registered, registered_list
from doorward.authserver.client_makers import ClientMaker, ClientRefused, ClientUnknown, ClientWork
from doorward.authserver.registered_list import ClientFacts
from doorward.credentials.client_secrets import MAX_LIVE, is_live
from doorward.credentials.key_changes import OVERLAPS
from doorward.dashboard import client_form
from doorward.dashboard.client_desk import PATH, ClientDesk, tenant_of
from doorward.dashboard.client_form import ClientForm
from doorward.dashboard.signed_in import see_other
from doorward.model import SECOND, ClientId, Instant, Session, Status, Tenant, User
from doorward.storage.database import Reader, Transaction
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin

SHOWN: Final = 100
"""Connections on the page; of more the newest."""
KEEP: Final = {"now": "Now", "1h": "In 1 hour", "24h": "In 24 hours", "7d": "In 7 days"}
_DONE: Final = {
    "changed": "The app is changed. It counts at its next call.",
    "retired": "The secret has its end.",
    "disabled": "The app is disabled. Its next call is refused.",
    "enabled": "The app works again.",
}
Here = tuple[Session, User]


class ClientPage:
    """The surface."""

    def __init__(self, desk: ClientDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        one = f"{PATH}/{{client_id}}"
        return [
            Route(one, self._show, methods=["GET"]),
            Route(f"{one}/change", self._form, methods=["GET"]),
            Route(f"{one}/change", self._change, methods=["POST"]),
            Route(f"{one}/secrets", self._add, methods=["POST"]),
            Route(f"{one}/secrets/{{secret_id}}/retire", self._retire, methods=["POST"]),
            Route(f"{one}/disable", self._disable, methods=["POST"]),
            Route(f"{one}/enable", self._enable, methods=["POST"]),
            Route(f"{one}/delete", self._ask_to_delete, methods=["GET"]),
            Route(f"{one}/delete", self._delete, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._page(here, request, done=_DONE.get(request.query_params.get("done", ""), ""))

    async def _form(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._form_page(here, request)

    async def _change(self, request: Request) -> Response:
        here, sent = await self._sent(request)
        form, client_id = client_form.read(sent), _id(request)
        try:
            await self._done(
                here, request, lambda tx, work: registered.change(tx, client_id, client_form.wish_of(form), work)
            )
        except ClientRefused as wrong:
            return await self._form_page(here, request, client_form.refused(form, wrong), status=422)
        return see_other(f"{PATH}/{client_id}?done=changed")

    async def _add(self, request: Request) -> Response:
        here, sent = await self._sent(request)
        client_id = _id(request)
        try:
            made = await self._done(
                here, request, lambda tx, work: registered.add_secret(tx, client_id, work), sent.one("form")
            )
        except ClientRefused as wrong:
            return await self._page(here, request, error=wrong.public, status=422)
        tenant, _, found = await self._found(here, request)
        return self._desk.pages.render(
            "client_created.html", here=PATH, client=found.row.client, secret=made.text, tenant=tenant, more=True,
            issuer=self._desk.public_url, **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _retire(self, request: Request) -> Response:
        here, sent = await self._sent(request)
        keep, secret_id = sent.one("keep"), request.path_params["secret_id"]
        if keep not in OVERLAPS:
            return await self._page(here, request, error="Choose when the secret ends.", status=422)

        def retire(tx: Transaction, work: ClientWork) -> None:
            until = Instant(work.now + OVERLAPS[keep] * SECOND)
            registered.retire_secret(tx, _id(request), secret_id, until, work)

        return await self._and_back(here, request, retire, "retired")

    async def _disable(self, request: Request) -> Response:
        return await self._switch(request, Status.DISABLED, "disabled")

    async def _enable(self, request: Request) -> Response:
        return await self._switch(request, Status.ACTIVE, "enabled")

    async def _switch(self, request: Request, status: Status, done: str) -> Response:
        here, _ = await self._sent(request)
        return await self._and_back(
            here, request, lambda tx, work: registered.set_status(tx, _id(request), status, work), done
        )

    async def _ask_to_delete(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        _, _, found = await self._found(here, request)
        if found.row.state == "deleted":
            return see_other(f"{PATH}/{_id(request)}")
        return self._desk.pages.render(
            "client_delete.html", here=PATH, row=found.row, **await self._desk.signed_in.shell(here[1])
        )

    async def _delete(self, request: Request) -> Response:
        here, _ = await self._sent(request)
        tenant, _, found = await self._found(here, request)
        await self._done(here, request, lambda tx, work: registered.delete(tx, _id(request), work))
        return see_other(f"{PATH}?tenant={tenant.slug}&deleted={found.row.client.id}")

    async def _sent(self, request: Request) -> tuple[Here, Form]:
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        return await self._desk.signed_in.require(request, PATH), sent

    async def _and_back(
        self, here: Here, request: Request, use: Callable[[Transaction, ClientWork], object], done: str
    ) -> Response:
        try:
            await self._done(here, request, use)
        except ClientRefused as wrong:
            return await self._page(here, request, error=wrong.public, status=422)
        return see_other(f"{PATH}/{_id(request)}?done={done}")

    async def _done(
        self, here: Here, request: Request, use: Callable[[Transaction, ClientWork], Any], nonce: str | None = None
    ) -> Any:
        """Do it as whoever is at the browser then; a client that is not theirs is none."""
        tenant, _, _ = await self._found(here, request)
        try:
            return await self._desk.database.write(lambda tx: use(tx, self._desk.work(tx, request, tenant, nonce)))
        except ClientUnknown:
            raise HTTPException(404) from None

    async def _found(self, here: Here, request: Request) -> tuple[Tenant, ClientMaker, ClientFacts]:
        client_id, now = _id(request), self._desk.now()

        def look(reader: Reader) -> tuple[Tenant, ClientMaker, ClientFacts] | None:
            where = tenant_of(reader, here, client_id)
            if where is None:
                return None
            return *where, registered_list.facts(reader, *where, client_id, now)

        try:
            found = await self._desk.database.read_long(look)
        except ClientUnknown:
            found = None
        if found is None:
            raise HTTPException(404)
        return found

    async def _form_page(
        self, here: Here, request: Request, form: ClientForm | None = None, *, status: int = 200
    ) -> Response:
        tenant, maker, found = await self._found(here, request)
        if found.row.state == "deleted":
            return see_other(f"{PATH}/{_id(request)}")
        choices = await self._desk.database.read_long(
            lambda reader: client_form.offered(reader, tenant, maker, here[1])
        )
        return self._desk.pages.render(
            "client_form.html", status=status, here=PATH, offered=choices, kinds=client_form.KINDS, place=None,
            form=form or client_form.of_client(found, choices), nonce="", client=found.row.client,
            **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _page(
        self, here: Here, request: Request, *, error: str = "", done: str = "", status: int = 200
    ) -> Response:
        _, maker, found = await self._found(here, request)
        now, client = self._desk.now(), found.row.client
        used = await self._desk.database.read_long(
            lambda reader: connected.apps_of_client(reader, client.id, now, most=SHOWN)
        )
        live = [each for each in found.secrets if is_live(each, now)]
        return self._desk.pages.render(
            "client.html", status=status, here=PATH, found=found, row=found.row, client=client, error=error, done=done,
            used=used, live={each.id for each in live}, full=len(live) >= MAX_LIVE, keep=KEEP,
            manages=maker.manages, nonce=self._desk.new_nonce(), **await self._desk.signed_in.shell(here[1]),
        )  # fmt: skip


def _id(request: Request) -> ClientId:
    return ClientId(request.path_params["client_id"])

"""``/settings/keys``: the person's own API keys and the form for a new one (C1, C2, C4). What becomes of one: ``key_page``."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.clients import guides
from doorward.credentials.api_keys import KeyRefused
from doorward.credentials.key_wishes import issue_key
from doorward.dashboard import key_form
from doorward.dashboard.key_desk import PATH, KeyDesk, Made
from doorward.dashboard.key_form import Choices, KeyForm
from doorward.dashboard.key_list import listed
from doorward.dashboard.key_page import KeyPage
from doorward.dashboard.key_preview import preview
from doorward.dashboard.once_forms import nonce_of
from doorward.model import User
from doorward.protocol import faults
from doorward.storage.api_key_lists import START
from doorward.storage.database import Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

SHOW: Final = "show"
"""The button that only tells what the key could do."""
_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9A-Za-z_-]{1,40})")


class KeysPage:
    """The surface."""

    def __init__(self, desk: KeyDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._show, methods=["GET"]),
            Route(PATH, self._create, methods=["POST"]),
            *KeyPage(self._desk).routes(),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        offered = await self._offered(here[1], request.query_params.get("tenant", ""))
        return await self._page(here[1], offered, key_form.blank(offered), query=request.query_params)

    async def _create(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        nonce, slug = nonce_of(sent.one("form")), sent.one("tenant")
        offered = await self._offered(here[1], slug)
        if sent.one("what") == SHOW:
            return await self._page(here[1], offered, _shown(key_form.read(sent), sent, slug))
        form = key_form.checked(key_form.read(sent))
        if offered.tenant is not None and offered.tenant.slug == slug and sent.one("shown") not in {"", slug}:
            # Of another tenant: what it offers is seen before it is given.
            form = replace(
                _shown(form, sent, slug),
                errors={"": "You chose another tenant. Look at what it offers, then create the key."},
            )
        if form.errors:
            return await self._page(here[1], offered, form, status=422)
        try:
            made = await self._desk.database.write(lambda tx: self._make(tx, request, nonce, slug, form))
        except KeyRefused as refused:
            return await self._page(here[1], offered, key_form.refused(form, refused), status=422)
        return await self._desk.told(here[1], made, rotated=False)

    def _make(self, tx: Transaction, request: Request, nonce: str, slug: str, form: KeyForm) -> Made:
        """Make the key once per form that was shown, with the rights that its owner has at this moment."""
        session, user = self._desk.once(tx, request, nonce)
        offered = key_form.choices(tx, user, slug)
        if offered.tenant is None or offered.maker is None or not slug:
            raise Refused(faults.FORM_EXPIRED, status=400, reason="tenant is none of this user's")
        ways_in.require_open(tx, session, offered.tenant.id)
        issued = issue_key(
            tx, key_form.wish_of(form), tenant=offered.tenant, maker=offered.maker, now=self._desk.now(),
            cause=causes.of(request), **self._desk.minting(),
        )  # fmt: skip
        return Made(issued.created, offered.tenant, self._desk.endpoint(tx, offered.tenant), form.client)

    async def _offered(self, user: User, slug: str) -> Choices:
        return await self._desk.database.read_long(lambda reader: key_form.choices(reader, user, slug))

    async def _page(
        self, user: User, offered: Choices, form: KeyForm, *, query: Mapping[str, str] | None = None, status: int = 200
    ) -> Response:
        now, asked = self._desk.now(), query or {}
        cursor = _CURSOR.fullmatch(asked.get("after", ""))
        after = START if cursor is None else (int(cursor[1]), cursor[2])
        rows, following = await self._desk.database.read_long(lambda reader: listed(reader, user, now, after))
        told = await self._desk.database.read_long(lambda reader: preview(reader, offered, form, now))
        return self._desk.pages.render(
            "keys.html",
            status=status,
            here=PATH,
            **await self._desk.signed_in.shell(user),
            rows=rows,
            following=following,
            later=cursor is not None,
            in_use=sum(not row.gone for row in rows),
            ended=next((row for row in rows if row.key.id == asked.get("revoked") and row.state == "revoked"), None),
            offered=offered,
            form=form,
            told=told,
            guides=[each for each in guides.guides().values() if "key" not in each.cannot],
            nonce=self._desk.new_nonce(),
        )


def _shown(form: KeyForm, sent: Form, slug: str) -> KeyForm:
    """Return the form as it is shown for the tenant that is chosen: places and servers of another one are not there."""
    if sent.one("shown") in {"", slug}:
        return form
    return replace(form, places=frozenset(), servers=frozenset())

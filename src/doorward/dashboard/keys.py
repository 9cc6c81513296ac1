"""``/settings/keys``: the person's own API keys, the form for a new one, and the way to end one (C1, C2, C4, C5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.credentials.api_keys import CreatedKey, KeyRefused, create_api_key, revoke_api_key
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.dashboard import key_form
from doorward.dashboard.key_form import Choices, KeyForm
from doorward.dashboard.key_list import ListedKey, listed, own_key
from doorward.dashboard.signed_in import SignedIn, see_other, sign_in_first
from doorward.model import Entropy, Instant, Permission, RequestId, Session, Tenant, User
from doorward.protocol import faults
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.storage import servers
from doorward.storage.connections import claim_request
from doorward.storage.database import Database, Reader, Transaction
from doorward.web import request_id
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/keys"
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_NONCE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Made:
    """A key that exists since a moment ago, where it works, and a server to try it on (None: no server yet)."""

    created: CreatedKey
    tenant: Tenant
    endpoint: Endpoint | None


class KeysPage:
    """The surface. ``prefix`` is what every API key begins with."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        signed_in: SignedIn,
        database: Database,
        fingerprinter: Fingerprinter,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
        prefix: str = "dw",
    ) -> None:
        self._pages = pages
        self._signed_in = signed_in
        self._database = database
        self._fingerprinter = fingerprinter
        self._now = now
        self._entropy = entropy
        self._public_url = public_url
        self._prefix = prefix

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._show, methods=["GET"]),
            Route(PATH, self._create, methods=["POST"]),
            Route(f"{PATH}/{{key_id}}/revoke", self._ask_to_revoke, methods=["GET"]),
            Route(f"{PATH}/{{key_id}}/revoke", self._revoke, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        offered = await self._offered(here[1], request.query_params.get("tenant", ""))
        return await self._page(here[1], offered, key_form.blank(offered), revoked=request.query_params.get("revoked"))

    async def _create(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        nonce, now = sent.one("form"), self._now()
        if not _NONCE.fullmatch(nonce):
            raise Refused(faults.FORM_EXPIRED, status=400, reason="no form nonce of ours")
        form = key_form.checked(_read(sent))
        offered = await self._offered(here[1], sent.one("tenant"))
        if form.errors:
            return await self._page(here[1], offered, form, status=422)
        try:
            made = await self._database.write(lambda tx: self._make(tx, request, nonce, sent.one("tenant"), form, now))
        except KeyRefused as refused:
            again = KeyForm(name=form.name, scopes=form.scopes, expiry=form.expiry, errors={"": refused.public})
            return await self._page(here[1], offered, again, status=422)
        return self._pages.render("key_created.html", here=PATH, made=made, **await self._signed_in.shell(here[1]))

    async def _ask_to_revoke(self, request: Request) -> Response:
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        row = await self._own(here[1], request)
        if row.gone:
            return see_other(PATH)
        return self._pages.render("key_revoke.html", here=PATH, row=row, **await self._signed_in.shell(here[1]))

    async def _revoke(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        row, user, now = await self._own(here[1], request), here[1], self._now()
        await self._database.write(
            lambda tx: revoke_api_key(
                tx,
                tenant_id=row.key.tenant_id,
                key_id=row.key.id,
                by=user.id,
                now=now,
                request_id=request_id.of(request),
            )
        )
        return see_other(f"{PATH}?revoked={row.key.id}")

    def _make(self, tx: Transaction, request: Request, nonce: str, slug: str, form: KeyForm, now: Instant) -> _Made:
        """Make the key once per form that was shown, with the rights that its owner has at this moment."""
        session, user = self._session(tx, request)
        if not claim_request(tx, RequestId(f"key-form/{session.id}/{nonce}"), now, session.expires_at):
            raise Refused(faults.KEY_MADE_ALREADY, status=409, reason="form sent twice")
        offered = key_form.choices(tx, user, slug)
        if offered.tenant is None or not slug:
            raise Refused(faults.FORM_EXPIRED, status=400, reason="tenant is none of this user's")
        created = create_api_key(
            tx, owner=user, tenant=offered.tenant, created_by=user.id, name=form.name,
            scopes=frozenset(Permission(scope) for scope in form.scopes), resources=None,
            expires_at=key_form.end_of(form.expiry, now), rights=offered.rights, now=now, entropy=self._entropy,
            fingerprinter=self._fingerprinter, prefix=self._prefix, request_id=request_id.of(request),
        )  # fmt: skip
        return _Made(created, offered.tenant, self._endpoint(tx, offered.tenant))

    def _session(self, tx: Transaction, request: Request) -> tuple[Session, User]:
        here = self._signed_in.find_in(tx, request)
        if here is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")
        return here

    def _endpoint(self, reader: Reader, tenant: Tenant) -> Endpoint | None:
        """Return the URL of the first server that the tenant has, for the snippets."""
        all_servers, enabled = servers.servers(reader), servers.servers_of_tenant(reader, tenant.id)
        endpoints = Endpoints(public_url=self._public_url, servers=all_servers)
        found = (endpoints.of_tenant(server, tenant.slug) for server in all_servers if server.id in enabled)
        return next((endpoint for endpoint in found if endpoint is not None), None)

    async def _offered(self, user: User, slug: str) -> Choices:
        return await self._database.read_long(lambda reader: key_form.choices(reader, user, slug))

    async def _own(self, user: User, request: Request) -> ListedKey:
        key_id, now = request.path_params["key_id"], self._now()
        row = await self._database.read_long(lambda reader: own_key(reader, user.id, key_id, now))
        if row is None:
            raise HTTPException(404)
        return row

    async def _page(
        self, user: User, offered: Choices, form: KeyForm, *, revoked: str | None = None, status: int = 200
    ) -> Response:
        now = self._now()
        rows = await self._database.read_long(lambda reader: listed(reader, user, now))
        return self._pages.render(
            "keys.html",
            status=status,
            here=PATH,
            **await self._signed_in.shell(user),
            rows=rows,
            in_use=sum(not row.gone for row in rows),
            ended=next((row for row in rows if row.key.id == revoked and row.state == "revoked"), None),
            offered=offered,
            form=form,
            expiries=key_form.EXPIRIES,
            nonce=base64url(self._entropy(_NONCE_BYTES)),
        )


def _read(sent: Form) -> KeyForm:
    return KeyForm(name=sent.one("name")[:200], scopes=frozenset(sent.many("scope")), expiry=sent.one("expiry"))

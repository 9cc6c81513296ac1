"""``/settings/keys/{id}``: one key of one's own, and what can become of it: rotated, disabled, enabled, revoked (C5, C8)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.credentials import key_changes
from doorward.credentials.api_keys import revoke_api_key
from doorward.credentials.key_changes import OVERLAPS, NewEnd, NewServers
from doorward.credentials.key_makers import KeyRefused, person
from doorward.credentials.key_wishes import end_in_words, networks_of, servers_named
from doorward.dashboard import key_form
from doorward.dashboard.key_desk import PATH, KeyDesk, Made
from doorward.dashboard.key_list import ListedKey, own_key
from doorward.dashboard.once_forms import nonce_of
from doorward.dashboard.signed_in import see_other
from doorward.model import ApiKey, Server, Tenant, User
from doorward.storage.database import Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin

SAME: Final = "same"
"""The end stays."""
_PLACES: Final = frozenset({"name", "addresses", "servers", "expires"})
"""What a use case says is wrong and the page has a field for."""
KEEP: Final = {"now": "Ends now", "1h": "1 hour more", "24h": "24 hours more", "7d": "7 days more"}


class Changing(NamedTuple):
    """What stands in the form of a change."""

    name: str
    addresses: str
    some: bool
    """Whether it is for some servers only: those of ``servers``."""
    servers: frozenset[str]


class KeyPage:
    """The surface."""

    def __init__(self, desk: KeyDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        one = f"{PATH}/{{key_id}}"
        return [
            Route(one, self._show, methods=["GET"]),
            Route(f"{one}/used", self._used, methods=["GET"]),
            Route(f"{one}/change", self._change, methods=["POST"]),
            Route(f"{one}/rotate", self._rotate, methods=["POST"]),
            Route(f"{one}/disable", self._switch, methods=["POST"]),
            Route(f"{one}/enable", self._switch, methods=["POST"]),
            Route(f"{one}/revoke", self._ask_to_revoke, methods=["GET"]),
            Route(f"{one}/revoke", self._revoke, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        done = request.query_params.get("done") == "changed"
        return await self._page(here[1], await self._own(here[1], request), done=done)

    async def _used(self, request: Request) -> Response:
        """Say whether a key was used yet: asked by the page on which it was shown."""
        here = await self._desk.signed_in.find(request)
        row = None if here is None else await self._own(here[1], request)
        if row is None:
            raise HTTPException(404)
        key = row.key
        said = {"at": key.last_used_at, "address": key.last_used_ip, "client": key.last_used_client}
        return JSONResponse({"used": key.last_used_at is not None, **said}, headers={"Cache-Control": "no-store"})

    async def _rotate(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        nonce, row = nonce_of(sent.one("form")), await self._own(here[1], request)
        try:
            made = await self._desk.database.write(lambda tx: self._rotated(tx, request, nonce, row, sent))
        except KeyRefused as refused:
            return await self._page(here[1], row, sent=sent, refused=refused)
        return await self._desk.told(here[1], made, rotated=True)

    def _rotated(self, tx: Transaction, request: Request, nonce: str, row: ListedKey, sent: Form) -> Made:
        session, user = self._desk.once(tx, request, nonce)
        ways_in.require_open(tx, session, row.key.tenant_id)
        keep, expiry, now = sent.one("keep"), sent.one("expiry") or SAME, self._desk.now()
        if keep not in OVERLAPS or expiry not in {SAME, *key_form.EXPIRIES}:
            raise KeyRefused("Choose how long the old secret goes on, and when the key ends.", "not a choice of ours")
        end = None
        if expiry != SAME:
            end = NewEnd(end_in_words(key_form.end_of(expiry, sent.one("until")), now))
        tenant = _tenant(row)
        created = key_changes.rotate_api_key(
            tx, row.key.id, tenant=tenant, maker=person(tx, tenant.id, user.id), overlap=OVERLAPS[keep], end=end, now=now,
            cause=causes.of(request), **self._desk.minting(),
        )  # fmt: skip
        return Made(created, tenant, self._desk.endpoint(tx, tenant))

    async def _change(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        row = await self._own(here[1], request)
        try:
            await self._desk.database.write(lambda tx: self._changed(tx, request, row, sent))
        except KeyRefused as refused:
            return await self._page(here[1], row, changing=sent, refused=refused)
        return see_other(f"{PATH}/{row.key.id}?done=changed")

    def _changed(self, tx: Transaction, request: Request, row: ListedKey, sent: Form) -> bool:
        (session, user), tenant = self._desk.signed_in.require_in(tx, request), _tenant(row)
        ways_in.require_open(tx, session, tenant.id)
        chosen = tuple(sorted(set(sent.many("server")))) if sent.one("which") == "some" else None
        return key_changes.change_api_key(
            tx, row.key.id, tenant=tenant, maker=person(tx, tenant.id, user.id), name=sent.one("name")[:200],
            networks=networks_of(sent.one("addresses")[:4000].replace(",", " ").split()),
            servers=NewServers(servers_named(tx, chosen, tenant)), now=self._desk.now(),
            cause=causes.of(request),
        )  # fmt: skip

    async def _switch(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        here = await self._desk.signed_in.require(request, PATH)
        row = await self._own(here[1], request)
        change: Any = (
            key_changes.enable_api_key if request.url.path.endswith("/enable") else key_changes.disable_api_key
        )

        def work(tx: Transaction) -> bool:
            (session, user), tenant = self._desk.signed_in.require_in(tx, request), _tenant(row)
            ways_in.require_open(tx, session, tenant.id)
            done: bool = change(
                tx, row.key.id, tenant=tenant, maker=person(tx, tenant.id, user.id), now=self._desk.now(),
                cause=causes.of(request),
            )  # fmt: skip
            return done

        try:
            await self._desk.database.write(work)
        except KeyRefused as refused:
            return await self._page(here[1], row, refused=refused)
        return see_other(f"{PATH}/{row.key.id}")

    async def _ask_to_revoke(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        row = await self._own(here[1], request)
        if row.gone:
            return see_other(PATH)
        shell = await self._desk.signed_in.shell(here[1])
        return self._desk.pages.render("key_revoke.html", here=PATH, row=row, **shell)

    async def _revoke(self, request: Request) -> Response:
        require_same_origin(request, self._desk.public_url)
        here = await self._desk.signed_in.require(request, PATH)
        row, user, now = await self._own(here[1], request), here[1], self._desk.now()
        await self._desk.database.write(
            lambda tx: revoke_api_key(
                tx,
                tenant_id=row.key.tenant_id,
                key_id=row.key.id,
                by=user.id,
                now=now,
                cause=causes.of(request),
            )
        )
        return see_other(f"{PATH}?revoked={row.key.id}")

    async def _own(self, user: User, request: Request) -> ListedKey:
        key_id, now = request.path_params["key_id"], self._desk.now()
        row = await self._desk.database.read_long(lambda reader: own_key(reader, user.id, key_id, now))
        if row is None:
            raise HTTPException(404)
        return row

    async def _page(
        self,
        user: User,
        row: ListedKey,
        *,
        sent: Form | None = None,
        changing: Form | None = None,
        refused: KeyRefused | None = None,
        done: bool = False,
    ) -> Response:
        """Show it, with what was ``sent`` to rotate it or to be ``changing``, where that was refused."""
        place = "" if refused is None or (sent is None and changing is None) else refused.field
        slug = "" if row.tenant is None else row.tenant.slug
        offered = await self._desk.database.read_long(lambda reader: key_form.choices(reader, user, slug))
        return self._desk.pages.render(
            "key.html",
            status=200 if refused is None else 422,
            here=PATH,
            **await self._desk.signed_in.shell(user),
            row=row,
            errors={} if refused is None else {place if place in _PLACES else "": refused.public},
            keep=KEEP,
            kept="24h" if sent is None else sent.one("keep"),
            done=done,
            expiries={SAME: "Stays", **(offered.expiries if slug else {})},
            servers=offered.servers if slug else (),
            change=_as_it_is(row.key, offered.servers) if changing is None else _as_typed(changing),
            expiry=SAME if sent is None else sent.one("expiry"),
            until="" if sent is None else sent.one("until")[:20],
            nonce=self._desk.new_nonce(),
        )


def _as_it_is(key: ApiKey, servers: Sequence[Server]) -> Changing:
    chosen = frozenset(each.slug for each in servers if key.servers is not None and each.id in key.servers)
    return Changing(key.name, "\n".join(key.networks), key.servers is not None, chosen)


def _as_typed(sent: Form) -> Changing:
    return Changing(
        sent.one("name")[:200],
        sent.one("addresses")[:4000],
        sent.one("which") == "some",
        frozenset(sent.many("server")),
    )


def _tenant(row: ListedKey) -> Tenant:
    if row.tenant is None:
        raise HTTPException(404)
    return row.tenant

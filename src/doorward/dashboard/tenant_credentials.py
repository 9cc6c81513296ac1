"""``/settings/credentials``: all keys and connections of a tenant, searched, ended and disabled (F2, C6)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.authserver import connected
from doorward.authserver.connected import ConnectedApp
from doorward.credentials import key_changes
from doorward.credentials.api_keys import revoke_api_key
from doorward.credentials.key_changes import KeyUnknown, key_of_tenant
from doorward.credentials.key_makers import KeyRefused, person
from doorward.dashboard import tenant_desk
from doorward.dashboard.desk import SettingsPage
from doorward.dashboard.key_list import ListedKey, rows_of
from doorward.dashboard.signed_in import see_other
from doorward.model import ApiKeyId, Instant, Permission, Session, Tenant, User
from doorward.rights import MANAGE_CLIENTS, MANAGE_KEYS, may
from doorward.storage import accounts, credential_search
from doorward.storage.api_key_lists import START, KeyState, used_key
from doorward.storage.credential_search import ENDED, LIVING, Search
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/credentials"
PAGE: Final = 50
KINDS: Final[dict[str, Permission]] = {"keys": MANAGE_KEYS, "apps": MANAGE_CLIENTS}
STATES: Final[dict[str, dict[str, str]]] = {
    "keys": {"": "All", **{each.value: each.value.capitalize() for each in KeyState}},
    "apps": {"": "All", LIVING: "Connected", ENDED: "Ended"},
}
_LONGEST: Final = 100
_CURSOR: Final = re.compile(r"([0-9]{1,18})-([0-9A-Za-z_-]{1,60})")
_DONE: Final = {
    "disabled": "The key is disabled. Its next call is refused.",
    "enabled": "The key works again.",
    "revoked": "The key is revoked. Its next call is refused, and it never comes back.",
}
Here = tuple[Session, User]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the page shows. ``kinds`` are those that this person may look after in ``tenant``."""

    tenants: Sequence[Tenant]
    tenant: Tenant | None
    kind: str
    kinds: Sequence[str]
    keys: Sequence[tuple[ListedKey, User | None]] = ()
    apps: Sequence[ConnectedApp] = ()
    following: str | None = None


class CredentialsPage(SettingsPage):
    """The surface."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        one = f"{PATH}/{{slug}}/keys/{{key_id}}"
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(f"{one}/disable", self._disable, methods=["POST"]),
            Route(f"{one}/enable", self._enable, methods=["POST"]),
            Route(f"{one}/revoke", self._ask, methods=["GET"]),
            Route(f"{one}/revoke", self._revoke, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        asked, now = request.query_params, self._now()
        search = _search(asked)
        listed = await self._database.read_long(
            lambda reader: _listed(reader, here, asked.get("tenant", ""), asked.get("kind", ""), search, now)
        )
        return self._pages.render(
            "credentials.html", here=PATH, listed=listed, search=search, states=STATES[listed.kind],
            link_to=_links(listed, search), later=search.after != START, done=_DONE.get(asked.get("done", ""), ""),
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _disable(self, request: Request) -> Response:
        return await self._switch(request, key_changes.disable_api_key, "disabled")

    async def _enable(self, request: Request) -> Response:
        return await self._switch(request, key_changes.enable_api_key, "enabled")

    async def _switch(self, request: Request, change: Any, done: str) -> Response:
        def work(tx: Transaction, tenant: Tenant, user: User, key_id: ApiKeyId) -> None:
            change(
                tx, key_id, tenant=tenant, maker=person(tx, tenant.id, user.id), now=self._now(),
                cause=causes.of(request),
            )  # fmt: skip

        return await self._changed(request, work, done)

    async def _ask(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        now = self._now()

        def look(reader: Reader) -> tuple[Tenant, ListedKey, User | None]:
            tenant, user = _allowed(reader, here, request), here[1]
            key = key_of_tenant(
                reader, tenant, ApiKeyId(request.path_params["key_id"]), person(reader, tenant.id, user.id)
            )
            used = used_key(reader, key.id, now)
            if used is None:
                raise KeyUnknown
            return tenant, rows_of(reader, [used], now)[0], accounts.user_by_id(reader, key.user_id)

        try:
            tenant, row, owner = await self._database.read_long(look)
        except KeyUnknown:
            raise HTTPException(404) from None
        return self._pages.render(
            "credential_revoke.html", here=PATH, tenant=tenant, row=row, owner=owner,
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _revoke(self, request: Request) -> Response:
        def work(tx: Transaction, tenant: Tenant, user: User, key_id: ApiKeyId) -> None:
            key_of_tenant(tx, tenant, key_id, person(tx, tenant.id, user.id))
            revoke_api_key(
                tx, tenant_id=tenant.id, key_id=key_id, by=user.id, now=self._now(), cause=causes.of(request)
            )

        return await self._changed(request, work, "revoked")

    async def _changed(
        self, request: Request, work: Callable[[Transaction, Tenant, User, ApiKeyId], None], done: str
    ) -> Response:
        require_same_origin(request, self._public_url)
        await read_form(request)
        await self._signed_in.require(request, PATH)

        def run(tx: Transaction) -> str:
            here = self._signed_in.require_in(tx, request)
            tenant = _allowed(tx, here, request)
            work(tx, tenant, here[1], ApiKeyId(request.path_params["key_id"]))
            return tenant.slug

        try:
            slug = await self._database.write(run)
        except KeyUnknown:
            raise HTTPException(404) from None
        except KeyRefused as refused:
            raise Refused(refused.fault, status=409, reason=refused.reason, public=refused.public) from refused
        return see_other(f"{PATH}?{urlencode({'tenant': slug, 'done': done})}")


def _allowed(reader: Reader, here: Here, request: Request) -> Tenant:
    """Return the tenant of the address, whose keys this person looks after; a foreign one is like none (M1)."""
    tenant = accounts.tenant_by_slug(reader, request.path_params["slug"])
    if tenant is None or not may(reader, tenant.id, here[1].id, MANAGE_KEYS):
        raise HTTPException(404)
    ways_in.require_open(reader, here[0], tenant.id)
    return tenant


def _search(asked: Any) -> Search:
    cursor = _CURSOR.fullmatch(asked.get("after", ""))
    return Search(
        person=asked.get("person", "").strip()[:_LONGEST],
        what=asked.get("what", "").strip()[:_LONGEST],
        state=asked.get("state", "")[:_LONGEST],
        after=START if cursor is None else (int(cursor[1]), cursor[2]),
    )


def _listed(reader: Reader, here: Here, slug: str, kind: str, search: Search, now: Instant) -> Listed:
    tenant, tenants = tenant_desk.place_if_any(reader, here, slug, KINDS.values())
    kinds = [name for name, needs in KINDS.items() if tenant is not None and may(reader, tenant.id, here[1].id, needs)]
    kind = kind if kind in kinds else next(iter(kinds), "keys")
    listed = Listed(tenants=tenants, tenant=tenant, kind=kind, kinds=kinds)
    if tenant is None:
        return listed
    return _keys(reader, listed, tenant, search, now) if kind == "keys" else _apps(reader, listed, tenant, search, now)


def _keys(reader: Reader, listed: Listed, tenant: Tenant, search: Search, now: Instant) -> Listed:
    found = credential_search.search_keys(reader, tenant.id, search, now=now, most=PAGE + 1)
    rows = rows_of(reader, found[:PAGE], now)
    last = found[PAGE - 1].key if len(found) > PAGE else None
    owners: dict[str, User | None] = {}
    for row in rows:
        if row.key.user_id not in owners:
            owners[row.key.user_id] = accounts.user_by_id(reader, row.key.user_id)
    return Listed(
        tenants=listed.tenants, tenant=tenant, kind="keys", kinds=listed.kinds,
        keys=[(row, owners[row.key.user_id]) for row in rows],
        following=None if last is None else f"{last.created_at}-{last.id}",
    )  # fmt: skip


def _apps(reader: Reader, listed: Listed, tenant: Tenant, search: Search, now: Instant) -> Listed:
    found = credential_search.search_connections(reader, tenant.id, search, now=now, most=PAGE + 1)
    last = found[PAGE - 1] if len(found) > PAGE else None
    return Listed(
        tenants=listed.tenants, tenant=tenant, kind="apps", kinds=listed.kinds,
        apps=connected.described(reader, found[:PAGE], now),
        following=None if last is None else f"{last.created_at}-{last.id}",
    )  # fmt: skip


def _links(listed: Listed, search: Search) -> Callable[..., str]:
    """Return what makes links to this page with something else chosen."""
    slug = "" if listed.tenant is None else listed.tenant.slug
    chosen = {"tenant": slug, "kind": listed.kind, "person": search.person, "what": search.what, "state": search.state}

    def link(**changed: str) -> str:
        kept = {**chosen, **changed}
        if "kind" in changed:
            kept["state"] = ""  # the other kind has other states
        return f"{PATH}?{urlencode({name: value for name, value in kept.items() if value})}"

    return link

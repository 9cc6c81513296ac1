"""``/settings/servers``: a tenant's servers, and the form that adds one (feature F2; security L19)."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.dashboard import once, server_list
from doorward.dashboard.server_desk import PATH, Belongs, Place, ServerDesk
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.gateway.testing import Outcome, Told
from doorward.model import AuthKind, Server, ServerId, Session, Tenant, UpstreamCredential, User
from doorward.protocol import faults
from doorward.protocol.endpoints import own_path
from doorward.provisioning import own_servers
from doorward.provisioning.own_server_wish import Invalid, Wish, checked
from doorward.provisioning.own_servers import ServerRefused
from doorward.storage.database import Reader, Transaction
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

NEW: Final = f"{PATH}/new"
TEST: Final = f"{PATH}/test"
FIELDS: Final = ("name", "title", "url", "auth", "header")
"""What is shown again of a form that was sent; the credential never is (M13)."""
_IDENTITY: Final = "identity"
_KINDS: Final = {_IDENTITY: None, **{kind.value: kind for kind in AuthKind}}
_DONE: Final = frozenset({"removed"})
_LONGEST: Final = 2_000
_DRAFT: Final = "own/draft"
"""The name of a credential that is typed and not kept."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was sent, what is wrong with which field, and how a test went."""

    values: dict[str, str] = field(default_factory=lambda: {**dict.fromkeys(FIELDS, ""), "auth": _IDENTITY})
    wrong: str = ""
    error: str = ""
    told: Told | None = None


class ServersPage:
    """The surface."""

    def __init__(self, *, desk: ServerDesk, step_up: StepUp) -> None:
        self._desk, self._step_up = desk, step_up

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            self._step_up.guard(PATH, self._add),
            Route(NEW, self._new, methods=["GET"]),
            Route(TEST, self._test, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        desk, here = self._desk, await self._desk.signed_in.require(request, PATH)
        slug, done = request.query_params.get("tenant", ""), request.query_params.get("done", "")

        def look(reader: Reader) -> dict[str, Any]:
            place = desk.place(reader, here, slug)
            rows = server_list.rows(reader, place.tenant, public_url=desk.public_url, resting=desk.resting)
            return {"place": place, "rows": rows, "managers": server_list.managers(reader, place.tenant)}

        found = await desk.database.read_long(look)
        return desk.pages.render(
            "servers.html", here=PATH, allowed=desk.allowed, done=done if done in _DONE else "", **found,
            **await desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _new(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._form(here, request.query_params.get("tenant", ""), Filled())

    async def _add(self, request: Request, act: Act) -> Response:
        desk, slug, wish = self._desk, act.form.one("tenant"), wish_of(act.form)

        def work(tx: Transaction) -> Server:
            tenant, actor = desk.actor(tx, request, slug)
            once.require_first_time(
                tx, request, desk.now(), look=(f"{PATH}?tenant={tenant.slug}", "Look at the servers")
            )
            return own_servers.add(
                tx, tenant, wish, actor, sealer=desk.sealer, entropy=desk.entropy, now=desk.now(), allowed=desk.allowed
            )

        try:
            server = await desk.database.write(work)
        except ServerRefused as refused:
            filled = replace(filled_of(act.form), wrong=refused.field, error=refused.public)
            return await self._form((act.session, act.user), slug, filled, status=refused.status)
        return see_other(f"/settings/server/{server.slug}?tenant={slug}&done=added")

    async def _test(self, request: Request) -> Response:
        """Test what is typed, before it is kept. The credential is typed once more to add the server."""
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        slug, wish, filled = sent.one("tenant"), wish_of(sent), filled_of(sent)
        place = await self._desk.database.read_long(lambda reader: self._desk.place(reader, here, slug))
        try:
            checked(wish, new=True)
        except Invalid as wrong:
            return await self._form(here, slug, replace(filled, wrong=wrong.field, error=str(wrong)), status=422)
        told = await tested(self._desk, place.tenant, draft_of(place.tenant, wish), wish.secret or None)
        return await self._form(here, slug, replace(filled, told=told))

    async def _form(self, here: tuple[Session, User], slug: str, filled: Filled, *, status: int = 200) -> Response:
        desk = self._desk
        place: Place = await desk.database.read_long(lambda reader: desk.place(reader, here, slug))
        if not desk.allowed:
            raise Refused(faults.OWN_SERVERS_CLOSED, status=403, reason="own_servers.allowed is off")
        return desk.pages.render(
            "server_new.html", status=status, here=PATH, place=place, form=filled, Outcome=Outcome,
            path=own_path(place.tenant.slug, ""), public_url=desk.public_url, **await desk.signed_in.shell(here[1]),
        )  # fmt: skip


async def tested(desk: ServerDesk, tenant: Tenant, server: Server, secret: str | None) -> Told:
    """Test a connection on a tenant's account. Raises ``Refused`` where it tested too many."""
    if not desk.tests.spend(tenant.id):
        raise Refused(faults.SERVER_TESTS_MANY, status=429, reason=tenant.slug, headers={"Retry-After": "60"})
    return await desk.test(server, Belongs(tenant.id, tenant.slug, tenant.name), secret)


def draft_of(tenant: Tenant, wish: Wish) -> Server:
    """Return the server that a wish would make, as it is tested: judged, as it will be."""
    secret = _DRAFT if wish.auth in {AuthKind.BEARER, AuthKind.HEADER} else ""
    auth = None if wish.auth is None else UpstreamCredential(kind=wish.auth, secret=secret, header=wish.header)
    slug = own_servers.slug_of(tenant, wish.name or "draft")
    return Server(
        id=ServerId("draft"), slug=slug, name=wish.title, paths=(), upstream=wish.url, auth=auth, tenant_id=tenant.id
    )


def wish_of(sent: Form) -> Wish:
    """Return what a form asks for. Raises ``Refused`` for what it does not have."""
    kind = sent.one("auth") or _IDENTITY
    if kind not in _KINDS:
        raise Refused(faults.REQUEST_INVALID, status=400, reason="a kind that the form does not have")
    return Wish(
        name=sent.one("name").strip(), title=sent.one("title").strip(), url=sent.one("url").strip(), auth=_KINDS[kind],
        header=sent.one("header").strip().lower(), secret=sent.one("secret"),
    )  # fmt: skip


def filled_of(sent: Form) -> Filled:
    """Return what is shown again of a form."""
    return Filled({name: sent.one(name)[:_LONGEST] for name in FIELDS})


def values_of(server: Server) -> dict[str, str]:
    """Return how a server stands in the form."""
    auth = server.auth
    return {
        "name": server.slug, "title": server.name, "url": server.upstream,
        "auth": _IDENTITY if auth is None else auth.kind.value, "header": "" if auth is None else auth.header,
    }  # fmt: skip

"""``/settings/why``: why a call is allowed or denied, for whoever may ask in a tenant (``product.md`` D7)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.dashboard.signed_in import SignedIn, sign_in_first
from doorward.gateway.why import Asked, CannotExplain, arguments_of, described, explain_for, may_explain
from doorward.model import Instant, RuleKind, Tenant, User, UserId
from doorward.protocol import faults
from doorward.storage import accounts, servers
from doorward.storage.database import Database, Reader, Transaction
from doorward.web import request_id
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/why"
_FIELDS: Final = ("user", "key", "connection", "server", "kind", "name", "arguments")
_LONGEST: Final = 2000
"""Characters of a field, but for the arguments."""
_PEOPLE_SHOWN: Final = 200
"""The address of anybody else is typed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this person may ask, and what the form offers for the ``tenant`` asked in."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    people: Sequence[User]
    servers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was sent, by field, and what is wrong with it."""

    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(_FIELDS, ""))
    error: str = ""


class WhyPage:
    """The surface."""

    def __init__(
        self, *, pages: Pages, signed_in: SignedIn, database: Database, now: Callable[[], Instant], public_url: str
    ) -> None:
        self._pages, self._signed_in, self._database, self._now = pages, signed_in, database, now
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._form, methods=["GET"]), Route(PATH, self._explain, methods=["POST"])]

    async def _form(self, request: Request) -> Response:
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        slug = request.query_params.get("tenant", "")
        place = await self._database.read_long(lambda reader: _place(reader, here[1].id, slug))
        return await self._page(here[1], place, Filled())

    async def _explain(self, request: Request) -> Response:
        # Not GET: what is asked, arguments too, would stand in addresses, and the answer is an event of the audit log.
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        here = await self._signed_in.find(request)
        if here is None:
            return sign_in_first(PATH)
        values, slug = {name: sent.one(name).strip() for name in _FIELDS}, sent.one("tenant")
        await self._database.read_long(lambda reader: _tenant(reader, here[1].id, slug))
        found: dict[str, Any] | None = None
        error = ""
        try:
            asked = _asked(values, slug)
            found = await self._database.write(lambda tx: self._answer(tx, request, asked, here[1]))
        except (CannotExplain, ValueError) as wrong:
            error = f"Nothing was explained: {wrong}."
        place = await self._database.read_long(lambda reader: _place(reader, here[1].id, slug))
        return await self._page(here[1], place, Filled(values, error), found)

    def _answer(self, tx: Transaction, request: Request, asked: Asked, user: User) -> dict[str, Any]:
        here = self._signed_in.find_in(tx, request)
        if here is None or here[1].id != user.id:
            raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")
        # Asked again in the transaction that answers: a role that was taken away meanwhile learns nothing.
        _tenant(tx, user.id, asked.tenant)
        explanation = explain_for(
            tx, asked, actor_id=user.id, by="page", now=self._now(), request_id=request_id.of(request)
        )
        return described(explanation, asked.kind)

    async def _page(
        self, user: User, place: Place, form: Filled, found: dict[str, Any] | None = None
    ) -> Response:  # fmt: skip
        return self._pages.render(
            "why.html", status=422 if form.error else 200, here=PATH, place=place, form=form, found=found,
            kinds=[kind.value for kind in RuleKind], **await self._signed_in.shell(user),
        )  # fmt: skip


def _asked(values: dict[str, str], slug: str) -> Asked:
    """Return the question of a form. Raises ``ValueError`` with words for people."""
    for name, words in (("user", "name a person"), ("server", "choose a server"), ("name", "name what is called")):
        if not values[name]:
            raise ValueError(words)
    if values["kind"] not in set(RuleKind):
        raise ValueError("choose a tool, resource or prompt")
    if any(len(values[name]) > _LONGEST for name in _FIELDS if name != "arguments"):
        raise ValueError(f"a field is longer than {_LONGEST} characters")
    if values["key"] and values["connection"]:
        raise ValueError("name a key or an app, not both")
    try:
        arguments = arguments_of(values["arguments"]) if values["arguments"] else None
    except ValueError as wrong:
        raise ValueError(f"what stands under arguments {wrong}") from wrong
    return Asked(
        tenant=slug, email=values["user"], server=values["server"], kind=RuleKind(values["kind"]), name=values["name"],
        arguments=arguments, key=values["key"] or None, connection=values["connection"] or None,
    )  # fmt: skip


def _mine(reader: Reader, user_id: UserId) -> list[Tenant]:
    return [
        tenant for tenant, _ in accounts.memberships_of_user(reader, user_id) if may_explain(reader, tenant.id, user_id)
    ]


def _tenant(reader: Reader, user_id: UserId, slug: str) -> Tenant:
    """Return the tenant to ask in. Refused in the same words where it is missing and where they may not (ruling 8)."""
    found = next((tenant for tenant in _mine(reader, user_id) if tenant.slug == slug), None)
    if found is None:
        raise Refused(faults.NOT_PERMITTED, status=403, reason="no decisions:explain in that tenant")
    return found


def _place(reader: Reader, user_id: UserId, slug: str) -> Place:
    mine = _mine(reader, user_id)
    tenant = _tenant(reader, user_id, slug or (mine[0].slug if mine else ""))
    members = [user for user, _ in accounts.members_of_tenant(reader, tenant.id)]
    enabled = servers.servers_of_tenant(reader, tenant.id)
    slugs = sorted(server.slug for server in servers.all_servers(reader) if server.id in enabled)
    return Place(tenant, mine, members[:_PEOPLE_SHOWN], slugs)

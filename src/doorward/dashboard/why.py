"""``/settings/why``: why a call is allowed or denied, for whoever may ask in a tenant (feature D7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.dashboard import tenant_desk
from doorward.dashboard.desk import SettingsPage
from doorward.dashboard.mending import NEEDS_APPROVAL, Denied, Mend, mends
from doorward.dashboard.navigation import Entry
from doorward.gateway.why import Asked, CannotExplain, arguments_of, described, explain_for
from doorward.model import RuleKind, Session, Tenant, User
from doorward.rights import EXPLAIN_DECISIONS
from doorward.storage import accounts, servers
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import read_form
from doorward.web.origin import require_same_origin

PATH: Final = "/settings/why"
_FIELDS: Final = ("user", "key", "connection", "server", "kind", "name", "arguments")
_LINKED: Final = ("user", "server", "kind", "name")
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
    """The form as it was sent, by field, and what is wrong with which."""

    values: dict[str, str] = field(default_factory=lambda: dict.fromkeys(_FIELDS, ""))
    wrong: str = ""
    error: str = ""


class NotAsked(Exception):  # noqa: N818  (an answer)
    """A field does not hold what it is for; the words are for whoever filled it in."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class Found:
    """The answer as ``described`` says it, and what was asked, for the links to where it is mended."""

    said: dict[str, Any]
    denied: Denied


class WhyPage(SettingsPage):
    """The surface."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._form, methods=["GET"]), Route(PATH, self._explain, methods=["POST"])]

    async def _form(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        slug = request.query_params.get("tenant", "")
        place = await self._database.read_long(lambda reader: _place(reader, here, slug))
        # From a page that knows what is asked; nothing is explained before it is sent.
        said = {name: request.query_params.get(name, "")[:_LONGEST] for name in _LINKED}
        return await self._page(here[1], place, Filled(dict.fromkeys(_FIELDS, "") | said))

    async def _explain(self, request: Request) -> Response:
        # Not GET: what is asked, arguments too, would stand in addresses, and the answer is an event of the audit log.
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        here = await self._signed_in.require(request, PATH)
        values = {name: sent.one(name).strip() for name in _FIELDS}
        slug = (await self._database.read_long(lambda reader: _place(reader, here, sent.one("tenant")))).tenant.slug
        found: Found | None = None
        wrong, error = "", ""
        try:
            asked = _asked(values, slug)
            found = await self._database.write(lambda tx: self._answer(tx, request, asked))
        except (CannotExplain, NotAsked) as refused:
            wrong = {"email": "user"}.get(refused.field, refused.field) or "user"
            error = f"Nothing was explained: {refused}."
        place = await self._database.read_long(lambda reader: _place(reader, here, slug))
        return await self._page(here[1], place, Filled(values, wrong, error), found)

    def _answer(self, tx: Transaction, request: Request, asked: Asked) -> Found:
        here = self._signed_in.require_in(tx, request)
        # Asked again in the transaction that answers: a role that was taken away meanwhile learns nothing.
        tenant_desk.place(tx, here, asked.tenant, (EXPLAIN_DECISIONS,))
        explanation = explain_for(tx, asked, actor_id=here[1].id, by="page", now=self._now(), cause=causes.of(request))
        about = accounts.user_by_email(tx, asked.email)
        denied = Denied(
            tenant=asked.tenant, user_id="" if about is None else about.id, who=asked.email, server=asked.server,
            kind=asked.kind.value, name=asked.name,
        )  # fmt: skip
        return Found(described(explanation, asked.kind), denied)

    async def _page(self, user: User, place: Place, form: Filled, found: Found | None = None) -> Response:
        shell = await self._signed_in.shell(user)
        return self._pages.render(
            "why.html", status=422 if form.error else 200, here=PATH, place=place, form=form,
            found=found and found.said, mends=[] if found is None else _mends(found, shell["navigation"]),
            kinds=[kind.value for kind in RuleKind], **shell,
        )  # fmt: skip


def _mends(found: Found, navigation: Sequence[tuple[str, Sequence[Entry]]]) -> list[Mend]:
    shown = {entry.path for _, entries in navigation for entry in entries}
    reason = found.said["decision"] if found.said["decision"] == NEEDS_APPROVAL else found.said["reason"]
    return mends(reason or "", found.denied, shown)


def _asked(values: dict[str, str], slug: str) -> Asked:
    """Return the question of a form. Raises ``NotAsked``."""
    for name, words in (("user", "name a person"), ("server", "choose a server"), ("name", "name what is called")):
        if not values[name]:
            raise NotAsked(name, words)
    if values["kind"] not in set(RuleKind):
        raise NotAsked("kind", "choose a tool, resource or prompt")
    for name in _FIELDS:
        if name != "arguments" and len(values[name]) > _LONGEST:
            raise NotAsked(name, f"this is longer than {_LONGEST} characters")
    if values["key"] and values["connection"]:
        raise NotAsked("connection", "name a key or an app, not both")
    try:
        arguments = arguments_of(values["arguments"]) if values["arguments"] else None
    except ValueError as wrong:
        raise NotAsked("arguments", f"what stands under arguments {wrong}") from wrong
    return Asked(
        tenant=slug, email=values["user"], server=values["server"], kind=RuleKind(values["kind"]), name=values["name"],
        arguments=arguments, key=values["key"] or None, connection=values["connection"] or None,
    )  # fmt: skip


def _place(reader: Reader, here: tuple[Session, User], slug: str) -> Place:
    tenant, mine = tenant_desk.place(reader, here, slug, (EXPLAIN_DECISIONS,))
    members = [user for user, _ in accounts.members_of_tenant(reader, tenant.id)]
    enabled = servers.servers_of_tenant(reader, tenant.id)
    slugs = sorted(server.slug for server in servers.all_servers(reader) if server.id in enabled)
    return Place(tenant, mine, members[:_PEOPLE_SHOWN], slugs)

"""``/settings/members``: who belongs to a tenant, with which roles, and what they hold in it (feature F2).

What is done to one of them: ``member_page``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import members
from doorward.accounts.members import ListedMember, Newcomer
from doorward.accounts.refused import PeopleRefused
from doorward.dashboard.member_page import MemberPage, givable
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act
from doorward.dashboard.tenant_desk import SHOWN, Here, TenantDesk, actor_of, place
from doorward.model import OwnerKind, Tenant
from doorward.rights import MANAGE_MEMBERS
from doorward.storage.database import Reader
from doorward.storage.members import count_members

PATH: Final = "/settings/members"
SERVICE_ACCOUNTS: Final = f"{PATH}/service-accounts"
PAGE: Final = 50
"""Members on one page."""
_RIGHTS: Final = (MANAGE_MEMBERS,)
_KINDS: Final[Mapping[str, OwnerKind]] = {"people": OwnerKind.PERSON, "service": OwnerKind.SERVICE}
_DONE: Final = frozenset({"made", "removed", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the list shows. ``following``: the address after which the next page begins."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    rows: Sequence[ListedMember]
    total: int
    following: str | None
    roles: Sequence[tuple[str, bool]]
    """Roles of the tenant, and whether this person may give them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """The form for a service account, as it was sent, and what is wrong with it, by field."""

    name: str = ""
    roles: Sequence[str] = field(default=())
    errors: Mapping[str, str] = field(default_factory=dict)


class MembersPage:
    """The surface."""

    def __init__(self, desk: TenantDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            self._desk.step_up.guard(SERVICE_ACCOUNTS, self._make),
            *MemberPage(self._desk).routes(),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._page(here, request.query_params, NewAccount())

    async def _make(self, request: Request, act: Act) -> Response:
        slug, form = act.form.one("tenant"), NewAccount(name=act.form.one("name"), roles=act.form.many("role"))
        newcomer = Newcomer(name=form.name, kind=OwnerKind.SERVICE, roles=form.roles)
        refused = await self._desk.do(
            request, slug, _RIGHTS,
            lambda tx, tenant, actor: members.add_member(
                tx, tenant, newcomer, actor, now=self._desk.now(), entropy=self._desk.entropy
            ),
            look=(f"{PATH}?{urlencode({'tenant': slug, 'kind': 'service'})}", "Look at the service accounts"),
        )  # fmt: skip
        if refused is None:
            told = {"tenant": slug, "kind": "service", "done": "made", "name": form.name[:SHOWN]}
            return see_other(f"{PATH}?{urlencode(told)}")
        errors = {"name" if refused.field == "name" else "roles": refused.public}
        again = NewAccount(name=form.name[:SHOWN], roles=form.roles, errors=errors)
        return await self._page((act.session, act.user), {"tenant": slug, "kind": "service"}, again, refused)

    async def _page(
        self, here: Here, query: Mapping[str, str], form: NewAccount, refused: PeopleRefused | None = None
    ) -> Response:
        text, kind = query.get("q", "")[:SHOWN].strip(), query.get("kind", "")
        after = query.get("after", "")[:SHOWN].replace("\x00", "")
        asked: dict[str, Any] = {"text": text.replace("\x00", ""), "kind": _KINDS.get(kind)}
        now = self._desk.now()

        def look(reader: Reader) -> Listed:
            tenant, tenants = place(reader, here, query.get("tenant", ""), _RIGHTS)
            rows = members.page(reader, tenant, **asked, after=after, most=PAGE + 1, now=now)
            return Listed(
                tenant=tenant, tenants=tenants, rows=rows[:PAGE], total=count_members(reader, tenant.id, **asked),
                following=rows[PAGE - 1].use.user.email if len(rows) > PAGE else None,
                roles=givable(reader, tenant, actor_of(here[1])),
            )  # fmt: skip

        listed, done = await self._desk.database.read_long(look), query.get("done", "")
        return await self._desk.render(
            "members.html", here[1], here=PATH, listed=listed, q=text, kind=kind if kind in _KINDS else "", now=now,
            after=after, form=form, done=done if done in _DONE else "", name=query.get("name", "")[:SHOWN],
            status=200 if refused is None else refused.status,
        )  # fmt: skip

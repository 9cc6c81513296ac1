"""One member of a tenant: their roles there and at resources, and how they are ended, let in again and taken out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import leaving, members, roles
from doorward.accounts.actors import OWNER, Actor, known_permissions, require_above
from doorward.accounts.members import ListedMember, Place, Wanted
from doorward.accounts.refused import PeopleRefused
from doorward.dashboard.key_form import MOST_SHOWN, Node, in_order
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act, Handler
from doorward.dashboard.tenant_desk import SHOWN, Here, TenantDesk, actor_of, place
from doorward.model import OwnerKind, Status, Tenant, UserId
from doorward.policy.rules import ResourceTree
from doorward.protocol import faults
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import leaving as stored_leaving
from doorward.storage import permissions
from doorward.storage.database import Reader, Transaction
from doorward.web.forms import Form

PATH: Final = "/settings/members"
ONE: Final = f"{PATH}/{{user_id}}"
_RIGHTS: Final = (MANAGE_MEMBERS,)
_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    "deactivate": "Deactivate", "activate": "Let in again", "remove": "Remove", "delete": "Delete"
})  # fmt: skip
"""What can be done to a member, with the word on its button."""
_DONE: Final = frozenset({"saved", "deactivated", "activated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A member, and what this person may do about them."""

    tenant: Tenant
    member: ListedMember
    above: bool
    """Whether they hold all that the member holds."""
    mine: bool
    """Whether the account belongs to this tenant alone, so that the tenant may end it."""
    roles: Sequence[tuple[str, bool]]
    nodes: Sequence[Node]

    @property
    def many(self) -> bool:
        """Whether there are too many nodes to choose from a list."""
        return len(self.nodes) > MOST_SHOWN

    @property
    def ways(self) -> list[str]:
        """What may be done to them now."""
        user = self.member.use.user
        service, active = user.kind is OwnerKind.SERVICE, user.status is Status.ACTIVE
        ending = ["deactivate" if active else "activate"] if self.mine else []
        return [*ending, "delete" if service and self.mine else "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesForm:
    """What stands in the form; places like ``editor project/alpha``."""

    roles: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    role: str = ""
    node: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


class MemberPage:
    """The surface."""

    def __init__(self, desk: TenantDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        guard = self._desk.step_up.guard
        return [
            Route(ONE, self._show, methods=["GET"]),
            guard(f"{ONE}/roles", self._roles),
            *(Route(f"{ONE}/{what}", partial(self._ask, what), methods=["GET"]) for what in _WORDS),
            *(guard(f"{ONE}/{what}", self._ending(what)) for what in _WORDS),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        query, done = request.query_params, request.query_params.get("done", "")
        user_id = UserId(request.path_params["user_id"])
        return await self._page(here, query.get("tenant", ""), user_id, done=done if done in _DONE else "")

    async def _roles(self, request: Request, act: Act) -> Response:
        slug, user_id, form = act.form.one("tenant"), UserId(act.path["user_id"]), _read(act.form)
        if form.errors:
            return await self._page((act.session, act.user), slug, user_id, form)

        def work(tx: Transaction, tenant: Tenant, actor: Actor) -> None:
            wanted = Wanted(roles=sorted(form.roles), places=_places(form))
            members.set_roles(tx, tenant, user_id, wanted, actor, now=self._desk.now())

        refused = await self._desk.do(request, slug, _RIGHTS, work)
        if refused is not None:
            at = "node" if form.node and "resource" in refused.public else ""
            return await self._page((act.session, act.user), slug, user_id, replace(form, errors={at: refused.public}))
        return see_other(f"{PATH}/{user_id}?{urlencode({'tenant': slug, 'done': 'saved'})}")

    async def _ask(self, what: str, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        slug, user_id = request.query_params.get("tenant", ""), UserId(request.path_params["user_id"])
        return await self._confirmation(here, slug, user_id, what)

    def _ending(self, what: str) -> Handler:
        async def end(request: Request, act: Act) -> Response:
            slug, user_id = act.form.one("tenant"), UserId(act.path["user_id"])
            refused = await self._desk.do(request, slug, _RIGHTS, partial(self._end, what, user_id))
            if refused is not None:
                return await self._confirmation((act.session, act.user), slug, user_id, what, refused)
            told = {"tenant": slug, "done": f"{what}d", "name": act.form.one("name")[:SHOWN]}
            return see_other(f"{PATH}{f'/{user_id}' if 'activate' in what else ''}?{urlencode(told)}")

        return end

    def _end(self, what: str, user_id: UserId, tx: Transaction, tenant: Tenant, actor: Actor) -> None:
        now = self._desk.now()
        if what == "remove":
            leaving.leave_tenant(tx, user_id, tenant, actor, now=now)
            return
        if what == "delete" and leaving.member(tx, tenant, user_id).kind is not OwnerKind.SERVICE:
            raise PeopleRefused(
                faults.MEMBER_INVALID, reason="a person", public="Only service accounts are deleted here."
            )
        change: Callable[..., object] = getattr(leaving, what)
        change(tx, user_id, actor, tenant=tenant, now=now)

    async def _confirmation(
        self, here: Here, slug: str, user_id: UserId, what: str, refused: PeopleRefused | None = None
    ) -> Response:
        shown = await self._shown(here, slug, user_id)
        if refused is None and what not in shown.ways:
            raise HTTPException(404)
        return await self._desk.render(
            "member_end.html", here[1], here=PATH, shown=shown, what=what, word=_WORDS[what], now=self._desk.now(),
            myself=user_id == here[1].id, error=None if refused is None else refused,
            status=200 if refused is None else refused.status,
        )  # fmt: skip

    async def _page(
        self, here: Here, slug: str, user_id: UserId, form: RolesForm | None = None, *, done: str = ""
    ) -> Response:
        shown = await self._shown(here, slug, user_id)
        filled = form or RolesForm(
            roles=frozenset(shown.member.roles),
            places=frozenset(f"{role} {node.type}/{node.key}" for role, node in shown.member.nodes),
        )
        return await self._desk.render(
            "member.html", here[1], here=PATH, shown=shown, form=filled, done=done, words=_WORDS,
            now=self._desk.now(), status=422 if filled.errors else 200,
        )  # fmt: skip

    async def _shown(self, here: Here, slug: str, user_id: UserId) -> Shown:
        now = self._desk.now()

        def look(reader: Reader) -> Shown:
            tenant, _ = place(reader, here, slug, _RIGHTS)
            actor = actor_of(here[1])
            return Shown(
                tenant=tenant, member=members.one(reader, tenant, user_id, now=now),
                above=_is_above(reader, actor, tenant, user_id),
                mine=stored_leaving.tenants_of_user(reader, user_id) == [tenant.id],
                roles=givable(reader, tenant, actor),
                nodes=in_order(ResourceTree(permissions.resources_of_tenant(reader, tenant.id))),
            )  # fmt: skip

        return await self._desk.database.read_long(look)


def givable(reader: Reader, tenant: Tenant, actor: Actor) -> list[tuple[str, bool]]:
    """Return the roles of a tenant, and whether an actor may give each. Raises ``PeopleRefused`` without the right."""
    authority, known = actor.authority(reader, tenant.id), known_permissions(reader)

    def may_give(name: str, patterns: Sequence[str]) -> bool:
        return authority is None or (authority.covers(patterns, known) and (name != OWNER or authority.owner))

    every = [each.role for each in roles.listed(reader, tenant)]
    return [(each.name, may_give(each.name, each.permissions)) for each in every]


def _is_above(reader: Reader, actor: Actor, tenant: Tenant, user_id: UserId) -> bool:
    try:
        require_above(reader, actor, tenant, user_id)
    except PeopleRefused:
        return False
    return True


def _read(sent: Form) -> RolesForm:
    form = RolesForm(
        roles=frozenset(sent.many("role")), places=frozenset(sent.many("place")),
        role=sent.one("new_role")[:SHOWN], node=sent.one("node")[:SHOWN].strip(),
    )  # fmt: skip
    if bool(form.role) is bool(form.node):
        return form
    wrong = {"node": "Say where this role shall hold."} if form.role else {"new_role": "Say which role they get there."}
    return replace(form, errors=wrong)


def _places(form: RolesForm) -> list[Place]:
    texts = {*form.places, f"{form.role} {form.node}"} if form.role else form.places
    found = []
    for text in sorted(texts):
        role, _, node = text.partition(" ")
        kind, _, key = node.partition("/")
        found.append(Place(role=role, type=kind, key=key))
    return found

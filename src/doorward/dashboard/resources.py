"""``/settings/resources``: a tenant's tree, and on the page of each node who has roles there (features D10, F2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import members
from doorward.accounts.actors import Actor
from doorward.accounts.members import Place
from doorward.accounts.refused import PeopleRefused
from doorward.dashboard import tree_list
from doorward.dashboard.node_view import NodeShown, node_shown
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act
from doorward.dashboard.tenant_desk import SHOWN, Here, TenantDesk, place
from doorward.dashboard.tree_list import Step
from doorward.model import Instant, Resource, ResourceId, Tenant, UserId
from doorward.protocol import faults
from doorward.provisioning import tree_editing
from doorward.provisioning.resource_tree import NodeName, TreeNode, TreeRefused
from doorward.provisioning.tree_editing import NodeRefused
from doorward.rights import MANAGE_MEMBERS, MANAGE_RESOURCES, may
from doorward.storage import permissions, pushed_trees
from doorward.storage.database import Reader, Transaction
from doorward.web.forms import Form

PATH: Final = "/settings/resources"
ONE: Final = f"{PATH}/{{node_id}}"
_RIGHTS: Final = (MANAGE_RESOURCES, MANAGE_MEMBERS)
_USUAL_TYPES: Final = ("workspace", "project", "folder")
_DONE: Final = frozenset({"added", "renamed", "moved", "deleted", "given", "taken", "kept here"})

Change = Callable[[Transaction, Tenant, Actor], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeShown:
    """A tenant's tree. ``since``: a product pushes it since then; ``hits``: what a search found, None without one."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    steps: Sequence[Step]
    total: int
    hits: Sequence[Resource] | None
    since: Instant | None
    edits: bool
    types: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A form as it was sent, and what is wrong with it. ``form`` is its name: add, rename, move or bind."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    def value(self, form: str, name: str, stored: str = "") -> str:
        """Return what stands in a field: what was sent, or what is stored."""
        return self.values.get(name, stored) if form == self.form else stored

    def error(self, form: str, name: str) -> str:
        """Return what is wrong with a field of a form."""
        return self.errors.get(name, "") if form == self.form else ""


class ResourcesPage:
    """The surface."""

    def __init__(self, desk: TenantDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        guard = self._desk.step_up.guard
        return [
            Route(PATH, self._tree, methods=["GET"]),
            guard(PATH, self._add),
            guard(f"{PATH}/take-over", self._take_over),
            Route(ONE, self._node, methods=["GET"]),
            guard(f"{ONE}/rename", partial(self._changed, "rename")),
            guard(f"{ONE}/move", partial(self._changed, "move")),
            Route(f"{ONE}/delete", self._ask_to_delete, methods=["GET"]),
            guard(f"{ONE}/delete", self._delete),
            guard(f"{ONE}/bind", partial(self._changed, "bind")),
            guard(f"{ONE}/unbind", partial(self._changed, "unbind")),
        ]

    async def _tree(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._page(here, request.query_params, Filled())

    async def _node(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._node_page(here, request.query_params, request.path_params["node_id"], Filled())

    async def _add(self, request: Request, act: Act) -> Response:
        form, slug, below = act.form, act.form.one("tenant"), act.form.one("below")
        name = (form.one("type").strip(), form.one("key").strip())

        def work(tx: Transaction, tenant: Tenant, actor: Actor) -> None:
            parent = None if not below else _named(tree_editing.node_by(tx, tenant, below))
            node = TreeNode(name=name, title=form.one("name"), parent=parent)
            tree_editing.add(tx, tenant, node, actor, now=self._desk.now())

        look = (f"{PATH}?{urlencode({'tenant': slug})}", "Look at the tree")
        filled = await self._try(request, act, "add", work, look)
        if filled is None:
            return _see(slug, "added", below)
        here, query = (act.session, act.user), {"tenant": slug}
        return await (self._node_page(here, query, below, filled) if below else self._page(here, query, filled))

    async def _changed(self, what: str, request: Request, act: Act) -> Response:
        slug, node_id = act.form.one("tenant"), act.path["node_id"]
        work: Change = partial(_CHANGES[what], node_id=ResourceId(node_id), form=act.form, now=self._desk.now())
        filled = await self._try(request, act, what, work)
        if filled is None:
            return _see(slug, {"rename": "renamed", "move": "moved", "bind": "given", "unbind": "taken"}[what], node_id)
        return await self._node_page((act.session, act.user), {"tenant": slug}, node_id, filled)

    async def _take_over(self, request: Request, act: Act) -> Response:
        work: Change = partial(_take_over, now=self._desk.now())
        await self._try(request, act, "take-over", work)
        return _see(act.form.one("tenant"), "kept here")

    async def _ask_to_delete(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        shown = await self._one(here, request.query_params.get("tenant", ""), request.path_params["node_id"])
        if not shown.edits:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return await self._desk.render("node_delete.html", here[1], here=PATH, shown=shown)

    async def _delete(self, request: Request, act: Act) -> Response:
        slug, node_id = act.form.one("tenant"), ResourceId(act.path["node_id"])
        work: Change = partial(_delete, node_id=node_id, now=self._desk.now())
        filled = await self._try(request, act, "delete", work)
        if filled is None:
            return _see(slug, "deleted")
        return await self._node_page((act.session, act.user), {"tenant": slug}, node_id, filled)

    async def _try(
        self, request: Request, act: Act, form: str, work: Change, look: tuple[str, str] | None = None
    ) -> Filled | None:
        """Make a change, and return its form with what is wrong, if something is."""
        values = {name: value[:SHOWN] for name, value in act.form.pairs}
        try:
            refused = await self._desk.do(request, act.form.one("tenant"), _RIGHTS, work, look)
        except LookupError as unknown:
            raise HTTPException(HTTPStatus.NOT_FOUND) from unknown
        except TreeRefused as wrong:
            field_name = wrong.field if isinstance(wrong, NodeRefused) else ""
            return Filled(form=form, values=values, errors={field_name: wrong.public}, status=422)
        if refused is None:
            return None
        return Filled(form=form, values=values, errors={refused.field: refused.public}, status=refused.status)

    async def _page(self, here: Here, query: Mapping[str, str], filled: Filled) -> Response:
        text, done = query.get("q", "")[:SHOWN].strip(), query.get("done", "")
        shown = await self._desk.database.read_long(lambda reader: _shown(reader, here, query.get("tenant", ""), text))
        return await self._desk.render(
            "tree.html", here[1], here=PATH, status=filled.status, shown=shown, filled=filled, q=text,
            done=done if done in _DONE else "",
        )  # fmt: skip

    async def _node_page(self, here: Here, query: Mapping[str, str], node_id: str, filled: Filled) -> Response:
        shown, done = await self._one(here, query.get("tenant", ""), node_id), query.get("done", "")
        return await self._desk.render(
            "node.html", here[1], here=PATH, status=filled.status, shown=shown, filled=filled,
            done=done if done in _DONE else "",
        )  # fmt: skip

    async def _one(self, here: Here, slug: str, node_id: str) -> NodeShown:
        def look(reader: Reader) -> NodeShown:
            tenant, _ = place(reader, here, slug, _RIGHTS)
            return node_shown(reader, tenant, node_id, here[1], types=_types)

        try:
            return await self._desk.database.read_long(look)
        except LookupError as unknown:
            raise HTTPException(HTTPStatus.NOT_FOUND) from unknown


def _shown(reader: Reader, here: Here, slug: str, text: str) -> TreeShown:
    tenant, tenants = place(reader, here, slug, _RIGHTS)
    nodes = permissions.resources_of_tenant(reader, tenant.id)
    since = pushed_trees.pushed_since(reader, tenant.id)
    counts: dict[ResourceId, int] = {}
    for places in permissions.placements_of_tenant(reader, tenant.id).values():
        for each in places:
            counts[each.resource_id] = counts.get(each.resource_id, 0) + 1
    return TreeShown(
        tenant=tenant, tenants=tenants, steps=tree_list.steps(nodes, None, counts), total=len(nodes), since=since,
        hits=tree_list.found(nodes, text) if text else None, types=_types(nodes),
        edits=since is None and may(reader, tenant.id, here[1].id, MANAGE_RESOURCES),
    )  # fmt: skip


def _types(nodes: Sequence[Resource]) -> list[str]:
    used = {node.type for node in nodes}
    return [*sorted(used), *(each for each in _USUAL_TYPES if each not in used)]


def _rename(
    tx: Transaction, tenant: Tenant, actor: Actor, *, node_id: ResourceId, form: Form, now: Instant
) -> None:  # fmt: skip
    tree_editing.rename(tx, tenant, node_id, form.one("name"), actor, now=now)


def _move(tx: Transaction, tenant: Tenant, actor: Actor, *, node_id: ResourceId, form: Form, now: Instant) -> None:
    kind, _, key = form.one("parent").strip().partition("/")
    tree_editing.move(tx, tenant, node_id, (kind, key) if kind else None, actor, now=now)


def _bind(tx: Transaction, tenant: Tenant, actor: Actor, *, node_id: ResourceId, form: Form, now: Instant) -> None:
    node, name = tree_editing.node_by(tx, tenant, node_id), form.one("role")
    if not name:
        raise PeopleRefused(faults.MEMBER_INVALID, reason="no role", public="Say which role.", field="role")
    try:
        found = members.member_by(tx, tenant, form.one("email"))
    except PeopleRefused as unknown:
        public = "Nobody of this address is a member here. Invite them first."
        raise PeopleRefused(faults.MEMBER_INVALID, reason="no member", public=public, field="email") from unknown
    at = Place(role=name, type=node.type, key=node.key)
    members.give_at(tx, tenant, found.user.id, at, actor, now=now)


def _unbind(tx: Transaction, tenant: Tenant, actor: Actor, *, node_id: ResourceId, form: Form, now: Instant) -> None:
    node = tree_editing.node_by(tx, tenant, node_id)
    at, user_id = Place(role=form.one("role"), type=node.type, key=node.key), form.one("user")
    members.take_at(tx, tenant, UserId(user_id), at, actor, now=now)


def _delete(tx: Transaction, tenant: Tenant, actor: Actor, *, node_id: ResourceId, now: Instant) -> None:
    tree_editing.delete(tx, tenant, node_id, actor, now=now)


def _take_over(tx: Transaction, tenant: Tenant, actor: Actor, *, now: Instant) -> None:
    tree_editing.take_over(tx, tenant, actor, now=now)


_CHANGES: Final[Mapping[str, Callable[..., None]]] = {
    "rename": _rename, "move": _move, "bind": _bind, "unbind": _unbind
}  # fmt: skip


def _named(node: Resource) -> NodeName:
    return node.type, node.key


def _see(slug: str, done: str, node_id: str = "") -> Response:
    below: dict[str, Any] = {"tenant": slug, "done": done}
    return see_other(f"{PATH}{f'/{node_id}' if node_id else ''}?{urlencode(below)}")

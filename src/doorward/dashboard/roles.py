"""``/settings/roles``: the roles of a tenant, what they give and who has them, for whoever looks after members (F2)."""

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import roles
from doorward.accounts.actors import OWNER
from doorward.accounts.refused import PeopleRefused
from doorward.accounts.roles import Holder
from doorward.dashboard import role_form
from doorward.dashboard.role_form import RoleForm
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act
from doorward.dashboard.tenant_desk import SHOWN, Here, TenantDesk, actor_of, place
from doorward.model import Role, Tenant
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import permissions
from doorward.storage.database import Reader
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin

PATH: Final = "/settings/roles"
NEW: Final = f"{PATH}/new"
PREVIEW: Final = f"{PATH}/preview"
CHANGE: Final = f"{PATH}/{{role_id}}"
DELETE: Final = f"{PATH}/{{role_id}}/delete"
HOLDERS_SHOWN: Final = 200
_RIGHTS: Final = (MANAGE_MEMBERS,)
_DONE: Final = frozenset({"made", "changed", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A role as its page shows it; ``own``: it may be changed by this person; ``role`` is None for a new one."""

    tenant: Tenant
    role: Role | None
    own: bool
    built_in: bool
    holders: list[Holder]
    others: list[str]
    """Roles that its holders may be moved to."""


class RolesPage:
    """The surface."""

    def __init__(self, desk: TenantDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        guard = self._desk.step_up.guard
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(NEW, self._blank, methods=["GET"]),
            guard(NEW, self._make),
            Route(PREVIEW, self._preview, methods=["POST"]),
            Route(CHANGE, self._show, methods=["GET"]),
            guard(CHANGE, self._change),
            Route(DELETE, self._ask_to_delete, methods=["GET"]),
            guard(DELETE, self._delete),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        query = request.query_params

        def look(reader: Reader) -> dict[str, Any]:
            tenant, tenants = place(reader, here, query.get("tenant", ""), _RIGHTS)
            catalogue = permissions.catalogue(reader)
            rows = [
                (each, roles.is_built_in(each.role), role_form.in_words(each.role, catalogue))
                for each in roles.listed(reader, tenant)
            ]
            return {"tenant": tenant, "tenants": tenants, "rows": rows}

        found = await self._desk.database.read_long(look)
        done, name = query.get("done", ""), query.get("name", "")[:64]
        return await self._desk.render(
            "roles.html", here[1], here=PATH, done=done if done in _DONE else "", name=name, **found
        )

    async def _blank(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, NEW)
        return await self._page(here, request.query_params.get("tenant", ""), None, RoleForm())

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._page(here, request.query_params.get("tenant", ""), request.path_params["role_id"], None)

    async def _preview(self, request: Request) -> Response:
        """Show the form as it was sent, and what it means. Nothing is changed."""
        require_same_origin(request, self._desk.public_url)
        sent = await read_form(request)
        here = await self._desk.signed_in.require(request, PATH)
        return await self._page(here, sent.one("tenant"), sent.one("role") or None, _form(sent))

    async def _make(self, request: Request, act: Act) -> Response:
        slug, form = act.form.one("tenant"), _form(act.form)

        refused = await self._desk.do(
            request, slug, _RIGHTS,
            lambda tx, tenant, actor: roles.make(
                tx, tenant, form.name, sorted(form.patterns), actor, now=self._desk.now(), entropy=self._desk.entropy
            ),
            look=(f"{PATH}?{urlencode({'tenant': slug})}", "Look at the roles"),
        )  # fmt: skip
        if refused is not None:
            return await self._page((act.session, act.user), slug, None, form, refused)
        return _see(slug, "made", form.name)

    async def _change(self, request: Request, act: Act) -> Response:
        slug, form, role_id = act.form.one("tenant"), _form(act.form), act.path["role_id"]
        refused = await self._desk.do(
            request, slug, _RIGHTS,
            lambda tx, tenant, actor: roles.change(
                tx, tenant, role_id, sorted(form.patterns), actor, now=self._desk.now()
            ),
        )  # fmt: skip
        if refused is not None:
            return await self._page((act.session, act.user), slug, role_id, form, refused)
        return _see(slug, "changed", act.form.one("name"))

    async def _ask_to_delete(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        return await self._confirmation(here, request.query_params.get("tenant", ""), request.path_params["role_id"])

    async def _delete(self, request: Request, act: Act) -> Response:
        slug, role_id, move_to = act.form.one("tenant"), act.path["role_id"], act.form.one("move_to")
        refused = await self._desk.do(
            request, slug, _RIGHTS,
            lambda tx, tenant, actor: roles.remove(
                tx, tenant, role_id, actor, move_to=move_to or None, now=self._desk.now()
            ),
        )  # fmt: skip
        if refused is not None:
            return await self._confirmation((act.session, act.user), slug, role_id, refused, move_to)
        return _see(slug, "deleted", act.form.one("name"))

    async def _confirmation(
        self, here: Here, slug: str, role_id: str, refused: PeopleRefused | None = None, chosen: str = ""
    ) -> Response:
        shown = await self._desk.database.read_long(lambda reader: _shown(reader, here, slug, role_id))
        return await self._desk.render(
            "role_delete.html", here[1], here=PATH, shown=shown, chosen=chosen, most=HOLDERS_SHOWN,
            error=None if refused is None else refused.public, status=200 if refused is None else refused.status,
        )  # fmt: skip

    async def _page(
        self, here: Here, slug: str, role_id: str | None, form: RoleForm | None, refused: PeopleRefused | None = None
    ) -> Response:
        """Show a role, or a new one; ``form`` is None where what is stored stands in it."""

        def look(reader: Reader) -> dict[str, Any]:
            shown = _shown(reader, here, slug, role_id)
            stored = RoleForm() if shown.role is None else _stored(shown.role)
            filled = stored if form is None else replace(form, name=form.name if shown.role is None else stored.name)
            held = filled.patterns | stored.patterns
            return {
                "shown": shown, "form": filled,
                "groups": role_form.groups(reader, shown.tenant, actor_of(here[1]), held),
                "preview": role_form.preview(reader, filled.patterns),
            }  # fmt: skip

        found = await self._desk.database.read_long(look)
        errors = {} if refused is None else {refused.field: refused.public}
        return await self._desk.render(
            "role.html", here[1], here=PATH, errors=errors, most=HOLDERS_SHOWN,
            status=200 if refused is None else refused.status, **found,
        )  # fmt: skip


def _shown(reader: Reader, here: Here, slug: str, role_id: str | None) -> Shown:
    tenant, _ = place(reader, here, slug, _RIGHTS)
    if role_id is None:
        return Shown(tenant=tenant, role=None, own=True, built_in=False, holders=[], others=[])
    role = roles.role_by(reader, tenant, role_id)
    built_in, others = roles.is_built_in(role), permissions.roles_of_tenant(reader, tenant.id)
    return Shown(
        tenant=tenant, role=role, built_in=built_in, holders=roles.holders(reader, tenant, role),
        own=roles.may_change(reader, tenant, role, actor_of(here[1])),
        others=[each.name for each in others if each.name not in {role.name, OWNER}],
    )  # fmt: skip


def _stored(role: Role) -> RoleForm:
    return RoleForm(name=role.name, patterns=frozenset(role.permissions))


def _form(sent: Form) -> RoleForm:
    return RoleForm(name=sent.one("name")[:SHOWN].strip(), patterns=frozenset(sent.many("permission")))


def _see(slug: str, done: str, name: str) -> Response:
    return see_other(f"{PATH}?{urlencode({'tenant': slug, 'done': done, 'name': name[:SHOWN]})}")

"""``/settings/server/…``: one server with its tools and the tenant's overrides; change, disable and remove what is ours."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts.actors import Actor
from doorward.dashboard import once, server_list
from doorward.dashboard.server_desk import ONE, PATH, Belongs, Place, ServerDesk, server_here
from doorward.dashboard.servers import Filled, filled_of, tested, values_of, wish_of
from doorward.dashboard.signed_in import see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.gateway.testing import Outcome, Told
from doorward.gateway.tool_views import tool_views
from doorward.model import Effect, Override, Server, Session, Status, SubjectKind, Tenant, User
from doorward.protocol import faults
from doorward.provisioning import own_overrides, own_servers
from doorward.provisioning.own_servers import ServerRefused
from doorward.storage import accounts, overrides, permissions
from doorward.storage.database import Reader, Transaction
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

OVERRIDE: Final = ("match", "effect", "requires", "subject", "whom")
_DONE: Final = frozenset({"added", "changed", "disabled", "enabled", "override", "taken", "reviewed"})
_LONGEST: Final = 500
_FIELDS: Final = {
    "require": "requires",
    "for": "whom",
    "deny": "effect",
    "approval": "effect",
    own_overrides.WHOLE: "effect",
}
"""What the use case calls a field, where the form calls it otherwise."""
_PLACE: Final = re.compile(r"^[a-z]+(?:\[[0-9]+\]|\.[a-z]+)*: ")
"""Where in a document the same would be wrong."""


@dataclass(frozen=True, slots=True)
class OverrideForm:
    """The form of an override as it was sent, and what is wrong with which field."""

    values: dict[str, str]
    wrong: str = ""
    error: str = ""


EMPTY: Final = OverrideForm(dict.fromkeys(OVERRIDE, ""))


class ServerPage:
    """The surface."""

    def __init__(self, *, desk: ServerDesk, step_up: StepUp) -> None:
        self._desk, self._step_up = desk, step_up

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(ONE, self._show, methods=["GET"]),
            Route(f"{ONE}/change", self._change_form, methods=["GET"]),
            self._step_up.guard(f"{ONE}/change", self._change),
            self._step_up.guard(f"{ONE}/status", self._status),
            Route(f"{ONE}/remove", self._remove_form, methods=["GET"]),
            self._step_up.guard(f"{ONE}/remove", self._remove),
            Route(f"{ONE}/test", self._test, methods=["POST"]),
            Route(f"{ONE}/overrides", self._add_override, methods=["POST"]),
            self._step_up.guard(f"{ONE}/overrides/{{override_id}}/remove", self._remove_override),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        done = request.query_params.get("done", "")
        return await self._page(
            here, request.path_params["server"], request.query_params.get("tenant", ""),
            done=done if done in _DONE else "",
        )  # fmt: skip

    async def _test(self, request: Request) -> Response:
        sent, here = await self._sent(request)
        slug, tenant_slug = request.path_params["server"], sent.one("tenant")
        place, server = await self._desk.database.read_long(lambda reader: self._own(reader, here, slug, tenant_slug))
        told = await tested(self._desk, place.tenant, server, None)
        if told.outcome is Outcome.WELL:
            tenant = place.tenant
            await self._desk.look(server, Belongs(tenant.id, tenant.slug, tenant.name))
        return await self._page(here, slug, tenant_slug, told=told)

    async def _change_form(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        slug, tenant_slug = request.path_params["server"], request.query_params.get("tenant", "")
        return await self._form(here, slug, tenant_slug, None)

    async def _change(self, request: Request, act: Act) -> Response:
        desk, slug, tenant_slug = self._desk, act.path["server"], act.form.one("tenant")
        wish = wish_of(act.form)
        try:
            await self._changed(
                request, tenant_slug,
                lambda tx, tenant, actor: own_servers.change(
                    tx, tenant, slug, wish, actor, sealer=desk.sealer, entropy=desk.entropy, now=desk.now()
                ),
            )  # fmt: skip
        except ServerRefused as refused:
            if not refused.field:
                raise
            filled = replace(filled_of(act.form), wrong=refused.field, error=refused.public)
            return await self._form((act.session, act.user), slug, tenant_slug, filled, status=refused.status)
        return _back(slug, tenant_slug, "changed")

    async def _status(self, request: Request, act: Act) -> Response:
        slug, tenant_slug, wanted = act.path["server"], act.form.one("tenant"), act.form.one("status")
        if wanted not in set(Status):
            raise Refused(faults.REQUEST_INVALID, status=400, reason="a button that the page does not have")
        status, now = Status(wanted), self._desk.now()
        await self._changed(
            request, tenant_slug,
            lambda tx, tenant, actor: own_servers.set_status(tx, tenant, slug, status, actor, now=now),
        )  # fmt: skip
        return _back(slug, tenant_slug, "enabled" if status is Status.ACTIVE else "disabled")

    async def _remove_form(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        slug, tenant_slug = request.path_params["server"], request.query_params.get("tenant", "")
        place, server = await self._desk.database.read_long(lambda reader: self._own(reader, here, slug, tenant_slug))
        return self._desk.pages.render(
            "server_remove.html", here=PATH, place=place, server=server, **await self._desk.signed_in.shell(here[1])
        )

    async def _remove(self, request: Request, act: Act) -> Response:
        slug, tenant_slug, now = act.path["server"], act.form.one("tenant"), self._desk.now()
        await self._changed(
            request, tenant_slug, lambda tx, tenant, actor: own_servers.remove(tx, tenant, slug, actor, now=now)
        )
        return see_other(f"{PATH}?tenant={tenant_slug}&done=removed")

    async def _add_override(self, request: Request) -> Response:
        sent, here = await self._sent(request)
        desk, slug, tenant_slug, now = self._desk, request.path_params["server"], sent.one("tenant"), self._desk.now()
        values = {name: sent.one(name).strip()[:_LONGEST] for name in OVERRIDE}
        said = said_of(slug, values)
        try:
            await self._changed(
                request, tenant_slug,
                lambda tx, tenant, actor: own_overrides.add(tx, tenant, said, actor, entropy=desk.entropy, now=now),
                look=(f"/settings/server/{slug}?{urlencode({'tenant': tenant_slug})}", "Look at the overrides"),
            )  # fmt: skip
        except ServerRefused as refused:
            if not refused.field:
                raise
            words = _PLACE.sub("", refused.public)
            form = OverrideForm(values, _FIELDS.get(refused.field, "match"), f"{words[:1].upper()}{words[1:]}")
            return await self._page(here, slug, tenant_slug, form=form, status=refused.status)
        return _back(slug, tenant_slug, "override")

    async def _remove_override(self, request: Request, act: Act) -> Response:
        name, tenant_slug, now = act.path["override_id"], act.form.one("tenant"), self._desk.now()
        await self._changed(
            request, tenant_slug, lambda tx, tenant, actor: own_overrides.remove(tx, tenant, name, actor, now=now)
        )
        return _back(act.path["server"], tenant_slug, "taken")

    async def _sent(self, request: Request) -> tuple[Form, tuple[Session, User]]:
        require_same_origin(request, self._desk.public_url)
        return await read_form(request), await self._desk.signed_in.require(request, PATH)

    async def _changed(
        self, request: Request, tenant_slug: str, work: Callable[[Transaction, Tenant, Actor], Any],
        look: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Do ``work`` for whoever may in the transaction that does it. Raises ``Refused``, and what ``work`` raises.

        ``look``: the form is done once, and there its person sees whether it is.
        """

        def run(tx: Transaction) -> None:
            tenant, actor = self._desk.actor(tx, request, tenant_slug)
            if look is not None:
                once.require_first_time(tx, request, self._desk.now(), look=look)
            work(tx, tenant, actor)

        await self._desk.database.write(run)

    def _own(
        self, reader: Reader, here: tuple[Session, User], slug: str, tenant_slug: str
    ) -> tuple[Place, Server]:  # fmt: skip
        place = self._desk.place(reader, here, tenant_slug)
        return place, own_servers.own_server(
            reader, place.tenant, slug, Actor(user_id=here[1].id, by="page", cause=None)
        )

    async def _form(
        self, here: tuple[Session, User], slug: str, tenant_slug: str, filled: Filled | None, *, status: int = 200
    ) -> Response:
        desk = self._desk
        place, server = await desk.database.read_long(lambda reader: self._own(reader, here, slug, tenant_slug))
        return desk.pages.render(
            "server_change.html", status=status, here=PATH, place=place, server=server,
            form=filled or Filled(values_of(server)), **await desk.signed_in.shell(here[1]),
        )  # fmt: skip

    async def _page(  # noqa: PLR0913
        self, here: tuple[Session, User], slug: str, tenant_slug: str, *, form: OverrideForm = EMPTY, done: str = "",
        told: Told | None = None, status: int = 200,
    ) -> Response:  # fmt: skip
        desk, now = self._desk, self._desk.now()

        def look(reader: Reader) -> dict[str, Any]:
            place = desk.place(reader, here, tenant_slug)
            server = server_here(reader, place.tenant, slug)
            row = server_list.row(reader, place.tenant, server, public_url=desk.public_url, resting=desk.resting)
            return {
                "place": place, "row": row, "tools": tool_views(reader, place.tenant, server, now),
                **_overrides(reader, place.tenant, server),
            }  # fmt: skip

        found = await desk.database.read_long(look)
        return desk.pages.render(
            "server.html", status=status, here=PATH, form=form, done=done, told=told, Outcome=Outcome, now=now, **found,
            **await desk.signed_in.shell(here[1]),
        )  # fmt: skip


def said_of(server_slug: str, values: dict[str, str]) -> dict[str, Any]:
    """Return a filled form of an override in the members of a document's ``overrides``."""
    said: dict[str, Any] = {"server": server_slug, "tools": values["match"]}
    match values["effect"]:
        case "deny":
            said["deny"] = True
        case "require":
            said["require"] = values["requires"].replace(",", " ").split()
        case "self":
            said["approval"] = "self"
        case "another":
            said["approval"] = {"permissions": ["approvals:decide"], "by_another": True}
        case _:
            pass  # It is said that nothing is chosen.
    if values["subject"] not in {"", SubjectKind.EVERYBODY.value}:
        said["for"] = {values["subject"]: values["whom"]}
    return said


def _overrides(reader: Reader, tenant: Tenant, server: Server) -> dict[str, Any]:
    known = {user.id: user.email for user, _ in accounts.members_of_tenant(reader, tenant.id)}
    found = [each for each in overrides.overrides_of_tenant(reader, tenant.id) if each.server_id == server.id]
    rows: Sequence[tuple[Override, str]] = [
        (each, own_overrides.in_words(each, known.get(each.subject_id) if each.subject is SubjectKind.USER else None))  # type: ignore[call-overload]
        for each in found
    ]
    return {
        "overrides": rows, "Effect": Effect, "roles": [role.name for role in permissions.roles_of_tenant(reader, tenant.id)],
        "subjects": [kind.value for kind in SubjectKind],
    }  # fmt: skip


def _back(slug: str, tenant_slug: str, done: str) -> Response:
    return see_other(f"/settings/server/{slug}?tenant={tenant_slug}&done={done}")

"""``/settings/server/…/tool``: one tool, what was said of it, who may call it, and trying it as oneself (F2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.dashboard import once, server_list
from doorward.dashboard.argument_form import WHOLE, ArgumentInvalid, fields_of, read_arguments
from doorward.dashboard.server_desk import ONE, PATH, ServerDesk, server_here
from doorward.dashboard.signed_in import see_other
from doorward.gateway.tool_views import ToolView, in_lines, plain, tool_views
from doorward.gateway.trying import Tried, TryCall
from doorward.gateway.why import Asked, CannotExplain, described, explain_for
from doorward.model import RuleKind, Server, Session, Tenant, ToolState, User
from doorward.protocol import faults
from doorward.protocol.endpoints import Endpoints
from doorward.protocol.jsonrpc import encode
from doorward.protocol.mcp import MODERN_VERSION
from doorward.provisioning.own_servers import own_server
from doorward.provisioning.tools import ToolChanged, review
from doorward.rights import EXPLAIN_DECISIONS, may
from doorward.storage import sightings
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

_DONE: Final = frozenset({state.value for state in ToolState})
_MAX_TEXT: Final = 50_000
"""Characters of an answer that are shown."""


@dataclass(frozen=True, slots=True)
class TryForm:
    """The form as it was sent, what is wrong with which field, and what came of the call."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: str = ""
    error: str = ""
    tried: "Shown | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a call answered, as text and nothing else (M6). ``decision`` is that of the gateway, made again; or None."""

    status: int
    failed: bool
    texts: Sequence[str]
    raw: str
    request_id: str
    decision: dict[str, Any] | None


class ToolPage:
    """The surface."""

    def __init__(self, *, desk: ServerDesk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(f"{ONE}/tool", self._show, methods=["GET"]),
            Route(f"{ONE}/review", self._review, methods=["POST"]),
            Route(f"{ONE}/try", self._try, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._desk.signed_in.require(request, PATH)
        asked, done = request.query_params, request.query_params.get("done", "")
        return await self._page(
            here, request.path_params["server"], asked.get("tenant", ""), asked.get("name", ""), TryForm(),
            done=done if done in _DONE else "",
        )  # fmt: skip

    async def _review(self, request: Request) -> Response:
        sent, here = await self._sent(request)
        slug, name, wanted = request.path_params["server"], sent.one("name"), sent.one("state")
        if wanted not in _DONE:
            raise Refused(faults.REQUEST_INVALID, status=400, reason="a button that the page does not have")

        def work(tx: Transaction) -> None:
            tenant, actor = self._desk.actor(tx, request, sent.one("tenant"))
            tx.lock_tenant(tenant.id, for_rights=True)
            server = own_server(tx, tenant, slug, actor)
            _known(tool_views(tx, tenant, server, self._desk.now()), name)
            review(
                tx, server.slug, name, ToolState(wanted), by=here[1].email, now=self._desk.now(),
                seen=sent.one("version"),
            )  # fmt: skip

        try:
            await self._desk.database.write(work)
        except ToolChanged as changed:
            raise Refused(faults.TOOL_CHANGED, status=409, reason=str(changed)) from changed
        return see_other(f"/settings/server/{slug}?tenant={sent.one('tenant')}&done=reviewed")

    async def _try(self, request: Request) -> Response:
        """Call the tool as the person who is here: by the gateway itself, with their own rights and no others."""
        sent, here = await self._sent(request)
        desk, slug, tenant_slug, name = self._desk, request.path_params["server"], sent.one("tenant"), sent.one("name")
        tenant, server, view = await desk.database.read_long(
            lambda reader: self._tool(reader, here, slug, tenant_slug, name)
        )
        fields = fields_of(view.schema)
        values = {each: sent.one(each) for each in [WHOLE, *(one.field for one in fields or ())]}
        try:
            arguments = read_arguments(fields, lambda each: values.get(each, ""))
        except ArgumentInvalid as wrong:
            form = TryForm(values, wrong.field, str(wrong))
            return await self._page(here, slug, tenant_slug, name, form, status=422)
        await desk.database.write(lambda tx: self._once(tx, request, tenant_slug, name))
        tried = await self._call(request, here, tenant, server, view, arguments)
        decision = await self._decision(request, here[1], tenant, server, name, arguments)
        return await self._page(here, slug, tenant_slug, name, TryForm(values, tried=_shown(tried, decision)))

    def _once(self, tx: Transaction, request: Request, tenant_slug: str, name: str) -> None:
        path = f"/settings/server/{request.path_params['server']}/tool"
        look = (f"{path}?{urlencode({'tenant': tenant_slug, 'name': name})}", "Back to the tool")
        once.require_first_time(tx, request, self._desk.now(), look=look)

    async def _call(
        self, request: Request, here: tuple[Session, User], tenant: Tenant, server: Server, view: ToolView,
        arguments: dict[str, Any],
    ) -> Tried:  # fmt: skip
        desk = self._desk
        endpoint = Endpoints(public_url=desk.public_url, servers=[server]).of_tenant(server, tenant.slug)
        if endpoint is None:
            raise Refused(faults.SERVER_NOT_HERE, status=404, reason=f"{server.slug} has no URL for {tenant.slug}")
        seen = await desk.database.read(lambda reader: sightings.last_seen(reader, server.id))
        wanted = TryCall(
            path=endpoint.path, tool=view.name, arguments=arguments, schema=view.schema,
            revision=MODERN_VERSION if seen is None else seen.sighting.revision, address=desk.requester.of(request),
        )  # fmt: skip
        with desk.insiders.let_in(here[0], tenant.id) as token:
            return await desk.trying.call(token, wanted)

    async def _decision(
        self, request: Request, user: User, tenant: Tenant, server: Server, name: str, arguments: dict[str, Any]
    ) -> dict[str, Any] | None:
        asked = Asked(
            tenant=tenant.slug, email=user.email, server=server.slug, kind=RuleKind.TOOL, name=name, arguments=arguments
        )
        now = self._desk.now()
        try:
            found = await self._desk.database.write(
                lambda tx: explain_for(tx, asked, actor_id=user.id, by="page", now=now, cause=causes.of(request))
            )
        except CannotExplain:
            return None
        return described(found, RuleKind.TOOL)

    async def _sent(self, request: Request) -> tuple[Form, tuple[Session, User]]:
        require_same_origin(request, self._desk.public_url)
        return await read_form(request), await self._desk.signed_in.require(request, PATH)

    def _tool(
        self, reader: Reader, here: tuple[Session, User], slug: str, tenant_slug: str, name: str
    ) -> tuple[Tenant, Server, ToolView]:
        tenant = self._desk.place(reader, here, tenant_slug).tenant
        server = server_here(reader, tenant, slug)
        return tenant, server, _known(tool_views(reader, tenant, server, self._desk.now()), name)

    async def _page(  # noqa: PLR0913
        self, here: tuple[Session, User], slug: str, tenant_slug: str, name: str, form: TryForm, *, done: str = "",
        status: int = 200,
    ) -> Response:  # fmt: skip
        desk = self._desk

        def look(reader: Reader) -> dict[str, Any]:
            tenant, server, view = self._tool(reader, here, slug, tenant_slug, name)
            return {
                "place": desk.place(reader, here, tenant_slug), "view": view, "fields": fields_of(view.schema),
                "row": server_list.row(reader, tenant, server, public_url=desk.public_url, resting=desk.resting),
                "definition": "\n".join(in_lines(view.version.definition)) if view.version.definition else "",
                "explains": may(reader, tenant.id, here[1].id, EXPLAIN_DECISIONS),
            }  # fmt: skip

        found = await desk.database.read_long(look)
        return desk.pages.render(
            "tool.html", status=status, here=PATH, form=form, done=done, ToolState=ToolState, WHOLE=WHOLE, **found,
            **await desk.signed_in.shell(here[1]),
        )  # fmt: skip


def _known(views: Sequence[ToolView], name: str) -> ToolView:
    found = next((view for view in views if view.name == name), None)
    if found is None:
        raise Refused(faults.SERVER_NOT_HERE, status=404, reason=f"never seen to offer {name[:80]!r}")
    return found


def _shown(tried: Tried, decision: dict[str, Any] | None) -> Shown:
    answer = tried.answer or {}
    result, error = answer.get("result"), answer.get("error")
    failed = not isinstance(result, dict) or result.get("isError") is True
    texts = [plain(each)[:_MAX_TEXT] for each in _texts(result)]
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        texts.append(plain(error["message"])[:_MAX_TEXT])
    raw = plain(encode(dict(answer)).decode())[:_MAX_TEXT] if answer else ""
    return Shown(
        status=tried.status, failed=failed, texts=texts, raw=raw, request_id=tried.request_id, decision=decision
    )


def _texts(result: Any) -> list[str]:
    content = result.get("content") if isinstance(result, dict) else None
    items: list[Any] = content if isinstance(content, list) else []
    return [item["text"] for item in items if isinstance(item, dict) and isinstance(item.get("text"), str)]

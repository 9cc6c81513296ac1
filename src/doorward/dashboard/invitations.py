"""``/settings/invitations``: who is invited into a tenant, for whoever looks after its members (feature E2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import invitations
from doorward.accounts.actors import Actor
from doorward.accounts.invitations import Guest, InvitationRefused, State
from doorward.accounts.mailed import Mailing
from doorward.accounts.refused import PeopleRefused
from doorward.dashboard import once, tenant_desk
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Invitation, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import MANAGE_MEMBERS
from doorward.storage import permissions
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/invitations"
_DONE: Final = frozenset({"sent", "revoked"})
_SHOWN: Final = 254


@dataclass(frozen=True, slots=True)
class Place:
    """Where this person may invite, and what there is in the ``tenant`` shown."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    roles: Sequence[str]
    rows: Sequence[tuple[Invitation, State]]


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was sent, and what is wrong with it, by field."""

    email: str = ""
    roles: Sequence[str] = field(default=())
    errors: Mapping[str, str] = field(default_factory=dict)


class InvitationsPage:
    """The surface."""

    def __init__(self, *, pages: Pages, signed_in: SignedIn, step_up: StepUp, mailing: Mailing) -> None:
        self._pages, self._signed_in, self._step_up, self._mailing = pages, signed_in, step_up, mailing

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._show, methods=["GET"]),
            self._step_up.guard(PATH, self._invite),
            Route(f"{PATH}/{{invitation_id}}", self._change, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        done = request.query_params.get("done", "")
        return await self._page(here, request.query_params.get("tenant", ""), Filled(), done=done)

    async def _invite(self, request: Request, act: Act) -> Response:
        sent = act.form
        slug, guest = sent.one("tenant"), Guest(email=sent.one("email"), roles=sent.many("role"))

        def work(tx: Transaction) -> None:
            tenant, actor = self._actor(tx, request, slug)
            self._once(tx, request, tenant)
            invitations.invite(tx, tenant, guest, actor, self._mailing, now=self._mailing.now())

        try:
            await self._mailing.database.write(work)
        except (InvitationRefused, PeopleRefused) as refused:
            place = "roles" if isinstance(refused, PeopleRefused) and refused.field != "email" else "email"
            filled = Filled(guest.email[:_SHOWN], guest.roles, {place: refused.public})
            return await self._page((act.session, act.user), slug, filled, status=refused.status)
        return see_other(f"{PATH}?tenant={slug}&done=sent")

    async def _change(self, request: Request) -> Response:
        require_same_origin(request, self._mailing.public_url)
        sent = await read_form(request)
        await self._signed_in.require(request, PATH)
        slug, what = sent.one("tenant"), sent.one("what")
        if what not in {"resend", "revoke"}:
            raise Refused(faults.REQUEST_INVALID, status=400, reason="a button that the page does not have")
        await self._mailing.database.write(lambda tx: self._changed(tx, request, sent))
        return see_other(f"{PATH}?tenant={slug}&done={'sent' if what == 'resend' else 'revoked'}")

    def _changed(self, tx: Transaction, request: Request, sent: Form) -> None:
        tenant, actor = self._actor(tx, request, sent.one("tenant"))
        name, now = request.path_params["invitation_id"], self._mailing.now()
        if sent.one("what") == "resend":
            self._once(tx, request, tenant)
            invitations.send_again(tx, tenant, name, actor, self._mailing, now=now)
        else:
            invitations.revoke(tx, tenant, name, actor, now=now)

    def _once(self, tx: Transaction, request: Request, tenant: Tenant) -> None:
        look = (f"{PATH}?{urlencode({'tenant': tenant.slug})}", "Look at the invitations")
        once.require_first_time(tx, request, self._mailing.now(), look=look)

    def _actor(self, tx: Transaction, request: Request, slug: str) -> tuple[Tenant, Actor]:
        here = self._signed_in.require_in(tx, request)
        tenant, _ = tenant_desk.place(tx, here, slug, (MANAGE_MEMBERS,))
        return tenant, Actor(user_id=here[1].id, by="page", cause=causes.of(request))

    async def _page(
        self, here: tuple[Session, User], slug: str, filled: Filled, *, done: str = "", status: int = 200
    ) -> Response:
        now, user = self._mailing.now(), here[1]

        def look(reader: Reader) -> Place:
            tenant, tenants = tenant_desk.place(reader, here, slug, (MANAGE_MEMBERS,))
            rows = invitations.listed(reader, tenant, Actor(user_id=user.id, by="page", cause=None))
            roles = [role.name for role in permissions.roles_of_tenant(reader, tenant.id)]
            return Place(tenant, tenants, roles, [(each, invitations.state(each, now)) for each in rows])

        place = await self._mailing.database.read_long(look)
        return self._pages.render(
            "invitations.html", status=status, here=PATH, place=place, form=filled, on=self._mailing.outbox.on,
            done=done if done in _DONE else "", **await self._signed_in.shell(user),
        )  # fmt: skip

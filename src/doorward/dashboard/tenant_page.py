"""``/settings/tenant``: what a tenant says of itself, for whoever has ``tenant:manage`` there (F2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import tenant_settings
from doorward.accounts.tenant_settings import LONGEST_TTL, MOST_CALLS, SHORTEST_TTL, By, SettingRefused, whole
from doorward.credentials import key_makers, key_policies
from doorward.credentials.key_makers import KeyRefused
from doorward.dashboard import tenant_desk
from doorward.dashboard.signed_in import SignedIn, see_other
from doorward.dashboard.step_up import Act, StepUp
from doorward.model import Instant, KeyMakers, MailDomain, NeverEnding, Rates, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import MANAGE_KEYS, MANAGE_TENANT, may
from doorward.storage import mail_domains
from doorward.storage.database import Database, Reader, Transaction
from doorward.web import causes
from doorward.web.forms import Form
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/tenant"
CHANGE: Final = f"{PATH}/change"
RATES: Final = (
    ("credential", "One API key or connection"), ("user", "One person, whatever with"),
    ("tool", "One tool, by one person"), ("tenant", "The whole tenant"),
)  # fmt: skip
SECTIONS: Final = ("name", "sign_in", "tokens", "keys", "limits")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is not set here: in words, and by which key of the configuration file."""

    title: str
    value: str
    key: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A section as it was sent, and what is wrong with it, by field."""

    section: str = ""
    form: Form = field(default_factory=lambda: Form(()))
    wrong: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page tells of one tenant."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    methods: Sequence[tuple[str, str]]
    domains: Sequence[MailDomain]
    may_keys: bool
    beyond: int


class TenantPage:
    """The surface. ``elsewhere``: what the deployment says, to be read here."""

    def __init__(
        self, *, pages: Pages, signed_in: SignedIn, step_up: StepUp, database: Database, now: Callable[[], Instant],
        elsewhere: Sequence[Elsewhere],
    ) -> None:  # fmt: skip
        self._pages, self._signed_in, self._step_up = pages, signed_in, step_up
        self._database, self._now, self._elsewhere = database, now, elsewhere

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._show, methods=["GET"]), self._step_up.guard(CHANGE, self._change)]

    async def _show(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        return await self._page(request, here, request.query_params.get("tenant", ""), Sent())

    async def _page(self, request: Request, here: tuple[Session, User], slug: str, sent: Sent) -> Response:
        now = self._now()
        shown = await self._database.read_long(lambda reader: _shown(reader, here, slug, now))
        done = request.query_params.get("done", "")
        return self._pages.render(
            "tenant.html", status=422 if sent.wrong else 200, here=PATH, shown=shown, sent=sent,
            values=_values(shown.tenant, sent), chosen=_chosen(shown, sent), elsewhere=self._elsewhere, rates=RATES,
            makers=[each.value for each in KeyMakers], never=[each.value for each in NeverEnding],
            done=done if done in SECTIONS else "", longest_ttl=LONGEST_TTL, shortest_ttl=SHORTEST_TTL,
            **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _change(self, request: Request, act: Act) -> Response:
        slug, section = act.form.one("tenant"), act.form.one("section")
        if section not in SECTIONS:
            raise Refused(faults.REQUEST_INVALID, status=400, reason="a section that the page does not have")
        try:
            await self._database.write(lambda tx: self._done(tx, request, act.form, slug))
        except SettingRefused as refused:
            sent = Sent(section, act.form, {refused.field: str(refused)})
            return await self._page(request, (act.session, act.user), slug, sent)
        except KeyRefused as refused:
            sent = Sent(section, act.form, {"max_days": refused.public})
            return await self._page(request, (act.session, act.user), slug, sent)
        return see_other(f"{PATH}?{urlencode({'tenant': slug, 'done': section})}")

    def _done(self, tx: Transaction, request: Request, form: Form, slug: str) -> None:
        """Do it, as far as this person may now."""
        here = self._signed_in.require_in(tx, request)
        tenant, _ = tenant_desk.place(tx, here, slug, (MANAGE_TENANT,))
        tx.lock_tenant(tenant.id, for_rights=True)
        if not may(tx, tenant.id, here[1].id, MANAGE_TENANT):
            raise _no_right()
        now, name = self._now(), causes.of(request)
        if form.one("section") == "keys":
            maker = key_makers.person(tx, tenant.id, here[1].id)
            key_policies.set_policy(tx, tenant, _policy(form), maker=maker, now=now, cause=name)
            return
        by = By(user_id=here[1].id, session=here[0], cause=name)
        tenant_settings.change(tx, tenant.id, by=by, now=now, **_said(form))


def _said(form: Form) -> dict[str, Any]:
    """Return what a section says. Raises ``SettingRefused``."""
    match form.one("section"):
        case "name":
            return {"name": tenant_settings.named(form.one("name"))}
        case "sign_in":
            chosen = tuple(dict.fromkeys(value for name, value in form.pairs if name == "method"))
            return {"sign_in_methods": None if form.one("ways") == "all" else chosen}
        case "tokens":
            return {"access_ttl": whole("access_ttl", form.one("access_ttl"), least=SHORTEST_TTL, most=LONGEST_TTL)}
        case _:
            names = [item.name for item in fields(Rates)]
            return {"rates": Rates(**{name: whole(name, form.one(name), least=0, most=MOST_CALLS) for name in names})}


def _policy(form: Form) -> Any:
    days = whole("max_days", form.one("max_days"), least=1, most=key_policies.LONGEST)
    try:
        return key_policies.parsed(days, form.one("never") or None, form.one("create") or None)
    except ValueError as wrong:
        raise SettingRefused("max_days", f"{str(wrong)[:1].upper()}{str(wrong)[1:]}.") from wrong


def _values(tenant: Tenant, sent: Sent) -> dict[str, str]:
    """Return each field as it stands, or as it was typed where its section was just refused."""
    policy, numbers = tenant.key_policy, {item.name: getattr(tenant.rates, item.name) for item in fields(Rates)}
    stored: dict[str, Any] = {
        "name": tenant.name, "access_ttl": tenant.access_ttl, "max_days": policy.max_days, "never": policy.never,
        "create": policy.create.value, "ways": "all" if tenant.sign_in_methods is None else "some", **numbers,
    }  # fmt: skip
    typed = {name: sent.form.one(name) for name in stored if any(name == each for each, _ in sent.form.pairs)}
    return {name: "" if value is None else str(value) for name, value in (stored | typed).items()}


def _chosen(shown: Shown, sent: Sent) -> frozenset[str]:
    if sent.section == "sign_in":
        return frozenset(value for name, value in sent.form.pairs if name == "method")
    return frozenset(shown.tenant.sign_in_methods or ())


def _shown(reader: Reader, here: tuple[Session, User], slug: str, now: Instant) -> Shown:
    tenant, mine = tenant_desk.place(reader, here, slug, (MANAGE_TENANT,))
    return Shown(
        tenant=tenant, tenants=mine, methods=tenant_settings.methods(reader),
        domains=mail_domains.domains_of_tenant(reader, tenant.id),
        may_keys=may(reader, tenant.id, here[1].id, MANAGE_KEYS), beyond=key_policies.beyond(reader, tenant, now),
    )  # fmt: skip


def _no_right() -> Refused:
    return Refused(faults.NOT_PERMITTED, status=403, reason=f"no {MANAGE_TENANT} in that tenant")

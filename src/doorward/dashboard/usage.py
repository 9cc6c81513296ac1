"""``/settings/usage``: how much was called. Of a tenant for whoever may see that, and of oneself for everybody (F2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.dashboard import chart
from doorward.dashboard.desk import SettingsPage
from doorward.model import Instant, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import SEE_USAGE, tenants_with
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction
from doorward.storage.usage_sums import Kind
from doorward.watch import filters, usage, usage_sheet
from doorward.watch.filters import Meant, Typed, Unknown
from doorward.watch.usage import RANGES, USUAL, Report, Wanted
from doorward.web import causes
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/usage"
SHEET: Final = f"{PATH}/export.csv"
_FILTERS: Final = ("user", "client", "key", "tool")
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose use is shown: that of ``tenant``, or with ``mine`` one's own there. Others may be chosen."""

    tenant: Tenant
    mine: bool
    tenants: Sequence[Tenant]
    memberships: Sequence[Tenant]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page tells; ``wrong`` is what to mend in its filters, by field."""

    place: Place
    typed: Typed
    found: Report
    wrong: Mapping[str, str]

    def address(self, path: str = PATH, **changed: object) -> str:
        """Return this page with something else chosen; an empty text takes away."""
        wanted = self.found.wanted
        now: dict[str, object] = {
            "tenant": self.place.tenant.slug, "mine": "1" if self.place.mine else "", "days": wanted.days,
            "by": "" if wanted.whole is None else wanted.whole.value,
            **{name: getattr(self.typed, name) for name in _FILTERS},
        }  # fmt: skip
        return f"{path}?{urlencode({name: value for name, value in (now | changed).items() if value})}"

    @property
    def sheet(self) -> str:
        """Where the same is as a table for spreadsheets."""
        return self.address(SHEET, by="", **(dict.fromkeys(_FILTERS, "") if self.wrong else {}))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a query asks for, before anything is counted."""

    place: Place
    typed: Typed
    wanted: Wanted
    wrong: Mapping[str, str]


class UsagePage(SettingsPage):
    """The surface."""

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._page, methods=["GET"]), Route(SHEET, self._export, methods=["POST"])]

    async def _page(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        now, asked = self._now(), request.query_params
        shown = await self._database.read_long(lambda reader: _shown(reader, here, asked, now))
        context: dict[str, Any] = {"here": PATH, **await self._signed_in.shell(here[1])}
        if shown is None:
            return self._pages.render("usage_nothing.html", **context)
        return self._pages.render(
            "usage.html", status=422 if shown.wrong else 200, shown=shown, chart=chart.drawn(shown.found.points),
            ranges=RANGES, now=now, **context,
        )  # fmt: skip

    async def _export(self, request: Request) -> Response:
        # Not GET: that somebody exported is an event, which no other site may cause.
        require_same_origin(request, self._public_url)
        await self._signed_in.require(request, PATH)
        now = self._now()
        wanted, slug = await self._database.write(lambda tx: self._begun(tx, request, now))
        name = f"usage-{slug}-{wanted.days}d.csv"
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        table = usage_sheet.parts(self._database, wanted.sides(now))
        return StreamingResponse(table, media_type="text/csv", headers=headers)

    def _begun(self, tx: Transaction, request: Request, now: Instant) -> tuple[Wanted, str]:
        """Note the export, as far as this person may now, and return what goes out."""
        here = self._signed_in.require_in(tx, request)
        asked = _asked(tx, here, request.query_params)
        if asked is None or asked.wrong:
            raise HTTPException(404)
        usage_sheet.exported(tx, asked.wanted, actor_id=here[1].id, by="page", now=now, cause=causes.of(request))
        return asked.wanted, asked.place.tenant.slug


def _shown(reader: Reader, here: tuple[Session, User], query: Mapping[str, str], now: Instant) -> Shown | None:
    asked = _asked(reader, here, query)
    if asked is None:
        return None
    return Shown(asked.place, asked.typed, usage.report(reader, asked.wanted, now), asked.wrong)


def _asked(reader: Reader, here: tuple[Session, User], asked: Mapping[str, str]) -> _Asked | None:
    place = _place(reader, here, asked.get("tenant", ""), mine=bool(asked.get("mine")))
    if place is None:
        return None
    typed, wrong, only = Typed(**{name: asked.get(name, "") for name in _FILTERS}), {}, Meant()
    try:
        only = filters.meant(reader, place.tenant.id, typed)
    except Unknown as unknown:
        wrong = {unknown.field: str(unknown)}
    wanted = Wanted(
        tenant_id=place.tenant.id, days=_days(asked.get("days", "")), only=only, whole=_kind(asked.get("by"))
    )
    if place.mine:
        wanted = usage.mine(wanted, here[1].id)
    return _Asked(place, typed, wanted, wrong)


def _place(reader: Reader, here: tuple[Session, User], slug: str, *, mine: bool) -> Place | None:
    """Return whose use is shown; None for who belongs nowhere. A tenant that is not theirs is refused (decision 0077.8)."""
    session, user = here
    member = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    member = ways_in.only_open(reader, session, member)
    whole = ways_in.only_open(reader, session, tenants_with(reader, user.id, SEE_USAGE))
    if not slug:
        if not member:
            return None
        return Place((whole or member)[0], mine or not whole, whole, member)
    for tenant in () if mine else whole:
        if tenant.slug == slug:
            return Place(tenant, mine=False, tenants=whole, memberships=member)
    for tenant in member if mine else ():
        if tenant.slug == slug:
            return Place(tenant, mine=True, tenants=whole, memberships=member)
    raise Refused(faults.NOT_PERMITTED, status=403, reason=f"no {SEE_USAGE} in that tenant")


def _days(text: str) -> int:
    return int(text) if text in {str(days) for days in RANGES} else USUAL


def _kind(text: str | None) -> Kind | None:
    return next((kind for kind in Kind if kind.value == text and kind is not Kind.WAY), None)

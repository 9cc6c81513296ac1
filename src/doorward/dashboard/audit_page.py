"""``/settings/audit``: what was done and what was called in a tenant, for whoever may see it there (F2; M9, M10)."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from doorward.audit import EVENTS
from doorward.dashboard import tenant_desk
from doorward.dashboard.desk import Desk, SettingsPage
from doorward.model import SECOND, Instant, Session, Tenant, User
from doorward.protocol import faults
from doorward.rights import EXPLAIN_DECISIONS, SEE_AUDIT, may
from doorward.storage.audit_reads import END
from doorward.storage.database import Database, Reader, Transaction
from doorward.watch import audit_log, filters
from doorward.watch.audit_log import DECISIONS, GROUPS, List, Mark, Page, Search
from doorward.watch.filters import LONGEST, Meant, Typed, Unknown
from doorward.web import causes
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/audit"
LINES: Final = f"{PATH}/export.jsonl"
_FIELDS: Final = ("text", "user", "client", "key", "tool", "address", "event", "decision", "since", "until")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MICROSECONDS_OF_A_DAY: Final = 86_400 * SECOND
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Kept:
    """For how many days the logs are kept; 0: for ever."""

    changes: int
    calls: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page tells; ``wrong`` is what to mend in its filters, by field."""

    tenant: Tenant
    tenants: Sequence[Tenant]
    which: List
    values: Mapping[str, str]
    page: Page
    wrong: Mapping[str, str]
    may_explain: bool

    def address(self, path: str = PATH, **changed: object) -> str:
        """Return this page with something else chosen; an empty text takes away."""
        now: dict[str, object] = {"tenant": self.tenant.slug, "list": self.which.value, **self.values}
        return f"{path}?{urlencode({name: value for name, value in (now | changed).items() if value})}"

    @property
    def filtered(self) -> bool:
        """Whether anything is looked for."""
        return any(self.values.values())


class AuditPage(SettingsPage):
    """The surface."""

    def __init__(self, desk: Desk, *, kept: Kept) -> None:
        super().__init__(desk)
        self._kept = kept

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._page, methods=["GET"]), Route(LINES, self._export, methods=["POST"])]

    async def _page(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        asked = request.query_params
        shown = await self._database.read_long(lambda reader: _shown(reader, here, asked))
        return self._pages.render(
            "audit.html", status=422 if shown.wrong else 200, here=PATH, shown=shown, kept=self._kept, groups=GROUPS,
            decisions=DECISIONS, paged=bool(asked.get("before")), **await self._signed_in.shell(here[1]),
        )  # fmt: skip

    async def _export(self, request: Request) -> Response:
        # Not GET: that somebody exported is an event, which no other site may cause.
        require_same_origin(request, self._public_url)
        await self._signed_in.require(request, PATH)
        search, slug, mark = await self._database.write(lambda tx: self._begun(tx, request))
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="audit-{slug}-{search.which.value}.jsonl"'}
        return StreamingResponse(
            parts(self._database, search, mark), media_type="application/x-ndjson", headers=headers
        )  # fmt: skip

    def _begun(self, tx: Transaction, request: Request) -> tuple[Search, str, Mark]:
        """Note the export, as far as this person may now, and return what goes out."""
        here, asked = self._signed_in.require_in(tx, request), request.query_params
        tenant, _ = tenant_desk.place(tx, here, asked.get("tenant", ""), (SEE_AUDIT,))
        search, wrong = _search(tx, tenant, asked)
        if wrong:
            raise Refused(faults.REQUEST_INVALID, status=422, reason=f"filters: {sorted(wrong)}")
        mark = audit_log.begin(tx, search)
        audit_log.exported(
            tx, search, actor_id=here[1].id, by="page", now=self._now(), cause=causes.of(request)
        )  # fmt: skip
        return search, tenant.slug, mark


async def parts(database: Database, search: Search, mark: Mark | None) -> AsyncIterator[str]:
    """Yield an export piece by piece: as much is in memory as one piece holds."""
    while mark is not None:
        here = mark
        text, mark = await database.read_long(lambda reader: audit_log.lines(reader, search, here))  # noqa: B023
        yield text


def _shown(reader: Reader, here: tuple[Session, User], asked: Mapping[str, str]) -> Shown:
    tenant, tenants = tenant_desk.place(reader, here, asked.get("tenant", ""), (SEE_AUDIT,))
    search, wrong = _search(reader, tenant, asked)
    before = asked.get("before", "")
    place = int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else END  # noqa: PLR2004
    page = Page([], None, None) if wrong else audit_log.look(reader, search, before=place)
    return Shown(
        tenant, tenants, search.which, {name: asked.get(name, "")[:LONGEST] for name in _FIELDS}, page, wrong,
        may(reader, tenant.id, here[1].id, EXPLAIN_DECISIONS),
    )  # fmt: skip


def _search(reader: Reader, tenant: Tenant, asked: Mapping[str, str]) -> tuple[Search, dict[str, str]]:
    wrong: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, days in (("since", 0), ("until", 1)):
        try:
            values[name] = _moment(asked.get(name, ""), days)
        except ValueError:
            wrong[name] = "Write a day like 2026-11-20."
    only, address = Meant(), ""
    try:
        address = filters.address(asked.get("address", ""))
        only = filters.meant(
            reader, tenant.id, Typed(**{name: asked.get(name, "") for name in ("user", "client", "key", "tool")})
        )
    except Unknown as unknown:
        wrong[unknown.field] = str(unknown)
    text = asked.get("text", "").strip()
    if len(text) > LONGEST or not text.isprintable():
        wrong["text"], text = f"This is longer than {LONGEST} characters, or holds some that cannot be shown.", ""
    which = List.CALLS if asked.get("list") == List.CALLS.value else List.CHANGES
    event, decision = asked.get("event", ""), asked.get("decision", "")
    search = Search(
        which=which, tenant_id=tenant.id, only=only, text=text, address=address, event=event if event in {*GROUPS, *EVENTS} else "",
        decision=decision if decision in DECISIONS else "", **values,
    )  # fmt: skip
    return search, wrong


def _moment(text: str, days: int) -> Instant | None:
    """Return the beginning of a day (UTC), or of the one after it. Raises ``ValueError``."""
    if not text:
        return None
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    seconds = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    return Instant(seconds * SECOND + days * _MICROSECONDS_OF_A_DAY)

"""``/settings/attempts``: how far clients got, and the administrator's word where one is waited for (A8, B3)."""

from collections.abc import Collection
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import ways_in
from doorward.authserver import client_verdicts
from doorward.authserver.admission import Admission
from doorward.authserver.client_verdicts import VerdictRefused, Word
from doorward.authserver.clients import ClientDirectory
from doorward.dashboard import attempt_list
from doorward.dashboard.attempt_list import Place
from doorward.dashboard.desk import Desk, SettingsPage
from doorward.dashboard.signed_in import see_other
from doorward.model import ClientId, Instant, Tenant
from doorward.protocol import faults
from doorward.rights import MANAGE_CLIENTS, may
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

PATH: Final = "/settings/attempts"
_WHAT: Final = frozenset({"client", "host", "redirect"})


class AttemptsPage(SettingsPage):
    """The surface."""

    def __init__(
        self, desk: Desk, *, directory: ClientDirectory, admission: Admission, vendor_schemes: Collection[str]
    ) -> None:
        super().__init__(desk)
        self._directory, self._admission, self._schemes = directory, admission, vendor_schemes

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [
            Route(PATH, self._list, methods=["GET"]),
            Route(PATH, self._decide, methods=["POST"]),
            Route(f"{PATH}/{{attempt_id:int}}", self._one, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        user, slug, now = here[1], request.query_params.get("tenant", ""), self._now()
        place, rows, waiting = await self._database.read_long(
            lambda reader: self._looked(reader, attempt_list.place(reader, here, slug), now)
        )
        return self._pages.render(
            "attempts.html", here=PATH, place=place, rows=rows, waiting=waiting,
            decided=request.query_params.get("decided") in {"allowed", "denied"} and request.query_params["decided"],
            **await self._signed_in.shell(user),
        )  # fmt: skip

    async def _one(self, request: Request) -> Response:
        here = await self._signed_in.require(request, PATH)
        user, slug, now = here[1], request.query_params.get("tenant", ""), self._now()
        wanted = request.path_params["attempt_id"]
        place, rows, _ = await self._database.read_long(
            lambda reader: self._looked(reader, attempt_list.place(reader, here, slug), now)
        )
        row = next((row for row in rows if row.attempt.id == wanted), None)
        if row is None:
            raise HTTPException(404)
        others = [each for each in rows if each is not row][:5]
        return self._pages.render(
            "attempt.html", here=PATH, place=place, row=row, others=others,
            **await self._signed_in.shell(user),
        )  # fmt: skip

    async def _decide(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        sent = await read_form(request)
        await self._signed_in.require(request, PATH)
        allowed = {"allow": True, "deny": False}.get(sent.one("answer"))
        if allowed is None or sent.one("what") not in _WHAT:
            raise Refused(faults.REQUEST_INVALID, status=400, reason="an answer that the page does not have")
        try:
            slug = await self._database.write(lambda tx: self._decided(tx, request, sent, allowed=allowed))
        except VerdictRefused as refused:
            raise Refused(faults.REQUEST_INVALID, status=422, reason=str(refused), public=str(refused)) from refused
        return see_other(f"{PATH}?tenant={slug}&decided={'allowed' if allowed else 'denied'}")

    def _decided(self, tx: Transaction, request: Request, sent: Form, *, allowed: bool) -> str:
        """Say it in the tenant of the form, as far as this person may now."""
        here = self._signed_in.require_in(tx, request)
        tenant = self._tenant(tx, sent.one("tenant"))
        tx.lock_tenant(tenant.id, for_rights=True)
        if not may(tx, tenant.id, here[1].id, MANAGE_CLIENTS):
            raise _no_right()
        ways_in.require_open(tx, here[0], tenant.id)
        word = Word(allowed=allowed, tenant_id=tenant.id, by=here[1].id, now=self._now(), cause=causes.of(request))
        client_id, value = ClientId(sent.one("client")), sent.one("value")
        match sent.one("what"):
            case "client":
                client_verdicts.decide_client(tx, client_id, word, directory=self._directory)
            case "host":
                client_verdicts.decide_host(tx, value, word)
            case _:
                client_verdicts.decide_redirect(
                    tx, client_id, value, word, directory=self._directory, vendor_schemes=self._schemes
                )
        return tenant.slug

    def _looked(
        self, reader: Reader, place: Place, now: Instant
    ) -> tuple[Place, list[attempt_list.Row], list[attempt_list.Waiting]]:
        rows = attempt_list.rows(reader, place, now)
        return place, rows, attempt_list.waiting(reader, place, rows, self._admission, self._directory)

    @staticmethod
    def _tenant(reader: Reader, slug: str) -> Tenant:
        tenant = accounts.tenant_by_slug(reader, slug)
        if tenant is None:
            raise _no_right()  # in the same words as one that exists (decision 0077.8)
        return tenant


def _no_right() -> Refused:
    return Refused(faults.NOT_PERMITTED, status=403, reason="no clients:manage in that tenant")

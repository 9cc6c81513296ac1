"""Dynamic client registration and its management (RFC 7591, RFC 7592; B3)."""

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.authserver import registration, registration_management
from doorward.authserver.http.answers import NO_STORE, POST
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.services import Services
from doorward.authserver.http.trail import trail
from doorward.model import ClientId
from doorward.protocol.client_metadata import MAX_BODY, parse_registration
from doorward.protocol.discovery import REGISTRATION_PATH
from doorward.storage.attempts import Step
from doorward.web import causes
from doorward.web.client_requests import read_body


class RegistrationEndpoint:
    """``/oauth/clients/register``. ``policy`` is ``open``, ``approved`` (whoever registers waits for an administrator) or ``off``."""

    def __init__(self, services: Services, *, policy: str, vendor_schemes: frozenset[str]) -> None:
        self._with, self._open, self._vendor_schemes = services, policy != "off", vendor_schemes
        self._new_clients = registration.new_records(services.now)

    def routes(self, machine: MachinePaths) -> list[Route]:
        """Return the advertised path and the one that clients guess."""
        one = (REGISTRATION_PATH + "/{client_id}", "/register/{client_id}")
        return [
            *machine.routes(
                self._with.trails.noted(self._register, Step.REGISTERED), POST, REGISTRATION_PATH, "/register"
            ),
            *machine.routes(self._manage, ("GET", "PUT", "DELETE"), *one),
        ]

    async def _manage(self, request: Request) -> Response:
        token = registration_management.presented(request.headers.getlist("authorization"))
        client_id, now = ClientId(request.path_params["client_id"]), self._with.now()
        of = partial(
            registration_management.Management, client_id=client_id, token=token, issuer=self._with.public_url,
            fingerprinter=self._with.fingerprinter, now=now, cause=causes.of(request),
        )  # fmt: skip
        if request.method == "GET":
            shown = await self._with.database.read(lambda reader: of().read(reader))
            return JSONResponse(shown, headers=NO_STORE)
        if request.method == "DELETE":
            await self._with.database.write(lambda tx: of().delete(tx))
            return Response(status_code=204, headers=NO_STORE)
        body = await read_body(request, MAX_BODY)
        await self._with.database.read(lambda reader: of().read(reader))
        if not self._open:
            raise registration.closed()
        # A change makes every node read rights again, like a new client's first use: strangers have so many.
        registration.require_budget(self._new_clients, self._with.requester.of(request))
        changed = await self._with.database.write(
            lambda tx: of().update(tx, body, vendor_schemes=self._vendor_schemes, entropy=self._with.entropy)
        )
        return JSONResponse(changed, headers=NO_STORE)

    async def _register(self, request: Request) -> Response:
        if not self._open:
            raise registration.closed()
        asked = parse_registration(await read_body(request, MAX_BODY), vendor_schemes=self._vendor_schemes)
        mine = trail(request)
        mine.client_name, mine.redirect_uri = asked.name, next(iter(asked.redirect_uris), None)
        now = self._with.now()
        registered = await self._with.database.read(lambda reader: registration.again(reader, asked, now=now))
        if registered is None:
            registration.require_budget(self._new_clients, self._with.requester.of(request))
        if registered is None or registered.to_be_noted:
            registered = await self._with.database.write(
                lambda tx: registration.register(
                    tx,
                    asked,
                    issuer=self._with.public_url,
                    fingerprinter=self._with.fingerprinter,
                    now=now,
                    entropy=self._with.entropy,
                    cause=causes.of(request),
                )
            )
        mine.client_id = registered.answer["client_id"]
        return JSONResponse(registered.answer, 201, headers=NO_STORE)

"""The userinfo endpoint (OpenID Connect Core section 5.3): a bearer-only path, live like the gateway."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.authserver import identity
from doorward.authserver.http.answers import NO_STORE
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.services import Services
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.protocol import bearer, faults
from doorward.protocol.discovery import USERINFO_PATH
from doorward.protocol.errors import BearerError
from doorward.protocol.scope import OPENID


class UserinfoEndpoint:
    """``/oauth/userinfo``, for access tokens that were granted ``openid``, whatever server they are for."""

    def __init__(self, services: Services, *, api_key_prefix: str) -> None:
        self._with = services
        self._door = Door(
            issuer=services.public_url, keys=services.keys.look, fingerprinter=services.fingerprinter,
            prefix=api_key_prefix,
        )  # fmt: skip

    def routes(self, machine: MachinePaths) -> list[Route]:
        """Return the advertised path and the one that clients guess."""
        return machine.routes(self._userinfo, ("GET", "HEAD", "POST"), USERINFO_PATH, "/userinfo")

    async def _userinfo(self, request: Request) -> Response:
        values = [value for name, value in request.scope["headers"] if name == b"authorization"]
        try:
            token = bearer.read(values)
            if token is None:
                return _refused(None)
            return JSONResponse(await self._told(token), headers=NO_STORE)
        except BearerError as error:
            return _refused(error)

    async def _told(self, token: str) -> dict[str, str | bool]:
        now = self._with.now()
        try:
            return await self._with.database.read(
                lambda reader: identity.userinfo(reader, self._door.authenticate(reader, token, now=now))
            )
        except Unauthenticated as error:
            raise BearerError(faults.CREDENTIAL_INVALID, reason=error.reason) from None


def _refused(error: BearerError | None) -> Response:
    """Return the answer with its challenge: without credentials there is no ``error`` in it (RFC 6750 section 3.1)."""
    fault = faults.CREDENTIAL_MISSING if error is None else error.fault
    text = f"{fault.cause} ({fault.code})"
    said = None if error is None else error.error
    challenge = bearer.challenge(
        resource_metadata=None, error=said, description=None if error is None else text,
        scope=[OPENID] if said == "insufficient_scope" else None,
    )  # fmt: skip
    return JSONResponse(
        {"error": said or "invalid_request", "error_description": text}, 401 if error is None else error.status,
        headers={"WWW-Authenticate": challenge, **NO_STORE},
    )  # fmt: skip

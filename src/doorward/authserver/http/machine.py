"""Machine paths: JSON whatever happens, CORS, preflights; a database that is away is a 503 that says so."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.authserver import cors
from doorward.authserver.http.answers import ALL_METHODS
from doorward.protocol import faults
from doorward.protocol.errors import OAuthError, ProtocolError
from doorward.storage.database import StorageUnavailable, Unstorable
from doorward.web.errors import Errors

Handler = Callable[[Request], Awaitable[Response]]


class MachinePaths:
    """Wraps the handlers of machine paths. ``origins`` may send credentials from scripts, loopback ones always."""

    def __init__(self, *, errors: Errors, origins: frozenset[str]) -> None:
        self._errors, self._origins = errors, origins

    def routes(self, handler: Handler, methods: Sequence[str], *paths: str) -> list[Route]:
        """Return the routes of one handler under each of its paths."""
        endpoint = self._machine(handler, methods)
        return [Route(path, endpoint, methods=ALL_METHODS) for path in paths]

    def _machine(self, handler: Handler, methods: Sequence[str]) -> Handler:
        """Return ``handler`` for ``methods``, with CORS, preflights, and JSON for everything that is refused."""

        async def endpoint(request: Request) -> Response:
            origin = request.headers.get("origin")
            if request.method == "OPTIONS":
                response = Response(status_code=204, headers=cors.preflight_headers(origin, self._origins, methods))
            else:
                response = await self._guarded(request, handler, methods)
            response.headers.update(cors.answer_headers(origin, self._origins))
            return response

        return endpoint

    async def _guarded(self, request: Request, handler: Handler, methods: Sequence[str]) -> Response:
        headers = {}
        try:
            self._require_trusted_origin(request)
            if request.method in methods:
                return await handler(request)
            fault = faults.TOKEN_METHOD if "POST" in methods else faults.METHOD_REFUSED
            refusal: ProtocolError = OAuthError(
                fault, "invalid_request", reason=f"method {request.method[:20]}", status=405
            )
            headers = {"Allow": ", ".join(methods)}
        except ProtocolError as error:
            refusal = error
        except Unstorable:
            refusal = OAuthError(faults.TOKEN_MALFORMED, "invalid_request", reason="a text that cannot be stored")
        except StorageUnavailable:
            refusal = OAuthError(
                faults.STORAGE_UNAVAILABLE, "temporarily_unavailable", reason="storage is unavailable", status=503
            )
            headers = {"Retry-After": "1"}
        response = self._errors.answer(request, refusal)
        response.headers.update(headers)
        return response

    def _require_trusted_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        credentials = "authorization" in request.headers or "cookie" in request.headers
        if origin is not None and credentials and not cors.is_allowed(origin, self._origins):
            raise OAuthError(faults.CROSS_SITE, "access_denied", reason=f"origin {origin[:200]!r}", status=403)

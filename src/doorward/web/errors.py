"""The one table from exception to answer, for every surface but the gateway and the management API.

Who asks decides the form: a page for a person, JSON for a program. The public text goes out, the private reason into
the log; both carry the request id.
"""

import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from doorward.model import Instant
from doorward.protocol import faults
from doorward.protocol.authorization import error_location
from doorward.protocol.errors import OAuthError, PageError, ProtocolError, RedirectableError
from doorward.protocol.faults import Fault
from doorward.storage.database import StorageUnavailable, Unstorable
from doorward.web import request_id
from doorward.web.pages import Pages
from doorward.web.refused import Refused, SignInFirst

_MACHINES: Final = ("/.well-known/", "/oauth", "/api", "/register", "/token", "/device_authorization")
_FAULT_OF_STATUS: Final = {
    HTTPStatus.NOT_FOUND: faults.PAGE_UNKNOWN,
    HTTPStatus.METHOD_NOT_ALLOWED: faults.METHOD_REFUSED,
}
_WAY_ON: Final = {
    faults.PAGE_UNKNOWN: ("/settings", "Your settings"),
    faults.METHOD_REFUSED: ("/settings", "Your settings"),
}
_JSON_ERROR: Final = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.SERVICE_UNAVAILABLE: "temporarily_unavailable",
    HTTPStatus.INTERNAL_SERVER_ERROR: "server_error",
}
_SECRET_PATHS: Final = ("/setup/",)
"""Below these a path is a secret, and is not written anywhere."""
_NO_STORE: Final = {"Cache-Control": "no-store"}

_log = structlog.get_logger("doorward.web")


class Errors:
    """Turns what was raised into what is answered."""

    def __init__(self, *, pages: Pages, now: Callable[[], Instant]) -> None:
        self._pages = pages
        self._now = now

    def answer(self, request: Request, error: Exception) -> Response:
        """Return the response for ``error`` and write the log line. Knows an answer for everything."""
        if isinstance(error, ProtocolError):
            self._tell(request, error)
        match error:
            case RedirectableError():
                return Response(status_code=303, headers={"Location": error_location(error), **_NO_STORE})
            case SignInFirst():
                location = f"/sign-in?{urlencode({'next': error.back})}"
                return Response(status_code=303, headers={"Location": location, **_NO_STORE})
            case PageError():
                headers, link = (error.headers, error.link) if isinstance(error, Refused) else ({}, None)
                return self.page(request, error.fault, error.status, cause=error.public, headers=headers, link=link)
            case OAuthError():
                return _oauth(error)
            case _:
                return self._other(request, error)

    def page(
        self,
        request: Request,
        fault: Fault,
        status: int,
        *,
        cause: str | None = None,
        headers: dict[str, str] | None = None,
        link: tuple[str, str] | None = None,
    ) -> Response:
        """Return the error page of ``fault``; ``link`` as for ``Refused``."""
        response = self._pages.render(
            "error.html", status=status, fault=fault, cause=cause or fault.cause, time_of_error=self._now(),
            request_id=request_id.of(request), unchanged=status < HTTPStatus.INTERNAL_SERVER_ERROR, link=link,
        )  # fmt: skip
        response.headers.update(headers or {})
        return response

    def _other(self, request: Request, error: Exception) -> Response:
        headers: dict[str, str] = {}
        match error:
            case StorageUnavailable():
                _log.error("storage unavailable", **_where(request))
                fault, status, headers = faults.STORAGE_UNAVAILABLE, 503, {"Retry-After": "1"}
            case HTTPException():
                headers = dict(error.headers or {})
                status = error.status_code
                fault = _FAULT_OF_STATUS.get(HTTPStatus(status), faults.REQUEST_INVALID)
            case ProtocolError():
                fault, status = error.fault, getattr(error, "status", 400)
            case Unstorable() | ClientDisconnect():
                # Who went away in the middle of a request reads no answer; it is not our fault either.
                fault, status = faults.REQUEST_INVALID, 400
            case _:
                # Neither message nor locals: either may quote a secret.
                _log.error("unexpected", kind=type(error).__name__, frames=_frames(error), **_where(request))
                fault, status = faults.UNEXPECTED, 500
        if is_machine(request):
            return _json(request, fault, status, headers)
        return self.page(request, fault, status, headers=headers, link=_WAY_ON.get(fault))

    def _tell(self, request: Request, error: ProtocolError) -> None:
        _log.info("refused", code=error.code, reason=error.reason, **_where(request))


def is_machine(request: Request) -> bool:
    """Say whether a program asks: at a path for programs, and not with a browser's ``Accept``."""
    path = request.scope["path"]
    known = any(path == prefix or path.startswith(prefix.rstrip("/") + "/") for prefix in _MACHINES)
    return known and "text/html" not in request.headers.get("accept", "")


def _oauth(error: OAuthError) -> Response:
    challenge = {} if error.www_authenticate is None else {"WWW-Authenticate": error.www_authenticate}
    later = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return JSONResponse(error.body(), status_code=error.status, headers=_NO_STORE | challenge | later)


def _json(request: Request, fault: Fault, status: int, headers: dict[str, str]) -> Response:
    text, name = f"{fault.cause} ({fault.code})", request_id.of(request)
    if request.scope["path"].startswith("/api"):
        problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": text}
        content: dict[str, Any] = {**problem, "request_id": name}
        return JSONResponse(content, status, headers=_NO_STORE | headers, media_type="application/problem+json")
    error = _JSON_ERROR.get(HTTPStatus(status), "invalid_request")
    content = {"error": error, "error_description": text, "request_id": name}
    return JSONResponse(content, status, headers=_NO_STORE | headers)


def _where(request: Request) -> dict[str, str]:
    # The path only: a query may hold a code.
    path = request.scope["path"][:200]
    if path.startswith(_SECRET_PATHS):
        path = f"/{path.split('/')[1]}/…"
    return {"request_id": request_id.of(request), "method": request.scope["method"], "path": path}


def _frames(error: Exception) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]

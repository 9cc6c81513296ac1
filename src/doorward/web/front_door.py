"""What every request passes first: an id, a request that can be read in one way only, and an answer whatever happens.

A raw ASGI class: it holds nothing back of a stream and keeps the context of the request.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doorward.model import Entropy
from doorward.protocol import faults
from doorward.web import causes, request_id
from doorward.web.errors import Errors
from doorward.web.refused import Refused
from doorward.web.requester import Requester

Headers = list[tuple[bytes, bytes]]

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_TARGET_BYTES: Final = 32 * 1024
"""Request target: path and query. An authorization request with a long state, encoded twice, still fits."""

_HOST: Final = re.compile(rb"[A-Za-z0-9._~-]{1,255}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_HIDDEN: Final = re.compile(rb"%2f|%5c|\\|%00", re.IGNORECASE)
_YEAR: Final = b"max-age=31536000"


class FrontDoor:
    """Wraps an ASGI app. ``https``: the public URL is https, so that HSTS may be promised."""

    def __init__(
        self, app: ASGIApp, *, errors: Errors, entropy: Entropy, https: bool, requester: Requester | None = None
    ) -> None:
        self._app = app
        self._requester = requester or Requester()
        self._errors = errors
        self._entropy = entropy
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connection (lifespan) pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        name = self._named(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), *self._added(name, message.get("headers", []))]
            await send(message)

        try:
            _check(scope)
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  (the one place that answers what nobody foresaw)
            response = self._errors.answer(Request(scope), error)
            if not started:
                await response(scope, receive, send_with_headers)

    async def respond(
        self, scope: Scope, receive: Receive, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> tuple[Response, Headers]:
        """Return the answer of one endpoint, which needs no router, and the headers that every answer has."""
        name = self._named(scope)
        request = Request(scope, receive)
        try:
            _check(scope)
            response = await endpoint(request)
        except Exception as error:  # noqa: BLE001  (as above)
            response = self._errors.answer(request, error)
        return response, self._added(name, response.raw_headers)

    def _named(self, scope: Scope) -> bytes:
        causes.know(scope, self._requester)
        return request_id.assign(scope, self._entropy).encode("ascii")

    def _added(self, name: bytes, headers: Headers) -> Headers:
        present = {key.lower() for key, _ in headers}
        ours = [(b"x-request-id", name), (b"x-content-type-options", b"nosniff")]
        if self._https:
            ours.append((b"strict-transport-security", _YEAR))
        return [(key, value) for key, value in ours if key not in present]


def router(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Return an app of ``routes`` that raises what it cannot answer (404, 405) for ``FrontDoor`` to answer."""
    inner = Router(routes=list(routes), redirect_slashes=False)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # With an app in the scope starlette raises HTTPException instead of answering in plain text.
        await inner({**scope, "app": app}, receive, send)

    return app


def _check(scope: Scope) -> None:
    headers, raw = scope["headers"], scope.get("raw_path") or scope["path"].encode()
    if sum(len(key) + len(value) + 4 for key, value in headers) > MAX_HEADER_BYTES:
        raise Refused(faults.REQUEST_INVALID, status=431, reason="headers too large")
    if len(raw) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        raise Refused(faults.REQUEST_INVALID, status=414, reason="target too long")
    hosts = [value for key, value in headers if key == b"host"]
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        # httptools lets two, none and `x/public?` through (L5). No URL of ours is made from it; a proxy's could be.
        raise Refused(faults.REQUEST_INVALID, status=400, reason=f"{len(hosts)} Host headers, or an illegal one")
    if _HIDDEN.search(raw) or any(unquote_to_bytes(part) in {b".", b".."} for part in raw.split(b"/")):
        # The decoded path would say something else than what was sent (L6).
        raise HTTPException(404)

"""What is noted of a request for the timeline of attempts (A8): the handlers say what they know, the wrapper writes it.

Nothing of a query or a body is noted but the client's id and an acceptable redirect URI.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from doorward.authserver.envelope import Pending
from doorward.model import ConnectionId, Instant, TenantId, UserId
from doorward.protocol import redirect_uri
from doorward.protocol.errors import OAuthError, ProtocolError
from doorward.storage.attempts import AttemptStep, Step
from doorward.web import request_id
from doorward.web.attempt_log import AttemptLog
from doorward.web.requester import Requester

Handler = Callable[[Request], Awaitable[Response]]
_KEY: Final = "doorward.trail"


@dataclass(slots=True)
class Trail:
    """One request's part of an attempt, as far as it is known by now. Without a ``step`` nothing is noted."""

    step: Step | None = None
    flow: str | None = None
    connection_id: ConnectionId | None = None
    tenant_id: TenantId | None = None
    user_id: UserId | None = None
    client_id: str | None = None
    client_name: str | None = None
    redirect_uri: str | None = None
    path: str | None = None

    def about(self, pending: Pending, origin: str) -> None:
        """Take what a checked authorization request says."""
        self.flow, self.client_id, self.client_name = pending.id, pending.request.client_id, pending.client_name
        self.redirect_uri, self.path = pending.request.redirect_uri or None, pending.resource.removeprefix(origin)


def trail(request: Request) -> Trail:
    """Return the trail of a request; one that nobody writes down where it has none."""
    found = request.scope.get(_KEY)
    return found if isinstance(found, Trail) else Trail()


class Trails:
    """Wraps handlers."""

    def __init__(
        self, log: AttemptLog, *, requester: Requester, now: Callable[[], Instant], vendor_schemes: frozenset[str]
    ) -> None:
        self._log, self._requester, self._now, self._schemes = log, requester, now, vendor_schemes

    def noted(self, handler: Handler, step: Step | None = None) -> Handler:
        """Return ``handler`` with its outcome noted: of ``step``, or of the one that the handler sets."""

        async def endpoint(request: Request) -> Response:
            mine = Trail(step=step)
            request.scope[_KEY] = mine
            try:
                response = await handler(request)
            except ProtocolError as refused:
                self._note(request, mine, refused.code)
                raise
            self._note(request, mine, None)
            return response

        return endpoint

    def _note(self, request: Request, mine: Trail, code: str | None) -> None:
        if mine.step is None:
            return
        uri = mine.redirect_uri
        if uri is not None and not self._acceptable(uri):
            # Not an address that could ever be allowed: where it pointed is all that is kept of it.
            uri = f"({redirect_uri.describe(uri).host_display})"
        step = AttemptStep(
            at=self._now(), step=mine.step, code=code, request_id=request_id.of(request),
            address=self._requester.of(request), agent=request.headers.get("user-agent", ""),
            flow=mine.flow, connection_id=mine.connection_id, tenant_id=mine.tenant_id, user_id=mine.user_id,
            client_id=mine.client_id, client_name=mine.client_name, path=mine.path,
        )  # fmt: skip
        self._log.note(replace(step, redirect_uri=uri))

    def _acceptable(self, uri: str) -> bool:
        try:
            redirect_uri.registrable(uri, self._schemes)
        except OAuthError:
            return False
        return True

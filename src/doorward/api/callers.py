"""Who may use the management API: a live API key of an owner with the right, or a person in a browser; never mixed (M5).

A request that carries both is refused, and a key that is not good never becomes a session.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from doorward.accounts import ways_in
from doorward.accounts.sessions import is_recent, session_user
from doorward.api.call import Caller
from doorward.api.keys import Authenticate, principal_of
from doorward.api.problems import Problem, forbidden, unknown
from doorward.api.requests import Presented, bearer
from doorward.api.route import ONESELF, ApiRoute
from doorward.credentials.secret import Fingerprinter
from doorward.model import Fingerprint, Instant, Session, Status, Tenant
from doorward.protocol import faults
from doorward.rights import held
from doorward.storage import accounts
from doorward.storage.database import Reader
from doorward.web.cookies import Cookies
from doorward.web.origin import ForbiddenOrigin, require_same_origin
from doorward.web.refused import Refused

FORM_HEADER: Final = "doorward-csrf"
"""Carries what ``GET /api/v1/me`` says of the session: no form of another site can set it."""
_OWN_SITES: Final = {"same-origin", "none"}
_NO_TENANT: Final = "There is no such tenant for this caller."


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a request carries, looked at but not yet looked up: exactly one of the two."""

    key: Presented | None = None
    cookie: str | None = None
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Looks callers up. ``used`` is told of sessions, ``authenticate`` notes the use of keys itself."""

    authenticate: Authenticate
    cookies: Cookies
    fingerprinter: Fingerprinter
    public_url: str
    recent_seconds: int
    used: Callable[[Session, Instant], None]

    def shown(self, request: Request, *, changes: bool) -> Shown:
        """Return what a request carries. Raises ``Problem``: 401 for nothing, 400 for both, 403 for another site's."""
        with_cookie = any(_names(header, self.cookies.session_name) for header in request.headers.getlist("cookie"))
        if with_cookie and "authorization" in request.headers:
            raise Problem(
                HTTPStatus.BAD_REQUEST, faults.API_TWO_CREDENTIALS.cause, fault=faults.API_TWO_CREDENTIALS
            )  # fmt: skip
        if not with_cookie:
            return Shown(key=bearer(request))
        self._require_own_page(request, changes=changes)
        return Shown(cookie=self.cookies.session(request), form=request.headers.get(FORM_HEADER, ""))

    def admit(self, reader: Reader, shown: Shown, route: ApiRoute, slug: str | None, now: Instant) -> Caller:
        """Return who asks, where they may. Raises ``Problem``: 401, 404 for a foreign tenant, 403."""
        if shown.key is not None:
            return self._by_key(reader, shown.key, route, slug)
        return self._by_session(reader, shown, route, slug, now)

    def _require_own_page(self, request: Request, *, changes: bool) -> None:
        try:
            if changes:
                require_same_origin(request, self.public_url)
        except ForbiddenOrigin as elsewhere:
            raise forbidden(elsewhere.public, elsewhere.fault) from elsewhere
        if not set(request.headers.getlist("sec-fetch-site")) <= _OWN_SITES:
            raise forbidden(faults.CROSS_SITE.cause, faults.CROSS_SITE)

    def _by_key(self, reader: Reader, text: Presented, route: ApiRoute, slug: str | None) -> Caller:
        principal = principal_of(reader, self.authenticate, text)
        if slug is not None and principal.tenant_slug != slug:
            # The same for a foreign tenant and one that does not exist (decision 0077.8).
            raise unknown(_NO_TENANT)
        if not route.keys:
            raise forbidden("A key acts for a tenant, and this is about a person. Sign in at a browser.")
        if route.needs is not ONESELF and route.needs not in principal.permissions & principal.scopes:
            raise forbidden(f"This key and its owner need the permission {route.needs}.")
        if principal.only_servers:
            raise forbidden("This key is for some MCP servers only.")
        if principal.resources is not None and route.limited:
            raise forbidden(route.limited)
        return Caller(user_id=principal.user_id, key=principal)

    def _by_session(self, reader: Reader, shown: Shown, route: ApiRoute, slug: str | None, now: Instant) -> Caller:
        here = session_user(reader, shown.cookie, fingerprinter=self.fingerprinter, now=now)
        if here is None:
            raise Problem(HTTPStatus.UNAUTHORIZED, faults.SIGNED_OUT.cause, fault=faults.SIGNED_OUT, headers=_SIGN_IN)
        session, user = here
        if route.changes and not self._is_form(shown.form, session):
            raise forbidden(faults.API_NO_FORM_TOKEN.cause, faults.API_NO_FORM_TOKEN)
        if slug is not None:
            _require_right(reader, session, route, _tenant(reader, session, slug))
        if route.changes and route.fresh and not is_recent(session, now, seconds=self.recent_seconds):
            raise forbidden(faults.API_PROOF_NEEDED.cause, faults.API_PROOF_NEEDED)
        self.used(session, now)
        return Caller(user_id=user.id, session=session)

    def _is_form(self, sent: str, session: Session) -> bool:
        return sent.isascii() and Fingerprinter.same(Fingerprint(sent), form_token(self.fingerprinter, session))


def form_token(fingerprinter: Fingerprinter, session: Session) -> Fingerprint:
    """Return what changes by this session have to carry, and by no other."""
    return fingerprinter.of(f"api-form/{session.id}")


_SIGN_IN: Final = {"WWW-Authenticate": 'Bearer realm="api"'}


def _tenant(reader: Reader, session: Session, slug: str) -> Tenant:
    tenant = accounts.tenant_by_slug(reader, slug)
    mine = {each.id for each, _ in accounts.memberships_of_user(reader, session.user_id)}
    if tenant is None or tenant.id not in mine or tenant.status is not Status.ACTIVE:
        raise unknown(_NO_TENANT)
    return tenant


def _require_right(reader: Reader, session: Session, route: ApiRoute, tenant: Tenant) -> None:
    try:
        ways_in.require_open(reader, session, tenant.id)
    except Refused as refused:
        raise forbidden(refused.public, refused.fault) from refused
    if route.needs is not ONESELF and route.needs not in held(reader, tenant.id, session.user_id):
        raise forbidden(f"This needs the permission {route.needs} in the tenant.")


def _names(header: str, name: str) -> bool:
    return any(part.strip().partition("=")[0] == name for part in header.split(";"))

"""What guards an account is changed only by somebody who has just proven who they are (case H23).

A form that comes without a recent proof is not lost: it waits, sealed, on the page that asks for the proof, and is done
once after it. ``GUARDED`` says what is guarded; ``StepUp.guard`` is the one way to such a route, and knows no other path.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward import audit
from doorward.accounts.http.ways import Block
from doorward.accounts.own_account import has_password
from doorward.accounts.passwords import Busy
from doorward.accounts.proofs import PasswordProof, Unproven
from doorward.accounts.sessions import is_recent
from doorward.credentials.secret import base64url
from doorward.dashboard import once
from doorward.dashboard.signed_in import SignedIn
from doorward.model import SECOND, Entropy, Instant, RequestId, Session, User
from doorward.protocol import faults
from doorward.storage import sessions
from doorward.storage.claims import claim_request
from doorward.storage.database import Database, Transaction
from doorward.vault import Sealer, Unsealed
from doorward.web import causes
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/settings/confirm"
GUARDED: Final[Mapping[str, str]] = MappingProxyType({
    "/settings/email": "to change your address",
    "/settings/invitations": "to invite somebody",
    "/settings/members/service-accounts": "to make a service account",
    "/settings/members/{user_id}/activate": "to let somebody in again",
    "/settings/members/{user_id}/deactivate": "to end all that somebody holds",
    "/settings/members/{user_id}/delete": "to delete a service account",
    "/settings/members/{user_id}/remove": "to take somebody out of a tenant",
    "/settings/members/{user_id}/roles": "to change somebody's roles",
    "/settings/profile/connect/{provider}": "to connect an account by which you can sign in",
    "/settings/profile/disconnect": "to take away an account by which you sign in",
    "/settings/resources": "to add to the tree",
    "/settings/resources/take-over": "to keep the tree here",
    "/settings/resources/{node_id}/bind": "to give somebody a role",
    "/settings/resources/{node_id}/delete": "to delete a part of the tree",
    "/settings/resources/{node_id}/move": "to move a part of the tree",
    "/settings/resources/{node_id}/rename": "to rename a part of the tree",
    "/settings/resources/{node_id}/unbind": "to take a role from somebody",
    "/settings/roles/new": "to make a role",
    "/settings/roles/{role_id}": "to change a role",
    "/settings/roles/{role_id}/delete": "to delete a role",
    "/settings/tenant/change": "to change what holds in a tenant",
    "/settings/servers": "to add a server",
    "/settings/server/{server}/change": "to change a server",
    "/settings/server/{server}/status": "to disable or enable a server",
    "/settings/server/{server}/remove": "to remove a server",
    "/settings/server/{server}/overrides/{override_id}/remove": "to take an override back",
    "/settings/security/passkeys": "to add a passkey",
    "/settings/security/passkeys/{passkey_id}/remove": "to remove a passkey",
    "/settings/security/recovery-codes": "to make new recovery codes",
    "/settings/security/password": "to change your password",
})  # fmt: skip
"""The paths whose POST needs a recent proof, with the words that follow “Confirm that it is you”."""
_LEAVES: Final = frozenset({"/settings/profile/connect/{provider}"})
"""Whose form ends at another site (decision 0077.4)."""
LIFETIME: Final = 900 * SECOND
_LABEL: Final = "confirm/1"
_ID_BYTES: Final = 16
_BUSY_SECONDS: Final = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A guarded change, as its person sent it, and their session with the proof in it."""

    session: Session
    user: User
    form: Form
    path: Mapping[str, str]
    """Variables of the path."""


Handler = Callable[[Request, Act], Awaitable[Response]]


class Proof(Protocol):
    """A proof besides the password, as the confirmation page sees it."""

    async def offer(self, request: Request, user: User) -> Block | None:
        """Return its block, or None where this person has none."""

    async def check(self, request: Request, user: User, form: Form) -> Unproven | None:
        """Return None where the form proves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A form that waits for its proof."""

    id: str
    route: str
    path: Mapping[str, str]
    pairs: tuple[tuple[str, str], ...]
    issued_at: Instant
    name: str
    """What ``once`` knows the form by."""


class StepUp:
    """Guards routes, and is the page that asks for the proof. ``proofs`` are those besides the password, by form field."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        signed_in: SignedIn,
        database: Database,
        password: PasswordProof,
        sealer: Sealer,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
        recent_seconds: int,
        proofs: Mapping[str, Proof] | None = None,
    ) -> None:
        self._pages, self._signed_in, self._database, self._password = pages, signed_in, database, password
        self._sealer, self._now, self._entropy, self._public_url = sealer, now, entropy, public_url
        self._recent_seconds = recent_seconds
        self._proofs = proofs or {}
        self._handlers: dict[str, Handler] = {}

    def routes(self) -> list[Route]:
        """Return the routes of the page."""
        return [Route(PATH, self._ask_again, methods=["GET"]), Route(PATH, self._confirm, methods=["POST"])]

    def guard(self, path: str, handler: Handler) -> Route:
        """Return the route that has ``handler`` do what is posted to ``path``, after a proof. Raises ``LookupError``."""
        if path not in GUARDED or path in self._handlers:
            message = f"{path} is not guarded, or twice"
            raise LookupError(message)
        self._handlers[path] = handler

        async def endpoint(request: Request) -> Response:
            require_same_origin(request, self._public_url)
            form = await read_form(request)
            here = await self._signed_in.require(request, "/settings/security")
            if self.is_recent(here[0]):
                return await handler(request, Act(session=here[0], user=here[1], form=form, path=request.path_params))
            waiting = _Waiting(
                id=base64url(self._entropy(_ID_BYTES)), route=path, path=request.path_params, pairs=form.pairs,
                issued_at=self._now(), name=once.name_in(request),
            )  # fmt: skip
            return await self._page(request, here[1], waiting)

        return Route(path, endpoint, methods=["POST"])

    def is_recent(self, session: Session) -> bool:
        """Say whether a guarded change would be done at once."""
        return is_recent(session, self._now(), seconds=self._recent_seconds)

    async def _ask_again(self, request: Request) -> Response:
        """Show the page again, for somebody who signed in anew instead of proving it here."""
        sealed = request.query_params.get("waiting", "")
        here = await self._signed_in.require(request, f"{PATH}?{urlencode({'waiting': sealed})}")
        waiting, recent = self._open(sealed, here[1]), self.is_recent(here[0])
        if self._is_late(waiting):
            return await self._page(request, here[1], self._anew(waiting), recent=recent, late=True)
        return await self._page(request, here[1], waiting, recent=recent)

    async def _confirm(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        form = await read_form(request)
        here = await self._signed_in.require(request, "/settings/security")
        session, user = here
        waiting = self._open(form.one("waiting"), user)
        proven = not self.is_recent(session)
        if self._is_late(waiting):
            return await self._page(request, user, self._anew(waiting), recent=not proven, late=True)
        if proven:
            unproven = await self._prove(request, user, form)
            if unproven is not None:
                return await self._page(request, user, waiting, unproven=unproven)
        confirmed = await self._database.write(lambda tx: self._claim(tx, request, waiting))
        once.give_name(request, waiting.name)
        act = Act(session=confirmed, user=user, form=Form(waiting.pairs), path=waiting.path)
        if not proven:
            return await self._handlers[waiting.route](request, act)
        try:
            response = await self._handlers[waiting.route](request, act)
        except Refused as refused:
            carrier = Response()
            await self._signed_in.renew(session, carrier, self._entropy)
            refused.headers |= {name: value for name, value in carrier.headers.items() if name == "set-cookie"}
            raise
        await self._signed_in.renew(session, response, self._entropy)
        return response

    async def _prove(self, request: Request, user: User, form: Form) -> Unproven | None:
        for field, proof in self._proofs.items():
            if form.one(field):
                return await proof.check(request, user, form)
        try:
            return await self._password.check(user, form.one("password"))
        except Busy as busy:
            raise Refused(
                faults.SIGN_IN_BUSY, status=503, reason="password queue full", headers={"Retry-After": _BUSY_SECONDS}
            ) from busy

    def _claim(self, tx: Transaction, request: Request, waiting: _Waiting) -> Session:
        """Let the change be done by exactly one request, in a session that is alive, and remember the proof."""
        here = self._signed_in.require_in(tx, request)
        now, session = self._now(), here[0]
        if not claim_request(tx, RequestId(f"confirm/{waiting.id}"), now, Instant(waiting.issued_at + LIFETIME)):
            raise Refused(faults.CONFIRMATION_EXPIRED, status=409, reason="done already")
        if self.is_recent(session):
            return session
        sessions.confirm_session(tx, session.id, now)
        audit.record(
            tx, name="session:confirmed", at=now, actor_id=here[1].id, subject=session.id,
            detail={"for": waiting.route}, cause=causes.of(request),
        )  # fmt: skip
        return session

    async def _page(
        self, request: Request, user: User, waiting: _Waiting, *, unproven: Unproven | None = None,
        recent: bool = False, late: bool = False,
    ) -> Response:  # fmt: skip
        sealed = self._seal(waiting, user)
        offers = [await proof.offer(request, user) for proof in self._proofs.values()]
        response = self._pages.render(
            "confirm.html", status=_status(unproven, recent=recent), here="/settings/security", waiting=sealed,
            why=GUARDED[waiting.route], error=_error(unproven), recent=recent, late=late, may_leave=waiting.route in _LEAVES,
            blocks=[each for each in offers if each is not None],
            password=await self._database.read(lambda reader: has_password(reader, user)),
            anew=f"/sign-in?{urlencode({'switch': '1', 'next': f'{PATH}?' + urlencode({'waiting': sealed})})}",
            **await self._signed_in.shell(user),
        )  # fmt: skip
        if unproven is not None and unproven.wait:
            response.headers["Retry-After"] = str(unproven.wait)
        return response

    def _seal(self, waiting: _Waiting, user: User) -> str:
        members = [waiting.id, waiting.route, dict(waiting.path), waiting.pairs, waiting.issued_at, waiting.name]
        payload = json.dumps(members, separators=(",", ":")).encode()
        return self._sealer.seal(_LABEL, payload, aad=user.id.encode(), entropy=self._entropy)

    def _open(self, sealed: str, user: User) -> _Waiting:
        """Return what waits. Raises ``Refused``: another person's, or altered."""
        try:
            said: Sequence[Any] = json.loads(self._sealer.open(_LABEL, sealed, aad=user.id.encode()))
        except Unsealed as wrong:
            raise Refused(faults.CONFIRMATION_EXPIRED, status=400, reason="not sealed for this person") from wrong
        waiting = _Waiting(
            id=said[0], route=said[1], path=said[2], pairs=tuple((name, value) for name, value in said[3]),
            issued_at=Instant(said[4]), name=said[5],
        )  # fmt: skip
        if waiting.route not in self._handlers:
            raise Refused(faults.CONFIRMATION_EXPIRED, status=400, reason="of a page that is no more")
        return waiting

    def _is_late(self, waiting: _Waiting) -> bool:
        """Say whether it waited for so long that its person is asked once more: what was done is forgotten by now."""
        return self._now() >= waiting.issued_at + LIFETIME

    def _anew(self, waiting: _Waiting) -> _Waiting:
        return replace(waiting, id=base64url(self._entropy(_ID_BYTES)), issued_at=self._now())


def _status(unproven: Unproven | None, *, recent: bool) -> int:
    if unproven is None:
        return 200 if recent else 403
    return 429 if unproven.wait else 422


def _error(unproven: Unproven | None) -> str | None:
    if unproven is None:
        return None
    if unproven.wait:
        return f"Too many tries failed. Wait {unproven.wait} seconds, then try again."
    return "That did not fit. Try again."

"""A form is done for the person to whom it was shown, and is not lost where that cannot be at once (case M5).

A form that comes when its session has ended, or when another person is signed in by then, is answered with a page that
holds all of it. Nothing is stored. What is on that page is sealed: which form it is, whose, and since when; so it is done
once, and only for the person whom the page named. Whatever is uncertain is asked again. Passwords and what a passkey
said are left out: a page asks for those anew.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.credentials.secret import base64url
from doorward.dashboard import once, shown_to
from doorward.dashboard.shown_to import ShownTo
from doorward.dashboard.signed_in import SignedIn
from doorward.model import SECOND, Entropy, Instant, RequestId, User, UserId
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.storage import accounts
from doorward.storage.claims import claim_request
from doorward.storage.database import Database
from doorward.vault import Sealer, Unsealed
from doorward.web import request_id
from doorward.web.forms import Form, give_form, is_form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import SignInFirst

LIFETIME: Final = 86_400 * SECOND
"""A form that was kept for longer is looked at again before it is done."""
FIELD: Final = "kept"
INSTEAD: Final = "instead"
"""The button by which somebody takes a form over knowingly; its value stands for ``FIELD``."""
_SECRET: Final = re.compile(r"password|again|secret|passkey|challenge")
_SEALED: Final = frozenset({"waiting", "form"})
_LEAVES: Final = frozenset({
    "/settings/confirm", "/settings/profile/connect/{provider}", "/upstreams/{server}/connect",
})  # fmt: skip
"""Whose form can end at another site (decision 0077.4)."""
_PERSONAL: Final = frozenset({"/settings/confirm"})
"""What nobody else can send in their own name: the form holds what only its person may confirm."""
_LABEL: Final = "kept-form/1"
_ID_BYTES: Final = 16

Endpoint = Callable[[Request], Awaitable[Response]]


class Why(StrEnum):
    """Why a form is not done yet."""

    SIGNED_OUT = "signed out"
    ANOTHER = "another person"
    UNKNOWN = "nobody knows whose"
    ALTERED = "altered"
    OLD = "kept for too long"
    SENT = "sent already"


_ANSWERS: Final[Mapping[Why, tuple[Fault, int]]] = MappingProxyType({
    Why.SIGNED_OUT: (faults.SIGNED_OUT, 403),
    Why.ANOTHER: (faults.FORM_OF_ANOTHER, 409),
    Why.UNKNOWN: (faults.FORM_UNCERTAIN, 409),
    Why.ALTERED: (faults.FORM_UNCERTAIN, 409),
    Why.OLD: (faults.FORM_UNCERTAIN, 409),
    Why.SENT: (faults.FORM_SENT_ALREADY, 409),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is sealed into a kept form. ``owner`` None: nobody knows whose it is. ``left_out``: it held a secret.

    ``name`` is what ``once`` knows it by.
    """

    id: str
    owner: UserId | None
    since: Instant
    left_out: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A form as it came. ``again``: it is sent from a page that kept it; ``kept`` is what that page said, or would say.

    ``whole``: nothing that says whose it is was altered. ``fresh``: it was not shown too long ago.
    """

    pairs: tuple[tuple[str, str], ...]
    kept: Kept
    again: bool = False
    whole: bool = True
    fresh: bool = True


class KeptForms:
    """Guards the forms of routes."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        signed_in: SignedIn,
        shown_to: ShownTo,
        database: Database,
        sealer: Sealer,
        entropy: Entropy,
        now: Callable[[], Instant],
        public_url: str,
    ) -> None:
        self._pages, self._signed_in, self._shown_to, self._database = pages, signed_in, shown_to, database
        self._sealer, self._entropy, self._now, self._public_url = sealer, entropy, now, public_url

    def keeping(self, routes: Sequence[Route]) -> list[Route]:
        """Return ``routes``, those of forms so that each is done for its own person, and none is lost."""
        return [self._guarded(route) if "POST" in (route.methods or ()) else route for route in routes]

    def _guarded(self, route: Route) -> Route:
        inner: Endpoint = route.endpoint

        async def endpoint(request: Request) -> Response:
            if request.method != "POST" or not is_form(request):
                return await inner(request)
            require_same_origin(request, self._public_url)
            sent = self._read(request, await read_form(request))
            here = await self._signed_in.find(request)
            why = None if here is None else await self._objection(sent, here[1])
            if here is not None and why is not None:
                return await self._ask(request, route.path, sent, why, here[1])
            give_form(request, Form(sent.pairs))
            once.give_name(request, sent.kept.name)
            try:
                return await inner(request)
            except SignInFirst:
                return await self._ask(request, route.path, sent, Why.SIGNED_OUT, None)

        return Route(route.path, endpoint, methods=sorted(route.methods or ()))

    def _read(self, request: Request, form: Form) -> Sent:
        """Take what is ours from a form. What cannot be opened makes it one of which nobody knows whose it is."""
        pairs = tuple(pair for pair in form.pairs if pair[0] not in {FIELD, INSTEAD, shown_to.FIELD})
        left_out = any(_SECRET.search(name) for name, _ in pairs)
        said, field = form.one(INSTEAD) or form.one(FIELD), form.one(shown_to.FIELD)
        now, target = self._now(), _target(request)
        new = Kept(id=base64url(self._entropy(_ID_BYTES)), owner=None, since=now, left_out=left_out)
        if said:
            opened = self._open(said, target)
            return Sent(pairs=pairs, kept=opened or new, again=True, whole=opened is not None)
        shown = self._shown_to.read(field) if field else None
        if shown is None:
            return Sent(pairs=pairs, kept=new, whole=not field)
        owner, at = shown
        kept = replace(new, owner=owner, name=once.name_of(field, target, pairs))
        return Sent(pairs=pairs, kept=kept, fresh=at <= now < at + once.LIFETIME)

    async def _objection(self, sent: Sent, user: User) -> Why | None:
        """Return why ``user`` is asked before the form is done; None where it is theirs, and is done now for once."""
        kept = sent.kept
        if not sent.whole:
            return Why.ALTERED
        if kept.owner is None:
            # A form that is no page's carries nothing; a page that kept one has to know.
            return Why.UNKNOWN if sent.again else None
        if kept.owner != user.id:
            return Why.ANOTHER
        if not sent.again:
            return None if sent.fresh else Why.OLD
        now = self._now()
        if not kept.since <= now < kept.since + LIFETIME:
            return Why.OLD
        until = Instant(now + 2 * LIFETIME)
        first = await self._database.write(lambda tx: claim_request(tx, RequestId(f"kept-form/{kept.id}"), now, until))
        return None if first else Why.SENT

    async def _ask(self, request: Request, route: str, sent: Sent, why: Why, user: User | None) -> Response:
        """Return the page that keeps the form. ``user`` is who is signed in; they can take it over knowingly."""
        kept, target, (fault, status) = sent.kept, _target(request), _ANSWERS[why]
        owner = None if kept.owner is None else await self._person(kept.owner)
        as_shown = why in {Why.SIGNED_OUT, Why.ANOTHER} and (user is None or owner is not None)
        mine = None if user is None or (owner is not None and owner != user and route in _PERSONAL) else user
        pairs = [(name, value) for name, value in sent.pairs if not _SECRET.search(name)]
        return self._pages.render(
            "kept_form.html", status=status, may_leave=route in _LEAVES, fault=fault, why=why, action=target,
            pairs=pairs, told=[pair for pair in pairs if pair[1] and pair[0] not in _SEALED], left_out=kept.left_out, owner=owner,
            user=user, as_shown=as_shown, kept=self._seal(kept, target), request_id=request_id.of(request),
            instead=None if mine is None else self._seal(self._taken_over(kept, mine, why), target),
        )  # fmt: skip

    def _taken_over(self, kept: Kept, user: User, why: Why) -> Kept:
        """Return the form as one of ``user``, who saw this page: what was sent already can be sent once more, knowingly."""
        name = base64url(self._entropy(_ID_BYTES)) if why is Why.SENT else kept.id
        return replace(kept, id=name, name=f"kept/{name}", owner=user.id, since=self._now())

    async def _person(self, user_id: UserId) -> User | None:
        return await self._database.read(lambda reader: accounts.user_by_id(reader, user_id))

    def _seal(self, kept: Kept, target: str) -> str:
        payload = json.dumps(
            [kept.id, kept.owner, kept.since, kept.left_out, kept.name], separators=(",", ":")
        ).encode()
        return self._sealer.seal(_LABEL, payload, aad=target.encode(), entropy=self._entropy)

    def _open(self, sealed: str, target: str) -> Kept | None:
        """Return what is sealed for a form to ``target``; None for what ``_seal`` did not make."""
        try:
            said = json.loads(self._sealer.open(_LABEL, sealed, aad=target.encode()))
        except Unsealed:
            return None
        return Kept(id=said[0], owner=said[1], since=said[2], left_out=said[3], name=said[4])


def _target(request: Request) -> str:
    """Return where the form was sent: its path, and its query."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path

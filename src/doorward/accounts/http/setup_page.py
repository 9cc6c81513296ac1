"""``/setup/{secret}``: the first tenant and its owner. For everybody without the link there is no such page."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.accounts import new_password
from doorward.accounts.entering import PASSWORD, Entering, SignedIn
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.passwords import Busy, PasswordPool
from doorward.accounts.setup import FirstOwner, Setup, why_no_name, why_no_slug
from doorward.accounts.sign_in import normal_email
from doorward.model import Entropy, Instant
from doorward.protocol import faults
from doorward.storage.database import Database, Transaction
from doorward.web import causes, request_id
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused

PATH: Final = "/setup/{secret}"
_FIELDS: Final = ("tenant", "slug", "name", "email")
_AFTER: Final = "/settings"


class SetupPage:
    """The surface."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        pages: Pages,
        setup: Setup,
        database: Database,
        passwords: PasswordPool,
        entering: Entering,
        greeting: Greeting,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
    ) -> None:
        self._pages, self._setup, self._database, self._passwords = pages, setup, database, passwords
        self._entering, self._greeting = entering, greeting
        self._now, self._entropy, self._public_url = now, entropy, public_url

    def routes(self) -> list[Route]:
        """Return the routes of this surface."""
        return [Route(PATH, self._show, methods=["GET"]), Route(PATH, self._submit, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        await self._require_link(request)
        return self._page(request, dict.fromkeys(_FIELDS, ""), {})

    async def _submit(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        await self._require_link(request)
        form = await read_form(request)
        values = {name: form.one(name).strip()[:254] for name in _FIELDS}
        errors = _errors(values, form)
        if errors:
            return self._page(request, values, errors, status=422)
        try:
            hashed = await self._passwords.hash(form.one("password"))
        except Busy as busy:
            raise Refused(faults.SIGN_IN_BUSY, status=503, reason="password queue full") from busy
        wanted = FirstOwner(
            tenant_name=values["tenant"], slug=values["slug"], name=values["name"],
            email=normal_email(values["email"]) or "", password_hash=hashed,
        )  # fmt: skip
        begun = await self._database.write(lambda tx: self._make(tx, request, wanted))
        if begun is None:
            raise HTTPException(404)
        return self._greeting.welcome(request, begun, _AFTER)

    def _make(self, tx: Transaction, request: Request, wanted: FirstOwner) -> SignedIn | None:
        now = self._now()
        user = self._setup.use(
            tx, request.path_params["secret"], wanted, now=now, entropy=self._entropy, cause=causes.of(request)
        )
        came = self._greeting.came(request)
        return None if user is None else self._entering.begin(tx, user.id, came, means=PASSWORD, now=now)

    async def _require_link(self, request: Request) -> None:
        secret, now = request.path_params["secret"], self._now()
        if not await self._database.read(lambda reader: self._setup.is_open(reader, secret, now)):
            raise HTTPException(404)

    def _page(
        self, request: Request, values: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200
    ) -> Response:
        return self._pages.render(
            "first_owner.html", status=status, values=values, errors=errors, path=request.url.path,
            least=new_password.MIN_LENGTH, request_id=request_id.of(request),
        )  # fmt: skip


def _errors(values: Mapping[str, str], form: Form) -> dict[str, str]:
    email = normal_email(values["email"])
    password = form.one("password")
    why = {
        "tenant": why_no_name(values["tenant"]),
        "slug": why_no_slug(values["slug"]),
        "name": why_no_name(values["name"]),
        "email": None if email is not None and "@" in email else "Write an e-mail address.",
        "password": new_password.why_not(password, email=values["email"], name=values["name"]),
        "again": None if password == form.one("again") else "The two are not the same. Type it twice.",
    }
    return {name: words for name, words in why.items() if words is not None}

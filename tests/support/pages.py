"""The pages in one process: a real database, the real stack of web, accounts and dashboard, and a browser's manners."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from starlette.routing import BaseRoute

from doorward.accounts.passwords import PasswordPool
from doorward.accounts.routes import SignInPages, Waiting
from doorward.accounts.sign_in import SignIn
from doorward.authserver.admission import Admission
from doorward.authserver.clients import ClientDirectory
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard.attempts import AttemptsPage
from doorward.dashboard.keys import KeysPage
from doorward.dashboard.notices import Notices
from doorward.dashboard.signed_in import Home, SignedIn
from doorward.dashboard.why import WhyPage
from doorward.model import SECOND, Instant, OwnerKind, Permission, PermissionEntry, Status, User, UserId
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Database, Transaction
from doorward.storage.opening import open_database
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.fault_pages import FaultPages
from doorward.web.front_door import FrontDoor, router
from doorward.web.pages import Pages
from doorward.web.static_files import StaticFiles
from support.person import Form, Page
from support.rows import ACME, ALICE, BOB, GLOBEX, HARBOUR, NOW, OWNER, VIEWER

PUBLIC_URL = "https://mcp.acme.example"
PASSWORD = "correct horse battery staple"
CAROL = User(id=UserId("u-carol"), email="carol@acme.test", name="Carol Both", created_at=NOW)
ROBOT = User(
    id=UserId("u-robot"), email="robot@acme.test", name="Robot", kind=OwnerKind.SERVICE, created_at=NOW
)  # fmt: skip
CATALOGUE = (
    PermissionEntry(permission=Permission("documents:read"), words="Read documents"),
    PermissionEntry(permission=Permission("documents:write"), words="Rename and change documents"),
    PermissionEntry(permission=Permission("documents:delete"), words="Delete documents", destructive=True),
)
FINGERPRINTER = Fingerprinter(b"k" * 32)


@dataclass
class Clock:
    """A clock that stands still until it is told to move."""

    at: Instant = NOW

    def __call__(self) -> Instant:
        return self.at

    def forward(self, seconds: int) -> None:
        self.at = Instant(self.at + seconds * SECOND)


@dataclass
class House:
    """Everything that ``bootstrap`` would build of the pages."""

    database: Database
    passwords: PasswordPool
    public_url: str = PUBLIC_URL
    clock: Clock = field(default_factory=Clock)
    waiting: Waiting | None = None
    more: list[BaseRoute] = field(default_factory=list)

    def __post_init__(self) -> None:
        https = self.public_url.startswith("https:")
        static = StaticFiles()
        packages = ["doorward.accounts", "doorward.authserver", "doorward.dashboard"]
        self.pages = Pages(public_url=self.public_url, static=static, packages=packages)
        self.errors = Errors(pages=self.pages, now=self.clock)
        self.cookies = Cookies(secure=https)
        common: dict[str, Any] = {"database": self.database, "fingerprinter": FINGERPRINTER, "now": self.clock}
        signed_in = SignedIn(cookies=self.cookies, **common)
        self.sign_in = SignIn(passwords=self.passwords, entropy=os.urandom, **common)
        directory = ClientDirectory(pinned_documents={}, vendor_schemes=frozenset())
        routes: list[BaseRoute] = [
            *static.routes(),
            *FaultPages(pages=self.pages).routes(),
            *SignInPages(
                pages=self.pages, cookies=self.cookies, sign_in=self.sign_in, public_url=self.public_url,
                describe_next=self._describe, **common,
            ).routes(),
            *Home.routes(),
            *KeysPage(
                pages=self.pages, signed_in=signed_in, public_url=self.public_url, entropy=os.urandom, **common
            ).routes(),
            *Notices(
                signed_in=signed_in, database=self.database, now=common["now"], public_url=self.public_url
            ).routes(),
            *AttemptsPage(
                pages=self.pages, signed_in=signed_in, public_url=self.public_url, database=self.database, now=self.clock,
                directory=directory, admission=Admission("approved", directory.is_fixed), vendor_schemes=frozenset(),
            ).routes(),
            *WhyPage(
                pages=self.pages, signed_in=signed_in, database=self.database, now=self.clock, public_url=self.public_url
            ).routes(),
            *self.more,
        ]  # fmt: skip
        self.app = FrontDoor(router(routes), errors=self.errors, entropy=os.urandom, https=https)

    async def _describe(self, _path: str, _browser: str | None) -> Waiting | None:
        return self.waiting

    def browser(self, **headers: str) -> "Browser":
        """Return a fresh browser profile."""
        return Browser(self, headers)

    async def change(self, use_case: Callable[[Transaction], Any]) -> Any:
        """Run a use case as another process would."""
        return await self.database.write(use_case)

    async def disable(self, user: User) -> None:
        """Disable a user."""
        await self.change(lambda tx: accounts.update_user(tx, replace(user, status=Status.DISABLED)))


class Browser:
    """Keeps cookies, says where its requests come from, follows nothing by itself."""

    def __init__(self, house: House, headers: dict[str, str]) -> None:
        self.house = house
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=house.app), base_url=house.public_url, follow_redirects=False,
            headers={"accept": "text/html", **headers}, trust_env=False,
        )  # fmt: skip

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        return await self.client.get(path, **more)

    async def post(self, path: str, pairs: Any, *, site: str | None = "same-origin", **headers: str) -> httpx2.Response:
        """Submit a form. ``site`` is what the browser says of its origin."""
        sent = {"content-type": "application/x-www-form-urlencoded", "origin": "null", **headers}
        if site is not None:
            sent["sec-fetch-site"] = site
        return await self.client.post(path, content=str(httpx2.QueryParams(pairs)), headers=sent)

    async def sign_in(self, user: User = ALICE, password: str = PASSWORD, **more: str) -> httpx2.Response:
        return await self.post("/sign-in", {"email": user.email, "password": password, **more})

    @property
    def session(self) -> str | None:
        return self.client.cookies.get(self.house.cookies.session_name)


def form_of(response: httpx2.Response, field_name: str) -> Form:
    """Return the form of a page that has a field of this name."""
    return next(form for form in Page(response.text).forms if form.named(field_name))


def filled(form: Form, /, **values: str) -> list[tuple[str, str]]:
    """Return what a browser would submit: every control as it stands, but for ``values``."""
    kept = [
        (item.name, item.value)
        for item in form.fields
        if item.name not in values
        and not item.disabled
        and item.type != "submit"
        and (item.checked or item.type not in {"checkbox", "radio"})
    ]
    return [*kept, *values.items()]


@asynccontextmanager
async def opened_house(folder: Path, **more: Any) -> AsyncIterator[House]:
    """Yield a house with people in it: Alice owns Acme, Bob is nowhere, Carol is in both tenants, Robot is a service."""
    database = open_database(f"sqlite:///{folder / 'pages.db'}", create=True)
    passwords = PasswordPool(max_workers=1, queue_limit=64)
    hashed = await passwords.hash(PASSWORD)
    await database.write(lambda tx: _people(tx, hashed))
    try:
        yield House(database, passwords, **more)
    finally:
        passwords.close()
        await database.close()


def _people(tx: Transaction, hashed: str) -> None:
    for user in (ALICE, BOB, CAROL, ROBOT):
        accounts.insert_user(tx, user, hashed)
    for tenant in (ACME, GLOBEX):
        accounts.insert_tenant(tx, tenant)
    permissions.put_catalogue(tx, CATALOGUE)
    for role in (OWNER, VIEWER):
        permissions.put_role(tx, role)
    globex_viewer = replace(VIEWER, id=type(VIEWER.id)("r-globex-viewer"), tenant_id=GLOBEX.id)
    permissions.put_role(tx, globex_viewer)
    permissions.set_membership(tx, ACME.id, ALICE.id, ("owner",))
    permissions.set_membership(tx, ACME.id, CAROL.id, ("owner",))
    permissions.set_membership(tx, GLOBEX.id, CAROL.id, ("viewer",))
    servers.put_server(tx, HARBOUR)
    servers.set_tenant_servers(tx, ACME.id, [HARBOUR.id])

"""The pages in one process: a real database, the real stack of web, accounts and dashboard, and a browser's manners."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx2
from starlette.routing import BaseRoute

from doorward.accounts.entering import Entering
from doorward.accounts.http.greeting import Greeting
from doorward.accounts.http.provider_pages import PER_HOUR, PER_MINUTE, ProviderPages, callback_path
from doorward.accounts.http.sign_in_page import SignInPages, Waiting
from doorward.accounts.http.ways import Way
from doorward.accounts.passwords import PasswordPool, _hasher
from doorward.accounts.proofs import PasswordProof
from doorward.accounts.provider_sign_in import ProviderSignIns
from doorward.accounts.sessions import Lifetimes, SessionUses
from doorward.accounts.sign_in import SignIn
from doorward.authserver.admission import Admission
from doorward.authserver.clients import ClientDirectory
from doorward.credentials import upstream_secrets
from doorward.credentials.secret import Fingerprinter
from doorward.dashboard.approvals import ApprovalsPage
from doorward.dashboard.apps import AppsPage
from doorward.dashboard.attempts import AttemptsPage
from doorward.dashboard.audit_page import AuditPage, Kept
from doorward.dashboard.client_desk import ClientDesk
from doorward.dashboard.clients import ClientsPage
from doorward.dashboard.desk import Desk
from doorward.dashboard.key_desk import KeyDesk
from doorward.dashboard.keys import KeysPage
from doorward.dashboard.notices import Notices
from doorward.dashboard.own_password import OwnPassword
from doorward.dashboard.own_sessions import OwnSessions
from doorward.dashboard.profile import ProfilePage
from doorward.dashboard.security import SecurityPage
from doorward.dashboard.setup import SetupPage
from doorward.dashboard.shown_to import ShownTo
from doorward.dashboard.signed_in import Home, SignedIn
from doorward.dashboard.step_up import StepUp
from doorward.dashboard.tenant_credentials import CredentialsPage
from doorward.dashboard.tenant_page import Elsewhere, TenantPage
from doorward.dashboard.usage import UsagePage
from doorward.dashboard.why import WhyPage
from doorward.federation.provider_client import ProviderClient
from doorward.gateway.approvals.asking import Terms
from doorward.model import SECOND, Instant, OwnerKind, Permission, PermissionEntry, Status, User, UserId
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Database, Transaction
from doorward.storage.opening import open_database
from doorward.vault import Sealer
from doorward.web.budgets import AddressBudget
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.fault_pages import FaultPages
from doorward.web.fetch import Fetcher
from doorward.web.front_door import FrontDoor, router
from doorward.web.pages import Pages
from doorward.web.requester import Requester
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
TERMS = Terms(sealer=Sealer(b"s" * 32), entropy=os.urandom)
FINGERPRINTER, SEALER = Fingerprinter(b"k" * 32), Sealer(b"k" * 32)


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
    fetcher: Fetcher | None = None
    """What asks identity providers."""
    more: list[BaseRoute] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)

    def __post_init__(self) -> None:
        https = self.public_url.startswith("https:")
        static = StaticFiles()
        packages = ["doorward.accounts", "doorward.authserver", "doorward.dashboard"]
        self.pages = Pages(public_url=self.public_url, static=static, packages=packages)
        self.errors = Errors(pages=self.pages, now=self.clock)
        self.cookies = Cookies(secure=https)
        common: dict[str, Any] = {"database": self.database, "fingerprinter": FINGERPRINTER, "now": self.clock}
        self.uses = SessionUses(self.database, idle=Lifetimes().idle)
        signed_in = SignedIn(
            cookies=self.cookies, used=self.uses.used, shown_to=ShownTo(sealer=SEALER, entropy=os.urandom), **common
        )
        self.entering = Entering(fingerprinter=FINGERPRINTER, entropy=os.urandom, lifetimes=Lifetimes())
        self.sign_in = SignIn(passwords=self.passwords, entering=self.entering, **common)
        self.greeting = Greeting(
            cookies=self.cookies,
            requester=Requester(),
            fingerprinter=FINGERPRINTER,
            entropy=os.urandom,
            session_seconds=Lifetimes().absolute,
        )
        desk = Desk(
            pages=self.pages, signed_in=signed_in, database=self.database, now=self.clock, public_url=self.public_url
        )
        providers = self._providers()
        directory = ClientDirectory(pinned_documents={}, vendor_schemes=frozenset())
        self.routes: list[BaseRoute] = [
            *static.routes(),
            *FaultPages(pages=self.pages).routes(),
            *SignInPages(
                pages=self.pages, cookies=self.cookies, sign_in=self.sign_in, public_url=self.public_url,
                describe_next=self._describe, greeting=self.greeting, ways=[providers, *self.ways], **common,
            ).routes(),
            *providers.routes(),
            *Home.routes(),
            *KeysPage(
                KeyDesk(
                    pages=self.pages, signed_in=signed_in, public_url=self.public_url, entropy=os.urandom, prefix="dw",
                    **common,
                )
            ).routes(),
            *Notices(desk).routes(),
            *AttemptsPage(
                desk, directory=directory, admission=Admission("approved", directory.is_fixed), vendor_schemes=frozenset()
            ).routes(),
            *ApprovalsPage(desk, fingerprinter=FINGERPRINTER, terms=TERMS).routes(),
            *ClientsPage(
                ClientDesk(
                    pages=self.pages, signed_in=signed_in, public_url=self.public_url, entropy=os.urandom, **common
                )
            ).routes(),
            *CredentialsPage(desk).routes(),
            *SetupPage(desk).routes(),
            *AppsPage(desk).routes(),
            *AuditPage(desk, kept=Kept(changes=0, calls=365)).routes(),
            *UsagePage(desk).routes(),
            *WhyPage(desk).routes(),
            *self._security(signed_in, providers),
            *self.more,
        ]  # fmt: skip
        self.app = FrontDoor(router(self.routes), errors=self.errors, entropy=os.urandom, https=https)

    def _security(self, signed_in: SignedIn, providers: ProviderPages) -> list[BaseRoute]:
        common: dict[str, Any] = {"database": self.database, "now": self.clock}
        proof = PasswordProof(passwords=self.passwords, fingerprinter=FINGERPRINTER, **common)
        step_up = StepUp(
            pages=self.pages, signed_in=signed_in, password=proof, sealer=Sealer(b"s" * 32), entropy=os.urandom,
            public_url=self.public_url, recent_seconds=600, **common,
        )  # fmt: skip
        page = SecurityPage(pages=self.pages, signed_in=signed_in)
        page.add(OwnPassword(page=page, step_up=step_up, signed_in=signed_in, passwords=self.passwords, **common))
        page.add(OwnSessions(signed_in=signed_in, cookies=self.cookies, public_url=self.public_url, **common))
        profile = ProfilePage(pages=self.pages, signed_in=signed_in, step_up=step_up, providers=providers, **common)
        tenant = TenantPage(
            pages=self.pages, signed_in=signed_in, step_up=step_up, **common,
            elsewhere=[Elsewhere("Calls are kept", "365 days", "audit.call_days")],
        )  # fmt: skip
        return [*page.routes(), *profile.routes(), *tenant.routes(), *step_up.routes()]

    def _providers(self) -> ProviderPages:
        client = ProviderClient(
            database=self.database, fetcher=self.fetcher or Fetcher(now=self.clock), now=self.clock,
            open_secret=partial(upstream_secrets.unseal, sealer=SEALER),
        )  # fmt: skip
        sign_ins = ProviderSignIns(
            database=self.database, client=client, entering=self.entering, sealer=SEALER, fingerprinter=FINGERPRINTER,
            now=self.clock, entropy=os.urandom, callback=lambda slug: self.public_url + callback_path(slug),
        )  # fmt: skip
        budget = AddressBudget(per_minute=PER_MINUTE, per_hour=PER_HOUR, now=self.clock)
        return ProviderPages(
            sign_ins=sign_ins, database=self.database, cookies=self.cookies, greeting=self.greeting, budget=budget,
            public_url=self.public_url,
        )  # fmt: skip

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

    def __init__(self, house: Any, headers: dict[str, str]) -> None:
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
async def opened_house(folder: Path, url: str = "", **more: Any) -> AsyncIterator[House]:
    """Yield a house with people in it: Alice owns Acme, Bob is nowhere, Carol is in both tenants, Robot is a service."""
    database = open_database(url or f"sqlite:///{folder / 'pages.db'}", create=True)
    passwords = PasswordPool(max_workers=1, queue_limit=64)
    hashed = _hashed()
    await database.write(lambda tx: people(tx, hashed))
    try:
        yield House(database, passwords, **more)
    finally:
        passwords.close()
        await database.close()


@cache
def _hashed() -> str:
    """Hash the password of all people once for all houses: it is slow on purpose."""
    return _hasher.hash(PASSWORD.encode())


def people(tx: Transaction, hashed: str) -> None:
    """Store the people of a house."""
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

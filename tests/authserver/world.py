"""One running authorization server in this process, and the browsers and clients that talk to it. No sockets."""

import base64
import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
from tests.authserver.deployment import CIMD_URL, DOCUMENT, MCP, PUBLIC_URL, START, user

from doorward.accounts.sessions import Came, Lifetimes, end_session, start_session
from doorward.authserver.routes import AuthServer
from doorward.clients import profiles
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.key_ring import KeyRing
from doorward.credentials.secret import Fingerprinter
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import SECOND, Instant
from doorward.storage import connections, events
from doorward.storage.database import Database, Reader
from doorward.vault import Sealer
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.front_door import FrontDoor, router
from doorward.web.pages import Pages
from doorward.web.static_files import StaticFiles
from support.person import Form, Page

KEY = bytes(range(32))
FINGERPRINTER, SEALER = Fingerprinter(KEY), Sealer(KEY)
VERIFIER = "v" * 43 + "~._-"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:53111/cb"
STATE = "s t/%2B+ä🚪"

AZ: Mapping[str, str] = {
    "response_type": "code",
    "client_id": "c1",
    "redirect_uri": REDIRECT,
    "scope": "documents:read",
    "state": STATE,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "resource": MCP,
}
"""A valid authorization request."""

Pairs = list[tuple[str, str]]


def az(*added: tuple[str, str], without: Collection[str] = (), **changed: str) -> Pairs:
    """Return the valid request with parameters changed, left out, or sent once more."""
    return [*(pair for pair in (AZ | changed).items() if pair[0] not in without), *added]


@cache
def _pages() -> Pages:
    return Pages(public_url=PUBLIC_URL, static=StaticFiles(), packages=("doorward.authserver",))


class Clock:
    """The present moment, which a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Instant:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now = Instant(self.now + int(seconds * SECOND))


@dataclass
class Consent:
    """A consent page that somebody is looking at."""

    html: str
    form: Form
    text: str

    def ticked(self) -> set[str]:
        return {item.value for item in self.form.named("scope") if item.checked and not item.disabled}

    def shown(self) -> set[str]:
        return {item.value for item in self.form.named("scope")}

    def tenants(self) -> list[str]:
        return [item.value for item in self.form.named("tenant")]


class Browser:
    """A browser without JavaScript, at our pages only."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.http = world.client()

    async def open(self, params: Pairs, path: str = "/oauth/authorize") -> httpx2.Response:
        """Begin a request; do not follow."""
        return await self.http.get(f"{path}?{urlencode(params)}")

    async def sign_in(self, name: str) -> None:
        """Have a session, as the sign-in page would begin it."""
        world = self.world
        _, text = await world.database.write(
            lambda tx: start_session(
                tx,
                user(name),
                means="password",
                came=Came(cause=None),
                now=world.clock(),
                entropy=os.urandom,
                fingerprinter=FINGERPRINTER,
                lifetimes=Lifetimes(),
            )
        )
        self.http.cookies.set("doorward_session", text, domain="127.0.0.1")

    async def sign_out(self) -> None:
        world, text = self.world, self.http.cookies.get("doorward_session")
        await world.database.write(lambda tx: end_session(tx, text, fingerprinter=FINGERPRINTER, now=world.clock()))
        self.http.cookies.delete("doorward_session")

    async def follow(self, response: httpx2.Response) -> httpx2.Response:
        """Follow redirects as long as they stay on our pages and there is a page to look at."""
        while response.is_redirect:
            target = urljoin(PUBLIC_URL, response.headers["location"])
            if not target.startswith(PUBLIC_URL) or urlsplit(target).path == "/sign-in":
                return response
            response = await self.http.get(target)
        return response

    async def consent(self, params: Pairs | None = None) -> Consent:
        """Begin a request and look at its consent page."""
        response = await self.follow(await self.open(az() if params is None else params))
        assert response.status_code == 200, (response.status_code, response.headers.get("location"), response.text)
        return consent_of(response)

    async def submit(self, page: Consent, answer: str = "approve", **changed: Any) -> httpx2.Response:
        """Send the form as the browser would, or with what a test changed in it."""
        fields = [item for item in page.form.fields if item.type not in {"submit", "button"} and not item.disabled]
        pairs = [(f.name, f.value) for f in fields if f.checked or f.type not in {"checkbox", "radio"}]
        for name, value in changed.items():
            values = [value] if isinstance(value, str) else value
            pairs = [pair for pair in pairs if pair[0] != name] + [(name, each) for each in values]
        return await self.post(page.form.action, [*pairs, ("answer", answer)])

    async def post(self, path: str, pairs: Pairs, **headers: str) -> httpx2.Response:
        sent = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"} | headers
        return await self.http.post(path or "/oauth/consent", content=urlencode(pairs), headers=sent)

    async def answer(self, params: Pairs | None = None, answer: str = "approve", **changed: Any) -> dict[str, str]:
        """Go the whole way and return what the client is told."""
        return answer_of(await self.submit(await self.consent(params), answer, **changed))


@dataclass
class World:
    """The server, its clock and its database."""

    database: Database
    keys: SigningKeys
    secrets: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.ring = KeyRing(database=self.database, sealer=SEALER, now=self.clock, first=self.keys.ring)
        self.rebuild()

    def rebuild(self, **changed: Any) -> None:
        """Make the server anew over the same data, with other arguments."""
        pages = _pages()
        errors = Errors(pages=pages, now=self.clock)
        settings: dict[str, Any] = {
            "pinned_documents": {CIMD_URL: DOCUMENT},
            "code_ttl": 60,
            "access_ttl": 3600,
            "refresh_idle": 30 * 86_400,
            "refresh_absolute": 180 * 86_400,
            "allowed_origins": ("https://inspector.example",),
        }
        given: dict[str, Any] = {"database": self.database, **settings, **self.options, **changed}
        self.server = AuthServer(
            now=self.clock,
            entropy=os.urandom,
            public_url=PUBLIC_URL,
            issuer=TokenIssuer(issuer=PUBLIC_URL, keys=self.ring.current, refresh_keys={"k1": KEY}),
            keys=self.ring,
            fingerprinter=FINGERPRINTER,
            sealer=SEALER,
            pages=pages,
            errors=errors,
            cookies=Cookies(secure=False),
            vendor_schemes=profiles.vendor_schemes(),
            verified_host=profiles.verified_host,
            **given,
        )
        self.app = FrontDoor(router(self.server.routes()), errors=errors, entropy=os.urandom, https=False)

    def client(self) -> httpx2.AsyncClient:
        async def newest(scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=newest, raise_app_exceptions=True), base_url=PUBLIC_URL
        )

    def browser(self) -> Browser:
        return Browser(self)

    async def browser_of(self, name: str) -> Browser:
        """Return a browser in which somebody is signed in."""
        browser = self.browser()
        await browser.sign_in(name)
        return browser

    async def token(
        self, form: Mapping[str, str] | Pairs, path: str = "/oauth/token", **headers: str
    ) -> httpx2.Response:
        pairs = list(form.items()) if isinstance(form, Mapping) else form
        sent = {"content-type": "application/x-www-form-urlencoded"} | headers
        async with self.client() as http:
            return await http.post(path, content=urlencode(pairs), headers=sent)

    async def code(self, name: str = "alice", params: Pairs | None = None, **changed: Any) -> str:
        """Return a code for somebody's approval."""
        browser = await self.browser_of(name)
        answer = await browser.answer(params, **changed)
        assert "code" in answer, answer
        return answer["code"]

    async def redeem(self, code: str, without: Collection[str] = (), **changed: str) -> httpx2.Response:
        return await self.token({name: value for name, value in (tk(code) | changed).items() if name not in without})

    async def connect(self, name: str = "alice", params: Pairs | None = None, **changed: Any) -> dict[str, Any]:
        """Return the token answer of a new connection."""
        response = await self.redeem(await self.code(name, params, **changed))
        assert response.status_code == 200, response.text
        return response.json()  # type: ignore[no-any-return]

    async def refresh(self, token: str, **changed: str) -> httpx2.Response:
        return await self.token({"grant_type": "refresh_token", "refresh_token": token, "client_id": "c1"} | changed)

    async def works(self, access_token: str) -> bool:
        """Say whether the gateway's door would let this token in, now."""
        door = Door(issuer=PUBLIC_URL, keys=self.ring.look, fingerprinter=FINGERPRINTER, prefix="dw")

        def look(reader: Reader) -> bool:
            try:
                found = door.authenticate(reader, access_token, now=self.clock())
            except Unauthenticated:
                return False
            return bool(found.principal.permissions & found.principal.scopes)

        return await self.database.read(look)

    async def events(self) -> list[Any]:
        """Return the audit trail, newest first."""
        return await self.database.read_long(lambda reader: events.recent_events(reader, None, 100))

    async def connections(self, name: str = "alice") -> list[Any]:
        return await self.database.read(lambda reader: connections.connections_of_user(reader, user(name).id))


def tk(code: str) -> dict[str, str]:
    """Return the valid token request for a code of C1."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "client_id": "c1",
        "code_verifier": VERIFIER,
        "resource": MCP,
    }


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def consent_of(response: httpx2.Response) -> Consent:
    page = Page(response.text)
    form = next(form for form in page.forms if form.named("answer"))
    return Consent(html=response.text, form=form, text=" ".join(page.text.split()))


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """Return the parameters with which a browser is sent back to the client; each must stand there once."""
    assert response.status_code == 303, (response.status_code, response.text)
    pairs = parse_qsl(urlsplit(response.headers["location"]).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def is_page(response: httpx2.Response, code: str, status: int = 400) -> None:
    """PAGE400: explained on a page, redirected nowhere."""
    assert response.status_code == status, (response.status_code, response.headers.get("location"), response.text)
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")
    assert code in response.text
    assert response.headers["x-frame-options"] == "DENY"


def is_redirected_error(
    response: httpx2.Response, error: str, redirect: str = REDIRECT, state: str | None = STATE
) -> None:
    """EREDIR: to the exact redirect URI, with state byte for byte, with iss, without a code."""
    answer = answer_of(response)
    assert response.headers["location"].startswith(f"{redirect}?")
    assert answer["error"] == error
    assert answer.get("state") == state
    assert answer["iss"] == PUBLIC_URL
    assert "code" not in answer


def is_token_error(response: httpx2.Response, error: str, status: int = 400) -> None:
    """TERR: JSON in the form of RFC 6749 section 5.2, nothing to cache, nothing that is a token."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["error"] == error
    assert None not in response.json().values()
    assert "access_token" not in response.text
    if status == 401 and "basic" in str(response.request.headers.get("authorization", "")).lower():
        assert response.headers["www-authenticate"].startswith("Basic")

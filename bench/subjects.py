"""The authorization servers that are compared: how each is started, asked and given somebody who consents.

All of them authenticate clients, rotate refresh tokens and check PKCE. What each does not do is in ``remark``.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from bench.deployment import APP, CALLBACK, MACHINE
from bench.machine import SERVER_CORE, BenchError, Pinned, free_port, start
from bench.wire import Wire, basic, code_in, eat, get, path_of, pkce, post

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
PYTHON = HERE.parent / ".cache" / "bench-peers" / "bin" / "python"
SECRET = "a-secret-of-the-bench-that-is-long-enough"
SCOPE = "bench:read"


@dataclass
class Subject:
    """One authorization server as the load sees it. ``kinds`` are the loads that it can be put under."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    port: int
    kinds: tuple[str, ...]
    discovery: str = "/.well-known/oauth-authorization-server"
    token: str = "/token"
    authorize: str = "/authorize"
    introspect: str = "/introspect"
    scope: str = SCOPE
    redirect_uri: str = CALLBACK
    client_id: str = APP
    machine_secret: str = SECRET
    app_secret: str | None = None
    more: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    remark: str = ""

    def start(self, folder: Path, core: int | None = SERVER_CORE) -> Pinned:
        """Start it; ``started_in`` is the time to the first 200 on discovery."""
        begun = time.perf_counter()
        running = start(
            self.name.replace(" ", "-"), self.command, core=core, port=self.port, folder=folder, env=self.env
        )
        try:
            running.wait_for_200(self.port, self.discovery)
        except BenchError:
            running.stop()
            raise
        running.started_in = time.perf_counter() - begun
        return running

    async def prepare(self, wire: Wire) -> None:
        """Make sure that a person is signed in and has consented."""

    def client_credentials(self) -> bytes:
        """Return the request of a machine."""
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        return post(self.token, form, authorization=basic(MACHINE, self.machine_secret))

    def refresh(self, token: str) -> bytes:
        """Return the request that rotates ``token``."""
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id}
        return post(self.token, form, authorization=self._proof())

    def introspection(self, token: str) -> bytes:
        """Return the question about an access token."""
        return post(self.introspect, {"token": token}, authorization=basic(MACHINE, self.machine_secret))

    async def access_token(self, wire: Wire) -> str:
        """Return an access token to ask about."""
        answer = await wire.send(self.client_credentials())
        if answer.status != 200:
            raise answer.unexpected("an access token")
        return str(json.loads(answer.body)["access_token"])

    async def flow(self, wire: Wire) -> str:
        """Go through one authorization code flow with PKCE and return the refresh token. Raises ``BenchError``."""
        verifier, challenge = pkce()
        query = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "scope": self.scope, "state": "s", "code_challenge": challenge, "code_challenge_method": "S256", **self.more,
        }  # fmt: skip
        cookies = self.jar()
        answer = await wire.send(get(f"{self.authorize}?{urlencode(query)}", cookies))
        eat(cookies, answer)
        location = answer.location()
        code = code_in(location) or await self.approve(wire, location, cookies)
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "client_id": self.client_id, "code_verifier": verifier,
        }  # fmt: skip
        answer = await wire.send(post(self.token, form, authorization=self._proof()))
        if answer.status != 200:
            raise answer.unexpected("tokens")
        return str(json.loads(answer.body)["refresh_token"])

    def jar(self) -> dict[str, str]:
        """Return the cookies that a flow begins with."""
        return self.cookies

    async def approve(self, _wire: Wire, location: str, _cookies: dict[str, str]) -> str:
        """Answer the consent page at ``location`` and return the code."""
        message = f"{self.name} asks again: {location}"
        raise BenchError(message)

    def _proof(self) -> str | None:
        return None if self.app_secret is None else basic(self.client_id, self.app_secret)


class OidcProvider(Subject):
    """npm oidc-provider over a Map, its development pages for sign-in and consent."""

    async def prepare(self, wire: Wire) -> None:
        """Sign in and consent, once."""
        _, challenge = pkce()
        query = {
            "response_type": "code", "client_id": APP, "redirect_uri": self.redirect_uri, "scope": self.scope,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        answer = await wire.send(get(f"{self.authorize}?{urlencode(query)}"))
        eat(self.cookies, answer)
        for form in ({"prompt": "login", "login": "somebody", "password": "x"}, {"prompt": "consent"}):
            page = path_of(answer.location())
            answer = await wire.send(post(page, form, cookies=self.cookies))
            eat(self.cookies, answer)
            answer = await wire.send(get(path_of(answer.location()), self.cookies))
            eat(self.cookies, answer)
        if code_in(answer.location()) is None:
            raise answer.unexpected("a code")


class FastMCP(Subject):
    """FastMCP's in-memory provider: its client registers itself, nobody signs in."""

    async def prepare(self, wire: Wire) -> None:
        """Register the client."""
        body = json.dumps({
            "client_name": "bench", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", "scope": SCOPE,
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        })  # fmt: skip
        head = f"POST /register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = await wire.send((head + body).encode())
        if answer.status != 201:
            raise answer.unexpected("a client")
        self.client_id = json.loads(answer.body)["client_id"]


OIDC_JWT = "oidc-provider, Map, ES256 JWT"
OIDC_OPAQUE = "oidc-provider, Map, opaque"
AUTHLIB = "Authlib + Flask, SQLite WAL"
FASTMCP = "FastMCP in-memory provider"


def peers(folder: Path) -> tuple[list[Subject], list[str]]:
    """Return the peers that are installed, and a line for each that is not."""
    found: list[Subject] = []
    missing: list[str] = []
    node = shutil.which("node")
    if node is None or not (PEERS / "node_modules" / "oidc-provider").is_dir():
        missing.append(
            "SKIPPED oidc-provider: Node 20 or later is needed, and `npm ci` in bench/peers (make bench does it)."
        )
    else:
        found += [_oidc_provider(node, OIDC_JWT, "jwt"), _oidc_provider(node, OIDC_OPAQUE, "opaque")]
    if not PYTHON.exists():
        missing.append(
            "SKIPPED Authlib and FastMCP: their environment .cache/bench-peers is missing (make bench makes it)."
        )
    else:
        found += [_authlib(folder), _fastmcp()]
    return found, missing


def _oidc_provider(node: str, name: str, form: str) -> Subject:
    port = free_port()
    kinds = ("client_credentials", "rotation", *(["introspection"] if form == "opaque" else []), "flow")
    return OidcProvider(
        name=name, command=[node, str(PEERS / "oidc_provider.mjs")], port=port, kinds=kinds,
        env={"PORT": str(port), "FORM": form, "SECRET": SECRET, "NODE_ENV": "production"},
        discovery="/.well-known/openid-configuration", authorize="/auth", introspect="/token/introspection",
        redirect_uri=CALLBACK, scope=f"openid {SCOPE}",
        remark="nothing is stored durably; ID tokens are signed too, an opaque access token is not",
    )  # fmt: skip


def _authlib(folder: Path) -> Subject:
    port = free_port()
    with contextlib.suppress(FileNotFoundError):
        (folder / "authlib.db").unlink()
    command = [
        str(PYTHON), "-m", "gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "4", "--keep-alive", "75",
        "--bind", f"127.0.0.1:{port}", "--log-level", "error", "--chdir", str(PEERS), "authlib_sqlite:app",
    ]  # fmt: skip
    return Subject(
        name=AUTHLIB, command=command, port=port, kinds=("client_credentials", "rotation", "introspection", "flow"),
        env={"PORT": str(port), "DB": str(folder / "authlib.db"), "SECRET": SECRET, "AUTHLIB_INSECURE_TRANSPORT": "1"},
        cookies={"session": "somebody"}, remark="synchronous=NORMAL: a power cut loses tokens; opaque tokens, no audit",
    )  # fmt: skip


def _fastmcp() -> Subject:
    port = free_port()
    command = [
        str(PYTHON), "-m", "uvicorn", "fastmcp_memory:app", "--app-dir", str(PEERS), "--port", str(port), "--loop", "uvloop",
        "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    return FastMCP(
        name=FASTMCP, command=command, port=port, kinds=("rotation", "flow"), env={"PORT": str(port)},
        remark="for tests: no users, no hashing, no store",
    )  # fmt: skip

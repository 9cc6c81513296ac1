"""The whole program in this process, with a server that knows people by their own accounts elsewhere."""

import json
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from doorward.accounts.sessions import Came, Lifetimes, start_session
from doorward.bootstrap import program
from doorward.bootstrap.core import Core, open_core
from doorward.credentials.api_keys import CreatedKey, create_api_key
from doorward.credentials.key_changes import rotate_api_key
from doorward.credentials.key_makers import Maker
from doorward.credentials.upstream_secrets import seal, set_secret
from doorward.model import SECOND, Instant, Permission, Server, UpstreamGrant, User
from doorward.provisioning.apply import check_passwords, execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.server import App
from doorward.settings import DatabaseSettings, LinkedAccountSettings, ServerSettings, Settings
from doorward.storage import accounts, api_keys, events, servers, upstream_grants
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import metadata
from doorward.storage.statements import select
from doorward.web.cookies import Cookies
from support.elsewhere import NAMES, Elsewhere
from support.https_server import trust

PUBLIC = "http://127.0.0.1:8080"
MODERN = "2026-07-28"
OPENS_URLS = {"elicitation": {"form": {}, "url": {}}}
SCOPES = frozenset({Permission("documents:read"), Permission("documents:write")})


def settings(folder: Path, public_url: str = PUBLIC, database: str = "") -> Settings:
    return replace(
        Settings(),
        data_dir=folder,
        server=replace(ServerSettings(), public_url=public_url),
        database=DatabaseSettings(url=database),
        linked_accounts=LinkedAccountSettings(allow_loopback=True),
    )


def document(upstream: str, issuer: str, **auth: Any) -> dict[str, Any]:
    """Return a deployment: Alice and Bob in Acme, Carol in Acme and Globex, Mallory in Globex only."""
    return {
        "permissions": [{"permission": each, "words": each} for each in sorted(SCOPES)],
        **declared(upstream, issuer, **auth),
        "users": [
            {"email": f"{name}@test.example", "name": name.title()} for name in ("alice", "bob", "carol", "mallory")
        ],
        "tenants": [
            {"slug": "acme", "name": "Acme", "servers": ["wiki"], "members": _members("alice", "bob", "carol")},
            {"slug": "globex", "name": "Globex", "servers": ["wiki"], "members": _members("carol", "mallory")},
        ],
    }


def declared(upstream: str, issuer: str = "", **auth: Any) -> dict[str, Any]:
    """Return the server alone, as it is declared again."""
    named = {"authorization_server": issuer} if issuer else {}
    wiki = {
        "slug": "wiki",
        "name": "Wiki",
        "paths": ["/mcp", "/{tenant}/mcp"],
        "upstream": upstream,
        "auth": {"kind": "oauth", **named, **auth},
        "tools": [{"match": "*", "requires": ["documents:read"]}],
        "resources": [{"match": "mem://open", "requires": ["documents:read"]}],
        "prompts": [{"match": "*", "requires": ["documents:read"]}],
    }
    return {"servers": [wiki]}


def _members(*names: str) -> list[dict[str, Any]]:
    return [{"user": f"{name}@test.example", "roles": ["editor"]} for name in names]


@dataclass
class Clock:
    """Real time, and what a test adds to it."""

    now: Any
    offset: int = 0

    def __call__(self) -> Instant:
        return Instant(self.now() + self.offset)

    def forward(self, seconds: float) -> None:
        self.offset += int(seconds * SECOND)


class Visitor:
    """A person's browser at our pages, which follows nothing by itself."""

    def __init__(self, house: "House") -> None:
        self.house = house
        transport = httpx2.ASGITransport(app=house.app)
        self.http = httpx2.AsyncClient(
            transport=transport, base_url=house.public_url, headers={"accept": "text/html"}, trust_env=False
        )

    async def get(self, path: str, **query: str) -> httpx2.Response:
        return await self.http.get(f"{path}?{urlencode(query)}" if query else path)

    async def post(self, path: str, site: str = "same-origin", /, **fields: str) -> httpx2.Response:
        return await self.submit(path, list(fields.items()), site)

    async def submit(
        self, path: str, pairs: Sequence[tuple[str, str]], site: str = "same-origin"
    ) -> httpx2.Response:  # fmt: skip
        headers = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": site}
        return await self.http.post(path, content=urlencode(pairs), headers=headers)

    async def begin(self, tenant: str = "acme") -> str:
        """Press the button; return where the browser is sent."""
        answer = await self.post("/upstreams/wiki/connect", tenant=tenant)
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return answer.headers["location"]

    async def come_back(self, query: Mapping[str, str], server: str = "wiki") -> httpx2.Response:
        return await self.get(f"/upstreams/{server}/callback", **query)

    async def link(self, at: Elsewhere, account: str = "alice-there", tenant: str = "acme") -> None:
        """Go the whole way."""
        answer = await self.come_back(at.approve(await self.begin(tenant), account))
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == "/settings/upstreams?linked=wiki"


@dataclass
class House:
    """Everything of one test."""

    core: Core
    app: App
    clock: Clock
    public_url: str = PUBLIC

    def __post_init__(self) -> None:
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app), base_url=self.public_url, trust_env=False
        )

    async def apply(self, declared: Mapping[str, Any]) -> None:
        parsed = parse(read_json(json.dumps(declared)))
        passwords = await check_passwords(self.core.database, parsed, self.core.passwords)
        await self.core.database.write(
            lambda tx: execute(
                tx, parsed, passwords, now=self.clock(), entropy=os.urandom, fingerprinter=self.core.fingerprinter
            )
        )

    async def secret(self, name: str, value: str) -> None:
        sealed = seal(name, value, sealer=self.core.sealer, entropy=os.urandom)
        await self.core.database.write(lambda tx: set_secret(tx, name, sealed, now=self.clock()))

    async def server(self, slug: str) -> Server:
        found = await self.core.database.read(lambda reader: servers.server_by_slug(reader, slug))
        assert found is not None
        return found

    async def user(self, name: str) -> User:
        found = await self.core.database.read(lambda reader: accounts.user_by_email(reader, f"{name}@test.example"))
        assert found is not None
        return found

    async def visitor(self, name: str) -> Visitor:
        """Return a browser in which somebody is signed in."""
        visitor, user = Visitor(self), await self.user(name)
        _, text = await self.core.database.write(
            lambda tx: start_session(
                tx, user, means="password", came=Came(cause=None), lifetimes=Lifetimes(), now=self.clock(), entropy=os.urandom,
                fingerprinter=self.core.fingerprinter,
            )
        )  # fmt: skip
        visitor.http.cookies.set(Cookies(secure=self.public_url.startswith("https:")).session_name, text)
        return visitor

    async def key(self, name: str, tenant: str = "acme", made_by: str | None = None) -> str:
        """Return an API key of somebody, made by themselves if nobody else is named."""
        owner, maker = await self.user(name), await self.user(made_by or name)
        place = await self.core.database.read(lambda reader: accounts.tenant_by_slug(reader, tenant))
        assert place is not None
        made = await self.core.database.write(
            lambda tx: create_api_key(
                tx, owner=owner, tenant=place, created_by=maker.id, name="ci", scopes=SCOPES, resources=None,
                expires_at=None, rights=SCOPES, now=self.clock(), entropy=os.urandom,
                fingerprinter=self.core.fingerprinter, cause=None,
            )
        )  # fmt: skip
        return made.text

    async def rotated(self, key: str, by: str, tenant: str = "acme") -> str:
        """Return another secret of a key, which somebody asked for who may look after keys."""
        maker = Maker(user_id=(await self.user(by)).id, manages=True, creates=True, rights=None, anywhere=None)

        def rotate(tx: Transaction) -> CreatedKey:
            place = accounts.tenant_by_slug(tx, tenant)
            found = api_keys.api_key_by_fingerprint(tx, self.core.fingerprinter.of(key))
            assert place is not None
            assert found is not None
            return rotate_api_key(
                tx, found.id, tenant=place, maker=maker, overlap=0, now=self.clock(), entropy=os.urandom,
                fingerprinter=self.core.fingerprinter, prefix="dw", cause=None,
            )  # fmt: skip

        return (await self.core.database.write(rotate)).text

    async def modern(
        self, key: str, method: str, params: Mapping[str, Any] | None = None, *, can: Mapping[str, Any] | None = None
    ) -> httpx2.Response:
        """Send one request of 2026-07-28."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": can or {},
        }
        params = {**(params or {}), "_meta": meta}
        name = params.get("name") or params.get("uri")
        headers = {"mcp-protocol-version": MODERN, "mcp-method": method, **({"mcp-name": name} if name else {})}
        return await self._send(key, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers)

    async def legacy(
        self, key: str, method: str, params: Mapping[str, Any] | None = None, session: str | None = None
    ) -> httpx2.Response:
        """Send one request of 2025-11-25."""
        headers = {} if method == "initialize" else {"mcp-protocol-version": "2025-11-25"}
        headers |= {"mcp-session-id": session} if session else {}
        return await self._send(key, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}, headers)

    async def call(self, key: str, tool: str = "echo", **arguments: Any) -> httpx2.Response:
        return await self.modern(key, "tools/call", {"name": tool, "arguments": arguments})

    async def _send(self, key: str, message: Mapping[str, Any], headers: Mapping[str, str]) -> httpx2.Response:
        sent = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "authorization": f"Bearer {key}",
            **headers,
        }
        return await self.http.post("/mcp", content=json.dumps(message), headers=sent)

    async def grants(self) -> list[UpstreamGrant]:
        return await self.core.database.read_long(upstream_grants.all_grants)

    async def events(self) -> list[events.AuditEvent]:
        return await self.core.database.read_long(lambda reader: events.recent_events(reader, None, 200))

    async def dump(self) -> str:
        """Return everything that the database holds, as text."""

        def everything(reader: Reader) -> str:
            return "\n".join(str(row) for table in metadata.sorted_tables for row in reader.all(select(table)))

        return await self.core.database.read_long(everything)


@asynccontextmanager
async def opened(folder: Path, *, public_url: str = PUBLIC, database: str = "") -> AsyncIterator[House]:
    """Open the house whose data are in ``folder``."""
    core = await open_core(settings(folder, public_url, database), create=True)
    clock = Clock(core.now)
    core = replace(core, now=clock)
    app = await program.build(core)
    await app.gateway.start()
    try:
        yield House(core, app, clock, public_url)
    finally:
        await app.gateway.stop()
        await core.close()


def copied(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder


def names_lead_here(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have every ``*.example`` lead to loopback, and the tests' own authority be the one that is trusted."""
    real = socket.getaddrinfo

    def look(host: Any, *more: Any, **named: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        return real("127.0.0.1" if text is not None and text.endswith(".example") else host, *more, **named)

    patch.setattr(socket, "getaddrinfo", look)
    _, client = trust(*NAMES)
    pem = "".join(ssl.DER_cert_to_PEM_cert(each) for each in client.get_ca_certs(binary_form=True))
    path = folder / "authority.pem"
    path.write_text(pem)
    patch.setenv("SSL_CERT_FILE", str(path))

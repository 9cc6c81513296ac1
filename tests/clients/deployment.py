"""The whole program in this process, as an operator sets it up, and the MCP server behind it. No sockets but that one's."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from tests.gateway.recorder import Recorder, Request, default, result

from doorward.bootstrap.core import Core, clock, open_core
from doorward.bootstrap.program import build
from doorward.cli.token_use import make_key
from doorward.credentials.key_wishes import KeyWish
from doorward.model import SECOND, Instant
from doorward.provisioning.apply import Applied, check_passwords, execute
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import Place
from doorward.settings import Settings

ISSUER = "http://127.0.0.1:8080"
MCP = f"{ISSUER}/mcp"
EMAIL, PASSWORD = "alice@example.test", "correct horse battery staple"
SERVER = {
    "slug": "harbour",
    "name": "Harbour",
    "paths": ["/mcp", "/{tenant}/mcp"],
    "upstream": "http://127.0.0.1:9/mcp",
    "tools": [{"match": "echo", "requires": ["documents:read"]}, {"match": "write_*", "requires": ["documents:write"]}],
}
DOCUMENT = {
    "servers": [SERVER],
    "users": [{"email": EMAIL, "name": "Alice", "password": PASSWORD}],
    "tenants": [
        {"slug": "acme", "name": "Acme", "servers": ["harbour"], "members": [{"user": EMAIL, "roles": ["owner"]}]}
    ],
}


class Clock:
    """The real moment, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> Instant:
        return Instant(clock() + self.ahead * SECOND)


@dataclass
class Deployment:
    """A running program over its own data directory. ``restart`` ends it and starts another over the same data."""

    data: Path
    upstream: Recorder
    clock: Clock = field(default_factory=Clock)

    async def start(self) -> None:
        core = await open_core(replace(Settings(), data_dir=self.data), create=False)
        self.core = replace(core, now=self.clock)
        self.app = await build(self.core)
        await self.app.start()

    async def stop(self) -> None:
        await self.app.stop()
        await self.core.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def client(self, **headers: str) -> httpx2.AsyncClient:
        """Return an HTTP client with cookies of its own; errors of ours are raised, not answered."""
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=True)
        return httpx2.AsyncClient(transport=transport, base_url=ISSUER, headers=headers)

    async def apply(self, document: Mapping[str, Any]) -> Applied:
        """Do what ``doorward apply`` does."""
        return await apply(self.core, document)

    async def key(self) -> str:
        """Do what ``doorward token create`` does."""
        core, wish = self.core, KeyWish(owner=EMAIL, name="by hand")
        _, made = await core.database.write(
            lambda tx: make_key(
                tx, wish, None, now=core.now(), entropy=core.entropy, fingerprinter=core.fingerprinter, prefix="dw"
            )
        )
        return made.text


async def apply(core: Core, document: Mapping[str, Any]) -> Applied:
    read = parse(Place("", dict(document)))
    passwords = await check_passwords(core.database, read, core.passwords)
    return await core.database.write(
        lambda tx: execute(tx, read, passwords, now=core.now(), entropy=core.entropy, fingerprinter=core.fingerprinter)
    )


async def furnish(data: Path) -> None:
    """Make a data directory with the deployment in it; copying it is quicker than making it again."""
    core = await open_core(replace(Settings(), data_dir=data), create=True)
    try:
        await apply(core, DOCUMENT)
    finally:
        await core.close()


@asynccontextmanager
async def running(template: Path, data: Path) -> AsyncIterator[Deployment]:
    """Run a copy of the furnished deployment before an honest MCP server of both eras."""
    shutil.copytree(template, data)
    upstream = Recorder()
    upstream.answer = both_eras
    await upstream.start()
    found = Deployment(data, upstream)
    await found.start()
    try:
        await found.apply({"servers": [SERVER | {"upstream": upstream.url}]})
        await found.restart()
        yield found
    finally:
        await found.stop()
        await upstream.stop()


def both_eras(request: Request) -> bytes | None:
    """Answer ``initialize`` of the older revisions too."""
    if request.method != "initialize":
        return default(request)
    return result(
        request,
        {
            "protocolVersion": request.message["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "memory", "version": "1"},
        },
    )

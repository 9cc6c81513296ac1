"""Whatever a message looks like: what the upstream executed was allowed (K30).

The upstreams are real: the official SDKs of Python and TypeScript, and FastMCP, each with its own ideas of how a message
may be read. What they executed is held against a table of who may do what that shares nothing with the gateway's code.
"""

import asyncio
import contextlib
import json
import os
import random
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastmcp
import pytest
from mcp.server.mcpserver import MCPServer
from tests.gateway.conftest import _world
from tests.gateway.deployment import ADMIN, EVERYTHING, FOLDER, READ, RULES, WRITE, server
from tests.gateway.world import MODERN, World, serve

from doorward.credentials.signing_keys import SigningKeys
from doorward.model import Permission, ResourceArgument, ToolRule
from doorward.storage import servers
from support.node import NODE_PROJECT, node

pytestmark = pytest.mark.anyio

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "3400"))
"""For each upstream; ``make gateway-fuzz`` sends more."""
SEED = int(os.environ.get("FUZZ_SEED", "1"))
Done = tuple[str, tuple[str, ...]]
Look = Callable[[], None]
"""Brings the list of what was done up to date, after an answer."""
TYPESCRIPT = NODE_PROJECT / "fuzzed_server.mjs"
MANY = ToolRule(
    match="write_many",
    requires=frozenset({WRITE}),
    resources=(ResourceArgument(pointer="/folders/*", type="folder"),),
)


def furnish(product: Any, done: list[Done]) -> None:  # noqa: C901  (one function for each thing)
    """Give a server things that note what they were asked to do."""

    def note(name: str, *about: object) -> str:
        done.append((name, tuple(map(str, about))))
        return "done"

    @product.tool()
    def echo(text: str = "") -> str:
        return note("echo")

    @product.tool()
    def drop_db() -> str:
        return note("drop_db")

    @product.tool()
    def write_note(folder: str) -> str:
        return note("write_note", folder)

    @product.tool()
    def write_many(folders: list[str]) -> str:
        return note("write_many", *folders)

    @product.resource("mem://open")
    def open_resource() -> str:
        return note("mem://open")

    @product.resource("mem://secret")
    def secret_resource() -> str:
        return note("mem://secret")

    @product.resource("mem://docs/{document}")
    def document(document: str) -> str:
        return note("mem://docs", document)

    @product.resource("mem://vault/{item}")
    def vault(item: str) -> str:
        return note("mem://vault", item)

    @product.prompt()
    def p_open() -> str:
        return note("p_open")

    @product.prompt()
    def p_secret() -> str:
        return note("p_secret")


@dataclass(frozen=True)
class Person:
    """Somebody as the table knows them: ``within`` are the folders a key is limited to."""

    name: str
    scopes: frozenset[Permission]
    within: bool

    @property
    def rights(self) -> frozenset[Permission]:
        theirs = {"alice": EVERYTHING, "bob": frozenset({READ, WRITE}), "carol": frozenset({READ})}
        return theirs[self.name] & self.scopes


NEEDS = {
    "echo": READ, "drop_db": ADMIN, "write_note": WRITE, "write_many": WRITE, "mem://open": READ, "mem://secret": ADMIN,
    "mem://docs": READ, "mem://vault": ADMIN, "p_open": READ, "p_secret": ADMIN,
}  # fmt: skip


def allowed(person: Person, done: Done) -> bool:
    """Say whether somebody may do what was done; f1 holds d1, and is all that a limited key reaches."""
    name, about = done
    if NEEDS[name] not in person.rights:
        return False
    if name in {"write_note", "write_many"}:
        return set(about) <= ({"f1"} if person.within else {"f1", "f2"})
    return about == ("d1",) if name == "mem://docs" else True


class Members(list[tuple[str, Any]]):
    """A JSON object that may have a member twice."""


def text(value: Any, dice: random.Random) -> str:
    """Return JSON, now and then with characters written as escapes."""
    if isinstance(value, Members):
        return "{" + ",".join(f"{text(key, dice)}:{text(item, dice)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text(item, dice) for item in value) + "]"
    if isinstance(value, str) and value and dice.random() < 0.03:
        return '"' + "".join(f"\\u{ord(character):04x}" for character in value if ord(character) < 65_536) + '"'
    return json.dumps(value, ensure_ascii=dice.random() < 0.5)


def members(value: Any) -> Any:
    """Return plain data with each object as ``Members``."""
    if isinstance(value, dict):
        return Members((key, members(item)) for key, item in value.items())
    return [members(item) for item in value] if isinstance(value, list) else value


NAMES = ("echo", "drop_db", "write_note", "write_many", "p_open", "p_secret", "whoami")
URIS = (
    "mem://open", "mem://secret", "mem://docs/d1", "mem://docs/d2", "mem://vault/x", "mem://docs/{document}",
    "mem://docs/../vault/x", "mem://docs/d1%2f..%2f..%2fvault", "MEM://secret", "mem://open/../secret", "mem://docs/d1?x",
    "mem://open#x", "mem://docs/D1", "mem://docs/%641",
)  # fmt: skip
FOLDERS = (
    "f1", "f2", "f3", "F1", "F2", " f2", "f2 ", "f1/../f2", "f2\u200b", "\uff46\uff12", "f%32", "f1,f2", "", "*", "f1\x00f2",
    '"f2"', '["f2"]', '{"folder":"f2"}', "f1\nf2",
)  # fmt: skip
METHODS = (
    "tools/call", "tools/list", "resources/read", "prompts/get", "prompts/list", "resources/list", "completion/complete",
    "tools/Call", "tools/call ", "ping", "resources/subscribe", "tasks/get", "tasks/result", "tasks/cancel", "notifications/initialized", "initialize",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    1,
    -1,
    1.5,
    "",
    [],
    ["f2"],
    [["f2"]],
    Members(),
    Members([("folder", "f2")]),
    "f2",
    "x" * 300,
)


def spelled(name: str, dice: random.Random) -> str:
    """Return a name that somebody might take for ``name``."""
    return dice.choice((
        name.upper(), name.capitalize(), f" {name}", f"{name} ", f"{name}\u0000", f"{name}\u200b", name.replace("s", "\u017f"),
        name.replace("o", "\uff4f"), f"_{name}", name.replace("_", "-"), name.replace("_", ""), f"{name}s", name,
    ))  # fmt: skip


def objects(value: Any) -> list[Members]:
    """Return all objects within ``value``."""
    inner = [item for _, item in value] if isinstance(value, Members) else value if isinstance(value, list) else []
    return ([value] if isinstance(value, Members) else []) + [found for item in inner for found in objects(item)]


def other_value(dice: random.Random) -> Any:
    return dice.choice(dice.choice((NAMES, URIS, FOLDERS, METHODS, ODD)))


def damaged(message: Members, dice: random.Random) -> None:
    """Change one thing somewhere."""
    place = dice.choice([each for each in objects(message) if each])
    index = dice.randrange(len(place))
    key, value = place[index]
    match dice.randrange(7):
        case 0:
            place.insert(dice.randrange(len(place) + 1), (key, other_value(dice)))
        case 1:
            place.insert(dice.randrange(len(place) + 1), (spelled(key, dice), other_value(dice)))
        case 2:
            place[index] = (spelled(key, dice), value)
        case 3 | 4:
            place[index] = (key, other_value(dice))
        case 5:
            place[index] = (key, dice.choice(([value], Members([(key, value)]), [value, other_value(dice)])))
        case _:
            del place[index]


def honest(dice: random.Random) -> dict[str, Any]:
    """Return a message that is well formed."""
    params: dict[str, Any]
    method = dice.choice(
        ("tools/call", "tools/call", "tools/call", "resources/read", "prompts/get", "completion/complete")
    )
    if method == "tools/call":
        name = dice.choice((*NAMES, "write_note", "write_many", "write_many"))
        folders: Any = [dice.choice(FOLDERS[:2]) for _ in range(dice.randrange(1, 4))]
        if dice.random() < 0.4:
            # What a server may take for a list all the same.
            folders = dice.choice((json.dumps(folders), folders[0], {"0": folders[0]}, [folders], [None, *folders]))
        arguments = {"write_note": {"folder": dice.choice(FOLDERS)}, "write_many": {"folders": folders}}.get(name, {})
        params = {"name": name, "arguments": arguments}
    elif method == "resources/read":
        params = {"uri": dice.choice(URIS)}
    elif method == "prompts/get":
        params = {"name": dice.choice(NAMES)}
    else:
        params = {"ref": {"type": "ref/prompt", "name": dice.choice(NAMES)}, "argument": {"name": "a", "value": ""}}
    return {"jsonrpc": "2.0", "id": dice.randrange(1000), "method": method, "params": params}


def drawn(dice: random.Random) -> tuple[bytes, dict[str, str]]:
    """Return a body and its routing headers, which mostly agree."""
    plain = honest(dice)
    headers: dict[str, str] = {}
    if dice.random() < 0.6:
        plain["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {},
        }  # fmt: skip
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": plain["method"]}
        name = plain["params"].get("name") or plain["params"].get("uri")
        if name is not None and name.isprintable():
            headers["Mcp-Name"] = name
    elif dice.random() < 0.8:
        headers = {"MCP-Protocol-Version": dice.choice(("2025-11-25", "2025-06-18", "2025-03-26"))}
    message = members(plain)
    for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
        if any(objects(message)):
            damaged(message, dice)
    if headers and dice.random() < 0.15:
        name = dice.choice(sorted(headers))
        headers[name] = dice.choice((*NAMES, *METHODS, MODERN, "2025-11-25", "=?base64?ZHJvcF9kYg==?=", "")).strip()
    body = text(message, dice)
    if dice.random() < 0.03:
        body = dice.choice(
            (f"[{body}]", f"{body}{body}", f"{body}\n{body}", f"\ufeff{body}", body[:-1], f" {body} ", f"{body}\x00")
        )
    encoding = "utf-8" if dice.random() < 0.97 else dice.choice(("utf-16", "utf-32", "latin-1", "utf-16-le"))
    return body.encode(encoding, "replace"), headers


@asynccontextmanager
async def official(done: list[Done]) -> AsyncIterator[tuple[str, Look]]:
    """Run a server built with the official SDK."""
    product = MCPServer("fuzzed")
    furnish(product, done)
    async with _served(product.streamable_http_app(), "/mcp") as url:
        yield url, lambda: None


@asynccontextmanager
async def fast(done: list[Done]) -> AsyncIterator[tuple[str, Look]]:
    """Run a server built with FastMCP."""
    product = fastmcp.FastMCP("fuzzed")
    furnish(product, done)
    async with _served(product.http_app(path="/mcp"), "/mcp") as url:
        yield url, lambda: None


@asynccontextmanager
async def typescript(done: list[Done]) -> AsyncIterator[tuple[str, Look]]:
    """Run a server built with the official TypeScript SDK, in a process of its own."""
    # Its pipe is read by hand, so that nothing is left on its way in the loop.
    with subprocess.Popen([node(), TYPESCRIPT], stdout=subprocess.PIPE, bufsize=0) as process:  # noqa: ASYNC220
        assert process.stdout is not None
        said = process.stdout.fileno()
        url = process.stdout.readline().decode().strip()
        os.set_blocking(said, False)
        rest = b""

        def look() -> None:
            # It writes before it answers, so whatever it did is here by now.
            nonlocal rest
            with contextlib.suppress(BlockingIOError):
                while piece := os.read(said, 65_536):
                    *lines, rest = (rest + piece).split(b"\n")
                    done.extend((name, tuple(about)) for name, about in map(json.loads, lines))

        try:
            yield url, look
        finally:
            process.kill()


@asynccontextmanager
async def _served(app: Any, path: str) -> AsyncIterator[str]:
    async with app.router.lifespan_context(app):
        running, task, port = await serve(app)
        try:
            yield f"http://127.0.0.1:{port}{path}"
        finally:
            running.should_exit = running.force_exit = True
            await task


class Line:
    """One raw connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, token: str, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the answer, read to its end."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = [
            "POST /mcp HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Content-Type: application/json",
            "Accept: application/json", f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items() if value.isascii()), "", "",
        ]  # fmt: skip
        self._writer.write("\r\n".join(lines).encode("latin-1") + body)
        async with asyncio.timeout(20):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = next((line for line in head.split(b"\r\n") if line.startswith(b"content-length:")), None)
            if length is None:
                await self.close()
            else:
                await self._reader.readexactly(int(length[15:]))
            if b"connection: close" in head:
                await self.close()
        return int(head[9:12])

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


@pytest.mark.parametrize("upstream", [official, fast, typescript])
async def test_K30_what_the_upstream_executed_was_allowed(
    upstream: Any, furnished: tuple[Path, SigningKeys], tmp_path: Path
) -> None:
    dice, done = random.Random(SEED), list[Done]()
    async with upstream(done) as (url, look):
        world: World = await _world(furnished, tmp_path, url)
        ruled = replace(server(url), rules=(MANY, *RULES))
        await world.database.write(lambda tx: servers.put_server(tx, ruled))
        async with world.running():
            people = []
            for name in ("alice", "bob", "carol"):
                for scopes in (EVERYTHING, frozenset({READ}), frozenset({READ, WRITE})):
                    for within in (False, True):
                        key = await world.key(name, *scopes, resources=frozenset({FOLDER}) if within else None)
                        people.append((Person(name, scopes, within), key))
            line, through = Line(world.port), set[str]()
            for number in range(MESSAGES):
                # Mostly the one who may do everything, and the same in one folder only.
                person, key = people[dice.randrange(2)] if dice.random() < 0.6 else dice.choice(people)
                body, headers = drawn(dice)
                done.clear()
                status = await line.send(key, body, headers)
                look()
                where = (number, person, body[:600], headers, status)
                assert status < 500, where
                assert all(allowed(person, one) for one in done), (done, where)
                assert len(done) <= 1, (done, where)
                through |= {name for name, _ in done}
            await line.close()
        await world.database.close()
    assert through == set(NEEDS), "every door was gone through by somebody who may"

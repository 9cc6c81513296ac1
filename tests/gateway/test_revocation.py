"""What is taken away counts on the next call, and on streams within a second, whoever takes it away (D3, I5, J12, K25).

Each kind of change, made by this server, and by another program on the same SQLite file or PostgreSQL database.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.gateway.conftest import SEALER
from tests.gateway.deployment import ACME, CLIENT, FOLDER, READ, S1, START, WRITE, put_in_place, server, user
from tests.gateway.recorder import Recorder, Request, default, stream
from tests.gateway.revocations import CASES, EVERYBODY, prepare
from tests.gateway.world import META, MODERN, PUBLIC, World

from doorward.model import SECOND, Connection, ConnectionId, Instant
from doorward.storage import connections, servers
from doorward.storage.opening import open_database
from support.signing import key_ring
from support.tree import ROOT

pytestmark = pytest.mark.anyio

CALLS = int(os.environ.get("REVOCATION_CALLS", "3000"))
"""How many calls meet changes at random in each dialect; ``make gateway-fuzz`` makes more."""
Apply = Callable[[str, str], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql"])
async def deployed(
    request: pytest.FixtureRequest, tmp_path: Path, recorder: Recorder
) -> AsyncIterator[tuple[World, str]]:
    """A gateway in front of the recorder, and the URL of its database."""
    if request.param == "sqlite":
        async with _deployed(f"sqlite://{tmp_path / 'doorward.db'}", recorder) as world:
            yield world, f"sqlite://{tmp_path / 'doorward.db'}"
        return
    url = request.getfixturevalue("empty_schema")
    async with _deployed(url, recorder) as world:
        yield world, url


@asynccontextmanager
async def _deployed(url: str, recorder: Recorder) -> AsyncIterator[World]:
    database = open_database(url, create=True)
    await database.write(lambda tx: put_in_place(tx, recorder.url))
    await database.write(lambda tx: servers.put_server(tx, server(recorder.url)))
    await database.write(prepare)
    keys = (await key_ring(database, SEALER, lambda: START)).current()
    world = World(database=database, keys=keys, upstream=recorder.url)
    async with world.running():
        yield world
    await database.close()


@asynccontextmanager
async def beside(url: str) -> AsyncIterator[Apply]:
    """Run a program of its own that changes the same database."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway.revocations", url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), str(ROOT / "tests")])},
    )  # fmt: skip

    async def apply(what: str, name: str) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{what} {name}\n".encode())
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"done\n", (what, name)

    try:
        yield apply
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def within(world: World) -> Apply:
    """Change the database through the server's own handle."""

    async def apply(what: str, name: str) -> None:
        change = CASES[name].take if what == "take" else CASES[name].give
        assert change is not None
        await world.database.write(change)

    return apply


async def token_within(world: World, name: str) -> str:
    """Return an access token whose connection is limited to the folder."""
    now = world.clock()
    world._count += 1
    connection = Connection(
        id=ConnectionId(f"w{world._count}"), tenant_id=ACME.id, user_id=user(name).id, client_id=CLIENT.id, server_id=S1,
        resource=f"{PUBLIC}/mcp", scopes=frozenset({READ, WRITE}), declined=frozenset(), resources=frozenset({FOLDER}),
        redirect_uri="http://127.0.0.1/cb", created_at=now, activated_at=now,
        expires_at=Instant(now + 3600 * SECOND),
    )  # fmt: skip
    await world.database.write(lambda tx: connections.insert_connection(tx, connection))
    return world.issuer.access_token(connection, connection.scopes, now=now, entropy=os.urandom, ttl=3000)[0]


async def credential(world: World, who: str) -> str:
    """Return a credential that may write in the folder only; ``who`` is like "bob key"."""
    name, _, kind = who.partition(" ")
    if kind == "token":
        return await token_within(world, name)
    return await world.key(name, READ, WRITE, resources=frozenset({FOLDER}))


async def credentials(world: World) -> dict[str, str]:
    return {who: await credential(world, who) for who in sorted(EVERYBODY)}


async def executed(world: World, recorder: Recorder, token: str) -> bool:
    """Call; say whether the upstream did it."""
    recorder.forget()
    response = await world.call(token, "write_note", {"folder": "f3"})
    done = recorder.seen() == ["tools/call"]
    assert response.status_code < 500
    assert done == (response.status_code == 200 and response.json()["result"]["isError"] is False)
    return done


async def works_again(world: World, recorder: Recorder, token: str) -> None:
    """Wait for a right that was given back: a path that is new to this process is known after a second."""
    async with asyncio.timeout(5):
        while not await executed(world, recorder, token):  # noqa: ASYNC110  (nothing tells it but an answer)
            await asyncio.sleep(0.02)


@pytest.mark.requirement("security/N11")
@pytest.mark.parametrize("by", ["this server", "another program"])
async def test_I5_J12_K25_each_change_counts_on_the_next_call(
    deployed: tuple[World, str], recorder: Recorder, by: str
) -> None:
    world, url = deployed
    async with beside(url) as other:
        apply = other if by == "another program" else within(world)
        tokens = await credentials(world)
        for name, case in CASES.items():
            for token in tokens.values():
                await works_again(world, recorder, token)
            await apply("take", name)
            for who, token in tokens.items():
                assert await executed(world, recorder, token) is (who not in case.hits), (name, who)
            if case.give is not None:
                await apply("give", name)
            else:
                tokens |= {who: await credential(world, who) for who in case.hits}


async def test_K18_K25_each_change_ends_the_streams_that_it_concerns_within_a_second(
    deployed: tuple[World, str], recorder: Recorder
) -> None:
    def waiting(request: Request) -> bytes:
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
        return stream(progress, ends=False) if request.method == "tools/call" else default(request)

    world, url = deployed
    loop = asyncio.get_running_loop()
    ended: dict[str, float] = {}
    async with beside(url) as apply:
        tokens = await credentials(world)
        for name, case in CASES.items():
            recorder.answer = default
            for token in tokens.values():
                await works_again(world, recorder, token)
            recorder.forget()
            recorder.answer = waiting
            ended.clear()
            streams = {
                who: asyncio.ensure_future(world.call(token, "write_note", {"folder": "f3"}))
                for who, token in tokens.items()
            }
            for who, task in streams.items():
                task.add_done_callback(lambda _, who=who: ended.update({who: loop.time()}))  # type: ignore[misc]
            await recorder.came(len(streams), "tools/call")
            await apply("take", name)
            changed = loop.time()
            await asyncio.wait([streams[who] for who in case.hits], timeout=5)
            assert ended.keys() == case.hits, name
            # One second, and what a busy machine adds.
            assert max(ended.values()) - changed < 1.5, name
            for who in case.hits:
                assert "DW-405" in streams[who].result().text, (name, who)
            for who in streams.keys() - case.hits:
                streams[who].cancel()
            await asyncio.gather(*streams.values(), return_exceptions=True)
            if case.give is not None:
                await apply("give", name)
            else:
                tokens |= {who: await credential(world, who) for who in case.hits}


@dataclass
class Times:
    """When somebody's right was certainly gone: from a commit that took it to the beginning of one that gave it."""

    gone: list[tuple[float, float]] = field(default_factory=list)

    def certainly(self, begun: float, over: float) -> bool:
        return any(start < begun and over < end for start, end in self.gone)


class Caller:
    """Calls over one raw connection, on the short way or (chunked) the long one."""

    def __init__(self, world: World, *, chunked: bool) -> None:
        self._port, self._chunked = world.port, chunked

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def call(self, token: str, mark: str) -> None:
        params = {"name": "write_note", "arguments": {"folder": "f3", "mark": mark}, "_meta": META}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        framing = "Transfer-Encoding: chunked" if self._chunked else f"Content-Length: {len(body)}"
        lines = (
            "POST /mcp HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}", "Content-Type: application/json",
            f"MCP-Protocol-Version: {MODERN}", "Mcp-Method: tools/call", "Mcp-Name: write_note", framing, "", "",
        )  # fmt: skip
        whole = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if self._chunked else body
        self._writer.write("\r\n".join(lines).encode() + whole)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert b" 5" not in head[:12], head
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        await self._reader.readexactly(int(length[15:]))

    def close(self) -> None:
        self._writer.close()


async def come(calls: Sized, dice: random.Random, most: int) -> None:
    """Wait for a moment and for some more calls: how long they take is the machine's business."""
    enough = min(len(calls) + int(dice.random() ** 3 * most), CALLS)
    await asyncio.sleep(dice.random() * 0.003)
    while len(calls) < enough:  # noqa: ASYNC110  (nothing tells it but the count)
        await asyncio.sleep(0.001)


@pytest.mark.requirement("security/N11")
async def test_K25_no_call_that_begins_after_a_change_is_done_by_what_was_before(
    deployed: tuple[World, str], recorder: Recorder
) -> None:
    """Calls and changes meet at random; the upstream's record is held against the times of the commits."""
    world, url = deployed
    second = open_database(url, create=False)
    dice = random.Random(int(os.environ.get("REVOCATION_SEED", "1")))
    loop = asyncio.get_running_loop()
    tokens = await credentials(world)
    times = {who: Times() for who in tokens}
    calls: dict[str, tuple[str, float, float]] = {}
    changes = 0

    async def change() -> None:
        nonlocal changes
        while len(calls) < CALLS:
            name = dice.choice(sorted(CASES))
            case, database = CASES[name], dice.choice((world.database, second))
            await database.write(case.take)
            taken = loop.time()
            await come(calls, dice, 40)
            given = loop.time()
            for who in case.hits:
                times[who].gone.append((taken, given))
            changes += 1
            if case.give is not None:
                await dice.choice((world.database, second)).write(case.give)
                # A path that is new is known within a second; nearly all calls would meet that second.
                await world.gateway._live.refresh()
            else:
                for who in case.hits:
                    tokens[who] = await credential(world, who)
            await come(calls, dice, 12)

    async def ask(number: int) -> None:
        caller = Caller(world, chunked=number % 2 == 1)
        await caller.open()
        while len(calls) < CALLS:
            mark, who = f"{number}-{len(calls)}-{dice.random()}", dice.choice(sorted(tokens))
            token, begun = tokens[who], loop.time()
            await caller.call(token, mark)
            calls[mark] = (who, begun, loop.time())
        caller.close()

    async with asyncio.timeout(100 + CALLS / 20):
        await asyncio.gather(change(), *(ask(number) for number in range(6)))
    await second.close()
    done = {
        request.message["params"]["arguments"]["mark"]
        for request in recorder.requests
        if request.method == "tools/call"
    }
    stale = [mark for mark in done if times[calls[mark][0]].certainly(*calls[mark][1:])]
    forbidden = [mark for mark, (who, *when) in calls.items() if times[who].certainly(when[0], when[1])]
    print(f"{len(calls)} calls, {changes} changes, {len(done)} done, {len(forbidden)} within a time without right")
    assert stale == []
    assert len(forbidden) > CALLS / 20, "the changes and the calls met"
    assert len(done) > CALLS / 20

"""Another Doorward, on a real socket with TLS, as authorization server and gateway of the server behind ours.

Ours finds everything out by itself; behind the other stands a server made with the official SDK.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from tests.gateway.sdk_upstream import SdkUpstream
from tests.gateway.world import messages, serve
from tests.linked.test_calls import told_to_link
from tests.linked.test_linking import asked_for

from doorward.authserver import connections as lives
from doorward.storage import connections
from support.elsewhere import DOOR, NAMES
from support.https_server import trust
from support.linked_house import House, Visitor, copied, declared, opened
from support.pages import filled
from support.person import Page

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]


@dataclass
class Tls:
    """Brings TLS to a program that leaves it to a proxy."""

    port: int = 0
    behind: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            inner, outer = await asyncio.open_connection("127.0.0.1", self.behind)
            await asyncio.gather(_pipe(reader, outer), _pipe(inner, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def doors(furnished: Path, tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """Ours, and the other one."""
    async with AsyncExitStack() as stack:
        sdk = await stack.enter_async_context(SdkUpstream().running())
        tls = Tls()
        for port in range(49_207, 60_000, 13):
            with suppress(OSError):
                listening = await asyncio.start_server(tls.serve, "127.0.0.1", port, ssl=trust(*NAMES)[0])
                tls.port = port
                break
        stack.callback(listening.close)
        url = f"https://{DOOR}:{tls.port}"
        theirs = await stack.enter_async_context(opened(copied(furnished, tmp_path / "theirs"), public_url=url))
        server = declared(sdk.url)["servers"][0]
        await theirs.apply({"servers": [{**server, "auth": {"kind": "identity"}}]})
        running, task, tls.behind = await serve(theirs.app)
        ours = await stack.enter_async_context(opened(copied(furnished, tmp_path / "ours")))
        await ours.apply(declared(f"{url}/mcp"))
        yield ours, theirs
        running.should_exit = running.force_exit = True
        await task


async def approve(theirs: House, location: str) -> dict[str, str]:
    """Approve at the other door, signed in there as somebody; return what the browser comes back with."""
    assert location.startswith(f"{theirs.public_url}/oauth/authorize?")
    there = await theirs.visitor("carol")
    answer = await there.http.get(location)
    while answer.is_redirect:
        target = urljoin(theirs.public_url, answer.headers["location"])
        answer = await there.http.get(target)
    form = next(form for form in Page(answer.text).forms if form.named("answer"))
    answer = await there.submit(form.action or "/oauth/consent", filled(form, tenant="globex", answer="approve"))
    assert answer.status_code == 303, answer.text
    return asked_for(answer.headers["location"])


async def linked(ours: House, theirs: House) -> Visitor:
    alice = await ours.visitor("alice")
    answer = await alice.come_back(await approve(theirs, await alice.begin()))
    assert answer.status_code == 303, answer.text
    return alice


async def test_a_call_goes_through_both_doors_as_who_the_person_is_there(doors: tuple[House, House]) -> None:
    ours, theirs = doors
    await linked(ours, theirs)
    key = await ours.key("alice")
    answer = messages(await ours.call(key, "echo", text="through both"))[-1]["result"]
    assert answer["content"][0]["text"] == "through both"
    tools = (await ours.modern(key, "tools/list")).json()["result"]["tools"]
    assert {"echo", "plain"} <= {tool["name"] for tool in tools}
    grant = (await ours.grants())[0]
    assert grant.issuer == theirs.public_url
    assert set(grant.scopes) >= {"documents:read"}
    older = await ours.legacy(key, "tools/call", {"name": "echo", "arguments": {"text": "b"}})
    assert messages(older)[-1]["result"]["content"][0]["text"] == "b"


async def test_the_other_door_refreshes_and_its_end_of_the_connection_is_ours(doors: tuple[House, House]) -> None:
    ours, theirs = doors
    await linked(ours, theirs)
    key = await ours.key("alice")
    await ours.call(key)
    before = (await ours.grants())[0]
    ours.clock.forward(3600)
    assert (await ours.call(key, "echo", text="x")).status_code == 200
    assert (await ours.grants())[0].version == before.version + 1
    carol = await theirs.user("carol")
    connection = (await theirs.core.database.read(lambda reader: connections.connections_of_user(reader, carol.id)))[0]
    await theirs.core.database.write(
        lambda tx: lives.end(tx, connection, "by herself", by="person", now=theirs.clock(), cause=None)
    )
    ours.clock.forward(60)
    told_to_link(await ours.call(key))
    assert (await ours.grants())[0].rejected_at is not None


async def test_unlinking_here_ends_the_connection_there(doors: tuple[House, House]) -> None:
    ours, theirs = doors
    alice = await linked(ours, theirs)
    answer = await alice.post("/settings/upstreams/acme/wiki/unlink")
    assert answer.status_code == 303
    carol = await theirs.user("carol")
    left = await theirs.core.database.read(lambda reader: connections.connections_of_user(reader, carol.id))
    assert [each.revoked_at is None for each in left] == [False]


async def test_declining_at_the_other_door_links_nothing(doors: tuple[House, House]) -> None:
    ours, theirs = doors
    alice = await ours.visitor("alice")
    location = await alice.begin()
    there = await theirs.visitor("carol")
    answer = await there.http.get(location)
    while answer.is_redirect:
        answer = await there.http.get(urljoin(theirs.public_url, answer.headers["location"]))
    form = next(form for form in Page(answer.text).forms if form.named("answer"))
    answer = await there.submit(form.action or "/oauth/consent", filled(form, tenant="globex", answer="deny"))
    came = asked_for(answer.headers["location"])
    assert urlsplit(answer.headers["location"]).path == "/upstreams/wiki/callback"
    refused = await alice.come_back(came)
    assert (refused.status_code, "DW-372" in refused.text) == (400, True)
    assert await ours.grants() == []

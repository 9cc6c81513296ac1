"""The guarded way out, against a real https server that behaves badly (security F2 to F7, F13, F14)."""

import asyncio
import gzip
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import pytest

from doorward.model import SECOND, Instant
from doorward.web import fetch, lookups
from doorward.web.fetch import Fetcher, TooManyFetches, target_of
from doorward.web.https_get import Failure, FetchFailed
from support.https_server import HOST, HttpsServer, dripping, http, https_server, trust

pytestmark = pytest.mark.anyio

START = Instant(1_790_000_000_000_000)


@dataclass
class Surroundings:
    """A fetcher, what it asks, and the server that it reaches."""

    server: HttpsServer
    addresses: list[list[str]] = field(default_factory=lambda: [["127.0.0.1"]])
    lookups: list[str] = field(default_factory=list)
    now: Instant = START

    def __post_init__(self) -> None:
        self.fetcher = self.make()

    def make(self, **options: object) -> Fetcher:
        settings: dict[str, object] = {"allow_loopback": True, "deadline": 0.6, "tls": trust(HOST)[1]}
        return Fetcher(now=lambda: self.now, resolver=self.resolve, **(settings | options))  # type: ignore[arg-type]

    def resolve(self, host: str, _port: int) -> list[str]:
        self.lookups.append(host)
        return self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]

    async def fails(self, *, kind: Failure, url: str | None = None) -> str:
        with pytest.raises(FetchFailed) as caught:
            await self.fetcher.get(url or self.server.url(), asker="a")
        assert caught.value.kind is kind, caught.value.reason
        return caught.value.reason


@pytest.fixture
async def around() -> AsyncIterator[Surroundings]:
    async with https_server(trust(HOST)[0]) as server:
        yield Surroundings(server)


async def test_a_document_is_fetched_by_name_from_the_address(around: Surroundings) -> None:
    around.server.answer = http(b"{}", 'ETag: "1"', "Cache-Control: a", "Cache-Control: b")
    fetched = await around.fetcher.get(around.server.url("/a/b.json"), asker="a", headers={"Accept": "x/y"})
    assert (fetched.status, fetched.body, fetched.headers["cache-control"]) == (200, b"{}", "a, b")
    head = around.server.requests[0]
    assert head.startswith("GET /a/b.json HTTP/1.1\r\n")
    for line in (f"Host: {HOST}:{around.server.port}", "Accept-Encoding: identity", "Accept: x/y", "Connection: close"):
        assert f"\r\n{line}\r\n" in head
    assert "cookie" not in head.lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + http(b"{}"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
    ],
)
async def test_every_ordinary_form_of_an_answer_is_read(around: Surroundings, answer: bytes) -> None:
    around.server.answer = answer
    assert (await around.fetcher.get(around.server.url(), asker="a")).body == b"{}"


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/x", "https://app.example", "https://app.example/x#y", "https://u@app.example/x",
        "https://app.example:22/x", "https://app.example:6379/x", "https://app.example./x", "https://localhost/x",
        "https://2130706433/x", "https://0x7f000001/x", "https://0177.0.0.1/x", "https://127.1/x", "https://[::1]/x",
        "https://127.0.0.1/x", "https://①②⑦.0.0.1/x", "https://app.example/\r\nx", "https://app.example/x y",
        "https://APP.example/x", "https://app.example\\@evil.example/x", "https://" + "a." * 130 + "b/x",
        "https://" + "a" * 64 + ".example/x", "https://a.0x1/x", "https://app.example:99999/x", "file:///etc/passwd",
    ],
)  # fmt: skip
async def test_F1_F3_other_urls_open_no_socket_and_ask_no_resolver(around: Surroundings, url: str) -> None:
    assert target_of(url) is None
    await around.fails(kind=Failure.ANSWER, url=url)
    assert not around.lookups


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
async def test_F3_what_the_system_resolves_to_loopback_is_judged_as_that(host: str) -> None:
    assert lookups.resolve(host, 443) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "private", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
async def test_F2_F14_private_answers_are_refused_before_a_connection(around: Surroundings, private: str) -> None:
    around.addresses, around.fetcher = [[private]], around.make(allow_loopback=False)
    assert "public" in await around.fails(kind=Failure.ANSWER)
    assert around.server.connections == 0


async def test_F4_a_mix_of_public_and_private_answers_is_refused(around: Surroundings) -> None:
    around.addresses, around.fetcher = [["8.8.8.8", "127.0.0.1"]], around.make(allow_loopback=False)
    await around.fails(kind=Failure.ANSWER)
    assert around.server.connections == 0


async def test_F4_a_name_that_rebinds_is_asked_once_and_the_checked_address_is_used(around: Surroundings) -> None:
    around.server.answer = http(b"{}")
    around.addresses = [["127.0.0.1"], ["10.0.0.1"]]
    assert (await around.fetcher.get(around.server.url(), asker="a")).status == 200
    assert around.lookups == [HOST]
    await around.fails(kind=Failure.ANSWER, url=around.server.url("/again"))


async def test_the_next_address_is_tried(around: Surroundings) -> None:
    around.server.answer, around.addresses = http(b"{}"), [["::1", "127.0.0.1"]]
    assert (await around.fetcher.get(around.server.url(), asker="a")).status == 200


async def test_a_certificate_of_another_name_or_authority_is_refused(around: Surroundings) -> None:
    around.server.answer = http(b"{}")
    assert "CERTIFICATE_VERIFY_FAILED" in await around.fails(
        kind=Failure.NETWORK, url=around.server.url(host="other.example")
    )
    around.fetcher = around.make(tls=None)  # the authorities of the system do not know ours
    assert "CERTIFICATE_VERIFY_FAILED" in await around.fails(kind=Failure.NETWORK)
    assert not around.server.requests


@pytest.mark.requirement("spec/CIMD2")
@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P", "404 No", "410 Gone", "403 No"]
)
async def test_F5_no_redirect_is_followed_and_200_is_the_only_good_status(around: Surroundings, status: str) -> None:
    around.server.answer = http(b"{}", f"Location: {around.server.url('/valid.json')}", status=status)
    assert status[:3] in await around.fails(kind=Failure.ANSWER)
    assert around.server.connections == 1


@pytest.mark.parametrize("status", ["500 Oops", "503 Later", "429 Slow down"])
async def test_a_server_in_trouble_is_told_from_an_answer(around: Surroundings, status: str) -> None:
    around.server.answer = http(b"{}", status=status)
    await around.fails(kind=Failure.UNAVAILABLE)


@pytest.mark.requirement("spec/CIMD4")
async def test_F6_five_kilobytes_are_the_limit(around: Surroundings) -> None:
    around.server.answer = http(b"x" * 5120)
    assert len((await around.fetcher.get(around.server.url(), asker="a")).body) == 5120
    around.server.answer = http(b"x" * 5121)
    await around.fails(kind=Failure.ANSWER)


async def endless_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def endless_tiny_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1;" + b"e" * 1000 + b"\r\nx\r\n")
        await writer.drain()


async def endless_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def endless_hints(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()


async def lying_length(writer: asyncio.StreamWriter) -> None:
    writer.write(http(b"{}" + b" " * 8) + b"x" * 10_000_000)
    await writer.drain()


@pytest.mark.parametrize("answer", [endless_chunks, endless_tiny_chunks, endless_head, endless_hints])
async def test_F6_what_does_not_end_is_cut(around: Surroundings, answer: Callable[..., None]) -> None:
    around.server.answer = answer  # type: ignore[assignment]
    await around.fails(kind=Failure.ANSWER)


async def test_F6_more_than_the_length_said_is_never_taken(around: Surroundings) -> None:
    around.server.answer = lying_length
    with suppress(FetchFailed):  # whether what follows is seen at all depends on how it is cut into pieces
        assert len((await around.fetcher.get(around.server.url(), asker="a")).body) == 10


async def test_F6_a_compressed_answer_is_not_unpacked(around: Surroundings) -> None:
    around.server.answer = http(gzip.compress(b" " * 1_000_000), "Content-Encoding: gzip")
    assert "coding" in await around.fails(kind=Failure.ANSWER)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Failure.ANSWER),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", Failure.ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", Failure.NETWORK),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Failure.NETWORK),
        (b"", Failure.NETWORK),
    ],
)
async def test_an_answer_that_is_none_is_a_failure(around: Surroundings, answer: bytes, kind: Failure) -> None:
    around.server.answer = answer
    await around.fails(kind=kind)


async def slow_head(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("answer", [slow_head, dripping])
async def test_F7_a_slow_server_has_until_the_deadline(around: Surroundings, answer: Callable[..., None]) -> None:
    around.server.answer = answer  # type: ignore[assignment]
    before = time.monotonic()
    assert "longer" in await around.fails(kind=Failure.NETWORK)
    assert time.monotonic() - before < 5


def test_F7_the_deadline_is_five_seconds() -> None:
    assert fetch.DEADLINE == 5


async def test_F7_a_hanging_handshake_has_until_the_deadline() -> None:
    async def never(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    silent = await asyncio.start_server(never, "127.0.0.1", 0)
    try:
        around = Surroundings(HttpsServer(port=silent.sockets[0].getsockname()[1]))
        if around.server.port in fetch._PORTS:
            await around.fails(kind=Failure.NETWORK)
    finally:
        silent.close()


async def test_F7_a_hanging_resolver_holds_up_nobody_else(around: Surroundings) -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[str]:
        if host == HOST:
            return ["127.0.0.1"]
        release.wait(30)
        return []

    fetcher = Fetcher(now=lambda: START, resolver=hang, tls=trust(HOST)[1], allow_loopback=True, deadline=0.5)
    around.server.answer = http(b"{}")
    try:
        async with anyio.create_task_group() as group:

            async def lost(number: int) -> None:
                with pytest.raises(FetchFailed):
                    await fetcher.get(f"https://hang{number}.example/x", asker=str(number))

            for number in range(8):
                group.start_soon(lost, number)
            await anyio.wait_all_tasks_blocked()
            assert (await fetcher.get(around.server.url(), asker="a")).status == 200
        for number in range(8, lookups.MAX_LOOKUPS):
            with pytest.raises(FetchFailed):
                await fetcher.get(f"https://hang{number}.example/x", asker=str(number))
        with pytest.raises(TooManyFetches, match="look-ups"):
            await fetcher.get(around.server.url(), asker="a")
    finally:
        release.set()


async def test_F13_each_asker_host_and_address_has_a_budget(around: Surroundings) -> None:
    around.server.answer = http(b"{}")
    for number in range(fetch.PER_ASKER):
        await around.fetcher.get(around.server.url(f"/{number}"), asker="mallory")
    with pytest.raises(TooManyFetches, match="mallory"):
        await around.fetcher.get(around.server.url("/more"), asker="mallory")
    for number in range(fetch.PER_ASKER, fetch.PER_HOST):
        await around.fetcher.get(around.server.url(f"/{number}"), asker=str(number))
    with pytest.raises(TooManyFetches, match=HOST):
        await around.fetcher.get(around.server.url("/more"), asker="other")
    assert around.server.connections == fetch.PER_HOST
    around.now = Instant(around.now + 60 * SECOND)
    assert (await around.fetcher.get(around.server.url(), asker="mallory")).status == 200


async def test_F13_many_names_of_one_machine_share_its_budget(around: Surroundings) -> None:
    around.addresses = [["8.8.8.8"]]  # refused below for its budget before anything is sent
    fetcher = around.make()
    for _ in range(fetch.PER_ADDRESS):
        assert fetcher._by_address.spend("8.8.8.8")
    with pytest.raises(TooManyFetches, match="addresses"):
        await fetcher.get("https://a.example/x", asker="a")


async def test_F13_a_network_failure_stands_for_thirty_seconds_and_an_answer_for_none(around: Surroundings) -> None:
    around.server.answer = b""
    await around.fails(kind=Failure.NETWORK)
    around.server.answer = http(b"{}")
    assert "moment ago" in await around.fails(kind=Failure.NETWORK)
    assert around.server.connections == 1
    around.now = Instant(around.now + 30 * SECOND)
    assert (await around.fetcher.get(around.server.url(), asker="a")).status == 200
    around.server.answer = http(b"{}", status="404 Not Found")
    await around.fails(kind=Failure.ANSWER)
    around.server.answer = http(b"{}")
    assert (await around.fetcher.get(around.server.url(), asker="a")).status == 200


async def test_F7_few_at_once_per_host_and_in_all(around: Surroundings) -> None:
    around.server.answer = slow_head
    refused: list[str] = []

    async def ask(number: int) -> None:
        try:
            await around.fetcher.get(around.server.url(f"/{number}"), asker=str(number))
        except (FetchFailed, TooManyFetches) as failed:
            refused.append(str(failed))

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(ask, number)
    assert around.server.connections <= fetch.MAX_AT_ONCE_PER_HOST
    assert sum("running" in each for each in refused) == 4
    assert not around.fetcher._hosts


def test_a_system_without_a_given_trust_store_uses_its_own() -> None:
    context = Fetcher(now=lambda: START)._context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

"""However use is folded, whenever, by however many nodes: a page tells what a recount of the calls tells."""

import asyncio
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from typing import Any, TypeVar

import psycopg
import pytest

from doorward.model import Instant, UserId
from doorward.storage import accounts, api_keys, events, usage
from doorward.storage.database import Database, Reader, StorageUnavailable, Transaction
from doorward.storage.events import CallEvent
from doorward.storage.opening import open_database
from doorward.storage.statements import POSTGRESQL, SQLITE, Params, Row, Statement
from doorward.storage.usage import HOUR
from doorward.storage.usage_folding import CHUNK, GRACE, OLD, UNFOLDED, Folding, fold, folded_until
from doorward.storage.usage_sums import Kind
from doorward.watch.filters import Meant
from doorward.watch.usage import RANGES, Report, Wanted, report
from support.rows import ACME, ALICE, BOB, KEY, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
T = TypeVar("T")
DAY = 24 * HOUR
SIDES = {Kind.TOOL: "tool", Kind.CLIENT: "client_id", Kind.USER: "user_id", Kind.KEY: "key_id"}
FILTERS: Sequence[Mapping[str, str]] = (
    {}, {"tool": "tool_1"}, {"client_id": "app_1"}, {"user_id": "u-1"}, {"key_id": KEY.id}, {"key_id": "con_1"},
    {"tool": "tool_1", "user_id": "u-1"}, {"tool": "nothing"},
)  # fmt: skip


def some_call(chance: random.Random, at: int) -> CallEvent:
    with_key, who = chance.random() < 0.5, chance.randrange(4)
    return CallEvent(
        at=Instant(at), tenant_id=ACME.id, user_id=UserId(f"u-{who}"), credential="api_key" if with_key else "access_token",
        credential_id=(KEY.id if who == 1 else f"key_{who}") if with_key else f"con_{who}",
        client_id=None if with_key and who else f"app_{who % 3}", server_id=f"s{who % 2}", method="tools/call",
        name=f"tool_{chance.randrange(3)}", decision=chance.choice(("allowed", "allowed", "denied", "refused", "failed")),
        reason="", status=200, duration_us=chance.choice((1, 7_000, 400_000, 10**8)), request_id=f"req_{at}",
    )  # fmt: skip


async def write_down(database: Database, calls: Sequence[CallEvent]) -> None:
    def write(tx: Transaction) -> None:
        events.insert_calls(tx, calls)
        usage.count(tx, calls)

    await database.write(write)


async def with_the_key(database: Database) -> None:
    def write(tx: Transaction) -> None:
        accounts.insert_tenant(tx, ACME)
        accounts.insert_user(tx, ALICE, None)
        accounts.insert_user(tx, BOB, None)
        api_keys.insert_api_key(tx, KEY)

    await database.write(write)


@dataclass
class DiesAfter:
    """A database whose node dies after so many of its writes."""

    database: Database
    writes: int

    async def read(self, fn: Callable[[Reader], T]) -> T:
        return await self.database.read(fn)

    async def read_long(self, fn: Callable[[Reader], T]) -> T:
        return await self.database.read_long(fn)

    async def write(self, fn: Callable[[Transaction], T]) -> T:
        self.writes -= 1
        if self.writes < 0:
            raise StorageUnavailable
        return await self.database.write(fn)


def recounted(calls: Sequence[CallEvent], wanted: Wanted, now: Instant) -> dict[str, Any]:
    """What a page has to tell, counted from the calls themselves."""
    only, since = wanted.only, wanted.sides(now).since * HOUR
    asked = {"name": only.tool, "client_id": only.client_id, "user_id": only.user_id, "credential_id": only.key_id}
    meant = [call for call in calls if all(value in {None, getattr(call, name)} for name, value in asked.items())]
    found = [call for call in meant if call.at >= since]
    hours = wanted.step * HOUR
    told: dict[str, Any] = {"calls": len(found), "points": dict(Counter(call.at - call.at % hours for call in found))}
    told["denied"] = sum(call.decision in {"denied", "refused"} for call in found)
    told["failed"] = sum(call.decision == "failed" for call in found)
    if wanted.days * 2 <= 92:
        told["before"] = sum(since - wanted.days * DAY <= call.at < since for call in meant)
    for kind, column in (("tool", "name"), ("client", "client_id"), ("user", "user_id"), ("key", "credential_id")):
        counted = Counter(
            getattr(call, column) for call in found
            if getattr(call, column) is not None and (kind != "key" or call.credential == "api_key")
        )  # fmt: skip
        told[kind] = sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    return told


def told(found: Report) -> dict[str, Any]:
    """The same, as a page tells it."""
    said: dict[str, Any] = {
        "calls": found.total.calls, "denied": found.total.denied, "failed": found.total.failed,
        "points": {point.at: point.calls for point in found.points if point.calls},
    }  # fmt: skip
    if found.before is not None:
        said["before"] = found.before
    assert sum(found.total.took) == found.total.calls - found.total.denied
    for kind, ranked in found.ranked.items():
        said[kind.value] = [(line.value, line.counts.calls) for line, _ in ranked.lines]
        assert ranked.known == len(ranked.lines)
        assert all(sum(line.counts.took) == line.counts.calls - line.counts.denied for line, _ in ranked.lines)
    return said


async def same(database: Database, calls: Sequence[CallEvent], wanted: Wanted, now: Instant) -> None:
    said = told(await database.read_long(lambda reader: report(reader, wanted, now)))
    meant = recounted(calls, wanted, now)
    assert said == {name: meant[name] for name in said}, wanted


def every_page() -> Iterator[Wanted]:
    for days in RANGES:
        for given in FILTERS:
            only = Meant(**given)  # type: ignore[arg-type]
            yield Wanted(tenant_id=ACME.id, days=days, only=only)
            yield Wanted(tenant_id=ACME.id, days=days, only=only, whole=Kind.KEY)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_written_late_and_whenever_it_is_folded_pages_tell_what_a_recount_tells(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("doorward.storage.usage_folding.CHUNK", 4)
    await with_the_key(database)
    chance, now, calls = random.Random(seed), int(NOW), list[CallEvent]()
    pages = list(every_page())
    for _ in range(25):
        now += chance.randrange(2 * HOUR)
        # Most have just been made; some are written late, even into days that were folded long ago.
        late = (0, 0, 0, 2 * HOUR, DAY, 40 * DAY)
        fresh = [
            some_call(chance, now - chance.randrange(1 + chance.choice(late))) for _ in range(chance.randrange(12))
        ]
        await write_down(database, fresh)
        calls += fresh
        if chance.random() < 0.5:
            with suppress(StorageUnavailable):
                await fold(DiesAfter(database, chance.choice((0, 1, 2, 3, 99))), Instant(now))  # type: ignore[arg-type]
        for wanted in chance.choices(pages, k=3):
            await same(database, calls, wanted, Instant(now))
    await fold(database, Instant(now + DAY))
    for wanted in pages:
        await same(database, calls, wanted, Instant(now))


async def test_nodes_that_count_and_fold_at_once_lose_nothing_and_count_nothing_twice(
    database: Database, second: Database
) -> None:
    await with_the_key(database)
    calls: list[CallEvent] = []

    async def count(node: Database, seed: int) -> None:
        chance = random.Random(seed)
        for turn in range(20):
            batch = [some_call(chance, NOW + turn * HOUR // 4 - chance.randrange(3 * HOUR)) for _ in range(15)]
            await write_down(node, batch)
            calls.extend(batch)

    async def folds(node: Database) -> None:
        for turn in range(20):
            await fold(node, Instant(NOW + turn * HOUR // 4))

    await asyncio.gather(count(database, 1), count(second, 2), folds(database), folds(second))
    await asyncio.gather(fold(database, Instant(NOW + DAY)), fold(second, Instant(NOW + DAY)))
    for wanted in every_page():
        await same(database, calls, wanted, Instant(NOW + DAY))
    assert len(calls) == 600


async def test_no_hour_is_closed_while_somebody_counts_in_it_as_in_an_open_one(
    postgresql: Database, postgresql_url: str
) -> None:
    await with_the_key(postgresql)
    other, counted, go_on = open_database(postgresql_url, create=False), threading.Event(), threading.Event()
    calls = [some_call(random.Random(number), NOW) for number in range(9)]

    def slow(tx: Transaction) -> None:
        usage.count(tx, calls)
        counted.set()
        assert go_on.wait(30)

    counting = asyncio.ensure_future(postgresql.write(slow))
    assert await asyncio.to_thread(counted.wait, 30)
    folding = asyncio.ensure_future(fold(other, Instant(NOW + 2 * HOUR)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(folding), 0.3)
    go_on.set()
    await counting
    assert await folding > 0
    await other.close()
    for wanted in every_page():
        await same(postgresql, calls, wanted, Instant(NOW + 2 * HOUR))


async def test_an_hour_is_folded_a_minute_after_its_end_and_not_before(database: Database) -> None:
    end = Instant(NOW - NOW % HOUR + HOUR)
    await write_down(database, [some_call(random.Random(1), NOW)])
    assert await fold(database, Instant(end + GRACE - 1)) == 0
    assert await fold(database, Instant(end + GRACE)) == 1
    assert await database.read(folded_until) == end // HOUR


async def test_what_was_left_by_a_node_that_died_is_folded_by_the_next_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorward.storage.usage_folding.LOOK_SECONDS", 0.01)
    chance = random.Random(5)
    calls = [some_call(chance, NOW - number * 7 * 60_000_000) for number in range(3 * CHUNK)]
    await write_down(database, calls)
    with pytest.raises(StorageUnavailable):
        await fold(DiesAfter(database, 2), Instant(NOW + 2 * HOUR))  # type: ignore[arg-type]
    assert await database.read(folded_until) == 0
    folding = Folding(database, now=lambda: Instant(NOW + 2 * HOUR))
    running = asyncio.ensure_future(folding.run())
    while await database.read(folded_until) == 0:  # noqa: ASYNC110  (what it did is all that it tells)
        await asyncio.sleep(0.01)
    running.cancel()
    assert await database.read_long(lambda reader: reader.all(UNFOLDED, {"until": 1 << 40, "most": 9})) == []
    for wanted in every_page():
        await same(database, calls, wanted, Instant(NOW + 2 * HOUR))


@dataclass
class Asked:
    """A reader that keeps what it was asked."""

    reader: Reader
    statements: list[tuple[Statement, Params]] = field(default_factory=list)

    @property
    def dialect(self) -> str:
        return self.reader.dialect

    def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        self.statements.append((statement, params or {}))
        return self.reader.all(statement, params)

    def first(self, statement: Statement, params: Params | None = None) -> Row | None:
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def kept(self, _key: Hashable, read: Callable[[], T], _tenant_id: object = None) -> T:
        return read()


async def asked_by_pages(database: Database) -> list[tuple[Statement, Params]]:
    """Every statement about use that a page asks, with those that fold and forget."""
    await with_the_key(database)
    await write_down(database, [some_call(random.Random(number), NOW - number * HOUR) for number in range(60)])
    await fold(database, NOW)
    found = {UNFOLDED: {"until": 0, "most": 1}, OLD: {"until": 0, "most": 1}}

    def ask(reader: Reader) -> None:
        for wanted in every_page():
            asked = Asked(reader)
            report(asked, wanted, NOW)  # type: ignore[arg-type]
            found.update({each: dict(params) for each, params in asked.statements})

    await database.read_long(ask)
    return [(each, params) for each, params in found.items() if "usage_" in each.plan(database.dialect).text]


async def test_on_sqlite_no_page_of_use_looks_through_a_whole_table(sqlite: Database) -> None:
    found = await asked_by_pages(sqlite)
    assert len(found) > 40
    for statement, params in found:
        explain = Statement({SQLITE: f"EXPLAIN QUERY PLAN {statement.plan(SQLITE).text}"})
        plan = await sqlite.read_long(lambda reader: [row.detail for row in reader.all(explain, params)])  # noqa: B023
        text = statement.plan(SQLITE).text
        assert not [line for line in plan if re.match(r"SCAN (usage_(?!mark)|api_keys)", line)], text
        # The sums by their key as far as the statement can say it, the hours by tenant and hour or by who called.
        sums = [line for line in plan if "SEARCH usage_sums" in line]
        assert all("side=? AND of=? AND kind=?" in line for line in sums), (plan, text)
        hours = [line for line in plan if "SEARCH usage_hours" in line]
        assert all("hour" in line for line in hours), (plan, text)


async def test_on_postgresql_no_page_of_use_looks_through_a_whole_table(
    postgresql: Database, postgresql_url: str
) -> None:
    found = await asked_by_pages(postgresql)
    assert len(found) > 40
    base, _, path = postgresql_url.partition("?search_path=")
    with psycopg.connect(base, options=f"-c search_path={path}") as server:
        # Of a few rows all are read whatever there is: what is asked here is whether there is another way.
        server.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
        for statement, params in found:
            text = statement.plan(POSTGRESQL).text
            plan = [row[0] for row in server.execute(f"EXPLAIN {text}", params).fetchall()]  # type: ignore[arg-type]
            assert not [line for line in plan if re.search(r"Seq Scan on (usage_(?!mark)|api_keys)", line)], text
            scans = [place for place, line in enumerate(plan) if re.search(r"Scan using .* on usage_sums", line)]
            assert all(re.search(r"Index Cond: .*side .*of .*kind", plan[place + 1]) for place in scans), (plan, text)


async def test_a_total_of_counts_adds_every_number() -> None:
    one = usage.Counts(1, 1, 0, (1,) * 12)
    assert astuple(sum((one, one), usage.Counts())) == (2, 2, 0, (2,) * 12)

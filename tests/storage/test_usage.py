"""Use is counted with the calls: each once, in its hour, however late, on several nodes, and whatever goes wrong."""

import asyncio
from dataclasses import astuple
from typing import Any

import pytest

from doorward.audit import CallLog, record
from doorward.model import Instant, TenantId, UserId
from doorward.storage import accounts, audit_reads, events, usage, usage_reads
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.events import CallEvent
from doorward.storage.housekeeping import DAY, tidy
from doorward.storage.statements import Statement
from doorward.storage.usage import BOUNDS_MS, HOUR, Counts, slot_of
from doorward.storage.usage_folding import fold
from doorward.storage.usage_sums import Kind
from support.rows import ACME, ALICE, GLOBEX, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]

NOON = Instant(NOW - NOW % HOUR)
LATER = Instant(NOON + 2 * HOUR)


def call(number: int = 0, **changed: Any) -> CallEvent:
    return CallEvent(
        at=Instant(NOON + number), tenant_id=ACME.id, user_id=ALICE.id, credential="api_key", credential_id="key_1",
        client_id=None, server_id="s1", method="tools/call", name="search", decision="allowed", reason="", status=200,
        duration_us=4_000, request_id=f"req_{number}",
    )._replace(**changed)  # fmt: skip


async def log(database: Database, *calls: CallEvent) -> None:
    book = CallLog(database)
    for each in calls:
        book.add(each)
    await book.flush(chunk=7)


async def counted(database: Database, table: str, where: str = "1 = 1") -> list[int]:
    statement = Statement(
        f"SELECT COALESCE(SUM(calls), 0) AS calls, COALESCE(SUM(denied), 0) AS denied,"
        f" COALESCE(SUM(failed), 0) AS failed FROM {table} WHERE {where}"
    )
    row = (await database.read_long(lambda reader: reader.all(statement)))[0]
    return [int(row.calls), int(row.denied), int(row.failed)]


async def written(database: Database) -> int:
    statement = Statement("SELECT COUNT(*) AS count FROM call_events")
    return int((await database.read_long(lambda reader: reader.all(statement)))[0].count)


async def test_each_call_counts_once_in_every_sum_it_belongs_to(database: Database) -> None:
    await log(
        database,
        *(call(number) for number in range(20)),
        call(20, decision="denied"),
        call(21, decision="refused"),
        call(22, decision="failed", status=502),
        call(23, credential="access_token", credential_id="con_1", client_id="c1"),
        call(24, tenant_id=GLOBEX.id),
    )
    assert await counted(database, "usage_hours", "tenant_id = 't-acme'") == [24, 2, 1]
    assert await counted(database, "usage_sums") == [0, 0, 0]
    assert await fold(database, LATER) == 3
    assert await fold(database, LATER) == 0
    assert await counted(database, "usage_hours", "folded = 0") == [0, 0, 0]
    for kind, value, calls in (
        ("way", "api_key", 23), ("way", "access_token", 1), ("tool", "search", 24), ("user", ALICE.id, 24),
        ("key", "key_1", 23), ("client", "c1", 1), ("key", "con_1", 0),
    ):  # fmt: skip
        where = f"tenant_id = 't-acme' AND side = '' AND kind = '{kind}' AND value = '{value}'"
        assert (await counted(database, "usage_sums", where))[0] == calls, kind
    for side, of, kind, value, calls in (
        ("tool", "search", "client", "c1", 1), ("tool", "search", "key", "key_1", 23), ("client", "c1", "tool", "search", 1),
        ("key", "key_1", "way", "api_key", 23), ("key", "con_1", "way", "access_token", 0), ("user", ALICE.id, "key", "key_1", 23),
    ):  # fmt: skip
        where = f"tenant_id = 't-acme' AND side = '{side}' AND of = '{of}' AND kind = '{kind}' AND value = '{value}'"
        assert (await counted(database, "usage_sums", where))[0] == calls, (side, kind)
    assert await counted(database, "usage_hours", "tenant_id = 't-globex'") == [1, 0, 0]


async def test_a_call_counts_in_the_hour_and_day_in_which_it_began_however_late_it_is_written(
    database: Database,
) -> None:
    await log(database, call())
    await fold(database, LATER)
    await log(database, call(at=Instant(NOON - 1)), call(at=Instant(NOON - 30 * 24 * HOUR)))
    hour = NOON // HOUR
    for start, calls in ((hour, 1), (hour - 1, 1), (hour - 30 * 24, 1)):
        assert await counted(database, "usage_hours", f"hour = {start}") == [calls, 0, 0]
        assert await counted(database, "usage_sums", f"side = 'hour' AND start = {start}") == [calls, 0, 0]
    day = (hour - 1) - (hour - 1) % 24
    assert (await counted(database, "usage_sums", f"side = '' AND kind = 'tool' AND start = {day}"))[0] == 1 + (
        hour % 24 > 0
    )


async def test_what_is_not_written_is_not_counted_and_the_next_try_counts_it_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, count = CallLog(database), usage.count

    def dies(tx: Transaction, calls: Any) -> None:
        count(tx, calls)
        raise RuntimeError("the node dies here")

    for number in range(3):
        book.add(call(number))
    monkeypatch.setattr(usage, "count", dies)
    with pytest.raises(RuntimeError):
        await book.flush()
    assert await written(database) == 0
    assert await counted(database, "usage_hours") == [0, 0, 0]
    monkeypatch.setattr(usage, "count", count)
    await book.flush()
    await book.flush()
    assert await written(database) == 3
    assert await counted(database, "usage_hours") == [3, 0, 0]


async def test_a_call_that_cannot_be_stored_is_not_counted_either(database: Database) -> None:
    await log(database, call(1), call(2, name="\ud800"), call(3))
    assert await written(database) == 2
    assert await counted(database, "usage_hours") == [2, 0, 0]


async def test_two_nodes_that_count_the_same_at_once_lose_nothing(database: Database, second: Database) -> None:
    def many(prefix: str, order: int) -> list[CallEvent]:
        return [
            call(number, name=f"tool_{number % 9}", credential_id=f"key_{number % 13}", request_id=f"{prefix}{number}")
            for number in range(300)
        ][::order]

    await asyncio.gather(log(database, *many("a", 1)), log(second, *many("b", -1)))
    assert await written(database) == 600
    assert await counted(database, "usage_hours") == [600, 0, 0]
    await asyncio.gather(fold(database, LATER), fold(second, LATER))
    assert await counted(database, "usage_sums", "side = '' AND kind = 'key'") == [600, 0, 0]


async def test_what_is_no_call_of_a_tool_is_told_by_its_method(database: Database) -> None:
    await log(
        database,
        call(method="resources/read", name="file:///a"),
        call(method="resources/read", name="file:///b"),
        call(name="x" * 300),
    )
    assert (await counted(database, "usage_hours", "tool = 'resources/read'"))[0] == 2
    assert (await counted(database, "usage_hours", f"tool = '{'x' * 200}'"))[0] == 1


@pytest.mark.parametrize(
    ("microseconds", "slot"), [(0, 0), (5_000, 0), (5_001, 1), (10_000_000, 10), (10_000_001, 11), (10**12, 11)]
)
def test_a_duration_belongs_to_the_slot_of_the_first_bound_that_is_not_below_it(microseconds: int, slot: int) -> None:
    assert slot_of(microseconds) == slot


def test_a_percentile_is_the_bound_below_which_so_many_ended() -> None:
    counts = Counts(calls=20, took=(10, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1))
    assert (counts.below(0.5), counts.below(0.51), counts.below(0.95), counts.below(1)) == (5, 10, 25, BOUNDS_MS[-1])
    assert Counts(calls=1, denied=1).below(0.95) is None
    assert astuple(counts + Counts(1, 1, 1))[:3] == (21, 1, 1)


async def test_a_denied_call_takes_no_place_in_the_histogram(database: Database) -> None:
    await log(database, call(decision="denied", duration_us=1), call(1, duration_us=60_000))
    statement = Statement("SELECT * FROM usage_hours")
    (row,) = await database.read_long(lambda reader: reader.all(statement))
    assert usage.counts_of(row) == Counts(2, 1, 0, (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0))


async def test_no_tenant_sees_another_ones_events(database: Database) -> None:
    await log(database, call(1), call(2, tenant_id=GLOBEX.id, user_id=UserId("u-x")))
    found = await database.read_long(lambda reader: events.recent_calls(reader, TenantId("t-globex"), 9))
    assert [each.request_id for each in found] == ["req_2"]


async def test_what_is_older_than_any_page_tells_is_forgotten_and_nothing_else(database: Database) -> None:
    def tenant(tx: Transaction) -> None:
        accounts.insert_tenant(tx, ACME)

    await database.write(tenant)
    midnight = Instant(NOW - NOW % DAY)
    await log(database, *(call(at=Instant(midnight - days * DAY)) for days in (0, 89, 92, 93, 200)))
    await fold(database, LATER)
    (before, _, _) = await counted(database, "usage_sums")
    done = await tidy(database, NOW)
    # Two hours, each in 14 sums: by hour, of all calls by 4 sides, of one tool, person and key by 3 others.
    assert (done["usage_hours"], done["usage_sums"]) == (2, 28)
    assert await counted(database, "usage_hours") == [3, 0, 0]
    assert (await counted(database, "usage_sums"))[0] == before - 28 == 42
    assert await written(database) == 5


async def test_M9_the_logs_are_kept_for_ever_or_as_long_as_is_said(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for days in (0, 40, 41):
            record(tx, name="setup:done", at=Instant(NOW - days * DAY), subject="x", cause=None)

    await database.write(change)
    await log(database, *(call(at=Instant(NOW - days * DAY)) for days in (500, 41, 30, 0)))
    for_ever = await tidy(database, NOW)
    assert (for_ever["audit_events"], for_ever["call_events"]) == (0, 0)
    done = await tidy(database, NOW, audit_days=40, call_days=40)
    assert (done["audit_events"], done["call_events"]) == (1, 2)
    assert await written(database) == 2


async def test_every_question_is_answered_alike_by_both_databases(database: Database) -> None:
    token = {"credential": "access_token", "credential_id": "con_1", "client_id": "c1", "user_id": UserId("u-2")}
    await log(
        database,
        *(call(number) for number in range(5)),
        *(call(number, **token, name="delete", decision="denied") for number in range(3)),
        call(9, tenant_id=GLOBEX.id),
    )
    since = NOON // HOUR - 24
    for given, calls in (
        ({}, 8), ({"user_id": "u-2"}, 3), ({"credential_id": "key_1"}, 5), ({"client_id": "c1"}, 3), ({"tool": "delete"}, 3),
        ({"tool": "search", "user_id": "u-2"}, 0), ({"user_id": "u-2", "client_id": "c1", "credential_id": "con_1"}, 3),
    ):  # fmt: skip
        sides = usage_reads.Sides(tenant_id=ACME.id, since=since, **given)  # type: ignore[arg-type]

        def asked(reader: Reader, sides: usage_reads.Sides = sides) -> tuple[int, ...]:
            points = usage_reads.over_time(reader, sides, step=1)
            ranked = [
                sum(line.counts.calls for line in usage_reads.ranked(reader, sides, kind, most=9, by_hour=True)[0])
                for kind in (Kind.TOOL, Kind.USER)
            ]
            rows = usage_reads.hours(reader, sides)
            behind = usage_reads.hours(reader, sides, usage_reads.key_of(rows[-1])) if rows else []
            assert behind == []
            counted = sum(counts.calls for _, _, counts in points)
            return counted, *ranked, sum(row.calls for row in rows)

        assert await database.read_long(asked) == (calls,) * 4, given
        names = {"user_id": "user", "client_id": "client", "credential_id": "key", "tool": "tool"}
        values = {names[name]: value for name, value in given.items()}
        looking = audit_reads.Looking(audit_reads.CALLS, ACME.id, values)
        found = await database.read_long(lambda reader: audit_reads.look(reader, looking))  # noqa: B023
        assert len(found.rows) == calls, given
    whole = usage_reads.Sides(tenant_id=ACME.id, since=since - since % 24)
    lines, known = await database.read_long(
        lambda reader: usage_reads.ranked(reader, whole, Kind.KEY, most=1, by_hour=False)
    )
    assert ([line.value for line in lines], lines[0].counts.calls, known) == (["key_1"], 5, 1)
    assert await database.read_long(lambda reader: usage_reads.forced_again(reader, ACME.id, None, NOON, NOW)) == 0


async def test_the_log_of_changes_is_searched_alike_in_both_databases(database: Database) -> None:
    def write(tx: Transaction) -> None:
        for number in range(6):
            record(
                tx, name="client:denied" if number % 2 else "setup:done", at=Instant(NOW + number * HOUR), subject=f"s_{number}",
                tenant_id=ACME.id if number else None, actor_id=ALICE.id, detail={"client": f"c%{number}"}, cause=None,
            )  # fmt: skip

    await database.write(write)
    for values, found in (
        ({}, 5), ({"event": "setup:done"}, 2), ({"group": "client"}, 3), ({"text": "S_1"}, 1), ({"text": "s%"}, 0),
        ({"client": "c%2"}, 1), ({"user": ALICE.id, "email": "x"}, 5), ({"since": NOW + 2 * HOUR, "until": NOW + 4 * HOUR}, 2),
    ):  # fmt: skip
        looking = audit_reads.Looking(audit_reads.CHANGES, ACME.id, values)  # type: ignore[arg-type]

        def asked(reader: Reader, looking: audit_reads.Looking = looking) -> tuple[int, int]:
            rows, more = audit_reads.following(
                reader, looking, after=audit_reads.first_id(reader, looking),
                until=audit_reads.newest_id(reader, looking.table), most=100,
            )  # fmt: skip
            assert more is None
            return len(audit_reads.look(reader, looking).rows), len(rows)

        assert await database.read_long(asked) == (found, found), values
    everywhere = audit_reads.Looking(audit_reads.CHANGES, None, {})
    assert len((await database.read_long(lambda reader: audit_reads.look(reader, everywhere))).rows) == 6

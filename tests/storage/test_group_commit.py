"""Many use cases share a commit, and none is answered before it; an error takes down its own use case or all."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from doorward.model import Tenant, TenantId
from doorward.storage import accounts, group_commit, issued, keys
from doorward.storage.database import Conflict, Database, StorageUnavailable, Transaction
from doorward.storage.group_commit import GroupCommit
from doorward.storage.opening import open_database
from support.rows import ACME, ALICE, BOB, REFRESH, refresh_token, store_deployment

pytestmark = pytest.mark.anyio


def _writer(database: Database) -> GroupCommit:
    writer: GroupCommit = database._writer  # type: ignore[attr-defined]
    return writer


def _tenant(number: int, name: str = "x") -> Tenant:
    return replace(ACME, id=TenantId(f"t{number}"), slug=f"slug-{number}", name=name)


async def _count(database: Database) -> int:
    return len(await database.read_long(accounts.all_tenants))


async def test_an_error_undoes_its_own_use_case_only(database: Database) -> None:
    def fails(tx: Transaction) -> None:
        accounts.insert_tenant(tx, _tenant(2))
        raise LookupError("mine")

    answers = await asyncio.gather(
        database.write(lambda tx: accounts.insert_tenant(tx, _tenant(1))),
        database.write(fails),
        database.write(lambda tx: accounts.insert_tenant(tx, _tenant(3))),
        database.write(lambda tx: accounts.insert_tenant(tx, replace(_tenant(9), slug="slug-1", id=TenantId("t9")))),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    if database.dialect == "sqlite":  # In one batch, in this order.
        assert kinds == [type(None), LookupError, type(None), Conflict]
    assert kinds.count(type(None)) == 2
    assert await _count(database) == 2


async def test_an_exception_that_no_future_takes_is_told_all_the_same(sqlite: Database) -> None:
    answers = await asyncio.gather(
        sqlite.write(lambda _tx: next(iter(()))),
        sqlite.write(lambda tx: accounts.insert_tenant(tx, _tenant(1))),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [RuntimeError, type(None)]


async def test_a_use_case_that_swallows_an_error_and_goes_on_changes_nothing(database: Database) -> None:
    def careless(tx: Transaction) -> str:
        accounts.insert_tenant(tx, _tenant(1))
        try:
            accounts.insert_tenant(tx, _tenant(1))
        except Conflict:
            return "done"
        return "?"

    def stubborn(tx: Transaction) -> None:
        try:
            accounts.insert_tenant(tx, replace(_tenant(2), name=None))  # type: ignore[arg-type]
        except Conflict:
            accounts.insert_tenant(tx, _tenant(3))

    for use_case in (careless, stubborn):
        with pytest.raises(StorageUnavailable):
            await database.write(use_case)
    assert await _count(database) == 0
    await database.write(lambda tx: accounts.insert_tenant(tx, _tenant(1)))


async def test_a_transaction_is_of_no_use_after_its_use_case(sqlite: Database) -> None:
    kept: list[Transaction] = []
    await sqlite.write(kept.append)
    with pytest.raises(StorageUnavailable):
        accounts.insert_tenant(kept[0], _tenant(1))
    assert await _count(sqlite) == 0


async def test_an_answer_means_that_others_can_see_it(database: Database, second: Database) -> None:
    async def one(number: int) -> None:
        await database.write(lambda tx: accounts.insert_tenant(tx, _tenant(number)))
        assert await second.read(lambda r: accounts.tenant_by_id(r, TenantId(f"t{number}"))) is not None

    await asyncio.gather(*(one(number) for number in range(20)))


async def test_those_who_wait_together_share_one_commit(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "BATCH_SECONDS", 60.0)
    seen: list[str] = []
    _writer(sqlite)._connection.set_trace_callback(seen.append)
    await asyncio.gather(*(sqlite.write(lambda tx, n=n: accounts.insert_tenant(tx, _tenant(n))) for n in range(64)))  # type: ignore[misc]
    assert seen.count("COMMIT") == 1
    assert seen.count("SAVEPOINT use_case") == 64


async def test_a_slow_commit_runs_in_a_thread_and_no_statement_runs_meanwhile(sqlite: Database) -> None:
    seen: list[tuple[str, str]] = []
    writer = _writer(sqlite)
    writer._connection.set_trace_callback(lambda text: seen.append((text, threading.current_thread().name)))
    writer.commit_seconds = 0.1

    async def some(caller: int) -> None:
        for number in range(5):
            await sqlite.write(lambda tx, n=number: accounts.insert_tenant(tx, _tenant(100 * caller + n)))  # type: ignore[misc]

    await asyncio.gather(*(some(caller) for caller in range(10)))
    threads = {thread for text, thread in seen if text == "COMMIT"}
    assert all(thread.startswith("doorward-commit") for thread in threads)
    assert {thread for text, thread in seen if text != "COMMIT"} == {"MainThread"}
    texts = [text for text, _thread in seen]
    # After each COMMIT the next statement, if any, begins the next batch: nothing came in between.
    assert all(texts[at + 1] == "BEGIN IMMEDIATE" for at, text in enumerate(texts[:-1]) if text == "COMMIT")
    assert await _count(sqlite) == 50


async def test_a_commit_comes_back_from_the_thread_when_the_disk_is_quick_again(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "THREAD_ABOVE", 0.5)
    monkeypatch.setattr(group_commit, "INLINE_BELOW", 0.4)
    writer = _writer(sqlite)
    writer.commit_seconds = 0.6
    # Too small for the thread to tell anything: only the commits that are tried inline can.
    monkeypatch.setattr(writer, "_learn_in_thread", lambda _seconds: None)
    threads: list[str] = []

    def note(text: str) -> None:
        if text == "COMMIT":
            threads.append(threading.current_thread().name)

    writer._connection.set_trace_callback(note)
    for number in range(6 * group_commit.PROBE_EVERY):
        await sqlite.write(lambda tx, n=number: accounts.insert_tenant(tx, _tenant(n)))  # type: ignore[misc]
    where = ["thread" if thread.startswith("doorward-commit") else "inline" for thread in threads]
    assert where[: group_commit.PROBE_EVERY] == ["thread"] * (group_commit.PROBE_EVERY - 1) + ["inline"]
    assert where[-1] == "inline"


async def test_a_disk_that_is_full_fails_the_whole_batch_and_answers_none_as_done(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "BATCH_SECONDS", 60.0)
    await sqlite.write(store_deployment)
    connection = _writer(sqlite)._connection
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count={pages + 4}").fetchall()
    large = "x" * 100_000
    answers = await asyncio.gather(
        sqlite.write(lambda tx: keys.put_meta_once(tx, "small", "1")),
        sqlite.write(lambda tx: keys.put_meta_once(tx, "large", large)),
        sqlite.write(lambda tx: keys.put_meta_once(tx, "after", "1")),
        return_exceptions=True,
    )
    # The disk may give out in the middle of the batch: who is told "done" is stored, who is not is not.
    for name, answer in zip(("small", "large", "after"), answers, strict=True):
        stored = await sqlite.read(lambda r, name=name: keys.meta(r, name))  # type: ignore[misc]
        assert (answer is True) == (stored is not None)
        assert answer is True or isinstance(answer, StorageUnavailable)
    assert isinstance(answers[0], StorageUnavailable)
    connection.execute("PRAGMA max_page_count=1000000").fetchall()
    assert await sqlite.write(lambda tx: keys.put_meta_once(tx, "large", large))


async def test_a_use_case_that_swallows_a_full_disk_writes_nothing_by_itself(sqlite: Database) -> None:
    connection = _writer(sqlite)._connection
    pages = connection.execute("PRAGMA page_count").fetchall()[0][0]
    connection.execute(f"PRAGMA max_page_count={pages + 4}").fetchall()

    def swallows(tx: Transaction) -> str:
        try:
            keys.put_meta_once(tx, "large", "x" * 100_000)
        except StorageUnavailable:
            keys.put_meta_once(tx, "in autocommit", "1")
        return "done"

    with pytest.raises(StorageUnavailable):
        await sqlite.write(swallows)
    assert await sqlite.read(lambda r: keys.meta(r, "in autocommit")) is None


async def test_a_write_waits_while_another_program_writes(sqlite: Database, sqlite_url: str) -> None:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(sqlite.write(lambda tx: accounts.insert_tenant(tx, _tenant(1))))
        for _ in range(10):
            await asyncio.sleep(0)
            # The loop is not held up meanwhile, and reading goes on.
            assert await sqlite.read(lambda r: accounts.tenant_by_id(r, TenantId("t1"))) is None
        assert not waiting.done()
        other.execute("COMMIT")
        await waiting
    assert await _count(sqlite) == 1


async def test_a_file_that_stays_locked_is_unavailable(
    sqlite: Database, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "LOCKED_SECONDS", 0.05)
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="locked"):
            await sqlite.write(lambda tx: accounts.insert_tenant(tx, _tenant(1)))
        other.execute("ROLLBACK")
    await sqlite.write(lambda tx: accounts.insert_tenant(tx, _tenant(1)))


async def test_a_read_only_file_can_be_read_and_not_written(sqlite: Database) -> None:
    await sqlite.write(lambda tx: accounts.insert_user(tx, ALICE, None))
    _writer(sqlite)._connection.execute("PRAGMA query_only=ON")
    with pytest.raises(StorageUnavailable, match="READONLY"):
        await sqlite.write(lambda tx: accounts.insert_user(tx, BOB, None))
    assert await sqlite.read(lambda r: accounts.user_by_id(r, ALICE.id)) == ALICE


async def test_a_caller_who_went_away_spoils_nothing(database: Database) -> None:
    gone = asyncio.ensure_future(database.write(lambda tx: accounts.insert_tenant(tx, _tenant(1))))
    await asyncio.sleep(0)
    gone.cancel()
    await database.write(lambda tx: accounts.insert_tenant(tx, _tenant(2)))
    assert await database.read(lambda r: accounts.tenant_by_id(r, TenantId("t2"))) is not None


async def test_a_closed_database_is_unavailable(url: str) -> None:
    database = open_database(url, create=False)
    await database.close()
    for call in (database.write, database.read, database.read_long):
        with pytest.raises(StorageUnavailable):
            await call(accounts.all_tenants)
    with pytest.raises(StorageUnavailable):
        await database.revisions(ACME.id)


async def test_the_log_is_folded_into_the_file_while_writes_go_on(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CHECKPOINT_EVERY", 20)
    monkeypatch.setattr(group_commit, "LONG_LOG", 5)
    await sqlite.write(store_deployment)
    await sqlite.write(lambda tx: issued.insert_refresh_token(tx, REFRESH))

    async def rotate(caller: int) -> None:
        for number in range(40):
            token = refresh_token(1000 * caller + number + 1)
            await sqlite.write(lambda tx: issued.insert_refresh_token(tx, token))  # noqa: B023

    await asyncio.gather(*(rotate(caller) for caller in range(1, 9)))
    while _writer(sqlite)._checkpoint is not None or _writer(sqlite)._away:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    log = _writer(sqlite)._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
    assert log[0] == 0
    assert log[1] < 320


async def test_a_use_case_of_many_rows_makes_the_log_no_longer_than_many_of_one_row(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "CHECKPOINT_ROWS", 200)
    await sqlite.write(store_deployment)

    def rotate(first: int) -> Callable[[Transaction], None]:
        def many(tx: Transaction) -> None:
            for number in range(300):
                issued.insert_refresh_token(tx, refresh_token(first + number))

        return many

    log = sqlite._path.with_name(f"{sqlite._path.name}-wal")  # type: ignore[attr-defined]
    sizes = []
    for turn in range(6):
        await sqlite.write(rotate(turn * 300))
        while _writer(sqlite)._checkpoint is not None or _writer(sqlite)._away:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        sizes.append(log.stat().st_size)
    assert sizes[-1] < 2 * sizes[0]

"""kill -9 at any moment: what was answered is there, what is half done is not (N7)."""

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from doorward.model import Fingerprint
from doorward.storage import issued
from doorward.storage.opening import open_database
from support.rows import REFRESH, refresh_token, store_deployment

pytestmark = pytest.mark.anyio

CALLERS = 50
ENOUGH = 300

WRITER = f"""
import asyncio, os, sys
from support.rows import NOW, refresh_token
from doorward.storage import connections
from doorward.storage.opening import open_database

async def caller(database, start):
    for number in range(start, start + 100_000):
        def rotate(tx):
            assert issued.use_refresh_token(tx, refresh_token(number).fingerprint, NOW)
            assert issued.insert_refresh_token(tx, refresh_token(number + 1, parent=number))
        await database.write(rotate)
        os.write(1, b"%d\\n" % (number + 1))

async def main():
    database = open_database(sys.argv[1], create=False)
    if sys.argv[2] == "thread":
        database._writer.commit_seconds = 1000.0
    await asyncio.gather(*(caller(database, each * 1_000_000) for each in range({CALLERS})))

sys.path[:0] = []
asyncio.run(main())
"""


@pytest.mark.parametrize("where", ["inline", "thread"])
async def test_a_killed_writer_loses_nothing_that_was_answered(sqlite_url: str, where: str) -> None:
    database = open_database(sqlite_url, create=False)
    await database.write(store_deployment)
    for caller in range(CALLERS):
        token = refresh_token(caller * 1_000_000)
        await database.write(lambda tx: issued.insert_refresh_token(tx, token))  # noqa: B023
    await database.close()
    answered = _answers_until_killed(sqlite_url, where)
    database = open_database(sqlite_url, create=False)
    for number in answered:
        fingerprint = refresh_token(number).fingerprint
        found = await database.read(lambda r: issued.refresh_token_by_fingerprint(r, fingerprint))  # noqa: B023
        assert found is not None
        assert found.parent is not None
    assert await database.read(lambda r: issued.refresh_token_by_fingerprint(r, REFRESH.fingerprint)) is not None
    await database.close()
    _expect_one_live_leaf_each(sqlite_url)


def _answers_until_killed(url: str, where: str) -> list[int]:
    program = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n{WRITER}"
    with subprocess.Popen([sys.executable, "-c", program, url, where], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        stop = time.monotonic() + 30
        lines = [child.stdout.readline() for _ in range(ENOUGH)]
        assert time.monotonic() < stop
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.read().splitlines(keepends=True)
    # The kill may cut the last line in two.
    return [int(line) for line in lines if line.endswith("\n")]


def _expect_one_live_leaf_each(url: str) -> None:
    with closing(sqlite3.connect(url.removeprefix("sqlite://"))) as connection:
        live = connection.execute("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL").fetchall()
        orphans = connection.execute(
            "SELECT count(*) FROM refresh_tokens t WHERE used_at IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM refresh_tokens c WHERE c.parent = t.fingerprint)"
        ).fetchall()
        assert (live, orphans) == ([(CALLERS,)], [(0,)])
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_numbers_name_tokens() -> None:
    assert refresh_token(0).fingerprint == Fingerprint("refresh-0")

"""Hashing."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from doorward.accounts.passwords import Busy, PasswordPool, PasswordTooLong

pytestmark = pytest.mark.anyio


@pytest.fixture
def pool() -> Iterator[PasswordPool]:
    pool = PasswordPool(max_workers=1, queue_limit=3)
    yield pool
    pool.close()


async def test_a_hash_is_argon2id_with_the_stated_cost_and_fits_its_password_only(pool: PasswordPool) -> None:
    stored = await pool.hash("hunter2")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await pool.verify(stored, "hunter2")
    assert not await pool.verify(stored, "hunter3")
    assert not pool.needs_rehash(stored)


async def test_the_same_letters_composed_otherwise_are_the_same_password(pool: PasswordPool) -> None:
    assert await pool.verify(await pool.hash("pass\u00e9"), "passe\u0301")


async def test_no_hash_and_a_damaged_hash_fit_nothing(pool: PasswordPool) -> None:
    assert not await pool.verify(None, "")
    assert not await pool.verify("$argon2id$nonsense", "x")
    assert not await pool.verify("", "x")


async def test_N18_a_long_password_is_refused_before_it_is_hashed(pool: PasswordPool) -> None:
    assert await pool.hash("x" * 1024)
    for attempt in (pool.hash("x" * 1025), pool.verify(None, "\u00e4" * 513)):
        with pytest.raises(PasswordTooLong):
            await attempt


async def test_N18_no_more_wait_than_may_wait(pool: PasswordPool) -> None:
    outcomes = await asyncio.gather(*(pool.verify(None, "x") for _ in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [bool, bool, bool, Busy, Busy]
    assert not pool.full()
    assert await pool.verify(None, "x") is False


async def test_a_hash_of_older_cost_still_fits_and_wants_to_be_renewed(pool: PasswordPool) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("hunter2")
    assert await pool.verify(old, "hunter2")
    assert pool.needs_rehash(old)


@pytest.mark.skipif(sys.platform != "linux", reason="a nice value is that of the whole process")
async def test_N18_hashing_yields_to_everybody_and_nothing_else_does() -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    pool = PasswordPool(max_workers=1, queue_limit=4)
    assert await pool._run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), stranger=False) == 19
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
    pool.close()

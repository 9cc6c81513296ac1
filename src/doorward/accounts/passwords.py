"""Hashing passwords beside the event loop, never more of them at once than the machine can bear (case N18).

Argon2id with 19 MiB, two passes, one lane (OWASP's minimum; 20 to 30 ms). The library draws the salts.
"""

import asyncio
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

MAX_BYTES: Final = 1024
_DUMMY: Final = "$argon2id$v=19$m=19456,t=2,p=1$beUdQmxELfOrWuuC3Y4OpQ$RPmNhsFKXlcG558ap6VvPmQjGGvr+KEFJvusrBBsTJs"
"""The hash of a random password that nobody kept: checking it takes as long as checking a real one (case H6)."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)

T = TypeVar("T")


class Busy(Exception):  # noqa: N818  (a state)
    """As many passwords wait as may wait. A caller answers 503 with ``Retry-After``."""


class PasswordTooLong(ValueError):  # noqa: N818
    """More than ``MAX_BYTES`` of UTF-8."""


class PasswordPool:
    """Threads that hash: ``max_workers`` of them, with at most ``queue_limit`` passwords waiting or being hashed.

    A quarter of the places is kept from strangers: whoever floods the sign-in page must not lock out the people whose
    browser is known (case H4).
    """

    def __init__(self, *, max_workers: int, queue_limit: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers, thread_name_prefix="passwords", initializer=_step_back)
        self._limit = queue_limit
        self._for_strangers = queue_limit - queue_limit // 4
        self._inside = 0

    def full(self, *, stranger: bool = False) -> bool:
        """Say whether the next password would be refused."""
        return self._inside >= (self._for_strangers if stranger else self._limit)

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash in PHC form. Raises ``Busy``, ``PasswordTooLong``."""
        prepared = _prepared(password)
        return await self._run(lambda: _hasher.hash(prepared), stranger=False)

    async def verify(self, stored: str | None, password: str, *, stranger: bool = False) -> bool:
        """Say whether ``password`` is the one that was hashed. None, or a damaged hash, takes as long and is False.

        Raises ``Busy``, ``PasswordTooLong``.
        """
        prepared = _prepared(password)
        return await self._run(lambda: _verify(stored, prepared), stranger=stranger)

    @staticmethod
    def needs_rehash(stored: str) -> bool:
        """Say whether a hash was made with other parameters than today's."""
        return _hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let go of the threads; what waits is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T], *, stranger: bool) -> T:
        if self.full(stranger=stranger):
            raise Busy
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._inside -= 1


def _step_back() -> None:
    """Let tokens and calls go before this thread, which still gets a small share where all processors are taken.

    It holds the interpreter's lock for microseconds around each hash, and hashes without it. Only on Linux is a nice
    value that of one thread; elsewhere, and where the system forbids it, the thread stays an ordinary one.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _prepared(password: str) -> bytes:
    # The same password typed on another keyboard may be composed differently (NIST SP 800-63B section 5.1.1.2).
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    if len(text) > MAX_BYTES:
        raise PasswordTooLong
    return text


def _verify(stored: str | None, password: bytes) -> bool:
    try:
        _hasher.verify(stored or _DUMMY, password)
    except InvalidHashError:
        return _verify(None, password)
    except Argon2Error:
        return False
    return stored is not None

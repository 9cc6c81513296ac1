"""Group commit: all use cases that wait run each in a savepoint, one COMMIT makes them durable, then all are answered.

Where a batch runs was measured (``docs/decisions/0002``): inline in the event loop while a commit is quick; only the
COMMIT moves to a thread while the disk is slow. No statement runs meanwhile.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

from doorward.stepping import Waiter
from doorward.storage.database import StorageUnavailable, Transaction
from doorward.storage.kept import Kept
from doorward.storage.sqlite_connection import SqliteTransaction, meaning

T = TypeVar("T")

THREAD_ABOVE: Final = 0.002
"""Seconds that a commit takes on average from which on it runs in a thread."""
INLINE_BELOW: Final = 0.001
"""And below which it comes back."""
PROBE_EVERY: Final = 32
"""Of the commits in the thread, every so many runs inline: only there is the time the disk's alone."""
BATCH_SECONDS: Final = 0.005
"""A batch takes no further use case after this time: calls are served in between."""
LOCKED_SECONDS: Final = 5.0
"""How long to ask again while another process writes."""
LOCKED_PAUSE: Final = 0.002
CHECKPOINT_EVERY: Final = 1000
"""Use cases between two checkpoints; about as many pages as SQLite itself would wait for."""
CHECKPOINT_ROWS: Final = 8_000
"""Or rows: a batch of the call log is one use case and a thousand rows. What is read from a long log is read slowly."""
LONG_LOG: Final = 16384
"""Pages of write-ahead log (64 MiB) that no checkpoint may leave behind: writes then wait until it is done."""


class _Job(NamedTuple):
    use_case: Callable[[Transaction], Any]
    answer: Waiter[Any]


class _Outcome(NamedTuple):
    answer: Waiter[Any]
    value: Any
    error: Exception | None


class _Lost(Exception):  # noqa: N818
    """SQLite gave up the whole transaction: nothing of this batch happened."""


class GroupCommit:
    """The one writer of a SQLite file in this process."""

    def __init__(
        self, connection: sqlite3.Connection, checkpointer: sqlite3.Connection, kept: Kept | None = None
    ) -> None:
        self._connection, self._kept = connection, kept
        self._checkpointer = checkpointer
        self._waiting: deque[_Job] = deque()
        self._due: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._away = False
        self._locked_until: float | None = None
        self._thread = ThreadPoolExecutor(1, "doorward-commit")
        self._housekeeping = ThreadPoolExecutor(1, "doorward-checkpoint")
        self._since_checkpoint = 0
        self._rows_at_checkpoint = 0
        self._checkpoint: asyncio.Future[Any] | None = None
        self._closed = False
        self.commit_seconds = 0.0
        """Moving average of the time a COMMIT takes; decides where the next one runs."""
        self._slow = False
        self._since_probe = 0

    async def write(self, use_case: Callable[[Transaction], T]) -> T:
        """Put a use case into the next batch; see ``Database.write``."""
        if self._closed:
            raise StorageUnavailable("the database is closed")
        loop = asyncio.get_running_loop()
        self._move_to(loop)
        answer: Waiter[T] = Waiter(loop)
        self._waiting.append(_Job(use_case, answer))
        self._arrange()
        return await answer

    async def finish(self) -> None:
        """Take nothing more and answer what waits."""
        self._closed = True
        self._move_to(asyncio.get_running_loop())
        while self._waiting or self._away or self._checkpoint is not None:  # noqa: ASYNC110  (three ends, once)
            await asyncio.sleep(LOCKED_PAUSE)

    def close(self) -> None:
        """Let go of both connections."""
        self._thread.shutdown()
        self._housekeeping.shutdown()
        self._checkpointer.close()
        self._connection.close()

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is self._loop:
            return
        # Commands run one short loop after another; what was due in a loop that is gone will never come.
        for thread in (self._thread, self._housekeeping):
            thread.submit(int).result()
        self._loop, self._due, self._away, self._checkpoint = loop, None, False, None
        self._waiting.clear()
        if self._connection.in_transaction:
            self._connection.rollback()

    def _arrange(self, delay: float = 0.0) -> None:
        if self._due is not None or self._away or not self._waiting or self._loop is None:
            return
        # The next turn, not now: all that this turn still brings shares the commit.
        self._due = self._loop.call_later(delay, self._turn) if delay else self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._due = None
        if self._away or not self._waiting:
            return
        try:
            begun = self._begin()
        except StorageUnavailable as error:
            self._fail(self._take_all(), error)
            return
        if not begun:
            self._arrange(LOCKED_PAUSE)
            return
        self._batch()

    def _begin(self) -> bool:
        """Take the write lock of the file; False while another process has it and it is worth asking again."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            now = time.monotonic()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                self._locked_until = self._locked_until or now + LOCKED_SECONDS
                if now < self._locked_until:
                    return False
            self._locked_until = None
            raise _unavailable(error) from error
        self._locked_until = None
        return True

    def _batch(self) -> None:
        before = self._connection.total_changes
        outcomes: list[_Outcome] = []
        taken: list[_Job] = []
        try:
            self._run(taken, outcomes)
        except _Lost as lost:
            self._fail([job.answer for job in taken], StorageUnavailable(f"transaction lost: {lost.__cause__}"))
            self._arrange()
            return
        except BaseException:
            # Not an error of a use case: the program is being stopped. Nothing of the batch may stay.
            self._undo()
            self._fail([job.answer for job in taken], StorageUnavailable("stopped"))
            raise
        if self._connection.total_changes == before:
            self._finish(outcomes, self._commit(learn=_nothing))
        elif self._loop is not None and self._in_thread():
            self._away = True
            commit = self._loop.run_in_executor(self._thread, self._commit, self._learn_in_thread)
            commit.add_done_callback(lambda done: self._back(outcomes, done.result()))
        else:
            self._finish(outcomes, self._commit(learn=self._learn))

    def _run(self, taken: list[_Job], outcomes: list[_Outcome]) -> None:
        stop = time.perf_counter() + BATCH_SECONDS
        while self._waiting:
            job = self._waiting.popleft()
            if job.answer.given_up():
                continue
            taken.append(job)
            outcomes.append(self._one(job))
            if time.perf_counter() > stop:
                break

    def _one(self, job: _Job) -> _Outcome:
        connection = self._connection
        transaction = SqliteTransaction(connection, self._kept)
        try:
            connection.execute("SAVEPOINT use_case")
            value = job.use_case(transaction)
            if transaction.spoiled:
                raise StorageUnavailable("the use case went on after an error; nothing was changed")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  (every error of a use case is its caller's, none is ours)
            self._roll_back(error)
            return _Outcome(job.answer, None, _unavailable(error) if isinstance(error, sqlite3.Error) else error)
        finally:
            transaction.end()
        try:
            if not connection.in_transaction:
                raise _Lost
            connection.execute("RELEASE use_case")
        except sqlite3.Error as error:
            raise _Lost from error
        return _Outcome(job.answer, value, None)

    def _roll_back(self, error: Exception) -> None:
        if not self._connection.in_transaction:
            raise _Lost from error
        try:
            self._connection.execute("ROLLBACK TO use_case")
            self._connection.execute("RELEASE use_case")
        except sqlite3.Error as worse:
            self._undo()
            raise _Lost from worse

    def _in_thread(self) -> bool:
        """Say where this batch commits."""
        self._slow = self.commit_seconds > (INLINE_BELOW if self._slow else THREAD_ABOVE)
        self._since_probe = self._since_probe + 1 if self._slow else 0
        return self._slow and self._since_probe % PROBE_EVERY != 0

    def _learn(self, seconds: float) -> None:
        self.commit_seconds += (seconds - self.commit_seconds) / 8

    def _learn_in_thread(self, seconds: float) -> None:
        # Beside a busy loop most of it is waiting for the interpreter's lock: it can tell that the disk is quick, not
        # that it is slow. Believed, it would keep commits in the thread for ever.
        if seconds < self.commit_seconds:
            self._learn(seconds)

    def _commit(self, learn: Callable[[float], None]) -> StorageUnavailable | None:
        """Commit, in whatever thread this is, and return why not."""
        start = time.perf_counter()
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo()
            return _unavailable(error)
        learn(time.perf_counter() - start)
        return None

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _back(self, outcomes: list[_Outcome], failure: StorageUnavailable | None) -> None:
        self._away = False
        self._finish(outcomes, failure)

    def _finish(self, outcomes: list[_Outcome], failure: StorageUnavailable | None) -> None:
        if failure is not None:
            self._fail([outcome.answer for outcome in outcomes], failure)
        else:
            for answer, value, error in outcomes:
                _settle(answer, value, error)
        self._since_checkpoint += len(outcomes)
        rows = self._connection.total_changes - self._rows_at_checkpoint
        if (self._since_checkpoint >= CHECKPOINT_EVERY or rows >= CHECKPOINT_ROWS) and self._checkpoint is None:
            self._start_checkpoint(hold=False)
        self._arrange()

    def _fail(self, answers: list[Waiter[Any]], error: StorageUnavailable) -> None:
        for answer in answers:
            _settle(answer, None, StorageUnavailable(*error.args))

    def _take_all(self) -> list[Waiter[Any]]:
        answers = [job.answer for job in self._waiting]
        self._waiting.clear()
        return answers

    def _start_checkpoint(self, *, hold: bool) -> None:
        """Copy the log into the file, beside readers and writers; with ``hold`` no batch starts meanwhile."""
        if self._loop is None:
            return
        self._away = self._away or hold
        self._since_checkpoint, self._rows_at_checkpoint = 0, self._connection.total_changes
        self._checkpoint = self._loop.run_in_executor(self._housekeeping, _passive, self._checkpointer)
        self._checkpoint.add_done_callback(lambda done: self._checkpointed(left=done.result(), held=hold))

    def _checkpointed(self, *, left: int, held: bool) -> None:
        self._checkpoint = None
        if held:
            self._away = False
        elif left > LONG_LOG and not self._away:
            # Writers that never pause keep the log from starting again at its beginning. Little is left to copy now.
            self._start_checkpoint(hold=True)
            return
        self._arrange()


def _passive(connection: sqlite3.Connection) -> int:
    """Run a passive checkpoint and return the length of the log in pages; a failed one is tried again later."""
    try:
        _busy, length, _copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()[0]
    except sqlite3.Error:
        return 0
    return int(length)


def _nothing(_seconds: float) -> None:
    """Learn nothing: a commit without changes never reached the disk."""


def _settle(answer: Waiter[Any], value: Any, error: Exception | None) -> None:
    if error is None:
        answer.answer(value)
    elif isinstance(error, StopIteration):
        # A future refuses it, and the rest of the batch would wait for ever.
        answer.fail(RuntimeError("the use case raised StopIteration"))
    else:
        answer.fail(error)


def _unavailable(error: Exception) -> StorageUnavailable:
    told = meaning(error)
    return told if isinstance(told, StorageUnavailable) else StorageUnavailable(str(told))

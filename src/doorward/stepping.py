"""Run a request's coroutine by the events it waits for, without a task of its own.

A call waits once, for its upstream; a token request once, for its commit. A task for that costs its making, two turns of the loop and their system calls: as
much as deciding the call. A ``Run`` is stepped where the bytes arrive instead. Whatever waits for something else than a
``Waiter`` becomes a task by itself and goes on as one: nothing but speed depends on it.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_running: list["Run | None"] = [None]
"""The run that is being stepped at this moment, else None: one loop, one thread."""


class Run:
    """One coroutine. ``begin`` returns when it first waits; it must not raise anything itself."""

    __slots__ = ("_coroutine", "_loop", "_task", "done")

    def __init__(self, coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self.done = False

    def begin(self) -> None:
        """Run to the first wait, or to the end."""
        self.go_on(None)

    def end(self, error: Exception, *, cancel: bool) -> None:
        """Raise ``error`` where it waits; what has become a task is cancelled, if ``cancel``. Nothing once it is done."""
        if self._task is None and not self.done:
            self.go_on(None, error)
        elif self._task is not None and cancel:
            self._task.cancel()

    def go_on(self, value: Any, error: BaseException | None = None) -> None:
        """Run on with what was waited for. Only from a callback of the loop, never from within a task."""
        outer, _running[0] = _running[0], self
        try:
            awaited = self._coroutine.send(value) if error is None else self._coroutine.throw(error)
        except StopIteration:
            self.done = True
            return
        except BaseException:
            self.done = True
            raise
        finally:
            _running[0] = outer
        if type(awaited) is not Waiter:
            self._task = self._loop.create_task(_rest(self._coroutine, awaited))


class Waiter(Generic[T]):
    """A place where one coroutine waits for one value: a stepped one without a future, a task with one.

    To be awaited before anybody can answer, which on one loop means: in the same breath as the question is sent.
    """

    __slots__ = ("_future", "_loop", "_run")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._run: Run | None = None
        self._future: asyncio.Future[T] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        """Wait. What ``fail`` is given is raised."""
        self._run = _running[0]
        if self._run is not None:
            value: T = yield self
            return value
        self._future = self._loop.create_future()
        return (yield from self._future.__await__())

    def answer(self, value: T) -> None:
        """Let the coroutine go on: at once if it is stepped, else in the loop's next turn."""
        if self._run is not None:
            self._run.go_on(value)
        elif self._future is not None and not self._future.done():
            self._future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Let the coroutine go on with an exception."""
        if self._run is not None:
            self._run.go_on(None, error)
        elif self._future is not None and not self._future.done():
            self._future.set_exception(error)

    def given_up(self) -> bool:
        """Say whether the task that waits was cancelled."""
        return self._future is not None and self._future.cancelled()

    def answered(self) -> T | None:
        """Return what was answered, where the waiting task was cancelled in the same turn of the loop."""
        future = self._future
        return (
            None if future is None or not future.done() or future.cancelled() or future.exception() else future.result()
        )


def stepped() -> bool:
    """Say whether the caller is being stepped, and so is no task: it cannot be cancelled or timed out by asyncio."""
    return _running[0] is not None


async def as_task() -> None:
    """Go on as a task, for what needs one (``asyncio.timeout``)."""
    if stepped():
        await asyncio.sleep(0)


async def _rest(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _carry_on(coroutine, awaited)


@types.coroutine
def _carry_on(coroutine: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    while True:
        try:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001  (handed on, whatever it is)
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(value)
        except StopIteration:
            return

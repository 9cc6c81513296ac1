"""What is stepped without a task behaves as a task would."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from doorward.stepping import Run, Waiter, as_task, stepped

pytestmark = pytest.mark.anyio


def begun(work: Callable[[], Awaitable[None]]) -> Run:
    async def whole() -> None:
        await work()

    run = Run(whole(), asyncio.get_running_loop())
    run.begin()
    return run


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110  (the condition is a plain value)
            await asyncio.sleep(0)


async def test_a_stepped_coroutine_goes_on_in_the_very_moment_it_is_answered() -> None:
    waiter, said = Waiter[str](asyncio.get_running_loop()), []

    async def work() -> None:
        said.append(await waiter)

    run = begun(work)
    assert not run.done
    waiter.answer("yes")
    assert said == ["yes"]
    assert run.done


async def test_it_is_raised_what_the_waiter_is_given() -> None:
    waiter = Waiter[str](asyncio.get_running_loop())

    async def work() -> None:
        with pytest.raises(KeyError):
            await waiter

    run = begun(work)
    waiter.fail(KeyError("no"))
    assert run.done


async def test_whoever_waits_for_something_else_becomes_a_task_and_may_set_itself_a_time() -> None:
    waiter, said = Waiter[str](asyncio.get_running_loop()), []

    async def work() -> None:
        assert stepped()
        await as_task()
        assert not stepped()
        async with asyncio.timeout(5):
            said.append("asked")
            said.append(await waiter)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        said.append("late")

    begun(work)
    await until(lambda: said == ["asked"])
    waiter.answer("yes")
    await until(lambda: said == ["asked", "yes", "late"])


@pytest.mark.parametrize("promoted", [False, True])
async def test_one_that_is_ended_cleans_up(promoted: bool) -> None:
    waiter, waiting, ended = Waiter[str](asyncio.get_running_loop()), [], []

    async def work() -> None:
        if promoted:
            await as_task()
        try:
            waiting.append(True)
            await waiter
        except BaseException as error:
            ended.append(type(error))
            if promoted:
                raise

    run = begun(work)
    await until(lambda: bool(waiting))
    run.end(LookupError(), cancel=True)
    await until(lambda: bool(ended))
    assert ended == [asyncio.CancelledError if promoted else LookupError]
    run.end(LookupError(), cancel=True)
    assert len(ended) == 1


async def test_one_inside_another_leaves_the_outer_one_stepped() -> None:
    seen = []

    async def inner() -> None:
        seen.append(stepped())

    async def outer() -> None:
        begun(inner)
        seen.append(stepped())

    begun(outer)
    assert seen == [True, True]
    assert not stepped()

"""The log of calls goes on being written, whatever happens to one turn of it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from doorward import server
from doorward.server import App
from doorward.storage.database import StorageUnavailable

pytestmark = pytest.mark.anyio


class NoGateway:
    """Owns no path."""

    async def owns_by_now(self, path: str) -> bool:
        return self.owns(path)

    def owns(self, path: str) -> bool:
        return path == ""

    async def start(self) -> None:
        """Nothing runs."""

    async def stop(self) -> None:
        """Nothing ends."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Never asked."""


async def test_a_flush_that_fails_is_tried_again_and_the_others_go_on() -> None:
    turns: list[str] = []
    twice = asyncio.Event()

    async def broken() -> None:
        turns.append("broken")
        if turns.count("broken") == 2:
            twice.set()
        message = "a secret"
        raise ValueError(message)

    async def sound() -> None:
        turns.append("sound")

    async def pages(scope: object, receive: object, send: object) -> None:
        """Never asked."""

    app = App(gateway=NoGateway(), pages=pages, flushes=[broken, sound])
    with capture_logs() as lines:
        await app.start()
        await asyncio.wait_for(twice.wait(), 10)
        await app.stop()
    assert turns[:3] == ["broken", "sound", "broken"]
    assert lines[0] == {"event": "calls not written", "log_level": "error", "kind": "ValueError"}
    assert "secret" not in str(lines)


async def test_chores_go_on_beside_the_flushes_whatever_becomes_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TIDY_SECONDS", 0.01)
    turns: list[str] = []
    twice = asyncio.Event()

    async def away() -> None:
        turns.append("away")
        raise StorageUnavailable

    async def broken() -> None:
        turns.append("broken")
        message = "a secret"
        raise ValueError(message)

    async def sound() -> None:
        turns.append("sound")
        if turns.count("sound") == 2:
            twice.set()

    async def pages(scope: object, receive: object, send: object) -> None:
        """Never asked."""

    app = App(gateway=NoGateway(), pages=pages, flushes=[], chores=[away, broken, sound])
    with capture_logs() as lines:
        await app.start()
        await asyncio.wait_for(twice.wait(), 10)
        await app.stop()
    assert turns[:6] == ["away", "broken", "sound"] * 2
    assert lines[:2] == [
        {"event": "not tidied", "log_level": "warning"},
        {"event": "not tidied", "log_level": "error", "kind": "ValueError"},
    ]
    assert "secret" not in str(lines)


async def test_a_turn_that_is_writing_when_the_program_ends_is_not_made_twice() -> None:
    waiting, written = ["a call"], list[str]()
    writing, commit = asyncio.Event(), asyncio.Event()

    async def write(calls: list[str]) -> None:
        writing.set()
        await commit.wait()
        written.extend(calls)

    async def flush() -> None:
        # As the logs do: the commit goes on whoever waits for it, and what was waiting is forgotten after it.
        if calls := list(waiting):
            await asyncio.shield(asyncio.create_task(write(calls)))
            del waiting[: len(calls)]

    async def pages(scope: object, receive: object, send: object) -> None:
        """Never asked."""

    app = App(gateway=NoGateway(), pages=pages, flushes=[flush])
    await app.start()
    await asyncio.wait_for(writing.wait(), 10)
    stopping = asyncio.create_task(app.stop())
    await asyncio.sleep(0)
    commit.set()
    await asyncio.wait_for(stopping, 10)
    assert written == ["a call"]

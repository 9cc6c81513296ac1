"""Messages on their way to one HTTP answer: the end of a stream that the relay reads."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from doorward.gateway import sse
from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.lenient_json import written

MAX_WAITING: Final = 8 * 1024 * 1024
"""Bytes that may wait for their reader; one who is slower loses this stream and nobody else's."""
PING_SECONDS: Final = 15.0
MAX_PINGS: Final = 20
"""In a row, while an answer is waited for."""
JSON: Final = {b"content-type": b"application/json"}
STREAM: Final = {b"content-type": b"text/event-stream"}


class Channel:
    """``left`` is called once, when its reader leaves or it has ended. ``waits``: an answer has to come some day."""

    def __init__(self, left: Callable[[], None], *, waits: bool = False) -> None:
        self._waits = waits
        self._pings = 0
        self._left: Callable[[], None] | None = left
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._failure: UpstreamFailure | None = None
        self._ended = False
        self._wake = asyncio.Event()

    def put(self, message: dict[str, Any], *, last: bool = False) -> None:
        """Add a message; ``last`` ends the stream."""
        data = written(message)
        self._size += len(data)
        if self._size > MAX_WAITING and self._waiting:
            self.fail(UpstreamFailure(UpstreamError.TOO_LARGE, "a stream whose reader is too slow"))
            return
        self._waiting.append(data)
        self._ended = self._ended or last
        self._wake.set()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._wake.set()

    def fail(self, failure: UpstreamFailure) -> None:
        """Let the reader meet ``failure`` after what waits."""
        self._failure = self._failure or failure
        self._wake.set()

    async def first(self, seconds: float) -> Answer:
        """Return the answer: whole, if the last message is the first; else a stream. Raises ``UpstreamFailure``."""
        try:
            async with asyncio.timeout(seconds):
                await self._something()
        except TimeoutError:
            raise UpstreamFailure(UpstreamError.TIMEOUT, "no answer for too long") from None
        if self._ended and len(self._waiting) == 1:
            answer = Answer(200, JSON, self._waiting[0], None)
            self._leave()
            return answer
        return self.streaming()

    def streaming(self) -> Answer:
        """Return the answer as a stream, at once."""
        return Answer(200, STREAM, b"", self)

    async def chunk(self, _answer: Answer) -> bytes:
        """Return events; a comment where there was none for a while; nothing at the end. Raises ``UpstreamFailure``."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._something()
        except TimeoutError:
            self._pings += 1
            if self._waits and self._pings > MAX_PINGS:
                self._leave()
                raise UpstreamFailure(UpstreamError.TIMEOUT, "nothing for too long") from None
            return sse.encode(None)
        self._pings = 0
        events = b"".join(map(sse.encode, self._waiting))
        self._waiting.clear()
        self._size = 0
        if not events or self._ended:
            self._leave()
        return events

    def leave(self, _answer: Answer) -> None:
        """Stop reading."""
        self.end()
        self._leave()

    async def _something(self) -> None:
        while not self._waiting:
            if self._failure is not None:
                self._leave()
                raise self._failure
            if self._ended:
                return
            self._wake.clear()
            await self._wake.wait()

    def _leave(self) -> None:
        left, self._left = self._left, None
        if left is not None:
            left()

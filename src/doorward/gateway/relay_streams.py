"""Bring an upstream's event stream to the client, event by event.

Requests that a server sends reach clients of the older revisions only (decision 0077.12); news of a resource reaches those who
may read it. A stream ends when its answer came, when its client leaves, or when it may not go on (``streams.py``).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from doorward.gateway import answers, sse
from doorward.gateway.access import View
from doorward.gateway.call import Call, cursor_bound, upstream_refusal
from doorward.gateway.exchange import JSON, NO_STORE, NO_TRANSFORM, STREAM, Exchange, Refusal
from doorward.gateway.head import Header
from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.lenient_json import decoded, written
from doorward.gateway.narrow import acknowledged, narrow_replayed, notification_passes, request_passes
from doorward.gateway.relay import OK, WholeRelay
from doorward.gateway.sessions import Binding
from doorward.gateway.streams import OpenStream, Streams
from doorward.gateway.task_messages import replayed, told
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import EVENT_LIMIT, Rejected, fed
from doorward.protocol import faults, mcp
from doorward.protocol.jsonrpc import INTERNAL_ERROR, encode
from doorward.protocol.mcp import Era
from doorward.stepping import as_task

DRAIN: Final = 0.5
"""Seconds to wait for the end of a stream that has brought its answer, so that its connection can be used again."""
NOTHING: Final = b""
NEWS_OF_TASKS: Final = b"notifications/tasks"

Heard = Callable[[Mapping[str, Any], View], None]
"""``heard(message, view)`` is told of what a server says unasked; it must not block."""
Translate = Callable[[sse.Event], tuple[bytes, bool]]
"""Returns what the client gets of an event, and whether the stream has done its work."""


class StreamRelay:
    """One per gateway."""

    def __init__(self, *, whole: WholeRelay, binding: Binding, streams: Streams, tasks: Tasks, heard: Heard) -> None:
        self._whole = whole
        self._heard = heard
        self._tasks = tasks
        self._binding = binding
        self._streams = streams

    async def relay_post(self, call: Call, answer: Answer, headers: list[Header]) -> None:
        """Answer the client's POST with a stream."""
        stream, exchange = _opened(call, answer), call.exchange
        session_id = call.envelope.session_id if call.held is None else None
        if headers:
            session_id = answer.headers[b"mcp-session-id"].decode("latin-1")
        async with self._following(stream, exchange):
            await exchange.begin(OK, [*STREAM, NO_TRANSFORM, *headers])
            fault = faults.UPSTREAM_ANSWER
            try:
                done = await self._pump(stream, exchange, lambda event: self._of_call(call, stream, session_id, event))
            except UpstreamFailure as failure:
                timeout = failure.kind is UpstreamError.TIMEOUT
                done, fault = False, faults.UPSTREAM_TIMEOUT if timeout else faults.UPSTREAM_ANSWER
            except Refusal as refusal:
                done, fault = False, refusal.fault
            if not done and not isinstance(call.ask, mcp.Listen):
                # The client waits for an answer to its id; a stream that just ends would leave it waiting.
                fault = faults.NOT_PERMITTED if stream.withdrawn else fault
                call.reason = f"stream ended without a response ({fault.code})"
                await exchange.piece(sse.encode(encode(answers.error(call.ask.id, INTERNAL_ERROR, fault))))
            await exchange.end()

    async def relay_collected(self, call: Call, answer: Answer, headers: list[Header]) -> None:
        """Answer a client that does not know streams (curl, a bare script) with the one response in it.

        Raises ``Refusal`` and ``UpstreamFailure``, with nothing sent.
        """
        stream = _opened(call, answer)
        async with self._following(stream, call.exchange):
            reader = sse.Reader(EVENT_LIMIT)
            while piece := await answer.chunk():
                for event in fed(reader, piece):
                    message = decoded(event.data) if event.data else None
                    if event.data and message is not None and "method" not in message and "id" in message:
                        body = self._whole.response(call, event.data, message)
                        await call.exchange.answer(OK, body, (JSON, NO_STORE, *headers))
                        return
        raise upstream_refusal(Rejected(OK, "the stream ended without a response"), call.ask.id)

    async def relay_session(self, exchange: Exchange, stream: OpenStream, session_id: str) -> None:
        """Answer the client's GET with its session's own stream (older revisions)."""
        async with self._following(stream, exchange):
            await exchange.begin(OK, [*STREAM, NO_TRANSFORM])
            with contextlib.suppress(UpstreamFailure):
                await self._pump(stream, exchange, lambda event: (self._of_session(stream, session_id, event), False))
            await exchange.end()

    @contextlib.asynccontextmanager
    async def _following(self, stream: OpenStream, exchange: Exchange) -> AsyncIterator[None]:
        """Close the stream when its client leaves or it may not go on."""
        await as_task()
        departure = asyncio.get_running_loop().create_task(exchange.departure())
        departure.add_done_callback(lambda task: None if task.cancelled() else stream.answer.close())
        self._streams.add(stream)
        try:
            yield
        finally:
            departure.cancel()
            self._streams.remove(stream)
            await _drained(stream.answer)

    def _of_call(
        self, call: Call, stream: OpenStream, session_id: str | None, event: sse.Event
    ) -> tuple[bytes, bool]:  # fmt: skip
        if not event.data:
            return self._encoded(stream, session_id, event, event.data), False
        # The stream may have been looked at again since the call was decided.
        call.view, call.caller = stream.view, stream.caller
        cached = self._whole.cached(call, event.data)
        if cached is not None:
            return self._encoded(stream, session_id, event, cached), True
        message = decoded(event.data)
        if message is not None and "method" not in message and "id" in message:
            body = self._whole.response(call, event.data, message)
            return self._encoded(stream, session_id, event, body), True
        seen = None if message is None else self._told(message, stream, call.ask.era)
        if seen is None:
            return NOTHING, False
        if isinstance(call.ask, mcp.Listen):
            ours = {task.id: self._tasks.ours(task, stream.view) for task in stream.tasks}
            seen = acknowledged(seen, stream.uris or (), ours)
        data = event.data if seen is message else written(seen)
        return self._encoded(stream, session_id, event, data), False

    def _of_session(self, stream: OpenStream, session_id: str, event: sse.Event) -> bytes:
        if not event.data:
            return self._encoded(stream, session_id, event, event.data)
        message = decoded(event.data)
        seen = self._told(message, stream, Era.LEGACY) if message is not None and "method" in message else message
        if message is None or seen is None:
            return NOTHING
        data, result = event.data if seen is message else written(seen), message.get("result")
        if isinstance(result, dict):
            narrowed = replayed(self._tasks, narrow_replayed(result, stream.view), stream.view)
            try:
                data = written({**message, "result": cursor_bound(narrowed, stream.view, self._binding)})
            except UnicodeEncodeError:
                return NOTHING
        return self._encoded(stream, session_id, event, data)

    def _told(self, message: dict[str, Any], stream: OpenStream, era: Era) -> dict[str, Any] | None:
        self._heard(message, stream.view)
        return told(message, self._tasks, stream.view) if _passes(message, stream, era) else None

    async def _pump(self, stream: OpenStream, exchange: Exchange, translate: Translate) -> bool:
        """Send on what comes until the work is done (True) or the stream ends (False). Raises ``UpstreamFailure``."""
        reader = sse.Reader(EVENT_LIMIT)
        while (piece := await stream.answer.chunk()) and not stream.withdrawn:
            if NEWS_OF_TASKS in piece:
                await self._tasks.settled(stream.view)
            out, done = [], False
            for event in fed(reader, piece):
                data, done = translate(event)
                out.append(data)
                if done:
                    break
            if any(out):
                await exchange.piece(b"".join(out))
            if done:
                return True
        return False

    def _encoded(self, stream: OpenStream, session_id: str | None, event: sse.Event, data: bytes | None) -> bytes:
        event_id = None
        if event.id and session_id is not None:
            view = stream.view
            event_id = self._binding.wrap_event(view.principal, view.governed.server.id, session_id, event.id)
        return sse.encode(data, event_id=event_id, retry=event.retry)


def _opened(call: Call, answer: Answer) -> OpenStream:
    return OpenStream(
        token=call.token,
        exchange=call.exchange,
        ask=call.ask,
        caller=call.caller,
        view=call.view,
        uris=call.uris,
        tasks=call.tasks,
        answer=answer,
        approvers=call.approvers,
    )


def _passes(message: Mapping[str, Any], stream: OpenStream, era: Era) -> bool:
    method = message.get("method")
    if not isinstance(method, str):
        return False
    return request_passes(method, era) if "id" in message else notification_passes(message, stream.view)


async def _drained(answer: Answer) -> None:
    """Read a stream to its end where that is near, so that its connection can be used again; else close it."""
    with contextlib.suppress(UpstreamFailure, TimeoutError):
        async with asyncio.timeout(DRAIN):
            if not await answer.chunk():
                return
    answer.close()

"""Send a decided message to the upstream, in the right session, and have its answer relayed."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.asgi_exchange import Watches
from doorward.gateway.call import Call, renumbered
from doorward.gateway.exchange import Departed, Refusal
from doorward.gateway.held import HeldSessions
from doorward.gateway.http_connection import Answer
from doorward.gateway.relay import WholeRelay, refuse_foreign
from doorward.gateway.relay_streams import StreamRelay
from doorward.gateway.sessions import Identity, caller_key
from doorward.gateway.task_messages import asks_for_task
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import Envelope, Upstream
from doorward.gateway.waiting import Waiting
from doorward.protocol import faults, mcp
from doorward.protocol.jsonrpc import INVALID_REQUEST
from doorward.protocol.mcp import Era

WATCH_AFTER: Final = 0.05
"""Seconds, twice of which an answer may take before the client's connection is watched; most are there before."""
ACCEPTED, BAD_REQUEST, NOT_FOUND = 202, 400, 404
_ENDED_HERE: Final = frozenset({mcp.ClientNotification, mcp.ClientResponse, mcp.Ping, mcp.SetLogLevel})
"""Messages about a session: where the client has none, there is nobody to send them to."""


class Forwarder:
    """One per gateway."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        held: HeldSessions,
        whole: WholeRelay,
        streams: StreamRelay,
        waiting: Waiting,
        tasks: Tasks,
    ) -> None:
        self._upstream = upstream
        self._tasks = tasks
        self._held = held
        self._whole = whole
        self._streams = streams
        self._waiting = waiting
        self._watches = Watches(WATCH_AFTER)

    def forward(self, call: Call, identity: Identity, *, repeatable: bool) -> Coroutine[Any, Any, None]:
        """Forward ``call``, once what this returns is awaited.

        Raises ``Refusal``, ``UpstreamFailure``, ``Rejected``, ``Departed``; nothing is sent then.
        """
        if call.envelope.session_id is None and type(call.ask) in _ENDED_HERE:
            return self._end_here(call)
        if asks_for_task(call):
            return self._forward_beginning(call, identity, repeatable=repeatable)
        return self._forward(call, identity, repeatable=repeatable)

    async def _forward_beginning(self, call: Call, identity: Identity, *, repeatable: bool) -> None:
        with self._tasks.beginning(call.view):
            await self._forward(call, identity, repeatable=repeatable)

    async def _forward(self, call: Call, identity: Identity, *, repeatable: bool) -> None:
        self._waiting.begin(call)
        try:
            answer = await self._sent(call, identity, repeatable=repeatable)
        except asyncio.CancelledError:
            if (refusal := self._waiting.why_cancelled(call)) is not None:
                raise refusal from None
            raise
        finally:
            self._waiting.end(call)
        try:
            await self._relayed(call, answer)
        finally:
            answer.close()

    async def _end_here(self, call: Call) -> None:
        """Answer what is for the gateway itself: messages about a session that the client does not have."""
        match call.ask:
            case mcp.ClientNotification():
                await call.exchange.answer(ACCEPTED, b"", ())
            case mcp.ClientResponse():
                raise Refusal(BAD_REQUEST, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="no session for a response")
            case _:
                await call.exchange.answer_message(200, answers.result(call.ask, {}, "allowed", "").message)

    def _sent(self, call: Call, identity: Identity, *, repeatable: bool) -> Awaitable[Answer]:
        """Return what brings the answer. No coroutine itself, nor is ``_post``: each would be one more for every call."""
        if call.envelope.session_id is not None:
            return self._in_session(call, identity, repeatable=repeatable)
        if call.ask.era is Era.LEGACY and not isinstance(call.ask, mcp.Initialize):
            return self._in_held_session(call, identity, repeatable=repeatable)
        return self._post(call, call.envelope, identity, repeatable=repeatable)

    async def _in_session(self, call: Call, identity: Identity, *, repeatable: bool) -> Answer:
        answer = await self._post(call, call.envelope, identity, repeatable=repeatable)
        if answer.status == NOT_FOUND:
            answer.close()
            reason = "the upstream does not know the session"
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason=reason, request_id=call.ask.id)
        return answer

    async def _in_held_session(self, call: Call, identity: Identity, *, repeatable: bool) -> Answer:
        call.held = caller_key(call.view.principal), call.server.id
        call.message = renumbered(call.message, self._held.next_id())
        envelope = await self._held.envelope(call.held, call.server, identity, call.started)
        answer = await self._post(call, envelope, identity, repeatable=repeatable)
        if answer.status == NOT_FOUND and envelope.session_id is not None:
            # The upstream forgot the session, so it did nothing: once more, in a new one.
            answer.close()
            self._held.forget(call.held, envelope)
            envelope = await self._held.envelope(call.held, call.server, identity, call.started)
            answer = await self._post(call, envelope, identity, repeatable=repeatable)
        return answer

    def _post(self, call: Call, envelope: Envelope, identity: Identity, *, repeatable: bool) -> Awaitable[Answer]:
        if call.exchange.watched:
            return self._post_watched(call, envelope, identity, repeatable=repeatable)
        return self._upstream.post(
            call.server, call.message, envelope, identity, repeatable=repeatable, encoding=call.encoding
        )

    async def _post_watched(self, call: Call, envelope: Envelope, identity: Identity, *, repeatable: bool) -> Answer:
        watch = self._watches.begin(call.exchange)
        try:
            return await self._upstream.post(
                call.server, call.message, envelope, identity, repeatable=repeatable, encoding=call.encoding
            )
        except asyncio.CancelledError:
            if watch.departed():
                raise Departed from None
            raise
        finally:
            self._watches.end(watch)

    def _relayed(self, call: Call, answer: Answer) -> Awaitable[None]:
        refuse_foreign(call, answer)
        headers = self._whole.session(call, answer)
        if call.ask.id is None or isinstance(call.ask, mcp.ClientResponse):
            return self._whole.acknowledge(call, answer)
        if not answer.streaming:
            return self._whole.relay(call, answer, headers)
        if isinstance(call.ask, mcp.Listen) or call.exchange.head.wants_stream:
            return self._streams.relay_post(call, answer, headers)
        return self._streams.relay_collected(call, answer, headers)

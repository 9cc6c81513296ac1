"""Send a decided message to the upstream, in the right session, and have its answer relayed."""

import asyncio
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.asgi_exchange import AsgiExchange, Watches
from doorward.gateway.call import Call, renumbered
from doorward.gateway.exchange import Departed, Refusal
from doorward.gateway.held import HeldSessions
from doorward.gateway.http_connection import Answer
from doorward.gateway.relay import WholeRelay, refuse_foreign
from doorward.gateway.relay_streams import StreamRelay
from doorward.gateway.sessions import Identity, caller_key
from doorward.gateway.upstream import Envelope, Upstream
from doorward.gateway.waiting import Waiting
from doorward.protocol import faults, mcp
from doorward.protocol.jsonrpc import INVALID_REQUEST
from doorward.protocol.mcp import Era

WATCH_AFTER: Final = 0.05
"""Seconds, twice of which an answer may take before the client's connection is watched; most are there before."""
ACCEPTED, BAD_REQUEST, NOT_FOUND = 202, 400, 404


class Forwarder:
    """One per gateway."""

    def __init__(
        self, *, upstream: Upstream, held: HeldSessions, whole: WholeRelay, streams: StreamRelay, waiting: Waiting
    ) -> None:
        self._upstream = upstream
        self._held = held
        self._whole = whole
        self._streams = streams
        self._waiting = waiting
        self._watches = Watches(WATCH_AFTER)

    async def forward(self, call: Call, identity: Identity, *, repeatable: bool) -> None:
        """Forward ``call``. Raises ``Refusal``, ``UpstreamFailure``, ``Rejected``, ``Departed``; nothing is sent then."""
        if await self._answered_here(call):
            return
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

    async def _answered_here(self, call: Call) -> bool:
        """Answer what is for the gateway itself: messages about a session that the client does not have."""
        ask = call.ask
        if call.envelope.session_id is not None:
            return False
        match ask:
            case mcp.ClientNotification():
                await call.exchange.answer(ACCEPTED, b"", ())
            case mcp.ClientResponse():
                raise Refusal(BAD_REQUEST, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="no session for a response")
            case mcp.Ping() | mcp.SetLogLevel():
                await call.exchange.answer_message(200, answers.result(ask, {}, "allowed", "").message)
            case _:
                return False
        return True

    async def _sent(self, call: Call, identity: Identity, *, repeatable: bool) -> Answer:
        needs_session = call.ask.era is Era.LEGACY and not isinstance(call.ask, mcp.Initialize)
        if not needs_session or call.envelope.session_id is not None:
            answer = await self._post(call, call.envelope, identity, repeatable=repeatable)
            if answer.status == NOT_FOUND and call.envelope.session_id is not None:
                answer.close()
                reason = "the upstream does not know the session"
                raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason=reason, request_id=call.ask.id)
            return answer
        return await self._in_held_session(call, identity, repeatable=repeatable)

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

    async def _post(self, call: Call, envelope: Envelope, identity: Identity, *, repeatable: bool) -> Answer:
        if not isinstance(call.exchange, AsgiExchange):
            return await self._upstream.post(call.server, call.message, envelope, identity, repeatable=repeatable)
        watch = self._watches.begin(call.exchange)
        try:
            return await self._upstream.post(call.server, call.message, envelope, identity, repeatable=repeatable)
        except asyncio.CancelledError:
            if watch.departed():
                raise Departed from None
            raise
        finally:
            self._watches.end(watch)

    async def _relayed(self, call: Call, answer: Answer) -> None:
        refuse_foreign(call, answer)
        headers = self._whole.session(call, answer)
        if call.ask.id is None or isinstance(call.ask, mcp.ClientResponse):
            await self._whole.acknowledge(call, answer)
        elif not answer.streaming:
            await self._whole.relay(call, answer, headers)
        elif isinstance(call.ask, mcp.Listen) or _wants_stream(call):
            await self._streams.relay_post(call, answer, headers)
        else:
            await self._streams.relay_collected(call, answer, headers)


def _wants_stream(call: Call) -> bool:
    accept: Any = call.exchange.one(b"accept")
    return accept is not None and "text/event-stream" in accept.lower()

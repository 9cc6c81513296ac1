"""GET and DELETE of the older revisions: the stream of a session, and its end."""

from typing import Final

from doorward.gateway.access import View
from doorward.gateway.call import upstream_refusal
from doorward.gateway.exchange import Exchange, Refusal
from doorward.gateway.http_connection import Answer, UpstreamFailure
from doorward.gateway.identity import Identities
from doorward.gateway.live import Caller
from doorward.gateway.places import Places
from doorward.gateway.relay_streams import StreamRelay
from doorward.gateway.sessions import Binding
from doorward.gateway.streams import OpenStream
from doorward.gateway.upstream import Envelope, Rejected, Upstream
from doorward.policy.reach import Roots, reach_at_all
from doorward.protocol import faults
from doorward.protocol.jsonrpc import INVALID_REQUEST
from doorward.protocol.mcp import LEGACY_VERSIONS

OK, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED, CONFLICT = 200, 403, 404, 405, 409
_RELAYED: Final = frozenset({METHOD_NOT_ALLOWED, CONFLICT})


class SessionRequests:
    """One per gateway."""

    def __init__(
        self, *, upstream: Upstream, identities: Identities, binding: Binding, relay: StreamRelay, streams: Places
    ) -> None:
        self._upstream = upstream
        self._identities = identities
        self._binding = binding
        self._relay = relay
        self._streams = streams

    async def open_stream(self, exchange: Exchange, token: str, caller: Caller, view: View) -> None:
        """Answer GET. Raises ``Refusal``."""
        with self._streams.taken(caller.principal, None):
            await self._stream(exchange, token, caller, view)

    async def _stream(self, exchange: Exchange, token: str, caller: Caller, view: View) -> None:
        envelope, session_id = self._envelope(exchange, view)
        if not session_id:
            raise Refusal(METHOD_NOT_ALLOWED, INVALID_REQUEST, faults.HTTP_METHOD, reason="a session of our own")
        identity = self._identities.of(caller, view.governed.server, _anywhere(view), view.tree, view.now)
        try:
            answer = await self._upstream.get(view.governed.server, envelope, identity)
        except UpstreamFailure as failure:
            raise upstream_refusal(failure, None) from failure
        if answer.status != OK or not answer.streaming:
            raise _other(answer)
        stream = OpenStream(
            token=token, exchange=exchange, ask=None, caller=caller, view=view, uris=None, answer=answer
        )  # fmt: skip
        await self._relay.relay_session(exchange, stream, session_id)

    async def end(self, exchange: Exchange, caller: Caller, view: View) -> None:
        """Answer DELETE. Raises ``Refusal``."""
        envelope, session_id = self._envelope(exchange, view)
        if not session_id:
            await exchange.answer(OK, b"", ())
            return
        identity = self._identities.of(caller, view.governed.server, _anywhere(view), view.tree, view.now)
        try:
            answer = await self._upstream.delete(view.governed.server, envelope, identity)
        except UpstreamFailure as failure:
            raise upstream_refusal(failure, None) from failure
        if not OK <= answer.status < 300:  # noqa: PLR2004
            raise _other(answer)
        answer.close()
        await exchange.answer(OK, b"", ())

    def _envelope(self, exchange: Exchange, view: View) -> tuple[Envelope, str]:
        server, principal = view.governed.server, view.principal
        if server.id not in principal.servers:
            raise Refusal(FORBIDDEN, INVALID_REQUEST, faults.NOT_PERMITTED, reason="server not enabled")
        presented, last = exchange.one(b"mcp-session-id") or "", exchange.one(b"last-event-id")
        session_id = self._binding.unwrap_session(principal, server.id, presented)
        if session_id is None:
            raise Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="session")
        # An event id that is not this session's is left out: the stream then starts with what comes next (K22).
        event_id = None if last is None else self._binding.unwrap_event(principal, server.id, session_id, last)
        version = exchange.one(b"mcp-protocol-version")
        known = version if version in LEGACY_VERSIONS else None
        return Envelope(version=known, session_id=session_id, last_event_id=event_id), session_id


def _anywhere(view: View) -> Roots:
    return reach_at_all(view.principal, view.tree)


def _other(answer: Answer) -> Refusal:
    answer.close()
    if answer.status == NOT_FOUND:
        return Refusal(NOT_FOUND, INVALID_REQUEST, faults.SESSION_UNKNOWN, reason="the upstream does not know it")
    if answer.status in _RELAYED:
        return Refusal(answer.status, INVALID_REQUEST, faults.HTTP_METHOD, reason=f"upstream {answer.status}")
    return upstream_refusal(Rejected(answer.status, f"upstream answered {answer.status}"), None)

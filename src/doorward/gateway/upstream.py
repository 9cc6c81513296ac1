"""Talk to an MCP server: requests built from nothing, answers read in both their forms (JSON and event stream).

What an upstream gets is exactly: ``accept``, ``content-type``, the protocol's own headers made from the message, and our
identity token (or the credential that the server is declared with) last. Never a header of the client's but ``Mcp-Param-*`` (L7, L10, L11).
"""

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from doorward.gateway import sse
from doorward.gateway.head import Header
from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.http_pool import HttpPool, Target, head, target
from doorward.gateway.param_headers import encoded
from doorward.gateway.sessions import Identity
from doorward.gateway.stdio.servers import StdioServers
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.gateway.upstream_oauth.calls import Accounts, by_account
from doorward.model import Server
from doorward.protocol import jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.mcp import MODERN_VERSION, NAME_PARAMETERS

MAX_HEADS: Final = 2_000
MAX_TARGETS: Final = 2_000
"""Pairs of tenant and URL whose form is kept; then they are worked out afresh."""
EVENT_LIMIT: Final = 32 * 1024 * 1024
_FIXED: Final = ((b"accept", b"application/json, text/event-stream"), (b"content-type", b"application/json"))
_STREAM: Final = ((b"accept", b"text/event-stream"),)
_META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "doorward", "version": "1"},
}


class Rejected(Exception):  # noqa: N818
    """The upstream answered a question of the gateway's own with something else than a result."""

    def __init__(self, status: int, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.code = code
        """The JSON-RPC error code, where there was one."""


class Envelope(NamedTuple):
    """What goes with a message besides its body. ``version`` is None where an older client does not say."""

    version: str | None
    session_id: str | None = None
    last_event_id: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    """``mcp-param-*`` headers."""


class Upstream:
    """All MCP servers: over one pool those at a URL, by their processes those that are commands."""

    def __init__(
        self, pool: HttpPool, stdio: StdioServers, auth: UpstreamAuth, accounts: Accounts | None = None
    ) -> None:
        self._pool = pool
        self._stdio = stdio
        self._auth = auth
        self._accounts = accounts
        self._targets: dict[tuple[str, str], Target] = {}
        self._heads: dict[tuple[object, ...], bytes] = {}
        """The same caller calls the same tool again and again; its identity token changes every half minute."""

    def post(
        self,
        server: Server,
        message: Mapping[str, Any],
        envelope: Envelope,
        identity: Identity,
        *,
        repeatable: bool,
        encoding: bytes | None = None,
    ) -> Coroutine[Any, Any, Answer]:
        """Send one message, re-encoded, once what this returns is awaited. Both may raise ``UpstreamFailure``.

        ``encoding`` is that of ``message``, where it is known.
        """
        if server.stdio is not None:
            return self._stdio.post(server, message, envelope.version, envelope.session_id, identity)
        to, pool = self._target(server, identity), self.pool(server)
        body = jsonrpc.encode(message) if encoding is None else encoding
        end = b"content-length: %d\r\n\r\n%b" % (len(body), body)
        if self._accounts is not None and by_account(server):
            headers = [*_FIXED, *_protocol(message, envelope)]

            async def send(theirs: Target, shown: Header) -> Answer:
                begin = head(b"POST", theirs, [*headers, shown])
                return await pool.send_with(theirs, begin, end, repeatable=repeatable)

            return self._accounts.call(server, identity, to, send, repeatable=repeatable)
        return pool.send_with(to, self._head(to, server, message, envelope, identity), end, repeatable=repeatable)

    def pool(self, server: Server) -> HttpPool:
        """Return the connections to use for ``server``."""
        del server
        return self._pool

    async def get(self, server: Server, envelope: Envelope, identity: Identity) -> Answer:
        """Open the stream of a session (older revisions). Raises ``UpstreamFailure``."""
        if server.stdio is not None:
            return await self._stdio.get(server, envelope.session_id, identity)
        return await self._plain(b"GET", server, [*_STREAM, *_protocol({}, envelope)], identity)

    async def delete(self, server: Server, envelope: Envelope, identity: Identity) -> Answer:
        """End a session (older revisions). Raises ``UpstreamFailure``."""
        if server.stdio is not None:
            return await self._stdio.delete(server, envelope.session_id, identity)
        return await self._plain(b"DELETE", server, _protocol({}, envelope), identity)

    async def _plain(
        self, method: bytes, server: Server, headers: Sequence[Header], identity: Identity
    ) -> Answer:  # fmt: skip
        to, pool = self._target(server, identity), self.pool(server)
        if self._accounts is not None and by_account(server):

            async def send(theirs: Target, shown: Header) -> Answer:
                return await pool.send(method, theirs, [*headers, shown], repeatable=True)

            return await self._accounts.call(server, identity, to, send, repeatable=True)
        return await pool.send(method, to, [*headers, *self._credential(server, identity)], repeatable=True)

    async def ask(
        self, server: Server, method: str, params: Mapping[str, Any], envelope: Envelope, identity: Identity
    ) -> tuple[dict[str, Any], Mapping[bytes, bytes]]:
        """Ask a question of the gateway's own; return the result and the answer's headers.

        Raises ``Rejected`` for any answer but a result, and ``UpstreamFailure``.
        """
        whole = {**params, "_meta": _META} if envelope.version == MODERN_VERSION else params
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": whole}
        answer = await self.post(server, message, envelope, identity, repeatable=True)
        try:
            reply = await _reply(answer)
        finally:
            answer.close()
        result = reply.get("result")
        if not isinstance(result, dict) or reply.get("id") != 1:
            error = reply.get("error")
            code = error.get("code") if isinstance(error, dict) else None
            reason = f"{method}: status {answer.status}, error {code}"
            raise Rejected(answer.status, reason, code if isinstance(code, int) else None)
        return result, answer.headers

    async def tell(self, server: Server, method: str, envelope: Envelope, identity: Identity) -> None:
        """Send a notification of the gateway's own. Raises ``UpstreamFailure``."""
        message = {"jsonrpc": "2.0", "method": method}
        (await self.post(server, message, envelope, identity, repeatable=True)).close()

    def _head(
        self, to: Target, server: Server, message: Mapping[str, Any], envelope: Envelope, identity: Identity
    ) -> bytes:
        # What is shown decides, so that another secret is another head at once.
        shown = identity if server.auth is None else self._auth.header(server, identity)
        key = server.upstream, shown, envelope, message.get("method"), _named(message)
        known = self._heads.get(key)
        if known is None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            routing = _protocol(message, envelope)
            known = self._heads[key] = head(b"POST", to, [*_FIXED, *routing, *self._credential(server, identity)])
        return known

    def _credential(self, server: Server, identity: Identity) -> list[Header]:
        header = self._auth.header(server, identity)
        return [] if header is None else [header]

    def _target(self, server: Server, identity: Identity) -> Target:
        place = server.upstream, identity.tenant
        known = self._targets.get(place)
        if known is None:
            if len(self._targets) >= MAX_TARGETS:
                self._targets.clear()
            try:
                known = self._targets[place] = replace(target(server.upstream), tenant=identity.tenant)
            except ValueError as wrong:
                raise UpstreamFailure(UpstreamError.UNREACHABLE, f"upstream URL: {wrong}") from wrong
        return known


async def _reply(answer: Answer) -> Mapping[str, Any]:
    """Return the first response in an answer of either form."""
    if not answer.streaming:
        return _object(answer.body, answer.status)
    reader = sse.Reader(EVENT_LIMIT)
    while piece := await answer.chunk():
        for event in fed(reader, piece):
            message = _object(event.data, answer.status) if event.data else {}
            if "method" not in message and "id" in message:
                return message
    raise Rejected(answer.status, "the stream ended without a response")


def fed(reader: sse.Reader, piece: bytes) -> list[sse.Event]:
    """Return the events that ``piece`` completes. Raises ``UpstreamFailure`` for one over ``EVENT_LIMIT``."""
    try:
        return reader.feed(piece)
    except sse.TooLongError:
        raise UpstreamFailure(UpstreamError.TOO_LARGE, f"an event over {EVENT_LIMIT} bytes") from None


def _object(body: bytes, status: int) -> Mapping[str, Any]:
    try:
        return jsonrpc.decode_object(body)
    except JsonRpcError as wrong:
        raise Rejected(status, f"status {status}, not JSON: {wrong.reason}") from wrong


def _protocol(message: Mapping[str, Any], envelope: Envelope) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if envelope.version is not None:
        headers.append((b"mcp-protocol-version", envelope.version.encode()))
    if envelope.version == MODERN_VERSION and "method" in message:
        headers += _routing(message)
    if envelope.session_id is not None:
        headers.append((b"mcp-session-id", envelope.session_id.encode()))
    if envelope.last_event_id is not None:
        headers.append((b"last-event-id", envelope.last_event_id.encode()))
    return headers + [(name.encode(), value.encode("latin-1")) for name, value in envelope.params]


def _routing(message: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    # Made from the body, not copied: so they agree with it, whatever was sent.
    headers = [(b"mcp-method", _encoded(message["method"]))]
    if (name := _named(message)) is not None:
        headers.append((b"mcp-name", _encoded(name)))
    return headers


def _named(message: Mapping[str, Any]) -> str | None:
    """Return what Mcp-Name says of a message."""
    parameter = NAME_PARAMETERS.get(message.get("method", ""))
    name = None if parameter is None else message["params"].get(parameter)
    return name if isinstance(name, str) else None


@lru_cache(maxsize=1024)
def _encoded(value: str) -> bytes:
    return encoded(value).encode()

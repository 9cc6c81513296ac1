"""One process as an MCP server of every revision: it is spoken to once, and each of its callers has ids of his own.

The process sees one client, the gateway, in the revision of 2025-11-25 or an older one. Every request gets a number
that is used once, and only the holder of that number gets the answer (K20); progress goes by the same number. What a
server asks of its client goes to a session of the older revisions that is waiting for it and said that it can (K19),
and only from a process that serves a single caller. ``roots`` are off unless wanted: a client's paths are of its own
machine, and some servers take them for what they may open on this one.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.lenient_json import decoded, written
from doorward.gateway.stdio.channel import JSON, Channel
from doorward.gateway.stdio.process import Process
from doorward.gateway.stdio.subscribers import LIST_CHANGED, UPDATED, Listener, Session, Sessions, acknowledged
from doorward.protocol.jsonrpc import METHOD_NOT_FOUND
from doorward.protocol.mcp import LEGACY_VERSIONS, MODERN_VERSION

SPOKEN: Final = LEGACY_VERSIONS[0]
OLDEST: Final = "2024-11-05"
"""Nothing in it differs for who only asks: servers of that revision are served as one newer."""
MODERN_PREFIX: Final = "io.modelcontextprotocol/"
IDENTITY_KEY: Final = "doorward/identity"
"""The member of ``_meta`` that holds the identity token."""
FEATURES: Final[Mapping[str, str]] = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
_ABLE: Final[Mapping[str, Mapping[str, Any]]] = {
    "sampling": {"context": {}, "tools": {}},
    "elicitation": {"form": {}, "url": {}},
    "roots": {"listChanged": True},
}
"""What a process is told that its client can do, which is said once: whether a session can is looked at when asked."""
MAX_PENDING: Final = 1_000
_TASK_NEWS: Final = "notifications/tasks/status"
"""To all sessions: whose task it is, and whether they may hear of it, is for the relay to say."""
_HELLO: Final = {"name": "doorward", "version": "1"}
_FILTERS: Final = {
    f"notifications/{kind}/list_changed": f"{kind}ListChanged" for kind in ("tools", "prompts", "resources")
}


@dataclass(eq=False, kw_only=True)
class _Pending:
    """A request under way. ``session`` is None in 2026-07-28."""

    number: int
    client_id: Any
    channel: Channel
    session: Session | None
    progress: Any = None
    answered: bool = False


@dataclass(kw_only=True)
class Bridge:
    """``relays`` names the features of clients that the server may use; empty where several callers share it."""

    process: Process
    relays: frozenset[str]
    name: str
    alone: bool
    """Whether all callers are one principal."""
    described: dict[str, Any] = field(default_factory=dict)
    """Its answer to ``initialize``."""
    dead: UpstreamFailure | None = None
    sessions: Sessions = field(default_factory=Sessions)
    _pending: dict[int, _Pending] = field(default_factory=dict)
    _listeners: set[Listener] = field(default_factory=set)
    _asked: dict[str, tuple[Session, Any]] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.used_at = asyncio.get_running_loop().time()
        self.ended = asyncio.get_running_loop().create_task(self._read())

    @property
    def busy(self) -> bool:
        """Whether somebody waits for it or listens to it."""
        return bool(self._pending or self._listeners or self.sessions.streaming())

    async def open(self, seconds: float) -> None:
        """Shake hands. Raises ``UpstreamFailure``."""
        able = {each: _ABLE[each] for each in self.relays}
        hello = {"protocolVersion": SPOKEN, "capabilities": able, "clientInfo": _HELLO}
        answer = await self._ask("initialize", hello, seconds)
        version = answer.get("protocolVersion")
        if not isinstance(version, str) or version not in {*LEGACY_VERSIONS, OLDEST}:
            raise UpstreamFailure(UpstreamError.PROTOCOL, "initialize: not a revision that is known")
        self.described = answer
        self.process.send(written({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def initialize(self, message: Mapping[str, Any]) -> Answer:
        """Open a session of the older revisions. The process was greeted before, so this is answered here."""
        params = message.get("params", {})
        spoken = self.described["protocolVersion"]
        spoken = LEGACY_VERSIONS[-1] if spoken == OLDEST else spoken
        asked = params.get("protocolVersion")
        version = min(asked, spoken) if asked in LEGACY_VERSIONS else spoken
        capabilities = params.get("capabilities")
        session = self.sessions.add(version, capabilities if isinstance(capabilities, dict) else {})
        result = {**self.described, "protocolVersion": version}
        return _whole({"jsonrpc": "2.0", "id": message["id"], "result": result}, session.id)

    def discover(self, message: Mapping[str, Any]) -> Answer:
        """Say what there is, to a client of 2026-07-28."""
        kept = {name: value for name, value in self.described.items() if name in {"capabilities", "instructions"}}
        meta = {MODERN_PREFIX + "serverInfo": self.described.get("serverInfo", {"name": self.name, "version": ""})}
        result = {"supportedVersions": [MODERN_VERSION], "resultType": "complete", "_meta": meta, **kept}
        return _whole({"jsonrpc": "2.0", "id": message["id"], "result": result})

    async def request(
        self, message: Mapping[str, Any], session: Session | None, identity: str | None, seconds: float
    ) -> Answer:
        """Ask the process; return its answer, or a stream that begins with what it says first."""
        pending = self._new(message, session)
        try:
            self.process.send(written(_outgoing(message, pending, identity)))
            return await pending.channel.first(seconds)
        except BaseException:
            # Our caller left, or waited too long: the server may stop.
            self._left(pending)
            raise

    def listen(self, message: Mapping[str, Any]) -> Answer:
        """Open a stream of changes (2026-07-28)."""
        wanted = message["params"].get("notifications", {})
        listener = Listener(request_id=message["id"], wanted=wanted, channel=Channel(lambda: self._deaf(listener)))
        self._listeners.add(listener)
        capabilities = self.described.get("capabilities", {})
        for uri in listener.uris if isinstance(capabilities, dict) and "resources" in capabilities else ():
            self._quietly("resources/subscribe", {"uri": uri})
        listener.channel.put(acknowledged(listener))
        return listener.channel.streaming()

    def stream(self, session: Session) -> Answer:
        """Open a session's own stream (GET of the older revisions); one that was open ends."""
        if session.stream is not None:
            session.stream.end()
        channel = Channel(lambda: session.quiet(channel))
        session.stream = channel
        return channel.streaming()

    def tell(self, message: Mapping[str, Any], session: Session) -> None:
        """Hand on a client's notification, or its answer to a request of the server's."""
        if "method" not in message:
            asked = self._asked.pop(message["id"], None) if isinstance(message.get("id"), str) else None
            if asked is not None and asked[0] is session:
                self.process.send(written({**message, "id": asked[1]}))
            return
        params = message.get("params", {})
        if message["method"] == "notifications/cancelled":
            for pending in list(self._pending.values()):
                if pending.session is session and pending.client_id == params.get("requestId"):
                    self._cancel(pending)
        elif message["method"] == "notifications/roots/list_changed" and "roots" in self.relays:
            self.process.send(written({"jsonrpc": "2.0", "method": message["method"]}))

    async def end(self) -> None:
        """End the process. Whoever waits is told so."""
        self.ended.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.ended
        await self.process.end()

    def _new(self, message: Mapping[str, Any], session: Session | None) -> _Pending:
        if len(self._pending) >= MAX_PENDING:
            raise UpstreamFailure(UpstreamError.BUSY, "too many requests under way")
        if self.dead is not None:
            raise self.dead
        self._count += 1
        meta = message.get("params", {}).get("_meta")
        pending = _Pending(
            number=self._count,
            client_id=message["id"],
            channel=Channel(lambda: self._left(pending), waits=True),
            session=session,
            progress=meta.get("progressToken") if isinstance(meta, dict) else None,
        )
        self._pending[pending.number] = pending
        self.used_at = asyncio.get_running_loop().time()
        return pending

    async def _ask(self, method: str, params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Ask a question of our own; return its result, empty for an error."""
        message = {"jsonrpc": "2.0", "id": 0, "method": method, "params": params}
        answer = await self.request(message, None, None, seconds)
        answer.close()
        result = (decoded(answer.body) or {}).get("result")
        return result if isinstance(result, dict) else {}

    def _quietly(self, method: str, params: Mapping[str, Any]) -> None:
        self._count += 1
        with contextlib.suppress(UpstreamFailure):
            self.process.send(written({"jsonrpc": "2.0", "id": self._count, "method": method, "params": params}))

    def _left(self, pending: _Pending) -> None:
        self.used_at = asyncio.get_running_loop().time()
        if not pending.answered:
            self._cancel(pending)

    def _cancel(self, pending: _Pending) -> None:
        if self._pending.pop(pending.number, None) is None or self.dead is not None:
            return
        params = {"requestId": pending.number, "reason": "the caller left"}
        with contextlib.suppress(UpstreamFailure):
            self.process.send(written({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
        # 2025-11-25, cancellation: no answer is to be sent, and none is to be waited for.
        pending.answered = True
        pending.channel.fail(UpstreamFailure(UpstreamError.UNREACHABLE, "cancelled"))

    def _deaf(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        self.used_at = asyncio.get_running_loop().time()
        wanted = {uri for each in self._listeners for uri in each.uris} | self.sessions.subscribed()
        for uri in listener.uris:
            if uri not in wanted:
                self._quietly("resources/unsubscribe", {"uri": uri})

    async def _read(self) -> None:
        failure = UpstreamFailure(UpstreamError.UNREACHABLE, "the process has ended")
        try:
            async for line in self.process.lines():
                message = decoded(line)
                if message is not None:
                    self._take(message)
        except UpstreamFailure as wrong:
            failure = wrong
        except (ValueError, RecursionError):
            failure = UpstreamFailure(UpstreamError.PROTOCOL, "a message that cannot be handed on")
        finally:
            self._die(failure)

    def _die(self, failure: UpstreamFailure) -> None:
        self.dead = failure
        for pending in self._pending.values():
            pending.answered = True
            pending.channel.fail(failure)
        self._pending.clear()
        for listener in self._listeners:
            listener.channel.fail(failure)
        self.sessions.end()

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if isinstance(method, str) and "id" in message:
            self._asks(method, message)
        elif isinstance(method, str):
            self._says(method, message)
        elif "method" not in message and type(message.get("id")) is int:
            self._answers(message)

    def _answers(self, message: dict[str, Any]) -> None:
        pending = self._pending.pop(message["id"], None)
        if pending is None:
            return
        pending.answered = True
        result = message.get("result")
        if pending.session is None and isinstance(result, dict):
            message = {**message, "result": {"resultType": "complete", **result}}
        pending.channel.put({**message, "id": pending.client_id}, last=True)

    def _says(self, method: str, message: dict[str, Any]) -> None:
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == "notifications/progress":
            token = params.get("progressToken")
            pending = self._pending.get(token) if type(token) is int else None
            if pending is not None and pending.progress is not None:
                pending.channel.put({**message, "params": {**params, "progressToken": pending.progress}})
        elif method in {*LIST_CHANGED, _TASK_NEWS} or (method == UPDATED and isinstance(params.get("uri"), str)):
            uri = params.get("uri") if method == UPDATED else None
            for listener in self._listeners:
                listener.hear(message, _FILTERS.get(method), uri)
            self.sessions.hear(message, uri)
        elif method in {"notifications/message", "notifications/elicitation/complete"} and self.alone:
            waiting = self._waiting_sessions()
            if waiting:
                waiting[-1].channel.put(message)
            else:
                self.sessions.hear(message, None)

    def _asks(self, method: str, message: dict[str, Any]) -> None:
        feature = FEATURES.get(method)
        if method == "ping":
            self._reply(message["id"], {"result": {}})
            return
        to = self._who_can(feature, message.get("params")) if feature in self.relays else None
        if to is None:
            error = {"code": METHOD_NOT_FOUND, "message": "No client is there that can do this."}
            self._reply(message["id"], {"error": error})
            return
        session, channel = to
        self._count += 1
        number = f"dw-asks-{self._count}"
        if len(self._asked) >= MAX_PENDING:
            self._asked.pop(next(iter(self._asked)))
        self._asked[number] = session, message["id"]
        channel.put({**message, "id": number})

    def _who_can(self, feature: str | None, params: Any) -> tuple[Session, Channel] | None:
        for pending in reversed(self._waiting_sessions()):
            if pending.session is not None and pending.session.can(feature, params):
                return pending.session, pending.channel
        return self.sessions.listening(feature, params)

    def _waiting_sessions(self) -> list[_Pending]:
        return [pending for pending in self._pending.values() if pending.session is not None]

    def _reply(self, request_id: Any, outcome: Mapping[str, Any]) -> None:
        with contextlib.suppress(UpstreamFailure):
            self.process.send(written({"jsonrpc": "2.0", "id": request_id, **outcome}))


def _outgoing(message: Mapping[str, Any], pending: _Pending, identity: str | None) -> dict[str, Any]:
    """Return a request as the process gets it: our number, no envelope of 2026-07-28, our identity."""
    params = message.get("params", {})
    meta = params.get("_meta")
    kept = (
        {name: value for name, value in meta.items() if not name.startswith((MODERN_PREFIX, "doorward/"))}
        if isinstance(meta, dict)
        else {}
    )
    if pending.progress is not None:
        kept["progressToken"] = pending.number
    if identity is not None:
        kept[IDENTITY_KEY] = identity
    rest = {name: value for name, value in params.items() if name != "_meta"}
    return {**message, "id": pending.number, "params": {**rest, "_meta": kept} if kept else rest}


def _whole(message: dict[str, Any], session_id: str | None = None) -> Answer:
    headers = dict(JSON) if session_id is None else {**JSON, b"mcp-session-id": session_id.encode()}
    return Answer(200, headers, written(message), None)

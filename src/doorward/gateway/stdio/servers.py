"""All stdio servers: which process answers whom, started at the first use, ended when idle, restarted with patience.

A process belongs to one principal (owner, tenant, credential or client), to one tenant, or to all, as its server
declares; the key that finds it is made of the identity of the caller, so nobody reaches another's by any id (K21).
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from doorward.gateway.http_connection import Answer, UpstreamError, UpstreamFailure
from doorward.gateway.sessions import Identity
from doorward.gateway.stdio.bridge import Bridge
from doorward.gateway.stdio.process import Process
from doorward.gateway.stdio.subscribers import Session
from doorward.gateway.upstream_auth import UpstreamAuth
from doorward.model import Entropy, ProcessPer, Server, StdioCommand
from doorward.protocol.mcp import MODERN_VERSION
from doorward.stepping import as_task

MAX_PROCESSES: Final = 256
"""Of all servers together."""
QUICK: Final = 30.0
"""Seconds. A process that ended sooner failed to start, and the next start waits."""
PATIENCE: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before the next start, after so many quick ends."""
MAX_FAILURES: Final = 4_000
SHORTEST_HIDDEN: Final = 4
"""Characters of a secret that is looked for in what a process says."""
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"

Key = tuple[str, ...]

_log = structlog.get_logger("doorward.gateway.stdio")


@dataclass(slots=True)
class _Failures:
    count: int
    not_before: float


class StdioServers:
    """One per process of ours. ``timeout`` is seconds until an answer begins."""

    def __init__(self, *, entropy: Entropy, timeout: float, auth: UpstreamAuth) -> None:
        self._auth = auth
        self._entropy = entropy
        self._timeout = timeout
        self._bridges: dict[Key, tuple[Bridge, StdioCommand, float]] = {}
        self._starting: dict[Key, asyncio.Task[Bridge]] = {}
        self._failures: dict[Key, _Failures] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def post(  # noqa: PLR0911  (one way out for each kind of message)
        self, server: Server, message: Mapping[str, Any], version: str | None, session_id: str | None, caller: Identity
    ) -> Answer:
        """Answer one message. Raises ``UpstreamFailure``."""
        await as_task()
        method = message.get("method")
        if session_id is not None:
            return await self._in_session(server, message, session_id, caller)
        if "id" not in message or method is None:
            return Answer(202, {}, b"", None)
        bridge = await self._bridge(server, caller)
        if method == "initialize":
            return bridge.initialize(message)
        if version == MODERN_VERSION:
            if method == "server/discover":
                return bridge.discover(message)
            if method == "subscriptions/listen":
                return bridge.listen(message)
            return await bridge.request(message, None, _token(server, caller), self._timeout)
        return _unknown()

    async def get(self, server: Server, session_id: str | None, caller: Identity) -> Answer:
        """Open a session's stream."""
        bridge, session = self._session(server, session_id, caller)
        return _unknown() if bridge is None or session is None else bridge.stream(session)

    async def delete(self, server: Server, session_id: str | None, caller: Identity) -> Answer:
        """End a session."""
        bridge, session = self._session(server, session_id, caller)
        if bridge is None or session is None:
            return _unknown()
        bridge.sessions.remove(session.id)
        return Answer(200, {}, b"", None)

    async def sweep(self) -> None:
        """End what has been idle for as long as its server says, and bury what ended by itself."""
        now = asyncio.get_running_loop().time()
        for key, (bridge, spec, _) in list(self._bridges.items()):
            if bridge.dead is not None or (not bridge.busy and now - bridge.used_at > spec.idle):
                self._retire(key)

    async def close(self) -> None:
        """End all of them."""
        self._closed = True
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        for key in list(self._bridges):
            self._retire(key)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _in_session(
        self, server: Server, message: Mapping[str, Any], session_id: str, caller: Identity
    ) -> Answer:  # fmt: skip
        bridge, session = self._session(server, session_id, caller)
        if bridge is None or session is None:
            return _unknown()
        method, params = message.get("method"), message.get("params", {})
        if "id" not in message or method is None:
            bridge.tell(message, session)
            return Answer(202, {}, b"", None)
        if method == "resources/subscribe":
            session.uris.add(params["uri"])
        elif method == "resources/unsubscribe":
            session.uris.discard(params["uri"])
        return await bridge.request(message, session, _token(server, caller), self._timeout)

    def _session(
        self, server: Server, session_id: str | None, caller: Identity
    ) -> tuple[Bridge | None, Session | None]:  # fmt: skip
        known = self._bridges.get(self._key(server, _spec(server), caller))
        if known is None or known[0].dead is not None:
            return None, None
        return known[0], known[0].sessions.get(session_id)

    async def _bridge(self, server: Server, caller: Identity) -> Bridge:
        """Return the caller's process, started if it is not there. Raises ``UpstreamFailure``."""
        spec = _spec(server)
        key = self._key(server, spec, caller)
        known = self._bridges.get(key)
        if known is not None and known[0].dead is None:
            known[0].used_at = asyncio.get_running_loop().time()
            return known[0]
        task = self._starting.get(key)
        if task is None:
            self._may_start(key, spec)
            task = asyncio.get_running_loop().create_task(self._start(key, server, spec, caller))
            self._starting[key] = task
            task.add_done_callback(lambda done: self._started(key, done))
        # Shielded: a client that does not wait for a slow start finds it done the next time.
        return await asyncio.shield(task)

    def _key(self, server: Server, spec: StdioCommand, caller: Identity) -> Key:
        # A secret that was changed or removed is another process, at the next call.
        return _key(server, spec, caller, self._auth.versions(secret for _, secret in spec.secrets))

    def _may_start(self, key: Key, spec: StdioCommand) -> None:
        if key in self._bridges:
            self._retire(key)
        now = asyncio.get_running_loop().time()
        failures = self._failures.get(key)
        if self._closed or (failures is not None and now < failures.not_before):
            raise UpstreamFailure(UpstreamError.UNREACHABLE, "it ended at its start; the next start waits")
        of_server = [each for each in (*self._bridges, *self._starting) if each[0] == key[0]]
        if len(of_server) >= spec.processes:
            self._make_room(key[0])
        if len(self._bridges) + len(self._starting) >= MAX_PROCESSES:
            self._make_room(None)

    def _make_room(self, server_id: str | None) -> None:
        """End the process that was unused for longest. Raises ``UpstreamFailure`` where all are used."""
        idle = [
            (bridge.used_at, key)
            for key, (bridge, _, _) in self._bridges.items()
            if not bridge.busy and server_id in {None, key[0]}
        ]
        if not idle:
            raise UpstreamFailure(UpstreamError.BUSY, "as many processes as there may be, and all are used")
        self._retire(min(idle)[1])

    async def _start(self, key: Key, server: Server, spec: StdioCommand, caller: Identity) -> Bridge:
        began = asyncio.get_running_loop().time()
        secrets = {name: self._auth.secret(secret) for name, secret in spec.secrets}
        process = await _process(server, spec, caller, secrets)
        relays = frozenset(spec.relays) if spec.per is ProcessPer.PRINCIPAL else frozenset[str]()
        bridge = Bridge(process=process, relays=relays, name=server.slug, alone=spec.per is ProcessPer.PRINCIPAL)
        bridge.sessions.name_by(self._entropy(12).hex())
        try:
            await bridge.open(self._timeout)
        except BaseException:
            self._note_quick_end(key)
            self._end_later(bridge)
            raise
        self._bridges[key] = bridge, spec, began
        bridge.ended.add_done_callback(lambda _: self._note_end(key, bridge, began))
        _log.info("a stdio server started", server=server.slug, pid=process.pid)
        return bridge

    def _started(self, key: Key, task: "asyncio.Task[Bridge]") -> None:
        self._starting.pop(key, None)
        if not task.cancelled():
            task.exception()  # Looked at: whoever waited has it, and may have left.

    def _note_end(self, key: Key, bridge: Bridge, began: float) -> None:
        """Count an end that nobody wanted."""
        known = self._bridges.get(key)
        if known is None or known[0] is not bridge:
            return
        _log.warning("a stdio server ended", server=bridge.name, pid=bridge.process.pid)
        if asyncio.get_running_loop().time() - began < QUICK:
            self._note_quick_end(key)
        else:
            self._failures.pop(key, None)
        self._retire(key)

    def _note_quick_end(self, key: Key) -> None:
        count = (self._failures[key].count if key in self._failures else 0) + 1
        wait = PATIENCE[min(count, len(PATIENCE)) - 1]
        if len(self._failures) >= MAX_FAILURES:
            self._failures.pop(next(iter(self._failures)))
        self._failures[key] = _Failures(count, asyncio.get_running_loop().time() + wait)

    def _retire(self, key: Key) -> None:
        self._end_later(self._bridges.pop(key)[0])

    def _end_later(self, bridge: Bridge) -> None:
        task = asyncio.get_running_loop().create_task(bridge.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _process(
    server: Server, spec: StdioCommand, caller: Identity, secrets: Mapping[str, str]
) -> Process:  # fmt: skip
    def filled(text: str) -> str:
        return text.replace("{tenant}", caller.tenant).replace("{user}", caller.user)

    cwd = None if spec.cwd is None else filled(spec.cwd)
    if cwd is not None and cwd != spec.cwd:
        try:
            await asyncio.to_thread(os.makedirs, cwd, mode=0o700, exist_ok=True)
        except OSError as wrong:
            raise UpstreamFailure(UpstreamError.UNREACHABLE, f"cwd: {wrong.strerror}") from wrong
    first, *rest = spec.command
    env = {"PATH": _PATH, "LANG": "C.UTF-8", **{name: filled(value) for name, value in spec.env}, **secrets}
    return await Process.start(
        [first, *map(filled, rest)],
        env=env,
        cwd=cwd,
        memory=spec.memory,
        line=spec.line,
        name=server.slug,
        hidden=[value for value in secrets.values() if len(value) >= SHORTEST_HIDDEN],
    )


def _spec(server: Server) -> StdioCommand:
    if server.stdio is None:
        raise UpstreamFailure(UpstreamError.UNREACHABLE, "not a stdio server")
    return server.stdio


def _key(server: Server, spec: StdioCommand, caller: Identity, secrets: Sequence[str]) -> Key:
    whose = {ProcessPer.PRINCIPAL: caller.caller, ProcessPer.TENANT: caller.caller[1:2], ProcessPer.SHARED: ()}
    return server.id, server.upstream, *secrets, *whose[spec.per]


def _token(server: Server, caller: Identity) -> str | None:
    return str(caller) if server.auth is None else None


def _unknown() -> Answer:
    return Answer(404, {}, b"", None)

"""Who hears what a process says by itself: sessions of the older revisions, and ``subscriptions/listen`` streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorward.gateway.stdio.channel import Channel

MAX_SESSIONS: Final = 100
"""Of one process; the one that was unused for longest makes room."""
LIST_CHANGED: Final = frozenset(f"notifications/{kind}/list_changed" for kind in ("tools", "prompts", "resources"))
UPDATED: Final = "notifications/resources/updated"
_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


@dataclass(eq=False, kw_only=True)
class Session:
    """One client's session with a process."""

    id: str
    version: str
    capabilities: Mapping[str, Any]
    uris: set[str] = field(default_factory=set)
    stream: Channel | None = None

    def can(self, feature: str | None, params: Any) -> bool:
        """Say whether its client can do what is asked: ``feature``, in the form that ``params`` ask for."""
        able = self.capabilities.get(feature) if feature is not None else None
        if not isinstance(able, dict):
            return False
        asked = params if isinstance(params, dict) else {}
        if feature == "elicitation":
            # 2025-11-25: an empty object is the form alone, as it was before there were two.
            return asked.get("mode", "form") in (able or {"form"})
        return "tools" in able or not asked.keys() & {"tools", "toolChoice"}

    def quiet(self, channel: Channel) -> None:
        """Forget a stream that has ended."""
        if self.stream is channel:
            self.stream = None


@dataclass(eq=False, kw_only=True)
class Listener:
    """One ``subscriptions/listen`` stream."""

    request_id: Any
    wanted: Mapping[str, Any]
    channel: Channel

    @property
    def uris(self) -> list[str]:
        """The resources that it wants to hear of."""
        wanted = self.wanted.get("resourceSubscriptions")
        return [uri for uri in wanted if isinstance(uri, str)] if isinstance(wanted, list) else []

    def hear(self, message: Mapping[str, Any], kind: str | None, uri: Any) -> None:
        """Send the news on if it was asked for: ``kind`` is the filter's member, ``uri`` a resource's."""
        if (kind is not None and self.wanted.get(kind) is True) or (uri is not None and uri in self.uris):
            params = message.get("params")
            params = params if isinstance(params, dict) else {}
            self.channel.put({**message, "params": {**params, "_meta": {_SUBSCRIPTION: self.request_id}}})


def acknowledged(listener: Listener) -> dict[str, Any]:
    """Return the first message of a listen stream. A process has no tasks in the form of 2026-07-28."""
    wanted = {name: value for name, value in listener.wanted.items() if name != "taskIds"}
    return {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"_meta": {_SUBSCRIPTION: listener.request_id}, "notifications": wanted},
    }


class Sessions:
    """The sessions of one process."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}
        self._prefix = ""
        self._count = 0

    def name_by(self, prefix: str) -> None:
        """Let ids begin so: no other process may ever have used it."""
        self._prefix = prefix

    def add(self, version: str, capabilities: Mapping[str, Any]) -> Session:
        """Open a session."""
        if len(self._known) >= MAX_SESSIONS:
            self.remove(next(iter(self._known)))
        self._count += 1
        session = Session(id=f"{self._prefix}.{self._count}", version=version, capabilities=capabilities)
        self._known[session.id] = session
        return session

    def get(self, session_id: str | None) -> Session | None:
        """Return a session, and note that it is used."""
        session = self._known.pop(session_id, None) if session_id is not None else None
        if session is not None:
            self._known[session.id] = session
        return session

    def remove(self, session_id: str) -> None:
        """End one."""
        session = self._known.pop(session_id, None)
        if session is not None and session.stream is not None:
            session.stream.end()

    def end(self) -> None:
        """End all: their process has."""
        for session_id in list(self._known):
            self.remove(session_id)

    def streaming(self) -> bool:
        """Say whether one has its stream open."""
        return any(session.stream is not None for session in self._known.values())

    def subscribed(self) -> set[str]:
        """Return the resources that one wants to hear of."""
        return {uri for session in self._known.values() for uri in session.uris}

    def listening(self, feature: str | None, params: Any) -> tuple[Session, Channel] | None:
        """Return the session used last that has its stream open and can do ``feature`` as ``params`` ask."""
        for session in reversed(self._known.values()):
            if session.stream is not None and session.can(feature, params):
                return session, session.stream
        return None

    def hear(self, message: dict[str, Any], uri: Any) -> None:
        """Send news to those that listen; of a resource only to those that subscribed to it."""
        for session in self._known.values():
            if session.stream is not None and (uri is None or uri in session.uris):
                session.stream.put(message)

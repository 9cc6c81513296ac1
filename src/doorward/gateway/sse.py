"""Server-sent events as MCP uses them, read and written event by event (WHATWG HTML section 9.2). Pure."""

import re
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``data`` is None for a block without data: comments (keep-alives), ``retry`` or an id alone."""

    data: bytes | None
    name: bytes = b""
    id: str | None = None
    retry: bytes = b""


class TooLongError(Exception):
    """One event is larger than the limit."""


class Reader:
    """Turns pieces of a stream into events. ``limit`` bounds one event, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: list[bytes] = []
        """Pieces of a line whose end has not come; joined once, however many they are."""
        self._lines: list[bytes] = []
        self._size = 0
        self._skip_newline = False

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that ``data`` completes. Raises ``TooLongError``."""
        if not data:
            return []
        if self._skip_newline:
            data = data.removeprefix(b"\n")
        self._size += len(data)
        if self._size > self._limit:
            raise TooLongError
        events: list[Event] = []
        start = 0
        for end in _LINE_END.finditer(data):
            line, start = data[start : end.start()], end.end()
            if self._open:
                line, self._open = b"".join([*self._open, line]), []
            self._take(line, events, len(data) - start)
        # A carriage return at the end of a piece may be half of a line end whose newline is still to come.
        self._skip_newline = data.endswith(b"\r")
        if start < len(data):
            self._open.append(data[start:])
        return events

    def _take(self, line: bytes, events: list[Event], left: int) -> None:
        if line:
            self._lines.append(line)
        elif self._lines:
            events.append(_event(self._lines))
            self._lines, self._size = [], left


def _event(lines: list[bytes]) -> Event:
    data: list[bytes] = []
    name, event_id, retry = b"", None, b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            event_id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit():
            retry = value
    return Event(b"\n".join(data) if data else None, name, event_id, retry)


def encode(data: bytes | None, *, event_id: str | None = None, retry: bytes = b"") -> bytes:
    """Return one event; ``data`` is one line of JSON, empty where only the id matters, None for a keep-alive."""
    lines = []
    if event_id is not None:
        lines.append(b"id: " + event_id.encode())
    if retry:
        lines.append(b"retry: " + retry)
    if data:
        lines.append(b"event: message")
    if data is not None:
        lines.append(b"data: " + data)
    return b"\r\n".join(lines or [b": ping"]) + b"\r\n\r\n"

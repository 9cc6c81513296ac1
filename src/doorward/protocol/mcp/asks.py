"""What messages ask for: one type for each kind of thing, in all protocol revisions that are served."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from doorward.protocol.jsonrpc import Id

TOOL_NAME = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")
MAX_TEXT = 8192
MAX_SUBSCRIPTIONS = 1000
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
RELATED_TASK = "io.modelcontextprotocol/related-task"
"""The member of ``_meta`` that says which task a message belongs to (2025-11-25)."""


class Era(StrEnum):
    """Whether a message carries its own envelope (2026-07-28), or belongs to a session (older revisions)."""

    MODERN = "modern"
    LEGACY = "legacy"


class RefKind(StrEnum):
    """What a completion is for."""

    PROMPT = "ref/prompt"
    RESOURCE = "ref/resource"


@dataclass(frozen=True, slots=True)
class Asked:
    """What every ask carries.

    ``version`` is None where an older client does not say (Gemini, VS Code); ``id`` is None for notifications.
    """

    era: Era
    version: str | None
    id: Id | None


class CallTool(NamedTuple):
    """``tools/call``; absent or null ``arguments`` are empty.

    A tuple: it is made at every call, and a frozen dataclass takes three times as long to make.
    """

    era: Era
    version: str | None
    id: Id | None
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NoSuchTool(Asked):
    """A call of a tool whose name none can have: answered like any unknown name, never matched or routed (K10)."""

    name: str


@dataclass(frozen=True, slots=True)
class GetPrompt(Asked):
    """``prompts/get``."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadResource(Asked):
    """``resources/read``."""

    uri: str


@dataclass(frozen=True, slots=True)
class Subscribe(Asked):
    """``resources/subscribe`` (older revisions)."""

    uri: str


@dataclass(frozen=True, slots=True)
class Unsubscribe(Asked):
    """``resources/unsubscribe`` (older revisions)."""

    uri: str


@dataclass(frozen=True, slots=True)
class Listing(Asked):
    """One of the lists below; ``cursor`` is None for the first page."""

    cursor: str | None


class ListTools(Listing):
    """``tools/list``."""

    __slots__ = ()


class ListResources(Listing):
    """``resources/list``."""

    __slots__ = ()


class ListResourceTemplates(Listing):
    """``resources/templates/list``."""

    __slots__ = ()


class ListPrompts(Listing):
    """``prompts/list``."""

    __slots__ = ()


class ListTasks(Listing):
    """``tasks/list`` (2025-11-25)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A tool call that goes on by itself, as its id tells it: the upstream's own id, and what was allowed.

    ``about`` are the nodes that the call named (``named``), or else where it might act; None is the whole tenant.
    """

    id: str
    tool: str
    named: bool
    about: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class UseTask(Asked):
    """``tasks/get``, ``tasks/cancel``, ``tasks/result`` (2025-11-25) and ``tasks/update`` (2026-07-28).

    ``presented`` is what the caller says is a task's id; ``task`` is None unless it is known to be one of the caller's.
    """

    presented: str
    task: Task | None = None


@dataclass(frozen=True, slots=True)
class Complete(Asked):
    """``ref`` is a prompt's name or a resource's URI or URI template; ``argument`` is the one to complete.

    ``chosen`` are the other arguments' values so far (``context.arguments``).
    """

    kind: RefKind
    ref: str
    argument: str
    value: str
    chosen: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listen(Asked):
    """``subscriptions/listen``, a long stream. ``uris`` are the resources whose updates are wanted.

    ``presented`` are the ids of tasks as the caller has them; ``tasks`` those that are known to be the caller's.
    """

    uris: tuple[str, ...]
    presented: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class SetLogLevel(Asked):
    """``logging/setLevel`` (older revisions)."""

    level: str


@dataclass(frozen=True, slots=True)
class Initialize(Asked):
    """``requested`` is the version the client would like."""

    requested: str


class Discover(Asked):
    """``server/discover``."""

    __slots__ = ()


class Ping(Asked):
    """``ping``."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ClientNotification(Asked):
    """A notification that clients of this era may send."""

    method: str
    params: Mapping[str, Any]


class ClientResponse(Asked):
    """The answer to a request that the server sent in a session (older revisions only)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Unknown(Asked):
    """A method that is not offered in this era: -32601, HTTP 404 in the modern one."""

    method: str


Ask = (
    CallTool | NoSuchTool | ListTools | UseTask | ListTasks | GetPrompt | ListPrompts | ReadResource | ListResources | ListResourceTemplates
    | Complete | Subscribe | Unsubscribe | Listen | Discover | Initialize | Ping | SetLogLevel | ClientNotification
    | ClientResponse | Unknown
)  # fmt: skip

Context = tuple[Era, str | None, Id | None]
"""What every ask carries, in its order. No named tuple, which takes ten times as long to make."""

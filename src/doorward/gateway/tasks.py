"""Tasks: tool calls that go on by themselves, which their caller comes back to by an id.

The id that a client gets is ours: the upstream's, the tool, and what the call was about, bound to the caller and the
server (K23). So no table says whose a task is, any node knows, and the right to the tool is decided again at each use.
Only ``tasks/list`` and unasked news come with the upstream's ids, which tell nothing: for these each process remembers
lately begun tasks, and what it does not know is nobody's.
"""

import asyncio
import contextlib
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from doorward.gateway.access import View, task_decision
from doorward.gateway.sessions import Binding, caller_key
from doorward.gateway.target import target_of
from doorward.model import Principal, ServerId
from doorward.policy.decide import Allowed, Target
from doorward.policy.reach import Roots
from doorward.protocol import mcp

MAX_CALLERS: Final = 2_000
MAX_TASKS: Final = mcp.MAX_SUBSCRIPTIONS
"""Remembered of one caller at one server."""
BEGINNING: Final = 1.0
"""Seconds for which news of a task waits for the answer that names it."""

Whose = tuple[tuple[str, str, str, str], ServerId]


@dataclass(slots=True)
class _Beginning:
    """Calls of one caller that may become tasks, and when all of them were answered."""

    calls: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Tasks:
    """One per gateway."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._known: OrderedDict[Whose, OrderedDict[str, mcp.Task]] = OrderedDict()
        self._beginning: dict[Whose, _Beginning] = {}

    def opened(self, ask: mcp.Ask, principal: Principal, server_id: ServerId) -> mcp.Ask:
        """Return ``ask`` with the tasks that its ids stand for, as far as they were given to this caller here."""
        match ask:
            case mcp.UseTask(presented=presented):
                return replace(ask, task=self._opened(presented, principal, server_id))
            case mcp.Listen(presented=presented) if presented:
                opened = (self._opened(each, principal, server_id) for each in presented)
                return replace(ask, tasks=tuple(task for task in opened if task is not None))
            case _:
                return ask

    def raw(self, presented: str, view: View) -> str | None:
        """Return the upstream's id for one of ours, or None where it was not given to this caller, or not any more."""
        task = self._opened(presented, view.principal, view.governed.server.id)
        return task.id if task is not None and isinstance(task_decision(task, view), Allowed) else None

    def ours(self, task: mcp.Task, view: View) -> str:
        """Return the id that the caller has. Raises ``UnicodeEncodeError`` for half of a surrogate pair."""
        text = json.dumps(
            [task.id, task.tool, task.named, None if task.about is None else sorted(task.about)],
            separators=(",", ":"), ensure_ascii=False,
        )  # fmt: skip
        return self._binding.wrap_task(view.principal, view.governed.server.id, text)

    def known(self, task_id: str, view: View) -> mcp.Task | None:
        """Return a task by the upstream's id: one that this caller was seen to begin, and may still use."""
        of_caller = self._known.get(_whose(view))
        task = None if of_caller is None else of_caller.get(task_id)
        return task if task is not None and isinstance(task_decision(task, view), Allowed) else None

    def begun(self, task_id: str, ask: mcp.CallTool, within: Roots, view: View) -> mcp.Task:
        """Remember a task that a call has just become."""
        rule = view.governed.tool(ask.name)
        target = None if rule is None else target_of(rule.resources, ask.arguments, view.tree)
        named = isinstance(target, Target)
        about = target.resource_ids if isinstance(target, Target) else within
        task = mcp.Task(task_id, ask.name, named, None if about is None else frozenset(about))
        self._remember(_whose(view), task)
        return task

    @contextlib.contextmanager
    def beginning(self, view: View) -> Iterator[None]:
        """While a call that may become a task waits for its answer."""
        whose = _whose(view)
        beginning = self._beginning.setdefault(whose, _Beginning())
        beginning.calls += 1
        try:
            yield
        finally:
            beginning.calls -= 1
            if not beginning.calls:
                del self._beginning[whose]
                beginning.over.set()

    async def settled(self, view: View) -> None:
        """Return when no call of this caller is about to become a task, so that news of one finds it; or after a second."""
        beginning = self._beginning.get(_whose(view))
        if beginning is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEGINNING):
                    await beginning.over.wait()

    def _opened(self, presented: str, principal: Principal, server_id: ServerId) -> mcp.Task | None:
        text = self._binding.unwrap_task(principal, server_id, presented)
        if text is None:
            return None
        # Whatever is wrapped was made by ``ours``.
        task_id, tool, named, about = json.loads(text)
        task = mcp.Task(task_id, tool, named, None if about is None else frozenset(about))
        self._remember((caller_key(principal), server_id), task)
        return task

    def _remember(self, whose: Whose, task: mcp.Task) -> None:
        of_caller = self._known.pop(whose, None) or OrderedDict()
        self._known[whose] = of_caller
        of_caller.pop(task.id, None)
        of_caller[task.id] = task
        if len(of_caller) > MAX_TASKS:
            of_caller.popitem(last=False)
        if len(self._known) > MAX_CALLERS:
            self._known.popitem(last=False)


def _whose(view: View) -> Whose:
    return caller_key(view.principal), view.governed.server.id

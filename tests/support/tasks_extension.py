"""The extension ``io.modelcontextprotocol/tasks`` (SEP-2663) for servers of the tests: the SDK has none yet.

Run by the public conformance suite's task scenarios, directly and through the gateway. It knows nothing of Doorward.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError

EXTENSION = "io.modelcontextprotocol/tasks"
HEADER_MISMATCH, MISSING_CAPABILITY, INVALID_PARAMS, INTERNAL_ERROR = -32020, -32021, -32602, -32603
Ask = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""``await ask({key: request})`` returns the client's answers by key."""
Job = Callable[[Mapping[str, Any], Ask], Awaitable[dict[str, Any]]]
"""``await job(arguments, ask)`` is a call's result."""


class TaskParams(types.RequestParams):
    """Parameters of ``tasks/*``."""

    task_id: str
    input_responses: dict[str, Any] | None = None


@dataclass
class Task:
    """One call that goes on by itself."""

    id: str = field(default_factory=lambda: secrets.token_hex(16))
    status: str = "working"
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    more: dict[str, Any] = field(default_factory=dict)
    """``result`` or ``error``."""
    wanted: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    running: "asyncio.Task[None] | None" = None

    async def ask(self, requests: Mapping[str, Any]) -> Mapping[str, Any]:
        self.wanted, self.status = dict(requests), "input_required"
        self.answered.clear()
        await self.answered.wait()
        return self.given

    async def run(self, job: Job, arguments: Mapping[str, Any]) -> None:
        try:
            self.more = {"result": await job(arguments, self.ask)}
            self.status = "completed"
        except asyncio.CancelledError:
            self.status = "cancelled"
        except RuntimeError as wrong:
            self.more, self.status = {"error": {"code": INTERNAL_ERROR, "message": str(wrong)}}, "failed"

    def as_said(self) -> dict[str, Any]:
        asked = {"inputRequests": self.wanted} if self.status == "input_required" else {}
        return {
            "taskId": self.id, "status": self.status, "createdAt": self.created, "ttlMs": 600_000, "pollIntervalMs": 100,
            "lastUpdatedAt": datetime.now(UTC).isoformat(), **asked, **self.more,
        }  # fmt: skip


class Tasks(Extension):
    """``jobs`` are the tools that become tasks; ``first`` are asked for before; ``required`` never run otherwise."""

    identifier = EXTENSION

    def __init__(
        self, jobs: Mapping[str, Job], *, first: Mapping[str, Mapping[str, Any]], required: frozenset[str]
    ) -> None:
        self._jobs = jobs
        self._first = first
        self._required = required
        self._tasks: dict[str, Task] = {}

    def methods(self) -> list[MethodBinding]:
        newest = frozenset({"2026-07-28"})
        handlers = {"get": self._get, "update": self._update, "cancel": self._cancel}
        return [MethodBinding(f"tasks/{name}", TaskParams, handler, newest) for name, handler in handlers.items()]

    async def intercept_tool_call(self, params: types.CallToolRequestParams, ctx: Any, call_next: Any) -> Any:
        job = self._jobs.get(params.name)
        if job is None:
            return await call_next(ctx)
        if not _declared(ctx):
            if params.name in self._required:
                raise _missing()
            return await call_next(ctx)
        wanted, given = self._first.get(params.name), params.input_responses or {}
        if wanted is not None and not wanted.keys() <= given.keys():
            return {"resultType": "input_required", "inputRequests": dict(wanted)}
        task = Task()
        self._tasks[task.id] = task
        answers = {key: _plain(answer) for key, answer in given.items()}
        task.running = asyncio.create_task(task.run(job, {**(params.arguments or {}), **answers}))
        return {**task.as_said(), "resultType": "task"}

    async def _get(self, ctx: Any, params: TaskParams) -> dict[str, Any]:
        return {**self._task(ctx, params).as_said(), "resultType": "complete"}

    async def _update(self, ctx: Any, params: TaskParams) -> dict[str, Any]:
        task = self._task(ctx, params)
        for key, answer in (params.input_responses or {}).items():
            if task.wanted.pop(key, None) is not None:
                task.given[key] = answer
        if task.status == "input_required" and not task.wanted:
            task.status = "working"
            task.answered.set()
        return {"resultType": "complete"}

    async def _cancel(self, ctx: Any, params: TaskParams) -> dict[str, Any]:
        task = self._task(ctx, params)
        if task.running is not None:
            task.running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task.running
        return {"resultType": "complete"}

    def _task(self, ctx: Any, params: TaskParams) -> Task:
        if not _declared(ctx):
            raise _missing()
        if ctx.request is not None and ctx.request.headers.get("mcp-name") != params.task_id:
            raise MCPError(code=HEADER_MISMATCH, message="Mcp-Name is not the task")
        task = self._tasks.get(params.task_id)
        if task is None:
            raise MCPError(code=INVALID_PARAMS, message="Failed to retrieve task: Task not found")
        return task


def _declared(ctx: Any) -> bool:
    capabilities = ctx.session.client_capabilities
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def _missing() -> MCPError:
    needed = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    return MCPError(code=MISSING_CAPABILITY, message="Missing required client capability", data=needed)


def _plain(answer: Any) -> Any:
    return answer.model_dump(by_alias=True, mode="json") if hasattr(answer, "model_dump") else answer


def _said(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def form(message: str, name: str) -> dict[str, Any]:
    """Return a question for one text, as a server asks it."""
    schema = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


async def _compute(arguments: Mapping[str, Any], _ask: Ask) -> dict[str, Any]:
    await asyncio.sleep(arguments.get("seconds", 0))
    return _said(f"Computed for {arguments.get('seconds', 0)} seconds.")


async def _fail(_arguments: Mapping[str, Any], _ask: Ask) -> dict[str, Any]:
    return _said("This job always fails.", is_error=True)


async def _break(_arguments: Mapping[str, Any], _ask: Ask) -> dict[str, Any]:
    message = "the job broke"
    raise RuntimeError(message)


async def _confirm(_arguments: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    return _said(f"Confirmed: {await ask({'confirm': form('Delete it?', 'sure')})}")


async def _ask_twice(_arguments: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    return _said(f"Told: {sorted(await ask({'one': form('One?', 'one'), 'two': form('Two?', 'two')}))}")


async def _greet(arguments: Mapping[str, Any], _ask: Ask) -> dict[str, Any]:
    return _said(f"Hello, {arguments['user_name']['content']['name']}!")


CONFORMANCE_JOBS: Mapping[str, Job] = {
    "slow_compute": _compute,
    "failing_job": _fail,
    "protocol_error_job": _break,
    "confirm_delete": _confirm,
    "multi_input": _ask_twice,
    "test_tool_with_task": _greet,
}
"""What the suite's task scenarios call."""


def conformance_tasks() -> Tasks:
    """Return the extension as the suite wants it."""
    first = {"test_tool_with_task": {"user_name": form("What is your name?", "name")}}
    return Tasks(CONFORMANCE_JOBS, first=first, required=frozenset({"failing_job", "test_tool_with_task"}))

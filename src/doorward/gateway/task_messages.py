"""Ids of tasks in messages: the upstream's where it reads, ours where the client does.

Three places name a task: the task itself, the parameter of ``tasks/*``, and ``_meta`` of what belongs to one. The
requests ``tasks/*`` that a server sends (2025-11-25) are about tasks of the client, whose ids are the client's own.
"""

from collections.abc import Callable
from typing import Any, Final

from doorward.gateway.access import View
from doorward.gateway.call import Call
from doorward.gateway.tasks import Tasks
from doorward.gateway.upstream import Rejected
from doorward.protocol import mcp
from doorward.protocol.jsonrpc import params_invalid

Message = dict[str, Any]

NEWS: Final = frozenset({"notifications/tasks", "notifications/tasks/status"})
"""Of 2026-07-28 and 2025-11-25."""
_OK: Final = 200
_PLAIN: Final = frozenset({"name", "arguments", "_meta"})
"""Parameters that name no task, no cursor, no state and no subscription."""
_PLAIN_RESULT: Final = frozenset({"content", "structuredContent", "isError", "resultType"})
"""Members of a tool's result that are nobody's but the tool's."""


def asks_for_task(call: Call) -> bool:
    """Say whether a call asks to become a task (2025-11-25)."""
    return isinstance(call.ask, mcp.CallTool) and "task" in call.message["params"]


def goes_as_it_came(message: Message) -> bool:
    """Say whether nothing of what ``outgoing`` and ``going`` look for is in a message: so with nearly all calls."""
    params = message.get("params")
    if type(params) is not dict or not _PLAIN.issuperset(params):
        return False
    meta = params.get("_meta")
    return type(meta) is not dict or mcp.RELATED_TASK not in meta


def going(call: Call, tasks: Tasks, message: Message) -> Message:
    """Return ``message`` as the upstream gets it.

    Raises ``JsonRpcError`` for a request that says it belongs to a task which is not the caller's.
    """
    if isinstance(call.ask, mcp.ClientResponse):
        return _theirs(call, tasks, message, "result")
    params = message.get("params")
    if not isinstance(params, dict):
        return message
    match call.ask:
        case mcp.ClientNotification():
            return _theirs(call, tasks, message, "params")
        case mcp.UseTask(task=mcp.Task(id=task_id)):
            params = {**params, "taskId": task_id}
        case mcp.Listen() if "taskIds" in params["notifications"]:
            params = {
                **params,
                "notifications": {**params["notifications"], "taskIds": [each.id for each in call.tasks]},
            }
    if _has_related(params):
        related = _related_id(params)
        if related is None or tasks.raw(related, call.view) is None:
            raise params_invalid("the related task was not given to this caller", call.ask.id)
        params = _related(params, lambda task_id: tasks.raw(task_id, call.view))
    return message if params is message["params"] else {**message, "params": params}


def _theirs(call: Call, tasks: Tasks, message: Message, member: str) -> Message:
    """Return what a client says unasked, or answers: it may be about a task of its own, whose id stays as it is."""
    holder = message.get(member)
    if not isinstance(holder, dict):
        return message
    return {**message, member: _related(holder, lambda task_id: tasks.raw(task_id, call.view) or task_id)}


def comes_as_it_is(call: Call, result: Message) -> bool:
    """Say whether nothing of what ``narrow``, ``coming`` and ``incoming`` look for is in the result of a call of a tool."""
    plain = type(call.ask) is mcp.CallTool and _PLAIN_RESULT.issuperset(result)
    return plain and result.get("resultType", "complete") == "complete"


def coming(call: Call, tasks: Tasks, result: Message) -> Message:
    """Return what the client gets of a result. Raises ``Rejected`` for an id that could never come back."""
    view = call.view
    match call.ask:
        case mcp.CallTool() if result.get("resultType") == "task":
            return {**result, "taskId": _begun(call, tasks, result.get("taskId"))}
        case mcp.CallTool() if asks_for_task(call) and isinstance(result.get("task"), dict):
            task = result["task"]
            result = {**result, "task": {**task, "taskId": _begun(call, tasks, task.get("taskId"))}}
        case mcp.UseTask(presented=presented, task=mcp.Task(id=task_id)):
            if "taskId" in result:
                result = {**result, "taskId": presented}
            return _related(result, lambda related: presented if related == task_id else _ours(tasks, related, view))
        case mcp.ListTasks():
            return listed(tasks, result, view)
        case _:
            pass
    return _related(result, lambda related: _ours(tasks, related, view)) if "_meta" in result else result


def listed(tasks: Tasks, result: Message, view: View) -> Message:
    """Return a list with the tasks that are known to be this caller's."""
    items = result.get("tasks")
    found = (item for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    pairs = ((item, _ours(tasks, item.get("taskId"), view)) for item in found)
    return {**result, "tasks": [{**item, "taskId": ours} for item, ours in pairs if ours is not None]}


def replayed(tasks: Tasks, result: Message, view: View) -> Message:
    """Return a result whose request is not known."""
    if "tasks" in result:
        result = listed(tasks, result, view)
    return _related(result, lambda related: _ours(tasks, related, view))


def told(message: Message, tasks: Tasks, view: View) -> Message | None:
    """Return a notification or request of the server's as the client gets it; None for news of somebody else's task."""
    params = message.get("params")
    if not isinstance(params, dict):
        return None if message.get("method") in NEWS else message
    if message.get("method") in NEWS:
        ours = _ours(tasks, params.get("taskId"), view)
        return None if ours is None else {**message, "params": {**params, "taskId": ours}}
    seen = _related(params, lambda related: _ours(tasks, related, view))
    return message if seen is params else {**message, "params": seen}


def _begun(call: Call, tasks: Tasks, task_id: object) -> str:
    if not isinstance(task_id, str) or not isinstance(call.ask, mcp.CallTool):
        raise Rejected(_OK, "a task without an id")
    try:
        ours = tasks.ours(tasks.begun(task_id, call.ask, call.within, call.view), call.view)
    except UnicodeEncodeError as broken:
        raise Rejected(_OK, "the id of a task is not text") from broken
    if len(ours) > mcp.MAX_TEXT:
        raise Rejected(_OK, "the id of a task is too long to come back")
    return ours


def _ours(tasks: Tasks, task_id: object, view: View) -> str | None:
    task = tasks.known(task_id, view) if isinstance(task_id, str) else None
    return None if task is None else tasks.ours(task, view)


def _has_related(holder: Message) -> bool:
    meta = holder.get("_meta")
    return isinstance(meta, dict) and mcp.RELATED_TASK in meta


def _related_id(holder: Message) -> str | None:
    related = holder["_meta"][mcp.RELATED_TASK]
    task_id = related.get("taskId") if isinstance(related, dict) else None
    return task_id if isinstance(task_id, str) else None


def _related(holder: Message, translated: Callable[[str], str | None]) -> Message:
    """Return ``params`` or a result with the id in its ``_meta`` translated; without it, where there is none."""
    if not _has_related(holder):
        return holder
    task_id = _related_id(holder)
    meta = {name: value for name, value in holder["_meta"].items() if name != mcp.RELATED_TASK}
    other = None if task_id is None else translated(task_id)
    if other is not None:
        meta[mcp.RELATED_TASK] = {"taskId": other}
    return {**holder, "_meta": meta}

"""Tools for tasks and reports."""

from collections.abc import Callable
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from pydantic import Field

from doorward.demo.harbour import hints, nodes, read
from doorward.demo.harbour.store import Store
from doorward.demo.harbour.tools_tree import ProjectId
from doorward.demo.harbour.views import (
    Day,
    Export,
    Key,
    Load,
    Name,
    ProjectReport,
    Task,
    Tasks,
    TaskStatus,
    Workload,
)
from doorward.sdk.caller import Caller, current_caller

TaskId = Annotated[Key, Field(description="Id of a task, from list_tasks or my_tasks.")]
SET_TASK = (
    "UPDATE tasks SET title = coalesce(:title, title), status = coalesce(:status, status), "
    "assignee = coalesce(:assignee, assignee), due = coalesce(:due, due) WHERE id = :key"
)


def register_tasks(server: MCPServer, store: Store) -> None:
    """Add the tools for tasks."""

    async def set_task(caller: Caller, key: str, **values: object) -> Task:
        caller.require("tasks:write")
        async with store.change(caller.tenant or "") as change:
            read.visible_task(change, caller, key)
            unchanged: dict[str, object] = {"title": None, "status": None, "assignee": None, "due": None}
            change.run(SET_TASK, unchanged | values | {"key": key})
        return read.visible_task(store, caller, key)

    @server.tool(title="List tasks", annotations=hints.READS)
    async def list_tasks(
        project_id: ProjectId,
        status: Annotated[TaskStatus | None, Field(description="Only tasks with this status.")] = None,
    ) -> Tasks:
        """List the tasks of a project, the most urgent first."""
        caller = current_caller()
        caller.require("tasks:read")
        nodes.node(store, caller, "project", project_id)
        found = read.tasks(store, caller, "AND project = :project ", project=project_id)
        return Tasks(tasks=[task for task in found if status in {None, task.status}])

    @server.tool(title="My tasks", annotations=hints.READS)
    async def my_tasks() -> Tasks:
        """List the unfinished tasks that are assigned to you, the most urgent first."""
        caller = current_caller()
        caller.require("tasks:read")
        found = read.tasks(store, caller, "AND assignee = :me AND status != 'done' ", me=caller.name)
        return Tasks(tasks=found)

    @server.tool(title="Get task", annotations=hints.READS)
    async def get_task(task_id: TaskId) -> Task:
        """Show one task: its title, status, assignee and date."""
        caller = current_caller()
        caller.require("tasks:read")
        return read.visible_task(store, caller, task_id)

    @server.tool(title="Create task", annotations=hints.ADDS)
    async def create_task(
        project_id: ProjectId,
        title: Annotated[Name, Field(description="What is to be done.")],
        assignee: Annotated[str, Field(max_length=120, description="Who does it; you, if left out.")] = "",
        due: Annotated[Day | None, Field(description="When it is due, YYYY-MM-DD.")] = None,
    ) -> Task:
        """Add a task to a project."""
        caller = current_caller()
        caller.require("tasks:write")
        async with store.change(caller.tenant or "") as change:
            nodes.node(change, caller, "project", project_id)
            key = change.new_id("tsk")
            change.run(
                "INSERT INTO tasks (id, project, title, status, assignee, due, created_at) "
                "VALUES (:key, :project, :title, 'open', :assignee, :due, :now)",
                {"key": key, "project": project_id, "title": title, "assignee": assignee or caller.name, "due": due,
                 "now": change.now},
            )  # fmt: skip
        return read.visible_task(store, caller, key)

    @server.tool(title="Update task", annotations=hints.SETS)
    async def update_task(
        task_id: TaskId,
        title: Annotated[Name | None, Field(description="The new title; unchanged if left out.")] = None,
        status: Annotated[TaskStatus | None, Field(description="The new status; unchanged if left out.")] = None,
        assignee: Annotated[Name | None, Field(description="Who does it now; unchanged if left out.")] = None,
        due: Annotated[Day | None, Field(description="The new date; unchanged if left out.")] = None,
    ) -> Task:
        """Change a task. What you leave out stays as it is."""
        return await set_task(current_caller(), task_id, title=title, status=status, assignee=assignee, due=due)

    @server.tool(title="Complete task", annotations=hints.SETS)
    async def complete_task(task_id: TaskId) -> Task:
        """Mark a task as done."""
        return await set_task(current_caller(), task_id, status="done")


def register_reports(server: MCPServer, store: Store, today: Callable[[], str]) -> None:
    """Add the tools that look across a project or the tenant."""

    @server.tool(title="Project report", annotations=hints.READS)
    async def project_report(project_id: ProjectId) -> ProjectReport:
        """Say where a project stands: tasks by status, what is overdue, when something last changed."""
        caller = current_caller()
        caller.require("reports:read")
        row = nodes.node(store, caller, "project", project_id)
        tasks = read.tasks(store, caller, "AND project = :project ", project=project_id)
        documents = [read.summary(store, found) for found in nodes.below(store, caller, project_id, "document")]
        return ProjectReport(
            project=read.project(store, row),
            tasks_by_status=_by_status(tasks),
            overdue=[task for task in tasks if task.status != "done" and task.due and task.due < today()],
            documents=len(documents),
            last_change=max((document.updated_at for document in documents), default=None),
        )

    @server.tool(title="Workload", annotations=hints.READS)
    async def workload() -> Workload:
        """Show who has how much unfinished work in the projects you can see."""
        caller = current_caller()
        caller.require("reports:read")
        unfinished = read.tasks(store, caller, "AND status != 'done' ")
        people = [_load(name, unfinished) for name in {task.assignee for task in unfinished}]
        return Workload(people=sorted(people, key=lambda load: (-load.open - load.doing, load.assignee)))

    @server.tool(title="Export project", annotations=hints.READS)
    async def export_project(project_id: ProjectId, ctx: Context) -> Export:
        """Write all documents of a project into one Markdown text. Reports its progress, document by document."""
        caller = current_caller()
        caller.require("reports:read")
        caller.require("documents:read")
        row = nodes.node(store, caller, "project", project_id)
        found = nodes.below(store, caller, project_id, "document")
        parts = [f"# {row['name']}\n\n{row['description']}".rstrip()]
        for number, item in enumerate(found, 1):
            document = read.document(store, item)
            parts.append(f"## {document.title}\n\n{document.body}".rstrip())
            await ctx.report_progress(number, len(found), document.title)
        return Export(project_id=project_id, documents=len(found), markdown="\n\n".join(parts) + "\n")


def _by_status(tasks: list[Task]) -> dict[TaskStatus, int]:
    counts: dict[TaskStatus, int] = {"open": 0, "doing": 0, "done": 0}
    for task in tasks:
        counts[task.status] += 1
    return counts


def _load(name: str, unfinished: list[Task]) -> Load:
    theirs = [task for task in unfinished if task.assignee == name]
    doing = sum(task.status == "doing" for task in theirs)
    due = min((task.due for task in theirs if task.due), default=None)
    return Load(assignee=name, open=len(theirs) - doing, doing=doing, next_due=due)

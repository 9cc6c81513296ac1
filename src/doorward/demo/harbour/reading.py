"""Harbour's resources, prompts and argument completion: the same data, the same limits as its tools."""

from typing import Annotated, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)
from pydantic import Field

from doorward.demo.harbour import nodes, read
from doorward.demo.harbour.errors import HarbourError
from doorward.demo.harbour.store import Store
from doorward.demo.harbour.views import Document
from doorward.sdk.caller import Caller, current_caller

HANDBOOK: Final = """# How Harbour is organised

A **workspace** holds **projects**; a project holds **folders** and **tasks**; folders hold folders and **documents**.
Every document keeps all its versions, and people leave **comments** on it.

- To find your way: read `harbour://tree`, or call `list_workspaces`, then `list_projects`.
- To find a text: `search_documents`.
- To change a text safely: `get_document`, then `update_document` with `based_on_version`.
- To see what is late: `project_report` or `workload`.
"""
COMPLETIONS_AT_MOST: Final = 100
COMPLETED: Final = {
    "document": ("document", "documents:read"),
    "document_id": ("document", "documents:read"),
    "project": ("project", "projects:read"),
    "project_id": ("project", "projects:read"),
}
"""Which argument is completed with the keys of which kind, and what that needs."""


def register_resources(server: MCPServer, store: Store) -> None:
    """Add the resources and templates."""

    @server.resource("harbour://handbook", title="Handbook", mime_type="text/markdown")
    async def handbook() -> str:
        """How Harbour is organised and which tool answers what."""
        return HANDBOOK

    @server.resource("harbour://tree", title="Everything you can see", mime_type="text/markdown")
    async def tree() -> str:
        """All workspaces, projects, folders and documents that you can see, as an indented list with their ids."""
        caller = current_caller()
        _require(caller, "projects:read")
        kinds = {"workspace", "project", "folder"} | ({"document"} if "documents:read" in caller.scopes else set())
        lines = [
            f"{'  ' * depth}- {row['name']} (`{row['id']}`)"
            for depth, row in nodes.tree(store, caller)
            if row["type"] in kinds
        ]
        return "\n".join(lines) + "\n"

    @server.resource("harbour://documents/{document}", title="Document", mime_type="text/markdown")
    async def document(document: str) -> str:
        """The text of one document."""
        found = _document(store, document)
        return f"# {found.title}\n\n{found.body}\n"

    @server.resource("harbour://projects/{project}", title="Project", mime_type="application/json")
    async def project(project: str) -> str:
        """What a project is about, its status, its lead and how much work is open."""
        caller = current_caller()
        _require(caller, "projects:read")
        try:
            row = nodes.node(store, caller, "project", project)
        except HarbourError as refused:
            raise ResourceNotFoundError(str(refused)) from refused
        return read.project(store, row).model_dump_json(indent=2)


def register_prompts(server: MCPServer, store: Store) -> None:
    """Add the prompts."""

    @server.prompt(title="Summarise a document")
    async def summarise_document(
        document_id: Annotated[str, Field(description="Id of the document.")],
        audience: Annotated[str, Field(description="Who will read the summary.")] = "the team",
    ) -> str:
        """Ask for a short summary of a document for a given audience."""
        try:
            found = _document(store, document_id)
        except ResourceNotFoundError as refused:
            raise MCPError(INVALID_PARAMS, str(refused)) from refused
        return (
            f"Summarise the document below for {audience}: five sentences at most, then the open questions as a list."
            f"\n\n# {found.title}\n\n{found.body}"
        )

    @server.prompt(title="Weekly update")
    async def weekly_update(project_id: Annotated[str, Field(description="Id of the project.")]) -> str:
        """Ask for a weekly update of a project, from its report and its documents."""
        caller = current_caller()
        try:
            caller.require("reports:read")
            row = nodes.node(store, caller, "project", project_id)
        except HarbourError as refused:
            raise MCPError(INVALID_PARAMS, str(refused)) from refused
        return (
            f"Write this week's update of the project {row['name']!r}. Call `project_report` with project_id "
            f"{project_id!r}, read the documents that changed last, and write three short paragraphs: what is done, "
            "what is late and why, what comes next. Name people and dates."
        )

    @server.prompt(title="Plan a project")
    async def plan_project(goal: Annotated[str, Field(description="What shall be true at the end.")]) -> str:
        """Ask for a plan with folders, first documents and tasks, and to create them after you agree."""
        return (
            f"Plan a project that reaches this goal: {goal}\n\nPropose a name, two to four folders, the first document "
            "of each and at most ten tasks with dates. Show the plan and wait for my answer. Only then create it, with "
            "`create_project`, `create_folder`, `create_document` and `create_task`."
        )


def register_completion(server: MCPServer, store: Store) -> None:
    """Add argument completion: ids of what the caller can see, found by id or by name."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK leaves it untyped
    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        del ref, context
        kind, permission = COMPLETED.get(argument.name, (None, ""))
        caller = current_caller()
        if kind is None or permission not in caller.scopes:
            return None
        typed = argument.value.casefold()
        found = [
            row["id"]
            for row in nodes.nodes(store, caller, kind)
            if row["id"].casefold().startswith(typed) or typed in row["name"].casefold()
        ]
        return Completion(
            values=found[:COMPLETIONS_AT_MOST], total=len(found), has_more=len(found) > COMPLETIONS_AT_MOST
        )


def _document(store: Store, key: str) -> Document:
    caller = current_caller()
    _require(caller, "documents:read")
    try:
        return read.document(store, nodes.node(store, caller, "document", key))
    except HarbourError as refused:
        raise ResourceNotFoundError(str(refused)) from refused


def _require(caller: Caller, permission: str) -> None:
    try:
        caller.require(permission)
    except HarbourError as refused:
        raise MCPError(INVALID_PARAMS, str(refused)) from refused

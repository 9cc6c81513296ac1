"""Tools for workspaces, projects and folders."""

from sqlite3 import Row
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from doorward.demo.harbour import hints, nodes, read
from doorward.demo.harbour.errors import ConflictError
from doorward.demo.harbour.store import Store
from doorward.demo.harbour.views import (
    Deleted,
    Folder,
    Folders,
    Key,
    Line,
    Name,
    Project,
    Projects,
    ProjectStatus,
    Workspace,
    Workspaces,
)
from doorward.sdk.caller import Caller, current_caller

WorkspaceId = Annotated[Key, Field(description="Id of a workspace, from list_workspaces.")]
ProjectId = Annotated[Key, Field(description="Id of a project, from list_projects.")]
FolderId = Annotated[Key, Field(description="Id of a folder, from list_folders.")]


def register_workspaces(server: MCPServer, store: Store) -> None:
    """Add the tools that read workspaces."""

    @server.tool(title="List workspaces", annotations=hints.READS)
    async def list_workspaces() -> Workspaces:
        """List the workspaces you can see. Start here: everything else hangs below a workspace."""
        caller = current_caller()
        caller.require("workspaces:read")
        found = nodes.nodes(store, caller, "workspace")
        return Workspaces(workspaces=[read.workspace(store, caller, row) for row in found])

    @server.tool(title="Get workspace", annotations=hints.READS)
    async def get_workspace(workspace_id: WorkspaceId) -> Workspace:
        """Show one workspace and how many of its projects you can see."""
        caller = current_caller()
        caller.require("workspaces:read")
        return read.workspace(store, caller, nodes.node(store, caller, "workspace", workspace_id))


def register_projects(server: MCPServer, store: Store) -> None:
    """Add the tools for projects."""

    @server.tool(title="List projects", annotations=hints.READS)
    async def list_projects(
        status: Annotated[ProjectStatus | None, Field(description="Only projects with this status.")] = None,
    ) -> Projects:
        """List the projects you can see, in all workspaces."""
        caller = current_caller()
        caller.require("projects:read")
        found = [read.project(store, row) for row in nodes.nodes(store, caller, "project")]
        return Projects(projects=[p for p in found if status in {None, p.status}])

    @server.tool(title="Get project", annotations=hints.READS)
    async def get_project(project_id: ProjectId) -> Project:
        """Show one project: what it is about, its status, its lead and how much work is open."""
        caller = current_caller()
        caller.require("projects:read")
        return read.project(store, nodes.node(store, caller, "project", project_id))

    @server.tool(title="Create project", annotations=hints.ADDS)
    async def create_project(
        workspace_id: WorkspaceId,
        name: Annotated[Name, Field(description="Name of the new project.")],
        description: Annotated[Line, Field(description="What it is about, in one or two sentences.")] = "",
        lead: Annotated[str, Field(max_length=120, description="Who leads it; you, if left out.")] = "",
    ) -> Project:
        """Create a project in a workspace. It starts as "planned"."""
        caller = current_caller()
        caller.require("projects:write")
        async with store.change(caller.tenant or "") as change:
            parent = nodes.node(change, caller, "workspace", workspace_id)
            key = nodes.add(change, caller, "project", parent=parent, name=name, description=description)
            change.run(
                "INSERT INTO projects (id, status, lead) VALUES (:key, 'planned', :lead)",
                {"key": key, "lead": lead or caller.name},
            )
        return read.project(store, nodes.node(store, caller, "project", key))

    @server.tool(title="Update project", annotations=hints.SETS)
    async def update_project(
        project_id: ProjectId,
        name: Annotated[Name | None, Field(description="The new name; unchanged if left out.")] = None,
        description: Annotated[Line | None, Field(description="The new description; unchanged if left out.")] = None,
        status: Annotated[ProjectStatus | None, Field(description="The new status; unchanged if left out.")] = None,
    ) -> Project:
        """Rename a project, describe it anew or set its status. What you leave out stays as it is."""
        caller = current_caller()
        caller.require("projects:write")
        async with store.change(caller.tenant or "") as change:
            row = nodes.node(change, caller, "project", project_id)
            nodes.rename(change, row, name or row["name"])
            change.run(
                "UPDATE nodes SET description = coalesce(:text, description) WHERE id = :key",
                {"text": description, "key": project_id},
            )
            change.run(
                "UPDATE projects SET status = coalesce(:status, status) WHERE id = :key",
                {"status": status, "key": project_id},
            )
        return read.project(store, nodes.node(store, caller, "project", project_id))

    @server.tool(title="Delete project", annotations=hints.DELETES)
    async def delete_project(project_id: ProjectId) -> Deleted:
        """Delete a project with all its folders, documents, tasks and comments. This cannot be undone."""
        caller = current_caller()
        caller.require("projects:delete")
        async with store.change(caller.tenant or "") as change:
            count = nodes.delete(change, nodes.node(change, caller, "project", project_id))
        return Deleted(id=project_id, nodes=count)


def register_folders(server: MCPServer, store: Store) -> None:
    """Add the tools for folders."""

    @server.tool(title="List folders", annotations=hints.READS)
    async def list_folders(
        project_id: Annotated[
            Key | None, Field(description="Only folders of this project, nested ones included.")
        ] = None,
    ) -> Folders:
        """List the folders you can see, in all projects or in one."""
        caller = current_caller()
        caller.require("folders:read")
        found = _folders(store, caller, project_id)
        return Folders(folders=[read.folder(store, row) for row in found])

    @server.tool(title="Get folder", annotations=hints.READS)
    async def get_folder(folder_id: FolderId) -> Folder:
        """Show one folder and how many documents are in it."""
        caller = current_caller()
        caller.require("folders:read")
        return read.folder(store, nodes.node(store, caller, "folder", folder_id))

    @server.tool(title="Create folder", annotations=hints.ADDS)
    async def create_folder(
        project_id: ProjectId,
        name: Annotated[Name, Field(description="Name of the new folder.")],
        parent_folder_id: Annotated[
            Key | None,
            Field(description="Folder of the same project to put it in; the top of the project if left out."),
        ] = None,
    ) -> Folder:
        """Create a folder in a project, or inside another folder of it."""
        caller = current_caller()
        caller.require("folders:write")
        async with store.change(caller.tenant or "") as change:
            parent = nodes.node(change, caller, "project", project_id)
            if parent_folder_id is not None:
                parent = nodes.node(change, caller, "folder", parent_folder_id)
            if nodes.project_of(change, parent["id"]) != project_id:
                message = "That folder belongs to another project."
                raise ConflictError(message)
            key = nodes.add(change, caller, "folder", parent=parent, name=name)
        return read.folder(store, nodes.node(store, caller, "folder", key))

    @server.tool(title="Rename folder", annotations=hints.SETS)
    async def rename_folder(folder_id: FolderId, name: Annotated[Name, Field(description="The new name.")]) -> Folder:
        """Give a folder another name."""
        caller = current_caller()
        caller.require("folders:write")
        async with store.change(caller.tenant or "") as change:
            nodes.rename(change, nodes.node(change, caller, "folder", folder_id), name)
        return read.folder(store, nodes.node(store, caller, "folder", folder_id))

    @server.tool(title="Move folder", annotations=hints.SETS)
    async def move_folder(
        folder_id: FolderId,
        into_folder_id: Annotated[Key, Field(description="Folder of the same project that it moves into.")],
    ) -> Folder:
        """Move a folder, with everything in it, into another folder of the same project."""
        caller = current_caller()
        caller.require("folders:write")
        async with store.change(caller.tenant or "") as change:
            row = nodes.node(change, caller, "folder", folder_id)
            nodes.move(change, row, nodes.node(change, caller, "folder", into_folder_id))
        return read.folder(store, nodes.node(store, caller, "folder", folder_id))


def _folders(store: Store, caller: Caller, project_id: str | None) -> list[Row]:
    if project_id is None:
        return nodes.nodes(store, caller, "folder")
    nodes.node(store, caller, "project", project_id)
    return nodes.below(store, caller, project_id, "folder")

"""What Harbour's tools answer: the models that become ``outputSchema`` and structured content."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

ProjectStatus = Literal["planned", "active", "done", "archived"]
TaskStatus = Literal["open", "doing", "done"]

Key = Annotated[str, Field(min_length=1, max_length=100)]
Name = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")]
Text = Annotated[str, Field(max_length=100_000)]
Line = Annotated[str, Field(max_length=400)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A date, YYYY-MM-DD.")]


def moment(microseconds: int) -> str:
    """Return an instant as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


class Workspace(BaseModel):
    """A workspace: the top of the tree."""

    id: str
    name: str
    description: str
    projects: int = Field(description="How many of its projects you can see.")


class Workspaces(BaseModel):
    """All workspaces that the caller can see."""

    workspaces: list[Workspace]


class Project(BaseModel):
    """A project of a workspace."""

    id: str
    workspace_id: str
    name: str
    description: str
    status: ProjectStatus
    lead: str
    open_tasks: int


class Projects(BaseModel):
    """Projects, by name."""

    projects: list[Project]


class Folder(BaseModel):
    """A folder of a project; ``parent_folder_id`` is null at the top of the project."""

    id: str
    project_id: str
    parent_folder_id: str | None
    name: str
    documents: int


class Folders(BaseModel):
    """Folders, by name."""

    folders: list[Folder]


class DocumentSummary(BaseModel):
    """A document without its text."""

    id: str
    folder_id: str
    project_id: str
    title: str
    version: int
    updated_at: str
    updated_by: str


class Documents(BaseModel):
    """Documents, by title."""

    documents: list[DocumentSummary]


class Document(DocumentSummary):
    """A document with its text (Markdown)."""

    body: str


class Hit(BaseModel):
    """One search result with the line that matched best."""

    document: DocumentSummary
    excerpt: str


class Hits(BaseModel):
    """Search results, best first."""

    query: str
    hits: list[Hit]


class Version(BaseModel):
    """One saved version of a document."""

    number: int
    saved_at: str
    saved_by: str
    characters: int


class Versions(BaseModel):
    """The history of a document, newest first."""

    document_id: str
    versions: list[Version]


class Comment(BaseModel):
    """A remark on a document."""

    id: str
    document_id: str
    author: str
    at: str
    body: str


class Comments(BaseModel):
    """The remarks on a document, oldest first."""

    comments: list[Comment]


class Task(BaseModel):
    """A piece of work in a project."""

    id: str
    project_id: str
    title: str
    status: TaskStatus
    assignee: str
    due: str | None


class Tasks(BaseModel):
    """Tasks, the most urgent first."""

    tasks: list[Task]


class ProjectReport(BaseModel):
    """Where a project stands."""

    project: Project
    tasks_by_status: dict[TaskStatus, int]
    overdue: list[Task]
    documents: int
    last_change: str | None


class Load(BaseModel):
    """One person's open work."""

    assignee: str
    open: int
    doing: int
    next_due: str | None


class Workload(BaseModel):
    """Open work by person, the busiest first."""

    people: list[Load]


class Export(BaseModel):
    """A project as one Markdown text."""

    project_id: str
    documents: int
    markdown: str


class Deleted(BaseModel):
    """What was deleted, with everything below it."""

    id: str
    nodes: int = Field(description="How many folders and documents went, the named one included.")

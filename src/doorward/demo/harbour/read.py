"""From rows to views: the questions that several tools ask."""

import sqlite3
from collections.abc import Sequence

from doorward.demo.harbour import nodes
from doorward.demo.harbour.errors import NotFoundError
from doorward.demo.harbour.store import Rows
from doorward.demo.harbour.views import (
    Comment,
    Document,
    DocumentSummary,
    Folder,
    Project,
    Task,
    Version,
    Workspace,
    moment,
)
from doorward.sdk.caller import Caller

LATEST = "SELECT * FROM versions WHERE document = :key ORDER BY number DESC LIMIT 1"
TASKS = "SELECT tasks.* FROM tasks WHERE project IN (SELECT id FROM visible) "
BY_URGENCY = "ORDER BY status = 'done', due IS NULL, due, created_at, id"


def workspace(rows: Rows, caller: Caller, row: sqlite3.Row) -> Workspace:
    """Return one workspace."""
    count = len(nodes.nodes(rows, caller, "project", parent=row["id"]))
    return Workspace(id=row["id"], name=row["name"], description=row["description"], projects=count)


def project(rows: Rows, row: sqlite3.Row) -> Project:
    """Return one project."""
    more = rows.all("SELECT status, lead FROM projects WHERE id = :key", {"key": row["id"]})[0]
    count = rows.all("SELECT count(*) FROM tasks WHERE project = :key AND status != 'done'", {"key": row["id"]})[0][0]
    return Project(
        id=row["id"], workspace_id=row["parent"], name=row["name"], description=row["description"],
        status=more["status"], lead=more["lead"], open_tasks=count,
    )  # fmt: skip


def folder(rows: Rows, row: sqlite3.Row) -> Folder:
    """Return one folder."""
    count = rows.all("SELECT count(*) FROM nodes WHERE parent = :key AND type = 'document'", {"key": row["id"]})[0][0]
    return Folder(
        id=row["id"], project_id=nodes.project_of(rows, row["id"]), name=row["name"], documents=count,
        parent_folder_id=row["parent"] if row["parent_type"] == "folder" else None,
    )  # fmt: skip


def summary(rows: Rows, row: sqlite3.Row) -> DocumentSummary:
    """Return a document without its text."""
    return DocumentSummary.model_validate(_document(rows, row))


def document(rows: Rows, row: sqlite3.Row) -> Document:
    """Return a document with its text."""
    return Document.model_validate(_document(rows, row))


def _document(rows: Rows, row: sqlite3.Row) -> dict[str, object]:
    last = rows.all(LATEST, {"key": row["id"]})[0]
    return {
        "id": row["id"], "folder_id": row["parent"], "project_id": nodes.project_of(rows, row["id"]),
        "title": row["name"], "version": last["number"], "updated_at": moment(last["at"]),
        "updated_by": last["author"], "body": last["body"],
    }  # fmt: skip


def versions(rows: Rows, key: str) -> list[Version]:
    """Return the history of a document, newest first."""
    found = rows.all("SELECT * FROM versions WHERE document = :key ORDER BY number DESC", {"key": key})
    return [
        Version(number=v["number"], saved_at=moment(v["at"]), saved_by=v["author"], characters=len(v["body"]))
        for v in found
    ]


def comments(rows: Rows, key: str) -> list[Comment]:
    """Return the remarks on a document, oldest first."""
    found = rows.all("SELECT * FROM comments WHERE document = :key ORDER BY at, id", {"key": key})
    return [comment(row) for row in found]


def comment(row: sqlite3.Row) -> Comment:
    """Return one remark."""
    return Comment(
        id=row["id"], document_id=row["document"], author=row["author"], at=moment(row["at"]), body=row["body"]
    )


def task(row: sqlite3.Row) -> Task:
    """Return one task."""
    return Task(
        id=row["id"], project_id=row["project"], title=row["title"], status=row["status"], assignee=row["assignee"],
        due=row["due"],
    )  # fmt: skip


def tasks(rows: Rows, caller: Caller, where: str = "", **parameters: object) -> list[Task]:
    """Return the tasks of visible projects that fit ``where`` (SQL, never the caller's text), urgent ones first."""
    statement = nodes.VISIBLE + TASKS + where + BY_URGENCY
    return [task(row) for row in rows.all(statement, nodes.seen_by(caller, **parameters))]


def visible_task(rows: Rows, caller: Caller, key: str) -> Task:
    """Return one task of a visible project; raise ``NotFoundError`` otherwise."""
    found: Sequence[Task] = tasks(rows, caller, "AND tasks.id = :key ", key=key)
    if not found:
        kind = "task"
        raise NotFoundError(kind, key)
    return found[0]

"""The first day's data of Harbour, from ``seed.yaml``."""

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final

import yaml

from doorward.demo.harbour.store import Change
from doorward.demo.harbour.views import moment

DAY: Final = timedelta(days=1) // timedelta(microseconds=1)


def plant(change: Change) -> None:
    """Fill an empty store. Dates in the file are days from today, so that the demonstration never looks old."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("doorward.demo.harbour").joinpath("seed.yaml").read_text("utf-8")
    for tenant, workspaces in yaml.load(text, Loader=loader).items():  # noqa: S506  (a safe loader, the fast one)
        for workspace in workspaces:
            _node(change, tenant, "workspace", workspace, None)
            for project in workspace["projects"]:
                _project(change, tenant, project, workspace["id"])


def _project(change: Change, tenant: str, project: Mapping[str, Any], workspace: str) -> None:
    _node(change, tenant, "project", project, workspace)
    change.run("INSERT INTO projects (id, status, lead) VALUES (:id, :status, :lead)", project)
    for folder in project.get("folders", ()):
        _folder(change, tenant, folder, project["id"])
    for task in project.get("tasks", ()):
        due = None if task.get("due") is None else moment(change.now + task["due"] * DAY)[:10]
        change.run(
            "INSERT INTO tasks (id, project, title, status, assignee, due, created_at) "
            "VALUES (:id, :project, :title, :status, :assignee, :due, :now)",
            {**task, "project": project["id"], "due": due, "now": change.now},
        )


def _folder(change: Change, tenant: str, folder: Mapping[str, Any], parent: str) -> None:
    _node(change, tenant, "folder", folder, parent)
    for document in folder.get("documents", ()):
        _document(change, tenant, document, folder["id"])
    for inner in folder.get("folders", ()):
        _folder(change, tenant, inner, folder["id"])


def _document(change: Change, tenant: str, document: Mapping[str, Any], folder: str) -> None:
    _node(change, tenant, "document", document, folder)
    at = change.now + document["saved"] * DAY
    change.run(
        "INSERT INTO versions (document, number, body, author, at) VALUES (:id, 1, :body, :author, :at)",
        {**document, "at": at},
    )
    for comment in document.get("comments", ()):
        change.run(
            "INSERT INTO comments (id, document, body, author, at) VALUES (:id, :document, :body, :author, :at)",
            {**comment, "id": change.new_id("cmt"), "document": document["id"], "at": at + DAY // 4},
        )


def _node(change: Change, tenant: str, kind: str, item: Mapping[str, Any], parent: str | None) -> None:
    change.run(
        "INSERT INTO nodes (id, tenant, type, parent, name, description, created_at, created_by) "
        "VALUES (:id, :tenant, :type, :parent, :name, :description, :now, 'Harbour')",
        {"id": item["id"], "tenant": tenant, "type": kind, "parent": parent, "name": item["name"],
         "description": item.get("description", ""), "now": change.now},
    )  # fmt: skip

"""The tree, as one caller may see it: tenant and allowed subtrees are part of every query, not an afterthought."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Final

from doorward.demo.harbour.errors import ConflictError, NotFoundError
from doorward.demo.harbour.store import Change, Node, Parameters, Rows
from doorward.sdk.caller import Caller

VISIBLE: Final = """
WITH RECURSIVE visible (id) AS (
  SELECT id FROM nodes WHERE tenant = :tenant AND CASE
    WHEN :roots IS NULL THEN parent IS NULL
    ELSE type || '/' || id IN (SELECT value FROM json_each(:roots)) END
  UNION
  SELECT nodes.id FROM nodes JOIN visible ON nodes.parent = visible.id WHERE nodes.tenant = :tenant
)
"""
"""Prefix of every query: ``visible`` holds the nodes at or below the caller's roots, or the whole tenant."""

NODES: Final = f"""{VISIBLE}
SELECT nodes.*, parents.type AS parent_type FROM nodes LEFT JOIN nodes AS parents ON parents.id = nodes.parent
WHERE nodes.id IN (SELECT id FROM visible)
"""  # noqa: S608  (constants only)


def seen_by(caller: Caller, **more: object) -> Parameters:
    """Return the parameters that ``VISIBLE`` needs, and ``more``."""
    roots = None if caller.roots is None else json.dumps(sorted(f"{kind}/{key}" for kind, key in caller.roots))
    return {"tenant": caller.tenant, "roots": roots, **more}


def node(rows: Rows, caller: Caller, kind: str, key: str) -> sqlite3.Row:
    """Return a node that the caller may see; raise ``NotFoundError`` otherwise, in the same words for every reason."""
    row = rows.first(NODES + "AND nodes.id = :key AND nodes.type = :kind", seen_by(caller, key=key, kind=kind))
    if row is None:
        raise NotFoundError(kind, key)
    return row


def nodes(rows: Rows, caller: Caller, kind: str, *, parent: str | None = None) -> list[sqlite3.Row]:
    """Return the visible nodes of one kind, by name; only the children of ``parent`` where it is given."""
    return rows.all(
        NODES + "AND nodes.type = :kind AND (:parent IS NULL OR nodes.parent = :parent) ORDER BY nodes.name, nodes.id",
        seen_by(caller, kind=kind, parent=parent),
    )


def below(rows: Rows, caller: Caller, key: str, kind: str) -> list[sqlite3.Row]:
    """Return the visible nodes of one kind anywhere below ``key``."""
    inside = (
        "AND nodes.type = :kind AND nodes.id IN (WITH RECURSIVE inside (id) AS (SELECT :key UNION "
        "SELECT nodes.id FROM nodes JOIN inside ON nodes.parent = inside.id) SELECT id FROM inside) "
    )
    return rows.all(NODES + inside + "ORDER BY nodes.name, nodes.id", seen_by(caller, key=key, kind=kind))


def project_of(rows: Rows, key: str) -> str:
    """Return the id of the project that holds a folder or document."""
    row = rows.first(
        "WITH RECURSIVE up (id, type, parent) AS (SELECT id, type, parent FROM nodes WHERE id = :key UNION "
        "SELECT nodes.id, nodes.type, nodes.parent FROM nodes JOIN up ON nodes.id = up.parent) "
        "SELECT id FROM up WHERE type = 'project'",
        {"key": key},
    )
    return str(row["id"]) if row is not None else ""


def tree(rows: Rows, caller: Caller) -> Iterator[tuple[int, sqlite3.Row]]:
    """Yield (depth, node) in reading order: each visible node after its parent, siblings by name."""
    children: dict[str | None, list[sqlite3.Row]] = {}
    everything = rows.all(NODES + "ORDER BY nodes.name, nodes.id", seen_by(caller))
    ids = {row["id"] for row in everything}
    for row in everything:
        children.setdefault(row["parent"] if row["parent"] in ids else None, []).append(row)
    waiting = [(0, row) for row in reversed(children.get(None, []))]
    while waiting:
        depth, row = waiting.pop()
        yield depth, row
        waiting.extend((depth + 1, child) for child in reversed(children.get(row["id"], [])))


def add(change: Change, caller: Caller, kind: str, *, parent: sqlite3.Row, name: str, description: str = "") -> str:
    """Insert a node below ``parent`` and return its id."""
    prefix = {"project": "prj", "folder": "fld", "document": "doc"}[kind]
    key = change.new_id(prefix)
    change.run(
        "INSERT INTO nodes (id, tenant, type, parent, name, description, created_at, created_by) "
        "VALUES (:key, :tenant, :kind, :parent, :name, :description, :now, :by)",
        {"key": key, "tenant": caller.tenant, "kind": kind, "parent": parent["id"], "name": name,
         "description": description, "now": change.now, "by": caller.name},
    )  # fmt: skip
    change.put.append(Node(type=kind, key=key, name=name, parent=(parent["type"], parent["id"])))
    return key


def rename(change: Change, row: sqlite3.Row, name: str) -> None:
    """Give a node another name."""
    change.run("UPDATE nodes SET name = :name WHERE id = :key", {"name": name, "key": row["id"]})
    if row["name"] != name:
        change.put.append(Node(type=row["type"], key=row["id"], name=name, parent=(row["parent_type"], row["parent"])))


def move(change: Change, row: sqlite3.Row, parent: sqlite3.Row) -> None:
    """Hang a node below another parent of the same project; raise ``ConflictError`` where that cannot be."""
    if project_of(change, parent["id"]) != project_of(change, row["id"]):
        message = "It can only be moved inside its own project."
        raise ConflictError(message)
    if row["id"] in _upwards(change, parent["id"]):
        message = "A folder cannot be moved into itself."
        raise ConflictError(message)
    change.run("UPDATE nodes SET parent = :parent WHERE id = :key", {"parent": parent["id"], "key": row["id"]})
    change.put.append(Node(type=row["type"], key=row["id"], name=row["name"], parent=(parent["type"], parent["id"])))


def delete(change: Change, row: sqlite3.Row) -> int:
    """Delete a node with everything below it and return how many nodes went."""
    inside = change.all(
        "WITH RECURSIVE inside (id, type, depth) AS (SELECT id, type, 0 FROM nodes WHERE id = :key UNION "
        "SELECT nodes.id, nodes.type, depth + 1 FROM nodes JOIN inside ON nodes.parent = inside.id) "
        "SELECT id, type FROM inside ORDER BY depth DESC",
        {"key": row["id"]},
    )
    for gone in inside:
        change.run("DELETE FROM nodes WHERE id = :key", {"key": gone["id"]})
        change.removed.append((gone["type"], gone["id"]))
    return len(inside)


def _upwards(rows: Rows, key: str) -> set[str]:
    found = rows.all(
        "WITH RECURSIVE up (id, parent) AS (SELECT id, parent FROM nodes WHERE id = :key UNION "
        "SELECT nodes.id, nodes.parent FROM nodes JOIN up ON nodes.id = up.parent) SELECT id FROM up",
        {"key": key},
    )
    return {str(row["id"]) for row in found}

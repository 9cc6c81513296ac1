"""What the source defines, the source uses: tests alone keep nothing alive."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from support.tree import ROOT, SOURCE, modules, text

CALLED_BY_OTHERS = {
    "doorward.sdk": "authors of servers import it",
    "doorward.cli": "click calls its commands by their names",
    "doorward.storage.migrations": "alembic reads it",
}
USED_BY_TESTS = {
    "trigger_ddl": "what the migration's triggers are compared with",
    "recent_events": "the log as it was written",
    "recent_calls": "the log as it was written",
}


def defined() -> Iterator[str]:
    """Yield every name that a module defines at its top."""
    for path, tree in modules(SOURCE):
        name = path.removeprefix("src/").replace("/", ".")
        if name.startswith(tuple(CALLED_BY_OTHERS)):
            continue
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                yield node.name
            elif isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id


def mentioned() -> Counter[str]:
    """Count every word of the code, of the texts in it, and of the templates; docstrings are no use."""
    found: Counter[str] = Counter()
    for _, tree in modules(SOURCE):
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found[node.id] += 1
            elif isinstance(node, ast.Attribute):
                found[node.attr] += 1
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
                found.update(re.findall(r"\w+", node.value))
    for path in (*SOURCE.rglob("*.html"), ROOT / "pyproject.toml"):
        found.update(re.findall(r"\w+", text(path)))
    return found


def test_every_name_is_used_by_the_source_itself() -> None:
    used = mentioned()
    assert {name for name in defined() if not used[name] and not name.startswith("__")} == USED_BY_TESTS.keys()

"""The repository as data: tracked files, and our modules parsed."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "doorward"


@cache
def tracked() -> tuple[Path, ...]:
    """Return every file that is, or is about to be, in the repository; empty where this is no clone."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    return tuple(path for name in sorted(set(done.stdout.split("\0"))) if name and (path := ROOT / name).is_file())


def text(path: Path) -> str:
    """Return a file's text; bytes that are not UTF-8 are replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


def _python(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "node_modules" not in path.parts)


@cache
def modules(folder: Path = SOURCE) -> tuple[tuple[str, ast.Module], ...]:
    """Return ``(path below the root, syntax tree)`` of every module in a folder."""
    return tuple((str(path.relative_to(ROOT)), ast.parse(text(path))) for path in _python(folder))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def dotted(node: ast.expr) -> str | None:
    """Return ``a.b.c`` for a name or an attribute of a name, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else None
    return None

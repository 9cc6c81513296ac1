"""Dependencies point down: the contracts of pyproject.toml hold, and they catch what they are there for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.tree import ROOT

CONTRACTS = ROOT / "pyproject.toml"


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    return subprocess.run(
        [*command, "--config", str(CONTRACTS), "--no-cache"],
        cwd=folder, env={"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1", "LC_ALL": "C.UTF-8"},
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def test_every_import_contract_holds() -> None:
    done = lint(ROOT / "src")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "module, line, contract",
    [
        ("policy/permission.py", "import time", "what decides reaches no I/O"),
        ("protocol/scope.py", "import os", "what decides reaches no I/O"),
        ("model/basics.py", "import doorward.audit", "imports point down"),
        ("credentials/secret.py", "import sqlite3", "only storage knows tables"),
        ("credentials/issuer.py", "import starlette", "HTTP types stop"),
        ("audit.py", "import doorward.settings", "everybody else gets plain values"),
        ("demo/harbour/store.py", "import doorward.storage.schema", "the example server could live"),
        ("protocol/pkce.py", "import doorward.policy.rules", "imports point down"),
        ("policy/matching.py", "import doorward.policy.rules", "no circles"),
    ],
)
def test_a_contract_catches_a_seeded_violation(tmp_path: Path, module: str, line: str, contract: str) -> None:
    copy = tmp_path / "doorward"
    shutil.copytree(ROOT / "src" / "doorward", copy, ignore=shutil.ignore_patterns("__pycache__"))
    path = copy / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(tmp_path)
    assert done.returncode == 1, "the violation went unnoticed"
    broken = [said for said in done.stdout.splitlines() if " BROKEN" in said]
    assert any(said.startswith(contract) for said in broken), done.stdout[-3000:]

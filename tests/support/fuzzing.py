"""Schemathesis, run against a program that serves what a description says."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXAMPLES = int(os.environ.get("API_EXAMPLES", "0"))
"""How many of each operation; 0: few, as every change is tried with."""
HOOKS = Path(__file__).with_name("fuzz_hooks.py")


@dataclass(frozen=True, kw_only=True)
class Fuzz:
    """One run: in which phases, what it is told in its configuration, which ids are the asker's own.

    ``share``: of the cases of the phase *coverage*, which are as many whatever is asked for, every so many-th from the
    so many-th on.
    """

    phases: Sequence[str]
    config: str
    examples: int
    own: Sequence[str] = ()
    share: tuple[int, int] = (0, 1)
    off: Collection[tuple[str, str]] = ()
    """Kinds of failures that are none at some operations."""


@dataclass(frozen=True)
class Found:
    """What came of it: whether every check held, what was said, and how often each operation answered what."""

    clean: bool
    says: str
    answered: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def never_done(self) -> set[str]:
        """Return the operations that were asked and never did what they are for."""
        return {name for name, statuses in self.answered.items() if not any(200 <= each < 300 for each in statuses)}


def fuzz(described: Mapping[str, Any], url: str, folder: Path, run: Fuzz) -> Found:
    """Ask ``url`` what ``described`` promises, and everything that it forbids."""
    folder.mkdir()
    (folder / "schemathesis.toml").write_text(run.config, encoding="utf-8")
    (folder / "openapi.json").write_text(json.dumps(described), encoding="utf-8")
    answered = folder / "answered.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run", "openapi.json",
        "--url", url, "--checks", "all", "--phases", ",".join(run.phases),
        "--max-examples", str(EXAMPLES or run.examples), "--generation-deterministic",
        "--no-color",
    ]  # fmt: skip
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS), "FUZZ_OWN": " ".join(run.own), "FUZZ_ANSWERED": str(answered),
        "FUZZ_OFF": json.dumps(list(run.off)), "FUZZ_SHARE": json.dumps((0, 1) if EXAMPLES else run.share),
    }  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    statuses: dict[str, dict[int, int]] = {}
    for name, status, count in json.loads(answered.read_text(encoding="utf-8")):
        statuses.setdefault(name, {})[status] = count
    return Found(done.returncode == 0, done.stdout + done.stderr, statuses)

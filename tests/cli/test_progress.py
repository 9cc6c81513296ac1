"""How far a long command is: a counter where somebody looks on, and nothing of it in what it prints."""

import json
import os
import pty
import subprocess
import sys

import pytest
from tests.cli.commands import PASSWORD, Commands

pytestmark = pytest.mark.requirement("F4")


def on_a_terminal(team: Commands, *arguments: str) -> tuple[str, str]:
    """Run a command whose stderr is a terminal; return what it printed, and what the terminal showed."""
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "doorward.cli.main", *arguments, "--data", str(team.data)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=False, timeout=60)
    finally:
        os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:
            pass  # The other end is closed: that was all.
    return done.stdout, shown.decode()


def test_on_a_terminal_a_counter_goes_up_beside_the_answer(team: Commands) -> None:
    path = team.folder / "three.json"
    people = [{"email": f"p{number}@acme.example", "password": PASSWORD} for number in range(3)]
    path.write_text(json.dumps({"users": people}), encoding="utf-8")
    printed, shown = on_a_terminal(team, "apply", "-f", str(path))
    assert printed.startswith("Changed:\n")
    assert printed.count("\n") == 4
    assert "Checking 3 passwords" in shown
    assert "3/3" in shown
    printed, shown = on_a_terminal(team, "apply", "-f", str(path), "--quiet")
    assert (printed, shown) == ("Nothing to change.\n", "")


def test_servers_that_are_asked_are_counted(team: Commands) -> None:
    asked = team.run("servers", "status", "wiki")
    assert asked.stderr.startswith("Asking 1 server …\n")
    assert "Asking" not in team.run("servers", "status", "wiki", "--quiet").stderr
    assert "Asking" not in asked.stdout

"""Fixtures of these tests."""

from pathlib import Path

import pytest
from tests.cli.commands import TEAM, Commands


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Return a command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Commands(tmp_path)


@pytest.fixture
def team(commands: Commands) -> Commands:
    """Return a command line with a deployment of two tenants and three people."""
    assert commands.init().exit_code == 0
    done = commands.apply(TEAM)
    assert done.exit_code == 0, done.output
    return commands

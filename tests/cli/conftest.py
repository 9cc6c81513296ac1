"""Fixtures of these tests."""

import shutil
from pathlib import Path

import pytest
from tests.cli.commands import TEAM, Commands


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Return a command line in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return Commands(tmp_path)


@pytest.fixture(scope="session")
def team_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment of two tenants and three people; copying it is quicker than making its keys again."""
    made = Commands(tmp_path_factory.mktemp("team"))
    assert made.init().exit_code == 0
    done = made.apply(TEAM)
    assert done.exit_code == 0, done.output
    return made.folder


@pytest.fixture
def team(commands: Commands, team_template: Path) -> Commands:
    """Return a command line with a deployment of its own, of two tenants and three people."""
    shutil.copytree(team_template, commands.folder, dirs_exist_ok=True)
    return commands

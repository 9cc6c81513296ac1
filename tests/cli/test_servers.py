"""``doorward servers status``: what is behind the door, asked now."""

import json
import sys
from pathlib import Path

import pytest
from tests.cli.commands import Commands

pytestmark = pytest.mark.requirement("G4")
SERVER = Path(__file__).parent.parent / "gateway" / "stdio_server.py"


def test_each_server_is_asked_and_one_that_is_away_is_told(team: Commands) -> None:
    command = [sys.executable, "-I", "-S", str(SERVER)]
    team.apply({"servers": [{"slug": "notebook", "paths": ["/notebook"], "command": command}]})
    well = team.run("servers", "status", "notebook")
    assert well.exit_code == 0, well.output
    assert "notebook  notebook 1.2.3, MCP 2026-07-28, 14 tools" in well.stdout
    both = team.run("servers", "status", "--json")
    assert both.exit_code == 1
    found = {each["slug"]: each for each in json.loads(both.stdout)["servers"]}
    assert found["notebook"]["problem"] is None
    assert "cannot connect" in found["wiki"]["problem"]
    assert "does not answer: cannot connect" in team.run("servers", "status").stdout


def test_an_unknown_one_is_refused(team: Commands) -> None:
    refused = team.run("servers", "status", "nothing")
    assert refused.exit_code == 1
    assert "there is no active server 'nothing'" in refused.stderr

"""``doorward servers status``: what is behind the door, asked now."""

import json
import sys
from pathlib import Path

import anyio
import pytest
from tests.cli.commands import Commands

from doorward.cli.serve import _declare
from doorward.model import SECOND, Instant, Sighting
from doorward.provisioning.reading import DocumentError
from doorward.provisioning.sightings import sight
from doorward.settings import load
from doorward.storage.opening import open_database

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


def test_serve_declares_its_command_for_all_tenants_beside_what_they_have(team: Commands) -> None:
    settings = load(data_dir=team.data)
    with pytest.raises(DocumentError, match="is also one of server"):
        _declare(settings, "true")
    team.apply({"servers": [{"slug": "wiki", "paths": ["/wiki"]}]})
    for _ in range(2):
        _declare(settings, f"{sys.executable} -I -S {SERVER}")
    assert team.run("servers", "status", "stdio").exit_code == 0
    again = team.run("apply", "--plan", "-f", str(declared(team)))
    assert "Nothing" in again.stdout or "tenant" not in again.stdout, again.stdout


def declared(team: Commands) -> Path:
    path = team.folder / "tenants.json"
    tenants = [{"slug": "acme", "servers": ["stdio", "wiki"]}, {"slug": "globex", "servers": ["stdio"]}]
    path.write_text(json.dumps({"tenants": tenants}))
    return path


def test_a_version_that_is_new_is_told_with_the_one_before(team: Commands) -> None:
    command = [sys.executable, "-I", "-S", str(SERVER)]
    team.apply({"servers": [{"slug": "notebook", "paths": ["/notebook"], "command": command}]})
    at = Instant(1_790_000_000 * SECOND)
    for version, told in (("1.2.2", "new since just now, before: notebook 1.2.2, MCP 2025-11-25"), ("1.2.3", None)):
        said = Sighting(name="notebook", version=version, revision="2025-11-25")
        seen(team, said, at)
        line = team.run("servers", "status", "notebook").stdout
        assert told is None or told in line
        at = Instant(at + 3600 * SECOND)
    assert "new since 2026-09-21 15:13, before: notebook 1.2.2, MCP 2025-11-25" in line


def seen(team: Commands, said: Sighting, at: Instant) -> None:
    """Have the gateway's watch see this at that time."""

    async def use() -> None:
        database = open_database(f"sqlite://{team.data / 'doorward.db'}", create=False)
        await database.write(lambda tx: sight(tx, "notebook", said, at))
        await database.close()

    anyio.run(use)

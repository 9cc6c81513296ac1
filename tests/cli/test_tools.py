"""``doorward tools``, and what a server's policy for them may be."""

import asyncio
import json

import pytest
from tests.cli.commands import TEAM, Commands, failed

from doorward.bootstrap.core import open_core
from doorward.model import Instant
from doorward.provisioning.tools import SeenTool, remember
from doorward.settings import load

pytestmark = pytest.mark.requirement("D4")


@pytest.fixture
def seen(team: Commands) -> Commands:
    async def use() -> None:
        core = await open_core(load(data_dir=team.data), create=False)
        tools = [SeenTool("export", "a" * 64, {"readOnlyHint": True}), SeenTool("import", "b" * 64, {})]
        await core.database.write(lambda tx: remember(tx, "wiki", tools, Instant(1_790_000_000_000_000)))
        await core.close()

    assert team.apply({"servers": [{**TEAM["servers"][0], "tools": [], "new_tools": "hold"}]}).exit_code == 0
    asyncio.run(use())
    return team


def states(commands: Commands) -> dict[str, str]:
    listed = json.loads(commands.run("tools", "list", "wiki", "--json").stdout)["tools"]
    return {tool["name"]: tool["state"] for tool in listed}


def test_what_waits_is_listed_and_approved(seen: Commands) -> None:
    assert seen.run("tools", "list", "wiki", "--held").stdout == (
        "held     export  seen 2026-09-21 14:13  aaaaaaaaaaaa  readOnlyHint\n"
        "held     import  seen 2026-09-21 14:13  bbbbbbbbbbbb\n"
    )
    assert seen.run("tools", "approve", "wiki", "export").stdout == "Tool export of wiki is approved as it is now.\n"
    assert seen.run("tools", "approve", "wiki", "export").stdout.endswith(", as before.\n")
    assert states(seen) == {"export": "allowed", "import": "held"}
    assert seen.run("tools", "block", "wiki", "import").stdout == "Tool import of wiki is blocked.\n"
    assert seen.run("tools", "hold", "wiki", "export").stdout == "Tool export of wiki is held.\n"
    assert states(seen) == {"export": "held", "import": "blocked"}
    assert "export" in seen.run("tools", "list", "wiki", "--held").stdout
    assert "import" not in seen.run("tools", "list", "wiki", "--held").stdout


def test_a_policy_is_changed_by_a_document_and_takes_nothing_that_was_approved(seen: Commands) -> None:
    wiki = {"slug": "wiki", "new_tools": "allow", "changed_tools": "hold"}
    told = seen.apply({"servers": [wiki]}).stdout
    assert "new tools “hold” → “allow”" in told
    assert "changed tools “allow” → “hold”" in told
    assert states(seen) == {"export": "held", "import": "held"}
    assert "write one of" in failed(seen.apply({"servers": [{**wiki, "new_tools": "ask"}]})).lower()


@pytest.mark.parametrize("command", ["approve", "hold", "block"])
def test_what_was_never_seen_is_told_so(seen: Commands, command: str) -> None:
    assert "never seen" in failed(seen.run("tools", command, "wiki", "nothing"))
    assert "there is no server" in failed(seen.run("tools", command, "x", "export"))
    assert "there is no server" in failed(seen.run("tools", "list", "x"))

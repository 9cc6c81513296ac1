"""``doorward client list``, ``allow``, ``deny``, ``allow-redirect``."""

import json
from typing import Any

import pytest
from tests.cli.commands import Commands, failed
from tests.cli.test_client import PORTAL

AWAY = "https://new.example/cb"


@pytest.fixture
def portal(team: Commands) -> Commands:
    assert team.apply(PORTAL).exit_code == 0
    return team


def listed(portal: Commands, *more: str) -> dict[str, Any]:
    done = portal.run("client", "list", "--json", *more)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.requirement("B3")
def test_a_client_is_denied_and_allowed_again_in_one_tenant_or_everywhere(portal: Commands) -> None:
    states = {each["id"]: each["state"] for each in listed(portal)["clients"]}
    assert states == {"portal": "allowed", "cli": "allowed"}
    done = portal.run("client", "deny", "portal", "--tenant", "acme")
    assert done.stdout == "portal is denied in acme. Connections ended: 0.\n"
    assert {each["id"]: each["state"] for each in listed(portal, "--tenant", "acme")["clients"]}["portal"] == "denied"
    assert {each["id"]: each["state"] for each in listed(portal, "--tenant", "globex")["clients"]}[
        "portal"
    ] == "allowed"
    portal.run("client", "allow", "portal", "--tenant", "acme")
    portal.run("client", "allow-redirect", "portal", AWAY)
    portal.run("client", "allow", "--host", "claude.ai", "--tenant", "globex")
    said = listed(portal, "--tenant", "acme")["verdicts"]
    assert {(each["tenant"], each["kind"], each["client"], each["value"], each["allowed"]) for each in said} == {
        ("acme", "client", "portal", None, True),
        (None, "redirect_uri", "portal", AWAY, True),
    }
    told = portal.run("client", "list").stdout
    assert "allowed redirect_host claude.ai in globex" in told
    assert f"allowed redirect_uri portal {AWAY} everywhere" in told
    assert "“Portal”, registered, answers go to p.example" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["allow", "nobody"], "no such client"),
        (["allow", "portal", "--tenant", "nowhere"], "no tenant"),
        (["allow", "--host", "localhost"], "https host"),
        (["allow-redirect", "portal", "javascript:alert(1)"], "redirect"),
    ],
)
def test_what_cannot_be_decided_is_said_in_one_line(portal: Commands, arguments: list[str], words: str) -> None:
    assert words in failed(portal.run("client", *arguments))


@pytest.mark.parametrize("arguments", [[], ["portal", "--host", "a.example"]])
def test_one_thing_is_decided_at_a_time(portal: Commands, arguments: list[str]) -> None:
    assert portal.run("client", "deny", *arguments).exit_code == 2

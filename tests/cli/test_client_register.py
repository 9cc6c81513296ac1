"""``doorward client register``, ``change``, ``show`` and ``delete``."""

import json
from typing import Any

import pytest
from tests.cli.commands import Commands, failed

URI = "https://p.example/cb"


def register(team: Commands, *more: str) -> dict[str, Any]:
    done = team.run("client", "register", "Portal", "--tenant", "acme", "--redirect-uri", URI, *more, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def shown(team: Commands, client: str) -> dict[str, Any]:
    done = team.run("client", "show", client, "--tenant", "acme", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.requirement("B5")
def test_a_client_is_registered_with_limits_and_shown(team: Commands) -> None:
    made = register(team, "--method", "client_secret_post", "--scope", "*:read", "--resource", "space/s/1")
    assert made["secret"].startswith("dwk_")
    found = shown(team, made["client"])
    assert (found["type"], found["redirect_uris"], found["scopes"]) == (
        "confidential",
        [URI],
        ["pages:read", "wiki:read"],
    )
    assert found["resources"] == [{"type": "space", "key": "s/1"}]
    assert [each["good"] for each in found["secrets"]] == [True]
    assert made["secret"] not in json.dumps(found)
    assert "client_secret" not in team.run("client", "register", "P", "--tenant", "acme", "--redirect-uri", URI).stdout
    words = team.run("client", "show", made["client"], "--tenant", "acme").stdout
    assert "Portal" in words


def test_a_client_is_changed_and_deleted_for_ever(team: Commands) -> None:
    client = register(team)["client"]
    done = team.run("client", "change", client, "--tenant", "acme", "--name", "Gate", "--redirect-uri", URI)
    assert "is changed" in done.stdout
    assert shown(team, client)["name"] == "Gate"
    assert "Connections ended: 0" in team.run("client", "delete", client, "--tenant", "acme").stdout
    assert shown(team, client)["state"] == "deleted"
    assert "never comes back" in failed(team.run("client", "enable", client))
    assert "DW-494" in failed(
        team.run("client", "change", client, "--tenant", "acme", "--name", "G", "--redirect-uri", URI)
    )


def test_what_is_wrong_is_one_line(team: Commands) -> None:
    bad = team.run("client", "register", "P", "--tenant", "acme", "--redirect-uri", "http://p.example/cb")
    assert "DW-491" in failed(bad)
    assert "no tenant" in failed(team.run("client", "register", "P", "--tenant", "nope", "--redirect-uri", URI))
    assert "no such client" in failed(team.run("client", "show", "app_x", "--tenant", "acme"))
    there = register(team)["client"]
    assert "no such client" in failed(team.run("client", "delete", there, "--tenant", "globex"))

"""``doorward role``."""

import json
from typing import Any

from tests.cli.commands import Commands, failed


def listed(team: Commands) -> dict[str, Any]:
    found = json.loads(team.run("role", "list", "--tenant", "acme", "--json").stdout)["roles"]
    return {each["name"]: each for each in found}


def test_a_role_is_made_given_changed_taken_and_deleted(team: Commands) -> None:
    made = team.run("role", "create", "scribe", "--tenant", "acme", "--permission", "pages:write")
    assert (made.exit_code, made.stdout) == (0, "scribe is made.\n"), made.output
    given = team.run("role", "give", "scribe", "sam@both.example", "--tenant", "acme", "--at", "space/s/1")
    assert given.stdout == "sam@both.example is scribe at space/s/1.\n", given.output
    shown = team.run("role", "show", "scribe", "--tenant", "acme").stdout
    assert shown == "scribe  pages:write\n  sam@both.example: space/s/1\n"
    as_json = json.loads(team.run("role", "show", "viewer", "--tenant", "acme", "--json").stdout)
    assert [each["everywhere"] for each in as_json["holders"]] == [True]
    assert "scribe  own  held by 1  pages:write" in team.run("role", "list", "--tenant", "acme").stdout
    changed = team.run("role", "change", "scribe", "--tenant", "acme", "--permission", "pages:*")
    assert changed.stdout == "scribe gives pages:*.\n"
    refused = failed(team.run("role", "delete", "scribe", "--tenant", "acme"))
    assert "sam@both.example" in refused
    taken = team.run("role", "take", "scribe", "sam@both.example", "--tenant", "acme", "--at", "space/s/1")
    assert taken.stdout == "sam@both.example is not scribe at space/s/1 any more.\n"
    team.run("user", "roles", "sam@both.example", "--tenant", "acme", "--role", "scribe")
    gone = team.run("role", "delete", "scribe", "--tenant", "acme", "--move-to", "viewer")
    assert gone.stdout == "scribe is deleted. 1 moved to viewer.\n"
    assert "scribe" not in listed(team)


def test_what_cannot_be_done_says_cause_and_fix(team: Commands) -> None:
    for arguments, said in (
        (("create", "Bad Name", "--tenant", "acme"), "a letter first"),
        (("create", "owner", "--tenant", "acme"), "already"),
        (("create", "x", "--tenant", "nosuch"), "there is no tenant"),
        (("create", "x", "--tenant", "acme", "--permission", "none:none"), "none:none"),
        (("change", "owner", "--tenant", "acme"), "built-in roles"),
        (("delete", "nosuch", "--tenant", "acme"), "No role of this name"),
        (("show", "nosuch", "--tenant", "globex"), "No role of this name"),
        (("give", "viewer", "sam@both.example", "--tenant", "acme", "--at", "space"), "TYPE/KEY"),
        (("give", "viewer", "lone@x.example", "--tenant", "acme", "--at", "space/s/1"), "member"),
        (("take", "viewer", "sam@both.example", "--tenant", "acme", "--at", "space/s/1"), "not held there"),
    ):
        assert said in failed(team.run("role", *arguments)), arguments
    assert set(listed(team)) == {"owner", "admin", "editor", "viewer"}

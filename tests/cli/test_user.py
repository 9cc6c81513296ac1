"""``doorward user`` and ``doorward service-account``."""

import json
from typing import Any

import pytest
from tests.cli.commands import Commands, failed


def listed(team: Commands, *more: str) -> dict[str, Any]:
    found = json.loads(team.run("user", "list", "--json", *more).stdout)["users"]
    return {each["email"]: each for each in found}


@pytest.mark.requirement("E2")
def test_people_are_made_listed_and_given_roles(team: Commands) -> None:
    made = team.run("user", "create", "Kim@Acme.example", "--tenant", "acme", "--role", "editor")
    assert (made.exit_code, made.stdout) == (0, "kim@acme.example has an account.\n"), made.output
    assert listed(team, "--tenant", "acme")["kim@acme.example"]["roles"] == ["editor"]
    done = team.run(
        "user", "roles", "kim@acme.example", "--tenant", "acme", "--role", "viewer", "--at", "editor=space/s/1"
    )
    assert done.stdout == "kim@acme.example in acme: viewer, editor at space/s/1.\n"
    shown = json.loads(team.run("user", "show", "kim@acme.example", "--json").stdout)
    assert shown["tenants"] == [{"tenant": "acme", "roles": ["viewer"], "at": ["editor at space/s/1"]}]
    assert "viewer" in team.run("user", "show", "kim@acme.example").stdout
    none = team.run("user", "roles", "kim@acme.example", "--tenant", "acme", "--none")
    assert none.stdout == "kim@acme.example in acme: no role.\n"
    assert "kim@acme.example  Kim  person  active  no role" in team.run("user", "list", "--tenant", "acme").stdout


@pytest.mark.requirement("E2")
def test_people_leave_in_one_action(team: Commands) -> None:
    team.made("--user", "sam@both.example", "--tenant", "globex")
    left = team.run("user", "remove", "sam@both.example", "--tenant", "acme")
    assert left.stdout == "sam@both.example is no member of acme any more. They held nothing.\n"
    assert "DW" not in failed(team.run("user", "deactivate", "sam@both.example"))
    team.run("user", "create", "kim@globex.example", "--tenant", "globex", "--role", "owner")
    done = team.run("user", "deactivate", "sam@both.example")
    assert done.stdout == "sam@both.example is deactivated. Ended: 1 api keys.\n", done.output
    assert listed(team)["sam@both.example"]["status"] == "disabled"
    assert team.run("user", "activate", "sam@both.example").stdout == "sam@both.example is active.\n"
    stopped = team.run("user", "delete", "sam@both.example", stdin="n\n")
    assert (stopped.exit_code, "Nothing was changed" in stopped.stderr) == (1, True)
    assert team.run("user", "delete", "sam@both.example", "--yes").exit_code == 0
    assert "sam@both.example" not in listed(team)
    assert "there is no user" in failed(team.run("user", "show", "sam@both.example"))


def test_what_cannot_be_done_says_cause_and_fix(team: Commands) -> None:
    last = failed(team.run("user", "deactivate", "ines@acme.example"))
    assert "one owner of a tenant" in last
    assert "Make somebody else an owner" in last
    for arguments in (
        ("user", "deactivate", "nobody@acme.example"),
        ("user", "create", "x@acme.example", "--tenant", "nosuch"),
        ("user", "create", "ines@acme.example", "--tenant", "acme"),
        ("user", "create", "x@acme.example", "--tenant", "acme", "--role", "nosuch"),
        ("user", "create", "no address", "--tenant", "acme"),
        ("user", "roles", "sam@both.example", "--tenant", "acme"),
        ("user", "roles", "sam@both.example", "--tenant", "acme", "--role", "viewer", "--none"),
        ("user", "roles", "sam@both.example", "--tenant", "acme", "--at", "viewer"),
        ("user", "roles", "lone@x.example", "--tenant", "acme", "--role", "viewer"),
        ("user", "list", "--tenant", "nosuch"),
    ):
        failed(team.run(*arguments))
    weak = team.run("user", "create", "x@acme.example", "--tenant", "acme", "--password-stdin", stdin="short\n")
    assert "at least 12" in failed(weak)
    assert "x@acme.example" not in listed(team)


@pytest.mark.requirement("C6")
def test_service_accounts_are_made_and_listed(team: Commands) -> None:
    made = team.run("service-account", "create", "acme", "Deploy", "--role", "editor", "--email", "ci@acme.example")
    assert made.stdout == "ci@acme.example is made.\n", made.output
    found = json.loads(team.run("service-account", "list", "acme", "--json").stdout)["service_accounts"]
    assert [(each["name"], each["kind"], each["roles"]) for each in found] == [("Deploy", "service", ["editor"])]
    assert "Deploy" in team.run("service-account", "list", "acme").stdout
    assert team.run("service-account", "deactivate", "ci@acme.example").exit_code == 0
    assert team.made("--user", "ines@acme.example", "--tenant", "acme")

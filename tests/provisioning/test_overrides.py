"""``overrides`` of a tenant in ``doorward apply``."""

from typing import Any

import pytest
from tests.cli.commands import Commands, failed
from tests.cli.conftest import commands, team, team_template

pytestmark = pytest.mark.requirement("D4")
__all__ = ["commands", "team", "team_template"]

DENY = {"server": "wiki", "tools": "put_*", "deny": True}


def applied(team: Commands, *overrides: dict[str, Any]) -> str:
    done = team.apply({"tenants": [{"slug": "acme", "overrides": list(overrides)}]})
    assert done.exit_code == 0, done.output
    return done.stdout


def decision(team: Commands, user: str, tool: str) -> str:
    ask = ("--user", user, "--tenant", "acme", "--server", "wiki", "--tool", tool)
    return team.run("explain", *ask).stdout.partition("\n")[0]


def test_a_document_states_the_whole_list_and_repeating_it_changes_nothing(team: Commands) -> None:
    both = (DENY, {"server": "wiki", "tools": "get_*", "require": ["pages:write"], "for": {"user": "sam@both.example"}})
    assert "tenant acme: 2 overrides of tool rules" in applied(team, *both)
    assert applied(team, *both) == "Nothing to change.\n"
    assert decision(team, "ines@acme.example", "put_x") == (
        "Denied at step 3: the tenant's override 'put_*' denies it for everybody."
    )
    assert decision(team, "sam@both.example", "get_x") == "Denied at step 4: the owner has no pages:write."
    assert decision(team, "ines@acme.example", "get_x") == "Allowed by get_*."
    assert team.apply({"tenants": [{"slug": "acme"}]}).stdout == "Nothing to change.\n"
    assert "0 overrides" in applied(team)
    assert decision(team, "sam@both.example", "get_x") == "Allowed by get_*."


def test_a_new_tenant_may_have_them_from_the_start(team: Commands) -> None:
    tenant = {"slug": "new", "servers": ["wiki"], "members": [{"user": "lone@x.example", "roles": ["owner"]}]}
    role = {**DENY, "for": {"role": "owner"}}
    assert team.apply({"tenants": [{**tenant, "slug": "bare", "overrides": []}]}).exit_code == 0
    assert team.apply({"tenants": [{**tenant, "overrides": [role]}]}).exit_code == 0
    ask = ("--user", "lone@x.example", "--tenant", "new", "--server", "wiki", "--tool", "put_x")
    assert team.run("explain", *ask).stdout.startswith("Denied at step 3: the tenant's override 'put_*' denies it")


def test_a_key_and_a_resource_may_be_named(team: Commands) -> None:
    made = team.made("--user", "ines@acme.example")
    key = {"server": "wiki", "resources": "wiki://{space}", "deny": True, "for": {"key": made["id"]}}
    applied(team, key)
    ask = ("--user", "ines@acme.example", "--tenant", "acme", "--server", "wiki", "--resource", "wiki://a")
    assert team.run("explain", *ask).stdout.startswith("Allowed")
    assert "for key" in team.run("explain", *ask, "--key", made["id"]).stdout


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({**DENY, "server": "x"}, "there is no server"),
        ({**DENY, "prompts": "x"}, "not one pattern"),
        ({"server": "wiki", "deny": True}, "not one pattern"),
        ({"tools": "x", "deny": True}, "server is missing"),
        ({**DENY, "deny": False}, "neither denied"),
        ({**DENY, "require": ["pages:read"]}, "neither denied"),
        ({"server": "wiki", "tools": "x"}, "neither denied"),
        ({"server": "wiki", "tools": "x", "require": []}, "neither denied"),
        ({"server": "wiki", "tools": "x", "require": ["pages:fly"]}, "neither declared"),
        ({"server": "wiki", "tools": "a b", "deny": True}, "not a name"),
        ({"server": "wiki", "resources": "{+x}", "deny": True}, "not a URI template"),
        ({**DENY, "for": {}}, "not one kind of caller"),
        ({**DENY, "for": {"user": "ines@acme.example", "role": "owner"}}, "not one kind of caller"),
        ({**DENY, "for": {"user": "ines"}}, "no e-mail address"),
        ({**DENY, "for": {"user": "nobody@acme.example"}}, "there is no user"),
        ({**DENY, "for": {"role": "pilot"}}, "there is no role"),
        ({**DENY, "for": {"key": "k"}}, "there is no key"),
        ({**DENY, "for": {"connection": "c"}}, "there is no connection"),
        ({**DENY, "for": {"tribe": "c"}}, "tribe"),
    ],
)
def test_what_cannot_hold_is_refused_with_its_place(team: Commands, override: dict[str, Any], words: str) -> None:
    line = failed(team.apply({"tenants": [{"slug": "acme", "overrides": [override]}]}))
    assert words in line
    assert "tenants[0].overrides[0]" in line

"""``doorward trust``: rules made, shown and removed on the server."""

import json

import pytest
from tests.cli.commands import Commands
from tests.cli.test_client import failed

ADD = (
    "trust",
    "add",
    "acme",
    "Deploy",
    "--issuer",
    "github",
    "--claim",
    "repository=acme/site",
    "--account",
    "ci@acme.example",
)


@pytest.fixture
def trusting(team: Commands) -> Commands:
    users = [{"email": "ci@acme.example", "kind": "service"}]
    team.apply(
        {"users": users, "tenants": [{"slug": "acme", "members": [{"user": "ci@acme.example", "roles": ["viewer"]}]}]}
    )
    return team


def test_a_rule_is_made_shown_and_removed(trusting: Commands) -> None:
    made = trusting.run(
        *ADD, "--scope", "pages:read", "--resource", "space/s/1", "--server", "wiki", "--lifetime", "300"
    )
    assert made.exit_code == 0, made.output
    assert "and pending" in made.stdout
    assert "repository_id, repository_owner_id" in made.stdout
    (rule,) = json.loads(trusting.run("trust", "list", "acme", "--json").stdout)["rules"]
    assert (rule["issuer"], rule["lifetime"]) == ("https://token.actions.githubusercontent.com", 300)
    assert (rule["pinned"], rule["scopes"]) == (None, ["pages:read"])
    assert "[pending]" in trusting.run("trust", "list", "acme").stdout
    assert "is removed" in trusting.run("trust", "remove", "acme", "Deploy").stdout
    assert trusting.run("trust", "list", "acme").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*ADD, "--claim", "ref"), "CLAIM=VALUE"),
        ((*ADD, "--claim", "repository=acme/other"), "each claim once"),
        ((*ADD, "--claim", "environment=*"), "wildcard"),
        ((*ADD, "--scope", "pages"), "--scope"),
        ((*ADD, "--resource", "space/none"), "no resource"),
        ((*ADD, "--lifetime", "3600"), "lifetime"),
        (("trust", "list", "nowhere"), "no tenant"),
        (("trust", "remove", "acme", "None"), "no trust rule"),
    ],
)
def test_what_cannot_be_done_is_one_line(trusting: Commands, arguments: tuple[str, ...], words: str) -> None:
    assert words in failed(trusting.run(*arguments))

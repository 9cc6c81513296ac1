"""``doorward tenant``."""

import json

import pytest
from tests.cli.commands import Commands, failed

pytestmark = pytest.mark.requirement("F2")


def test_what_a_tenant_says_is_shown_changed_and_taken_back(team: Commands) -> None:
    changed = team.run(
        "tenant", "set", "acme", "--name", "Acme  Robots", "--access-ttl", "900", "--sign-in", "password,passkey",
        "--limit", "user_per_minute=60", "--limit", "tool_per_day=0", "--json",
    )  # fmt: skip
    assert changed.exit_code == 0, changed.output
    said = json.loads(changed.stdout)
    assert (said["name"], said["access_ttl"], said["sign_in_methods"]) == ("Acme Robots", 900, ["password", "passkey"])
    assert (said["rates"]["user_per_minute"], said["rates"]["tool_per_day"], said["rates"]["tenant_per_day"]) == (
        60,
        0,
        None,
    )
    assert json.loads(team.run("tenant", "show", "acme", "--json").stdout) == said
    assert "limits: user_per_minute=60 tool_per_day=0" in team.run("tenant", "show", "acme").stdout
    usual = team.run(
        "tenant", "set", "acme", "--access-ttl", "usual", "--sign-in", "usual", "--limit", "user_per_minute=usual"
    )
    assert "every way" in usual.stdout
    assert "as usual" in usual.stdout
    assert "limits: tool_per_day=0" in usual.stdout
    assert "acme  Acme Robots  active" in team.run("tenant", "list").stdout
    assert len(json.loads(team.run("tenant", "list", "--json").stdout)["tenants"]) == 2
    assert "tenant:changed" in team.run("audit", "--tenant", "acme").stdout


@pytest.mark.parametrize(
    "wrong",
    [("--name", ""), ("--access-ttl", "5"), ("--access-ttl", ""), ("--sign-in", ""), ("--sign-in", "nosuch"), ("--limit", "x=1"),
     ("--limit", "user_per_day"), ("--limit", "user_per_day=-1")],
)  # fmt: skip
def test_what_cannot_be_is_said_and_changes_nothing(team: Commands, wrong: tuple[str, str]) -> None:
    before = team.run("tenant", "show", "acme", "--json").stdout
    assert "nothing was changed" in failed(team.run("tenant", "set", "acme", *wrong))
    assert team.run("tenant", "show", "acme", "--json").stdout == before
    assert "nosuch" in failed(team.run("tenant", "show", "nosuch"))

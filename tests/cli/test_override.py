"""``doorward override``: added, listed and taken back one by one, with the words of a document's errors."""

import json

import pytest
from tests.cli.commands import Commands, failed

pytestmark = pytest.mark.requirement("D4")


def listed(team: Commands) -> list[dict[str, str]]:
    done = team.run("override", "list", "acme", "--json")
    found: list[dict[str, str]] = json.loads(done.stdout)["overrides"]
    return found


def test_overrides_are_added_listed_and_taken_back(team: Commands) -> None:
    add = ("override", "add", "acme", "wiki")
    assert team.run(*add, "drop_*", "--deny", "--role", "viewer").stdout.endswith(": drop_* denied for role viewer.\n")
    more = team.run(*add, "get_x", "--require", "pages:write", "--user", "sam@both.example")
    assert "get_x needs pages:write too for user sam@both.example" in more.stdout
    team.run(*add, "put_*", "--approval", "approvals:decide", "--by-another")
    says = [row["says"] for row in listed(team)]
    assert says == [
        "drop_* denied for role viewer",
        "get_x needs pages:write too for user sam@both.example",
        "put_* needs an approval (approvals:decide, never the caller) for everybody",
    ]
    assert "wiki  drop_* denied for role viewer" in team.run("override", "list", "acme").stdout
    gone = team.run("override", "remove", "acme", listed(team)[0]["id"])
    assert gone.stdout == "Taken back: drop_* denied for role viewer.\n"
    assert len(listed(team)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "acme", "wiki", "drop_*"), "Write one of: deny: true"),
        (("add", "acme", "wiki", "drop_*", "--deny", "--require", "pages:read"), "Write one of: deny: true"),
        (("add", "acme", "wiki", "drop_*", "--require", "nothing:known"), "neither declared nor needed"),
        (("add", "acme", "wiki", "a b", "--deny"), "not a name"),
        (("add", "acme", "wiki", "x", "--deny", "--role", "nobody"), "there is no role"),
        (("add", "acme", "wiki", "x", "--deny", "--user", "lone@x.example"), "no member with this address"),
        (("add", "acme", "none", "x", "--deny"), "no server 'none' in this tenant"),
        (("add", "globex", "wiki", "x", "--deny"), "no server 'wiki' in this tenant"),
        (("add", "none", "wiki", "x", "--deny"), "there is no tenant"),
        (("remove", "acme", "ovr_x"), "no such override"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(team: Commands, arguments: tuple[str, ...], words: str) -> None:
    assert words in failed(team.run("override", *arguments))
    assert listed(team) == []

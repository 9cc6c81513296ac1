"""``doorward secret``: kept from standard input, listed without a value, removed."""

import json
from pathlib import Path

import pytest
from tests.cli.commands import Commands

pytestmark = pytest.mark.requirement("D6")
VALUE = "a-very-secret-value"


def test_a_secret_is_kept_sealed_listed_and_removed(team: Commands) -> None:
    kept = team.run("secret", "set", "WIKI_TOKEN", stdin=VALUE + "\n")
    assert kept.exit_code == 0, kept.output
    listed = team.run("secret", "list")
    assert listed.stdout.startswith("WIKI_TOKEN  set ")
    assert [each["name"] for each in json.loads(team.run("secret", "list", "--json").stdout)["secrets"]] == [
        "WIKI_TOKEN"
    ]
    assert VALUE not in kept.output + listed.output
    everything = b"".join(path.read_bytes() for path in Path(team.data).rglob("*") if path.is_file())
    assert VALUE.encode() not in everything
    assert team.run("secret", "remove", "WIKI_TOKEN").stdout == "WIKI_TOKEN is removed.\n"
    assert team.run("secret", "list").stdout == ""
    gone = team.run("secret", "remove", "WIKI_TOKEN")
    assert (gone.exit_code, "there is no secret of this name" in gone.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("1x", "v", "not a name"), ("A", "", "no value"), ("A", "v" * 70_000, "too long"), ("A", "a\0b", "no value")],
)
def test_what_cannot_be_one_is_refused(team: Commands, name: str, value: str, words: str) -> None:
    refused = team.run("secret", "set", name, stdin=value)
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert team.run("secret", "list").stdout == ""

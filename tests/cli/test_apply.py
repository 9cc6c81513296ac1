"""``doorward apply``: what it reads, what it prints, and that it is all or nothing."""

import json

import pytest
from tests.cli.commands import PASSWORD, TEAM, Commands, failed


def test_a_file_is_applied_once_and_then_changes_nothing(team: Commands) -> None:
    assert team.apply(TEAM).stdout == "Nothing to change.\n"
    assert team.apply(TEAM, "--plan").stdout == "Nothing to change.\n"


def test_a_plan_changes_nothing(team: Commands) -> None:
    document = {"users": [{"email": "new@acme.example", "password": PASSWORD}]}
    expected = "Would change:\n  user new@acme.example: add\n"
    assert team.apply(document, "--plan").stdout == expected
    assert team.apply(document, "--plan").stdout == expected
    done = team.apply(document)
    assert done.stdout == "Changed:\n  user new@acme.example: add\n"
    assert PASSWORD not in done.output


def test_yaml_json_and_standard_input_mean_the_same(team: Commands) -> None:
    yaml = "tenants:\n  - slug: acme\n    name: Acme Robotics # ours\n"
    (team.folder / "team.yaml").write_text(yaml, encoding="utf-8")
    lines = "Would change:\n  tenant acme: name “Acme” → “Acme Robotics”\n"
    assert team.run("apply", "--plan", "-f", str(team.folder / "team.yaml")).stdout == lines
    assert team.run("apply", "--plan", "-f", "-", stdin=yaml).stdout == lines
    as_json = json.dumps({"tenants": [{"slug": "acme", "name": "Acme Robotics"}]})
    assert team.run("apply", "--plan", "-f", "-", stdin=as_json).stdout == lines


def test_a_confidential_clients_secret_is_printed_once(team: Commands) -> None:
    client = {"id": "portal", "name": "Portal", "type": "confidential", "redirect_uris": ["https://p.example/cb"]}
    document = {"tenants": [{"slug": "acme", "clients": [client]}]}
    assert "dwk_" not in team.apply(document, "--plan").output
    assert team.apply(document).stdout.count("dwk_") == 1
    assert "dwk_" not in team.apply(document).output


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", "line 1: not JSON"),
        ("a.yaml", "users: [", "not YAML"),
        ("a.yaml", "users: [{emial: x}]", "users[0]: unknown key 'emial'"),
        ("a.yaml", "users: []\nusers: []", "key 'users' is repeated"),
        ("a.yaml", "tenants: [{slug: acme, members: [{user: x@y.example, roles: []}]}]", "there is no user"),
        (
            "a.yaml",
            "users: [{email: n@x.example}]\ntenants: [{slug: acme, servers: [none]}]",
            "there is no server 'none'",
        ),
        ("a.yaml", "users: [{email: n@x.example, name: 'a\\0'}, {}]", "email is missing"),
    ],
)
def test_bad_files_are_refused_in_one_line_and_change_nothing(team: Commands, name: str, text: str, words: str) -> None:
    path = team.folder / name
    path.write_text(text, encoding="utf-8")
    assert words in failed(team.run("apply", "-f", str(path)))
    assert "user n@x.example: add" in team.apply({"users": [{"email": "n@x.example"}]}, "--plan").stdout


def test_files_that_cannot_be_read_are_named(team: Commands) -> None:
    assert "none.yaml" in failed(team.run("apply", "-f", str(team.folder / "none.yaml")))
    (team.folder / "latin.yaml").write_bytes(b"users: [{email: \xe9@x.example}]")
    assert "not UTF-8" in failed(team.run("apply", "-f", str(team.folder / "latin.yaml")))


@pytest.mark.requirement("F4")
def test_what_takes_long_is_told_in_a_line_for_each_step_beside_the_answer(team: Commands) -> None:
    people = [{"email": f"p{number}@acme.example", "password": PASSWORD} for number in range(2)]
    done = team.apply({"users": people})
    assert done.stderr == "Checking 2 passwords …\nMaking 2 changes …\n"
    assert done.stdout.startswith("Changed:\n")
    again = team.apply({"users": people[:1]}, "--plan")
    assert (again.stderr, again.stdout) == ("Checking 1 password …\n", "Nothing to change.\n")
    quiet = team.apply({"users": [*people, {"email": "q@acme.example", "password": PASSWORD}]}, "--quiet")
    assert (quiet.stderr, quiet.stdout.count("add")) == ("", 1)

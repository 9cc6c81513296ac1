"""``doorward keys``: what an operator sees and does of the signing keys."""

import json
from typing import Any

from tests.cli.commands import Commands, failed


def listed(team: Commands) -> dict[str, dict[str, Any]]:
    done = team.run("keys", "list", "--json")
    assert done.exit_code == 0, done.output
    return {each["kid"]: each for each in json.loads(done.stdout)["keys"]}


def of(team: Commands, algorithm: str, state: str) -> list[str]:
    return [kid for kid, each in listed(team).items() if (each["algorithm"], each["state"]) == (algorithm, state)]


def test_N4_both_algorithms_have_a_key_from_the_first_start(team: Commands) -> None:
    assert len(of(team, "ES256", "active")) == len(of(team, "RS256", "active")) == 1
    lines = team.run("keys", "list").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [["ES256", "active"], ["RS256", "active"]]


def test_N4_a_rotation_announces_and_does_not_begin_twice(team: Commands) -> None:
    (old,) = of(team, "ES256", "active")
    done = team.run("keys", "rotate", "--algorithm", "ES256")
    assert done.exit_code == 0, done.output
    (new,) = of(team, "ES256", "next")
    assert done.stdout.startswith(f"{new} signs from 20")
    assert listed(team)[old]["until"].startswith("until 20")
    assert f"{old}  ES256  active, published until" in team.run("keys", "list").stdout
    assert "announced" in failed(team.run("keys", "rotate", "--algorithm", "ES256"))
    assert len(listed(team)) == 3


def test_N4_a_rotation_at_once_signs_at_once(team: Commands) -> None:
    before = set(listed(team))
    assert team.run("keys", "rotate", "--now").exit_code == 0
    assert {of(team, each, "active")[0] for each in ("ES256", "RS256")}.isdisjoint(before)
    assert {of(team, each, "retired")[0] for each in ("ES256", "RS256")} == before


def test_N4_a_revoked_key_is_out_and_another_signs(team: Commands) -> None:
    (old,) = of(team, "ES256", "active")
    done = team.run("keys", "revoke", old)
    assert done.exit_code == 0, done.output
    (heir,) = of(team, "ES256", "active")
    assert f"{heir} signs in its place." in done.stdout
    assert listed(team)[old]["state"] == "revoked"
    assert "already" in failed(team.run("keys", "revoke", old))
    assert "no key" in failed(team.run("keys", "revoke", "nonsense"))

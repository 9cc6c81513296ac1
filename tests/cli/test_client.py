"""``doorward client secret``: one secret follows another."""

import json
from typing import Any

import pytest
from tests.cli.commands import Commands, failed

from doorward.cli.client import ends_in
from doorward.cli.errors import CommandFailed
from doorward.model import SECOND, Instant

PORTAL: dict[str, Any] = {
    "tenants": [
        {
            "slug": "acme",
            "clients": [
                {"id": "portal", "name": "Portal", "type": "confidential", "redirect_uris": ["https://p.example/cb"]},
                {"id": "cli", "name": "CLI", "redirect_uris": ["http://127.0.0.1/cb"]},
            ],
        }
    ]
}


@pytest.fixture
def portal(team: Commands) -> Commands:
    assert team.apply(PORTAL).exit_code == 0
    return team


def listed(portal: Commands) -> list[dict[str, Any]]:
    done = portal.run("client", "secret", "list", "portal", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["secrets"]  # type: ignore[no-any-return]


def test_C28_a_secret_is_added_listed_and_retired(portal: Commands) -> None:
    (old,) = listed(portal)
    assert (old["good"], old["ends"]) == (True, None)
    made = json.loads(portal.run("client", "secret", "add", "portal", "--json").stdout)
    assert made["secret"].startswith("dwk_")
    assert [each["id"] for each in listed(portal)] == [old["id"], made["id"]]
    told = portal.run("client", "secret", "retire", "portal", old["id"], "--in", "1h")
    assert told.exit_code == 0
    assert f"Secret {old['id']} of portal is good until 2" in told.stdout
    assert [(each["good"], each["ends"] is None) for each in listed(portal)] == [(True, False), (True, True)]
    portal.run("client", "secret", "retire", "portal", old["id"], "--in", "now")
    assert [each["good"] for each in listed(portal)] == [False, True]
    for_people = portal.run("client", "secret", "list", "portal").stdout
    assert f"{made['id']}  without an end" in for_people
    assert for_people.splitlines()[0].endswith(", ended")
    assert made["secret"] not in for_people


def test_a_secret_is_printed_for_people_once(portal: Commands) -> None:
    done = portal.run("client", "secret", "add", "portal")
    assert done.stdout.startswith("dwk_")
    assert "Shown only now" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "nobody"), "no client 'nobody'"),
        (("add", "cli"), "uses no secret"),
        (("list", "nobody"), "no client"),
        (("retire", "portal", "x"), "no secret 'x'"),
        (("retire", "portal", "x", "--in", "soon"), "is no time"),
    ],
)
def test_what_cannot_be_done_is_one_line(portal: Commands, arguments: tuple[str, ...], words: str) -> None:
    assert words in failed(portal.run("client", "secret", *arguments))


def test_an_end_is_now_or_in_hours_or_days() -> None:
    now = Instant(1_000_000)
    assert ends_in("now", now) == now
    assert ends_in("24h", now) == ends_in("1d", now) == now + 86_400 * SECOND
    for text in ("", "0h", "-1d", "1w", "99999d", "1.5h"):
        with pytest.raises(CommandFailed, match="--in"):
            ends_in(text, now)

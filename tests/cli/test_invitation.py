"""``doorward invitation``: by hand, with the link printed where no mail goes out."""

import json

import pytest
from tests.cli.commands import Commands, failed

pytestmark = pytest.mark.requirement("E2")
NINA = "nina@new.test"


def listed(team: Commands) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(team.run("invitation", "list", "--tenant", "acme", "--json").stdout)[
        "invitations"
    ]
    return found


def test_without_mail_the_operator_gets_the_link_and_nobody_else(team: Commands) -> None:
    done = team.run("invitation", "send", NINA, "--tenant", "acme", "--role", "viewer", "--at", "owner=space/s/1")
    assert done.exit_code == 0, done.output
    assert "http://127.0.0.1:8080/invitation?token=dwl_" in done.stdout
    (one,) = listed(team)
    assert (one["email"], one["roles"], one["state"]) == (NINA, ["viewer"], "waiting")
    assert one["at"] == [{"role": "owner", "type": "space", "key": "s/1"}]
    plain = team.run("invitation", "list", "--tenant", "acme").stdout
    assert f"{NINA}  waiting  viewer, owner at space/s/1" in plain
    again = team.run("invitation", "resend", str(one["id"]), "--tenant", "acme")
    assert "token=dwl_" in again.stdout
    assert again.stdout != done.stdout
    assert "not invited" in team.run("invitation", "revoke", str(one["id"]), "--tenant", "acme").stdout
    assert listed(team)[0]["state"] == "revoked"


def test_a_person_is_invited_beside_the_other_commands_about_people(team: Commands) -> None:
    assert "token=dwl_" in team.run("user", "invite", NINA, "--tenant", "acme", "--role", "viewer").stdout


def test_with_mail_the_link_is_printed_nowhere(team: Commands) -> None:
    config = team.folder / "mail.toml"
    config.write_text('data_dir = "data"\n[mail]\nmode = "console"\n', encoding="utf-8")
    done = team.bare("invitation", "send", NINA, "--tenant", "acme", "--config", str(config))
    assert done.exit_code == 0, done.output
    assert "a running server sends the mail" in done.stdout
    assert "dwl_" not in done.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["send", NINA, "--tenant", "nowhere"], "there is no tenant"),
        (["send", "nina", "--tenant", "acme"], "mail can go to"),
        (["send", NINA, "--tenant", "acme", "--role", "pope"], "not known here"),
        (["send", NINA, "--tenant", "acme", "--at", "viewer"], "ROLE=TYPE/KEY"),
        (["send", NINA, "--tenant", "acme", "--at", "viewer=space/none"], "no such resource"),
        (["send", "ines@acme.example", "--tenant", "acme"], "a member already"),
        (["resend", "inv_x", "--tenant", "acme"], "No invitation"),
        (["revoke", "inv_x", "--tenant", "acme"], "No invitation"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(team: Commands, arguments: list[str], words: str) -> None:
    assert words in failed(team.run("invitation", *arguments))

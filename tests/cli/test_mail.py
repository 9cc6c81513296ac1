"""``doorward mail test``: a letter at once, by the real mail server of the tests."""

from pathlib import Path

import pytest
from tests.cli.commands import Commands, failed

from support.letter_box import letter_box
from support.running_demo import free_port

TO = "ines@acme.example"


def configured(commands: Commands, port: int, **more: str) -> Path:
    path = commands.folder / "doorward.toml"
    said = {"mode": "smtp", "host": "127.0.0.1", "tls": "none", "sender": "Doorward <door@acme.example>", **more}
    lines = [f'{name} = "{value}"' for name, value in said.items()]
    path.write_text("\n".join(["[mail]", f"port = {port}", *lines, ""]), encoding="utf-8")
    return path


def test_a_letter_goes_out_at_once(commands: Commands) -> None:
    with letter_box() as box:
        done = commands.bare("mail", "test", f" {TO.upper()} ", "--config", str(configured(commands, box.port)))
        assert done.exit_code == 0, done.output
        assert f"127.0.0.1:{box.port} took the letter to {TO}" in done.stdout
        taken = box.letter(TO)
    assert taken.sender == "door@acme.example"
    assert taken.message["Subject"] == "Mail works"
    assert "There is nothing to do." in taken.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [("550 no such user", "refuses it for good: recipient refused (550)"), ("451 later", "does not take it: recipient refused (451)")],
)  # fmt: skip
def test_what_the_mail_server_answers_is_said_in_one_line(commands: Commands, answer: str, words: str) -> None:
    with letter_box() as box:
        box.server.refuse_recipient = answer
        said = failed(commands.bare("mail", "test", TO, "--config", str(configured(commands, box.port))))
    assert words in said


def test_a_server_that_is_not_there_is_named_with_what_to_look_at(commands: Commands) -> None:
    port = free_port()
    said = failed(commands.bare("mail", "test", TO, "--config", str(configured(commands, port))))
    assert f"127.0.0.1:{port} does not take it" in said
    assert "Look at host, port" in said


def test_without_mail_or_an_address_nothing_is_sent(commands: Commands) -> None:
    assert "mail.mode is off" in failed(commands.run("mail", "test", TO))
    for wrong in ("ines", "a@b@c", "ines@acme.example\nBcc: x@y.example", "ïnes@acme.example"):
        assert "no address" in failed(commands.run("mail", "test", wrong))


def test_the_console_shows_it(commands: Commands) -> None:
    path = configured(commands, 25, mode="console")
    done = commands.bare("mail", "test", TO, "--config", str(path))
    assert done.exit_code == 0, done.output
    assert "The console took the letter" in done.stdout

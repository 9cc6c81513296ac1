"""Letters as messages: two forms that say the same, one recipient, and nothing in a header that somebody else wrote."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from string import Formatter

import pytest

from doorward.mail.letters import INVITATION, LETTERS, RESET, Letter
from doorward.mail.rendering import address, message_of
from support.rows import NOW

SENDER = address("Doorward <door@mail.example>")
URL = "https://mcp.acme.example/sign-in/reset/new?token=dwl_x"


def names_in(kind: str) -> set[str]:
    words = LETTERS[kind]
    return {
        name
        for line in (words.subject, *words.before, *words.after)
        for _, name, _, _ in Formatter().parse(line)
        if name
    }


def letter(kind: str = RESET, **detail: str) -> Letter:
    given = dict.fromkeys(names_in(kind) - {"host", "email"}, "something") | detail
    return Letter(kind=kind, to="ines@acme.example", detail=given, url=URL if LETTERS[kind].button else "")


def rendered(sent: Letter) -> EmailMessage:
    """Return the message as a mail reader parses its bytes."""
    made = message_of(sent, message_id="mail_1", sender=SENDER, host="mcp.acme.example", now=NOW)
    return message_from_bytes(made.as_bytes(), EmailMessage, policy=SMTP)


def parts(message: EmailMessage) -> tuple[str, str]:
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return str(plain.get_content()), str(html.get_content())


@pytest.mark.parametrize("kind", LETTERS)
def test_every_letter_says_the_same_in_text_and_in_html_and_shows_its_link(kind: str) -> None:
    message = rendered(letter(kind))
    text, html = parts(message)
    assert message["To"] == "ines@acme.example"
    assert message["From"] == "Doorward <door@mail.example>"
    assert message["Message-ID"] == "<mail_1@mail.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "{" not in text + message["Subject"]
    assert text.count(URL) == bool(LETTERS[kind].button)
    assert html.count(f'<a href="{URL}">{URL}</a>') == bool(LETTERS[kind].button)
    for line in LETTERS[kind].before:
        assert line.partition("{")[0] in text
        assert line.partition("{")[0] in html
    assert not {"<img", "<script", "style=", "http://"} & set(html.split())


def test_names_that_others_chose_are_data(capsys: pytest.CaptureFixture[str]) -> None:
    evil = '<a href="https://evil.example">{until}</a>'
    text, html = parts(rendered(letter(INVITATION, tenant=evil, inviter="Ann\r\nBcc: eve@evil.example")))
    assert "&lt;a href=&#34;https://evil.example&#34;&gt;{until}&lt;/a&gt;" in html
    assert '<a href="https://evil.example' not in html
    assert "{until}" in text
    assert "Ann Bcc: eve@evil.example invites you" in text


def test_H12_no_value_becomes_a_header() -> None:
    for evil in (
        "x\r\nBcc: eve@evil.example",
        "x\nTo: eve@evil.example",
        "x\u2028Bcc: eve@evil.example",
        "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=",
    ):
        message = rendered(letter(INVITATION, tenant=evil))
        assert message["Bcc"] is None
        assert message.get_all("To") == ["ines@acme.example"]
        assert message["Subject"].startswith("You are invited to ")
        assert len(message["Subject"].splitlines()) == 1


@pytest.mark.parametrize(
    "to",
    ["ines@acme.example\r\nBcc: eve@evil.example", "ines@acme.example, eve@evil.example", "ines", "@acme.example", "",
     "ines@acme.example\x00", "Undisclosed:;", "=?utf-8?q?=0D=0ABcc:_eve@evil.example?=@acme.example"],
)  # fmt: skip
def test_H12_what_is_not_one_address_is_never_written(to: str) -> None:
    sent = Letter(kind=RESET, to=to, detail=letter().detail, url=URL)
    with pytest.raises(ValueError, match="address"):
        message_of(sent, message_id="mail_1", sender=SENDER, host="mcp.acme.example", now=NOW)

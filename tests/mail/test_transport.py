"""The way to a real mail server: TLS with a certificate that is checked, sign-in, and what its answers mean."""

from pathlib import Path
from typing import Any

import pytest

from doorward.mail.letters import TEST, Letter
from doorward.mail.rendering import address, message_of
from doorward.mail.transport import Console, NotNow, Smtp, Tls, Undeliverable
from support.mail_server import PASSWORD, USERNAME, MailServer, authority, mail_server
from support.rows import NOW

pytestmark = pytest.mark.anyio
SENDER = address("Doorward <door@mail.example>")
TO = "ines@acme.example"
MESSAGE = message_of(
    Letter(kind=TEST, to=TO, detail={}), message_id="mail_1", sender=SENDER, host="mcp.acme.example", now=NOW
)


def way(server: MailServer, tls: Tls = Tls.NONE, **more: Any) -> Smtp:
    return Smtp(**{"host": "localhost", "port": server.port, "tls": tls, **more})


async def send(transport: Smtp) -> None:
    await transport.send(MESSAGE, sender=SENDER.addr_spec, recipient=TO)


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_a_mail_goes_over_tls_after_signing_in(tmp_path: Path, tls: Tls) -> None:
    async with mail_server(starttls=tls is Tls.STARTTLS, tls=tls is Tls.TLS, auth=True) as server:
        await send(way(server, tls, ca_file=authority(tmp_path), username=USERNAME, password=PASSWORD))
    (taken,) = server.taken
    assert (taken.sender, taken.recipients) == ("door@mail.example", [TO])
    assert taken.message["Subject"] == "Mail works"


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.TLS])
async def test_a_certificate_that_nobody_vouches_for_gets_nothing(tls: Tls) -> None:
    async with mail_server(starttls=tls is Tls.STARTTLS, tls=tls is Tls.TLS) as server:
        with pytest.raises(NotNow):
            await send(way(server, tls))
    assert server.sessions == 0


async def test_a_certificate_of_another_host_gets_nothing(tmp_path: Path) -> None:
    async with mail_server(tls=True) as server:
        with pytest.raises(NotNow):
            await send(way(server, Tls.TLS, host="127.0.0.1", ca_file=authority(tmp_path)))
    assert server.sessions == 0


async def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    async with mail_server() as server:
        with pytest.raises(NotNow):
            await send(way(server, Tls.STARTTLS, ca_file=authority(tmp_path)))
    assert server.sessions == 0


async def test_a_wrong_password_is_the_operators_to_mend_and_not_in_the_words(tmp_path: Path) -> None:
    async with mail_server(starttls=True, auth=True) as server:
        with pytest.raises(NotNow) as wrong:
            await send(way(server, Tls.STARTTLS, ca_file=authority(tmp_path), username=USERNAME, password="other"))
    assert str(wrong.value) == "SMTPAuthenticationError 535"


@pytest.mark.parametrize(
    ("what", "answer", "meaning"),
    [("refuse_recipient", "550 no such person", Undeliverable), ("refuse_recipient", "450 later", NotNow),
     ("refuse_data", "554 spam", Undeliverable), ("refuse_data", "451 later", NotNow)],
)  # fmt: skip
async def test_an_answer_says_whether_to_try_again(what: str, answer: str, meaning: type[Exception]) -> None:
    async with mail_server() as server:
        setattr(server, what, answer)
        with pytest.raises(meaning) as told:
            await send(way(server))
    assert answer[:3] in str(told.value)
    assert "person" not in str(told.value)


async def test_a_server_that_is_not_there_is_asked_again() -> None:
    async with mail_server() as server:
        pass
    with pytest.raises(NotNow):
        await send(way(server))


async def test_the_console_shows_whom_it_is_for_and_the_words() -> None:
    shown: list[str] = []
    await Console(shown.append).send(MESSAGE, sender=SENDER.addr_spec, recipient=TO)
    assert "mail to ines@acme.example: Mail works" in shown[0]
    assert "There is nothing to do." in shown[0]

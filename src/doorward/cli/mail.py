"""``doorward mail``: whether letters go out, before somebody waits for one."""

from pathlib import Path

import click

from doorward.cli.errors import CommandFailed
from doorward.cli.options import about, settings_of
from doorward.web.words import cut


@click.group(epilog="Example: doorward mail test ines@acme.example")
def mail() -> None:
    """See whether mail goes out."""


@mail.command(epilog="Example: doorward mail test ines@acme.example")
@about(to="ADDRESS")
def test(*, to: str, config: Path | None, data: Path | None) -> None:
    """Send one letter to ADDRESS, now and past the queue, and say what the mail server answers."""
    import asyncio  # noqa: PLC0415  (only what sends loads it)

    from doorward.accounts.addresses import mail_address  # noqa: PLC0415
    from doorward.bootstrap.mail import letter_of_test  # noqa: PLC0415
    from doorward.mail.transport import NotNow, Undeliverable  # noqa: PLC0415

    settings, recipient = settings_of(config, data), mail_address(to)
    if recipient is None:
        raise CommandFailed(f"{cut(to)!r} is no address that mail can go to. Write it like ines@acme.example.")
    if settings.mail.mode == "off":
        raise CommandFailed("mail.mode is off: nothing is sent. Set up smtp under [mail] in the configuration file.")
    transport, message, sender = letter_of_test(settings, recipient)
    try:
        asyncio.run(transport.send(message, sender=sender, recipient=recipient))
    except Undeliverable as refused:
        raise CommandFailed(
            f"{_where(settings.mail)} refuses it for good: {refused}. Look at sender and address."
        ) from refused
    except NotNow as away:
        raise CommandFailed(
            f"{_where(settings.mail)} does not take it: {away}. Look at host, port, tls, username and password_file."
        ) from away
    print(f"{_where(settings.mail)} took the letter to {recipient}. Look whether it arrives, and not among the spam.")


def _where(settings: object) -> str:
    host, port, mode = (getattr(settings, name) for name in ("host", "port", "mode"))
    return "The console" if mode == "console" else f"{host}:{port}"

"""The way out for mail."""

import sys
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from doorward.bootstrap.core import Core, clock, entropy
from doorward.mail.letters import TEST, Letter
from doorward.mail.outbox import Outbox
from doorward.mail.rendering import address, message_of
from doorward.mail.sending import Mailer
from doorward.mail.transport import Console, Smtp, Tls, Transport
from doorward.settings import LOOPBACK_HOSTS, MailSettings, Settings, SettingsError


def outbox_of(core: Core) -> Outbox:
    """Return what letters are put into. Raises ``SettingsError``."""
    check(core.settings)
    return Outbox(sealer=core.sealer, entropy=core.entropy, on=core.settings.mail.mode != "off")


def mailer_of(core: Core) -> Mailer | None:
    """Return what sends them; None where no mail goes out. Raises ``SettingsError``."""
    settings = core.settings
    check(settings)
    if settings.mail.mode == "off":
        return None
    host = urlsplit(settings.public_url)
    return Mailer(
        database=core.database,
        sealer=core.sealer,
        transport=transport_of(settings.mail, hostname=host.hostname or "localhost"),
        sender=_sender(settings),
        host=host.netloc,
        now=core.now,
    )


def letter_of_test(settings: Settings, recipient: str) -> tuple[Transport, EmailMessage, str]:
    """Return the way out, a letter that says that it works, and its sender's address. Raises ``SettingsError``."""
    check(settings)
    url, sender = urlsplit(settings.public_url), _sender(settings)
    message = message_of(
        Letter(kind=TEST, to=recipient, detail={}), message_id=f"test-{entropy(16).hex()}", sender=sender, host=url.netloc,
        now=clock(),
    )  # fmt: skip
    return transport_of(settings.mail, hostname=url.hostname or "localhost"), message, sender.addr_spec


def _sender(settings: Settings) -> Address:
    return address(settings.mail.sender or "Doorward <no-reply@localhost>")


def transport_of(mail: MailSettings, *, hostname: str) -> Transport:
    """Return the way out. Raises ``SettingsError`` where a file cannot be read."""
    if mail.mode == "console":
        return Console(lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201  (what this mode is for)
    try:
        password = Path(mail.password_file).read_text(encoding="utf-8").strip() if mail.password_file else ""
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"mail.password_file: {mail.password_file} cannot be read. Mend the path.") from wrong
    if mail.ca_file and not Path(mail.ca_file).is_file():
        raise SettingsError(f"mail.ca_file: {mail.ca_file} is no file. Mend the path.")
    return Smtp(
        host=mail.host, port=mail.port, tls=Tls(mail.tls), username=mail.username, password=password,
        ca_file=mail.ca_file, hostname=hostname,
    )  # fmt: skip


def check(settings: Settings) -> None:
    """Refuse what cannot work or is not safe. Raises ``SettingsError``."""
    mail = settings.mail
    if mail.mode not in {"off", "smtp", "console"} or mail.tls not in set(Tls):
        raise SettingsError("mail: unknown mode or tls. Write off, smtp or console, and starttls, tls or none.")
    if mail.mode == "console" and urlsplit(settings.public_url).hostname not in LOOPBACK_HOSTS:
        # Who reads the log could sign in as anybody.
        raise SettingsError("mail.mode: console works on loopback only. Set up smtp, or write off.")
    if mail.sign_in_links and mail.mode == "off":
        raise SettingsError("mail.sign_in_links: without mail there are no links. Set mail.mode.")
    if mail.mode == "smtp":
        _check_smtp(mail)


def _check_smtp(mail: MailSettings) -> None:
    if not (mail.host and mail.sender):
        raise SettingsError("mail: smtp needs host and sender. Set both.")
    if mail.tls == Tls.NONE and mail.host not in LOOPBACK_HOSTS:
        raise SettingsError("mail.tls: none works with a mail server on loopback only. Write starttls or tls.")
    if bool(mail.username) != bool(mail.password_file):
        raise SettingsError("mail: username and password_file belong together. Set both or none.")
    if not 1 <= mail.port <= 65535 or mail.per_hour < 1:  # noqa: PLR2004
        raise SettingsError("mail: port is 1 to 65535, and per_hour 1 at least. Mend the number.")
    try:
        address(mail.sender)
    except ValueError as wrong:
        raise SettingsError("mail.sender: not one address. Write it like Doorward <door@example.com>.") from wrong

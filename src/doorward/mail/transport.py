"""The ways out: a mail server (RFC 5321), or the console of a development machine."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from typing import Final, Protocol

import aiosmtplib

TRY_SECONDS: Final = 60
"""One try, from connecting to the server's last word."""
_PERMANENT: Final = range(500, 600)


class Undeliverable(Exception):  # noqa: N818  (a fact)
    """This mail will never be taken. The text says why without naming anybody."""


class NotNow(Exception):  # noqa: N818
    """The mail server cannot be reached, or will not now: another try may do. The text names nobody."""


class Transport(Protocol):
    """A way out."""

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """Hand over one message. Raises ``Undeliverable``, ``NotNow``."""


class Tls(StrEnum):
    """How the connection to the mail server is protected. The certificate is always checked."""

    STARTTLS = "starttls"
    """Upgraded before anything is said (RFC 3207); without it nothing is sent."""
    TLS = "tls"
    """From the first byte (RFC 8314)."""
    NONE = "none"
    """For a mail server on the same machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """A mail server. One connection for each message: there are few."""

    host: str
    port: int
    tls: Tls
    username: str = ""
    password: str = ""
    ca_file: str = ""
    """Certificates to trust instead of the system's."""
    hostname: str = "localhost"
    """What we call ourselves (EHLO)."""

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """See ``Transport``."""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await aiosmtplib.send(
                    message,
                    sender=sender,
                    recipients=[recipient],
                    hostname=self.host,
                    port=self.port,
                    local_hostname=self.hostname,
                    username=self.username or None,
                    password=self.password or None,
                    use_tls=self.tls is Tls.TLS,
                    start_tls=self.tls is Tls.STARTTLS,
                    tls_context=self._context(),
                    timeout=TRY_SECONDS,
                )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _meaning("recipient refused", refused.recipients[0].code) from refused
        except aiosmtplib.SMTPDataError as refused:
            raise _meaning("message refused", refused.code) from refused
        except aiosmtplib.SMTPResponseException as refused:
            # Sign-in or sender: the operator's to mend, and then this mail is as good as any other.
            raise NotNow(f"{type(refused).__name__} {refused.code}") from refused
        except (aiosmtplib.SMTPException, OSError, ValueError) as wrong:
            # The library's words may quote what the server said, and that whom the mail is for.
            raise NotNow(type(wrong).__name__) from wrong

    def _context(self) -> ssl.SSLContext | None:
        return None if self.tls is Tls.NONE else ssl.create_default_context(cafile=self.ca_file or None)


@dataclass(frozen=True, slots=True)
class Console:
    """Writes each mail out instead of sending it: for development, since who reads the console can follow its link."""

    write: Callable[[str], None]

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:  # noqa: ARG002
        """See ``Transport``."""
        text = message.get_body(("plain",))
        body = "" if text is None else text.get_content()
        self.write(f"\n--- mail to {recipient}: {message['Subject']}\n{body.strip()}\n---\n")


def _meaning(what: str, code: int) -> Exception:
    return (Undeliverable if code in _PERMANENT else NotNow)(f"{what} ({code})")

"""A real mail server on loopback that keeps what it takes, and refuses what a test wants refused."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

from support.https_server import trust

USERNAME, PASSWORD = "door", "a password of the mail server"


@dataclass
class Taken:
    """One mail that the server took."""

    recipients: list[str]
    sender: str | None
    message: EmailMessage
    raw: bytes

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def url(self) -> str:
        return next(line for line in self.text.splitlines() if line.startswith("http"))

    @property
    def token(self) -> str:
        return parse_qs(urlsplit(self.url).query)["token"][0]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailServer:
    """``refuse_recipient`` and ``refuse_data`` are the server's answers, where it is to refuse."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    sessions: int = 0
    refuse_recipient: str = ""
    refuse_data: str = ""
    hold: asyncio.Event | None = None
    """Wait for it before a mail is taken."""
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.sessions += 1
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.refuse_recipient:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.hold is not None:
            self.holding.set()
            await self.hold.wait()
        if self.refuse_data:
            return self.refuse_data
        raw = envelope.original_content
        assert raw is not None
        message = message_from_bytes(raw, EmailMessage, policy=POLICY)
        self.taken.append(Taken(envelope.rcpt_tos, envelope.mail_from, message, raw))
        return "250 taken"


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    fits = isinstance(data, LoginPassword) and (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=fits, handled=False)


@asynccontextmanager
async def mail_server(*, starttls: bool = False, tls: bool = False, auth: bool = False) -> AsyncIterator[MailServer]:
    """Serve on a free port, in this event loop."""
    state, loop = MailServer(), asyncio.get_running_loop()
    context = trust("localhost")[0]

    def session() -> SMTP:
        with warnings.catch_warnings():
            # It does not see that TLS is there from the first byte.
            warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
            return SMTP(
                state, hostname="mail.test", loop=loop, tls_context=context if starttls else None,
                require_starttls=starttls, auth_required=auth, auth_require_tls=starttls,
                authenticator=_authenticate if auth else None,
            )  # fmt: skip

    listening = await loop.create_server(session, "127.0.0.1", 0, ssl=context if tls else None)
    state.port = listening.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        listening.close()


def authority(folder: Path) -> str:
    """Return a file with the authority of the server's certificate."""
    path = folder / "ca.pem"
    certificates = trust("localhost")[1].get_ca_certs(binary_form=True)
    path.write_text("".join(map(ssl.DER_cert_to_PEM_cert, certificates)), encoding="ascii")
    return str(path)

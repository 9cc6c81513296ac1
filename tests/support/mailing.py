"""A house of people that sends mail to a real mail server, and a reader of its mail."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from doorward.accounts.accepting import Accepting
from doorward.accounts.asking import Budgets
from doorward.accounts.email_change import EmailChange
from doorward.accounts.http.invitation_page import InvitationPage
from doorward.accounts.http.link_pages import LinkPages
from doorward.accounts.http.mailed_pages import MailedPages
from doorward.accounts.http.reset_pages import ResetPages
from doorward.accounts.http.undo_page import UndoPage
from doorward.accounts.mailed import Mailing
from doorward.accounts.password_reset import PasswordReset
from doorward.accounts.proofs import PasswordProof
from doorward.accounts.sign_in_links import SignInLinks
from doorward.dashboard.invitations import InvitationsPage
from doorward.dashboard.own_email import OwnEmail
from doorward.dashboard.shown_to import ShownTo
from doorward.dashboard.signed_in import SignedIn
from doorward.dashboard.step_up import StepUp
from doorward.mail.outbox import Outbox
from doorward.mail.rendering import address
from doorward.mail.sending import Mailer
from doorward.mail.transport import Smtp, Tls
from doorward.storage import events
from doorward.vault import Sealer
from support.mail_server import MailServer, Taken, mail_server
from support.pages import FINGERPRINTER, House, opened_house

SEALER = Sealer(b"s" * 32)


@dataclass
class Post:
    """The house, its mail server, and what goes between them."""

    house: House
    server: MailServer
    on: bool = True
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        house = self.house
        self.mailing = Mailing(
            database=house.database, fingerprinter=FINGERPRINTER, budgets=Budgets(FINGERPRINTER), now=house.clock,
            outbox=Outbox(sealer=SEALER, entropy=os.urandom, on=self.on), entropy=os.urandom, public_url=house.public_url,
        )  # fmt: skip
        self.mailer = Mailer(
            database=house.database, sealer=SEALER, transport=Smtp(host="127.0.0.1", port=self.server.port, tls=Tls.NONE),
            sender=address("Doorward <door@mail.example>"), host="mcp.acme.example", now=house.clock,
        )  # fmt: skip
        common = MailedPages(pages=house.pages, cookies=house.cookies, greeting=house.greeting, mailing=self.mailing)
        reset = ResetPages(common=common, reset=PasswordReset(mailing=self.mailing, passwords=house.passwords))
        links = LinkPages(
            common=common, links=SignInLinks(mailing=self.mailing, entering=house.entering), on=self.on
        )  # fmt: skip
        accepting = Accepting(mailing=self.mailing, passwords=house.passwords, entering=house.entering)
        signed_in = SignedIn(
            cookies=house.cookies, used=house.uses.used, database=house.database, fingerprinter=FINGERPRINTER,
            now=house.clock, shown_to=ShownTo(sealer=SEALER, entropy=os.urandom),
        )  # fmt: skip
        common_of_proof: dict[str, Any] = {"database": house.database, "now": house.clock}
        proof = PasswordProof(passwords=house.passwords, fingerprinter=FINGERPRINTER, **common_of_proof)
        step_up = StepUp(
            pages=house.pages, signed_in=signed_in, password=proof, sealer=SEALER, entropy=os.urandom,
            public_url=house.public_url, recent_seconds=600, **common_of_proof,
        )  # fmt: skip
        change = EmailChange(mailing=self.mailing, passwords=house.passwords)
        house.ways += [links, reset]
        house.more += [
            *reset.routes(),
            *links.routes(),
            *UndoPage(common=common, change=change).routes(),
            *OwnEmail(
                pages=house.pages,
                signed_in=signed_in,
                step_up=step_up,
                greeting=house.greeting,
                mailing=self.mailing,
                change=change,
            ).routes(),
            *InvitationPage(common=common, accepting=accepting).routes(),
            *InvitationsPage(pages=house.pages, signed_in=signed_in, step_up=step_up, mailing=self.mailing).routes(),
        ]
        house.__post_init__()

    async def delivered(self) -> list[Taken]:
        """Send what waits, and return what is new at the mail server."""
        await self.mailer.send_due()
        new = self.server.taken[self.seen :]
        self.seen = len(self.server.taken)
        return new

    async def letter(self) -> Taken:
        """Return the one new letter."""
        (one,) = await self.delivered()
        return one

    async def events(self, prefix: str = "") -> list[str]:
        """Return the names of all events, oldest first."""
        found = await self.house.database.read_long(lambda reader: events.recent_events(reader, None, 200))
        return [event.name for event in reversed(found) if event.name.startswith(prefix)]


@asynccontextmanager
async def opened_post(folder: Path, url: str = "", *, on: bool = True, **more: Any) -> AsyncIterator[Post]:
    """Yield a house that sends mail."""
    async with mail_server() as server, opened_house(folder, url, **more) as house:
        yield Post(house, server, on)


def link_path(letter: Taken, public_url: str) -> str:
    """Return the path and query of a letter's link, which has to be of our own origin."""
    assert letter.url.startswith(f"{public_url}/"), letter.url
    return letter.url.removeprefix(public_url)

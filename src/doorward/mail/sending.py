"""What sends the queue: claim a row, send it, take it out; try again later what did not go, and say what never went.

A row that is claimed is nobody else's until its lease ends, which is longer than any try takes. So no two nodes send
one mail, and what a node was sending when it died is sent by another. Only a node that dies between the mail server's
last word and our next commit leaves a mail that is sent twice, with the same Message-ID.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from email.headerregistry import Address
from typing import Final

import structlog

from doorward import audit
from doorward.mail.outbox import opened
from doorward.mail.rendering import message_of
from doorward.mail.transport import TRY_SECONDS, NotNow, Transport, Undeliverable
from doorward.model import SECOND, Instant, OutgoingMail
from doorward.storage import outgoing_mail
from doorward.storage.database import Database, StorageUnavailable, Transaction
from doorward.vault import Sealer, Unsealed

LEASE_SECONDS: Final = 3 * TRY_SECONDS
LOOK_SECONDS: Final = 1.0
"""Between two looks into the queue."""
AT_ONCE: Final = 8
END_SECONDS: Final = 3.0
"""How long what is being sent may take when the server stops."""
WAITS: Final = (30, 120, 600, 1800, 3600, 7200)
"""Seconds before the next try, by tries made; then the last one again and again, until nobody needs the mail."""

_log = structlog.get_logger("doorward.mail")


class Mailer:
    """``host`` is our public name, for the words of a letter."""

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        transport: Transport,
        sender: Address,
        host: str,
        now: Callable[[], Instant],
    ) -> None:
        self._database, self._sealer, self._transport = database, sealer, transport
        self._sender, self._host, self._now = sender, host, now

    async def run(self) -> None:
        """Send what is due, until cancelled; then let what is under way come to its end, for a moment."""
        while True:
            turn = asyncio.ensure_future(self._turn())
            try:
                await asyncio.shield(turn)
            except asyncio.CancelledError:
                await asyncio.wait({turn}, timeout=END_SECONDS)
                turn.cancel()
                raise
            await asyncio.sleep(LOOK_SECONDS)

    async def send_due(self) -> int:
        """Try what is due, ``AT_ONCE`` at a time; return how many were tried. Raises ``StorageUnavailable``."""
        tried = 0
        while True:
            due = await self._database.read_long(
                lambda reader: outgoing_mail.due_mail(reader, self._now(), most=AT_ONCE)
            )  # fmt: skip
            claimed = [each for mail in due if (each := await self._claimed(mail)) is not None]
            await asyncio.gather(*map(self._try, claimed))
            tried += len(claimed)
            if len(due) < AT_ONCE:
                return tried

    async def _turn(self) -> None:
        try:
            await self.send_due()
        except StorageUnavailable:
            _log.warning("mail not looked at")
        except Exception as error:  # noqa: BLE001  (whatever it is, the queue must not end with it)
            _log.error("mail not looked at", kind=type(error).__name__)

    async def _claimed(self, mail: OutgoingMail) -> OutgoingMail | None:
        until = Instant(self._now() + LEASE_SECONDS * SECOND)
        if not await self._database.write(lambda tx: outgoing_mail.claim_mail(tx, mail, until=until)):
            return None
        return replace(mail, attempts=mail.attempts + 1, next_try_at=until)

    async def _try(self, mail: OutgoingMail) -> None:
        now = self._now()
        if mail.useless_at <= now:
            await self._give_up(mail, "nobody needs it any more")
            return
        try:
            message = message_of(
                opened(self._sealer, mail), message_id=mail.id, sender=self._sender, host=self._host, now=now
            )
            await self._transport.send(message, sender=self._sender.addr_spec, recipient=mail.recipient)
        except NotNow as wrong:
            await self._later(mail, str(wrong))
        except Undeliverable as wrong:
            await self._give_up(mail, str(wrong))
        except (Unsealed, ValueError, KeyError) as wrong:
            await self._give_up(mail, f"not to be written ({type(wrong).__name__})")
        else:
            await self._database.write(lambda tx: outgoing_mail.remove_mail(tx, mail))
            _log.info("mail sent", mail=mail.id, kind=mail.kind)

    async def _later(self, mail: OutgoingMail, why: str) -> None:
        wait = WAITS[min(mail.attempts, len(WAITS)) - 1]
        at = Instant(self._now() + wait * SECOND)
        await self._database.write(lambda tx: outgoing_mail.try_mail_later(tx, mail, at))
        _log.warning("mail not sent yet", mail=mail.id, kind=mail.kind, why=why, tries=mail.attempts, again_in=wait)

    async def _give_up(self, mail: OutgoingMail, why: str) -> None:
        def work(tx: Transaction) -> None:
            if outgoing_mail.remove_mail(tx, mail):
                audit.record(
                    tx, name="mail:given_up", at=self._now(), tenant_id=mail.tenant_id, subject=mail.id,
                    detail={"kind": mail.kind, "why": why, "tries": str(mail.attempts)}, cause=None,
                )  # fmt: skip

        await self._database.write(work)
        _log.error("mail given up", mail=mail.id, kind=mail.kind, why=why, tries=mail.attempts)

"""The queue of mail on both databases: nothing is lost, nothing is sent twice, and what never goes is told of."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from doorward.mail.letters import RESET, TEST, Letter
from doorward.mail.outbox import Outbox, opened
from doorward.mail.rendering import address
from doorward.mail.sending import LEASE_SECONDS, WAITS, Mailer
from doorward.mail.transport import Smtp, Tls
from doorward.model import SECOND, Instant, TenantId
from doorward.storage import events, outgoing_mail
from doorward.storage.database import Database
from doorward.storage.opening import open_database
from doorward.vault import Sealer, Unsealed
from support.mail_server import MailServer, mail_server
from support.pages import Clock
from support.rows import NOW

pytestmark = pytest.mark.anyio
SEALER = Sealer(b"s" * 32)
SECRET = "dwl_a-link-that-lets-somebody-in"
LETTER = Letter(
    kind=RESET,
    to="ines@acme.example",
    detail={"origin": "192.0.2.7", "until": "soon"},
    url=f"https://x/?token={SECRET}",
)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def mailer(database: Database, server: MailServer, now: Callable[[], Instant]) -> Mailer:
    return Mailer(
        database=database,
        sealer=SEALER,
        transport=Smtp(host="127.0.0.1", port=server.port, tls=Tls.NONE),
        sender=address("door@mail.example"),
        host="mcp.acme.example",
        now=now,
    )


async def post(database: Database, letter: Letter = LETTER, *, times: int = 1, on: bool = True, **more: Any) -> None:
    outbox = Outbox(sealer=SEALER, entropy=os.urandom, on=on)
    for _ in range(times):
        await database.write(lambda tx: outbox.post(tx, letter, now=NOW, **more))


async def waiting(database: Database) -> int:
    return len(await database.read(lambda reader: outgoing_mail.due_mail(reader, Instant(2**62), most=1000)))


async def given_up(database: Database, tenant: TenantId | None = None) -> list[events.AuditEvent]:
    found = await database.read_long(lambda reader: events.recent_events(reader, tenant, 50))
    return [event for event in found if event.name == "mail:given_up"]


async def test_what_was_queued_is_sent_once_and_is_gone(database: Database, server: MailServer, clock: Clock) -> None:
    await post(database)
    assert await mailer(database, server, clock).send_due() == 1
    (taken,) = server.taken
    assert taken.token == SECRET
    assert await waiting(database) == 0
    assert await mailer(database, server, clock).send_due() == 0


async def test_a_restart_loses_nothing(database: Database, url: str, server: MailServer, clock: Clock) -> None:
    await post(database, times=3)
    await database.close()
    again = open_database(url, create=False)
    assert await mailer(again, server, clock).send_due() == 3
    await again.close()
    assert len(server.taken) == 3


async def test_two_nodes_send_each_mail_once(
    database: Database, second: Database, server: MailServer, clock: Clock
) -> None:
    await post(database, times=30)
    nodes = [mailer(one, server, clock) for one in (database, second)]
    tried = await asyncio.gather(*(node.send_due() for node in nodes for _ in range(2)))
    while await waiting(database):
        tried.append(await nodes[0].send_due())
    assert sum(tried) == 30
    assert len({taken.message["Message-ID"] for taken in server.taken}) == len(server.taken) == 30


async def test_what_a_node_was_sending_when_it_died_is_sent_by_another(
    database: Database, second: Database, server: MailServer, clock: Clock
) -> None:
    await post(database)
    server.hold = asyncio.Event()
    dying = asyncio.create_task(mailer(database, server, clock).send_due())
    await server.holding.wait()
    dying.cancel()
    held, server.hold = server.hold, None
    other = mailer(second, server, clock)
    assert await other.send_due() == 0
    clock.forward(LEASE_SECONDS)
    assert await other.send_due() == 1
    assert await waiting(database) == 0
    assert len(server.taken) == 1
    held.set()  # Only now: the one that was cancelled still says goodbye to the mail server, for a minute.
    await asyncio.gather(dying, return_exceptions=True)


async def test_a_server_that_stops_lets_a_mail_that_is_under_way_go_out(
    database: Database, server: MailServer, clock: Clock
) -> None:
    await post(database)
    server.hold = asyncio.Event()
    running = asyncio.create_task(mailer(database, server, clock).run())
    await server.holding.wait()
    running.cancel()
    asyncio.get_running_loop().call_soon(server.hold.set)
    await asyncio.gather(running, return_exceptions=True)
    assert len(server.taken) == 1
    assert await waiting(database) == 0


async def test_what_cannot_be_sent_now_is_tried_again_ever_later(
    database: Database, server: MailServer, clock: Clock
) -> None:
    await post(database)
    server.refuse_data = "451 later"
    sender = mailer(database, server, clock)
    for wait in WAITS:
        assert await sender.send_due() == 1
        clock.forward(wait - 1)
        assert await sender.send_due() == 0
        clock.forward(1)
    server.refuse_data = ""
    assert await sender.send_due() == 1
    assert len(server.taken) == 1
    assert await given_up(database) == []


async def test_what_is_refused_for_good_is_given_up_and_told_without_naming_anybody(
    database: Database, server: MailServer, clock: Clock
) -> None:
    tenant = TenantId("t-acme")
    await post(database, tenant_id=tenant)
    server.refuse_recipient = "550 ines@acme.example does not live here"
    await mailer(database, server, clock).send_due()
    assert await waiting(database) == 0
    (event,) = await given_up(database, tenant)
    assert event.detail == {"kind": RESET, "why": "recipient refused (550)", "tries": "1"}


async def test_a_mail_that_nobody_needs_any_more_is_not_sent(
    database: Database, server: MailServer, clock: Clock
) -> None:
    await post(database, useless_at=Instant(NOW + 900 * SECOND))
    clock.forward(900)
    await mailer(database, server, clock).send_due()
    assert server.taken == []
    assert (await given_up(database))[0].detail["why"] == "nobody needs it any more"


async def test_N1_what_waits_is_sealed_for_its_row_and_its_recipient(
    database: Database, server: MailServer, clock: Clock
) -> None:
    await post(database)
    (row,) = await database.read(lambda reader: outgoing_mail.due_mail(reader, NOW, most=9))
    assert SECRET not in row.sealed
    assert opened(SEALER, row) == LETTER
    for changed in (replace(row, recipient="eve@evil.example"), replace(row, id="mail_2"), replace(row, kind=TEST)):
        with pytest.raises(Unsealed):
            opened(SEALER, changed)
        await database.write(lambda tx, changed=changed: swapped(tx, row.id, changed))  # type: ignore[misc]
        await mailer(database, server, clock).send_due()
    assert server.taken == []
    assert {event.detail["why"] for event in await given_up(database)} == {"not to be written (Unsealed)"}


def swapped(tx: Any, old: str, changed: Any) -> None:
    found = [mail for mail in outgoing_mail.due_mail(tx, NOW, most=9) if mail.id == old]
    for mail in found:
        outgoing_mail.remove_mail(tx, mail)
    outgoing_mail.insert_mail(tx, changed)


async def test_without_mail_nothing_is_kept(database: Database) -> None:
    await post(database, on=False)
    assert await waiting(database) == 0


async def test_an_unknown_kind_is_a_mistake_of_ours(database: Database) -> None:
    with pytest.raises(ValueError, match="unknown letter"):
        await post(database, replace(LETTER, kind="other"))


async def test_the_queue_goes_on_after_the_database_was_away(
    database: Database, server: MailServer, clock: Clock
) -> None:
    await database.close()
    running = asyncio.create_task(mailer(database, server, clock)._turn())
    await running
    assert server.taken == []

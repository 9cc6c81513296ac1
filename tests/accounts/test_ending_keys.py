"""People are told of keys that are about to end: once for each mark, by one node, and not of those that are done with."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from doorward.accounts import ending_keys, notices
from doorward.credentials import key_changes
from doorward.credentials.api_keys import create_api_key, revoke_api_key
from doorward.credentials.key_changes import NewEnd
from doorward.credentials.key_makers import OPERATOR
from doorward.mail.outbox import Outbox, opened
from doorward.model import SECOND, ApiKeyId, Instant, User
from doorward.storage import outgoing_mail
from doorward.storage.database import Transaction
from doorward.vault import Sealer
from support.pages import CATALOGUE, FINGERPRINTER, PUBLIC_URL, ROBOT, House, opened_house
from support.rows import ACME, ALICE, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("C8")]
DAY = 86_400
SEALER = Sealer(b"s" * 32)


@dataclass
class Hourly:
    """What the server does about keys that end."""

    house: House
    outbox: Outbox = field(default_factory=lambda: Outbox(sealer=SEALER, entropy=os.urandom, on=True))

    async def key(self, days: float, owner: User = ALICE, created_by: User = ALICE) -> ApiKeyId:
        now = self.house.clock()
        end = Instant(now + int(days * DAY) * SECOND)

        def make(tx: Transaction) -> Any:
            rights = frozenset(entry.permission for entry in CATALOGUE)
            return create_api_key(
                tx, owner=owner, tenant=ACME, created_by=created_by.id, name=f"for {days} days", rights=rights, now=now,
                entropy=os.urandom, fingerprinter=FINGERPRINTER, scopes=None, resources=None, expires_at=end, cause=None,
            ).key.id  # fmt: skip

        made: ApiKeyId = await self.house.change(make)
        return made

    async def look(self) -> int:
        return await ending_keys.tell_all(
            self.house.database, outbox=self.outbox, public_url=PUBLIC_URL, now=self.house.clock
        )

    async def letters(self) -> list[Any]:
        far = Instant(NOW + 400 * DAY * SECOND)
        waiting = await self.house.database.read_long(lambda reader: outgoing_mail.due_mail(reader, far, most=99))
        return [opened(SEALER, mail) for mail in waiting]


@pytest.fixture
async def hourly(tmp_path: Path) -> AsyncIterator[Hourly]:
    async with opened_house(tmp_path) as house:
        yield Hourly(house)


async def test_a_key_is_told_of_a_week_and_a_day_before_its_end(hourly: Hourly) -> None:
    await hourly.key(90)
    told = []
    for day in range(92):
        if await hourly.look():
            told.append(day)
            assert await hourly.look() == 0
        hourly.house.clock.forward(DAY)
    assert told == [83, 89]
    letters = await hourly.letters()
    assert {(letter.kind, letter.to, letter.url) for letter in letters} == {
        ("key_ending", ALICE.email, f"{PUBLIC_URL}/settings/keys")
    }
    assert len(letters) == 2
    waiting = await hourly.house.database.read(lambda reader: notices.waiting(reader, ALICE.id))
    assert [each.headline for each in waiting] == ["The API key for 90 days ends soon"] * 2
    assert "Acme" in waiting[0].text


async def test_short_keys_are_told_of_at_the_marks_that_they_have(hourly: Hourly) -> None:
    await hourly.key(7)
    await hourly.key(1)
    await hourly.key(0.5)
    assert await hourly.look() == 0
    hourly.house.clock.forward(6 * DAY)
    assert await hourly.look() == 1


async def test_a_server_that_was_away_tells_once_of_what_it_missed(hourly: Hourly) -> None:
    await hourly.key(90)
    hourly.house.clock.forward(89 * DAY + 3600)
    assert [await hourly.look(), await hourly.look()] == [1, 0]
    assert len(await hourly.letters()) == 1


async def test_what_has_ended_or_is_disabled_is_told_of_to_nobody(hourly: Hourly) -> None:
    revoked, disabled, _expired = await hourly.key(10), await hourly.key(10), await hourly.key(8)
    now = hourly.house.clock
    await hourly.house.change(
        lambda tx: revoke_api_key(tx, tenant_id=ACME.id, key_id=revoked, by=None, now=now(), cause=None)
    )
    await hourly.house.change(
        lambda tx: key_changes.disable_api_key(tx, disabled, tenant=ACME, maker=OPERATOR, now=now(), cause=None)
    )
    hourly.house.clock.forward(8 * DAY)
    assert await hourly.look() == 0
    await hourly.house.change(
        lambda tx: key_changes.enable_api_key(tx, disabled, tenant=ACME, maker=OPERATOR, now=now(), cause=None)
    )
    assert await hourly.look() == 1


async def test_a_key_that_got_another_end_is_told_of_anew(hourly: Hourly) -> None:
    key = await hourly.key(30)
    hourly.house.clock.forward(25 * DAY)
    assert await hourly.look() == 1

    def rotate(tx: Transaction) -> object:
        now = hourly.house.clock()
        end = NewEnd(Instant(now + 30 * DAY * SECOND))
        return key_changes.rotate_api_key(
            tx, key, tenant=ACME, maker=OPERATOR, overlap=0, end=end, now=now, entropy=os.urandom,
            fingerprinter=FINGERPRINTER, prefix="dw", cause=None,
        )  # fmt: skip

    await hourly.house.change(rotate)
    assert await hourly.look() == 0
    hourly.house.clock.forward(23 * DAY)
    assert await hourly.look() == 1


async def test_of_two_that_look_at_once_one_tells(hourly: Hourly) -> None:
    await hourly.key(30)
    hourly.house.clock.forward(25 * DAY)
    assert sorted(await asyncio.gather(*(hourly.look() for _ in range(5)))) == [0, 0, 0, 0, 1]
    assert len(await hourly.letters()) == 1


async def test_of_a_service_account_s_key_somebody_is_told_who_can_read(hourly: Hourly) -> None:
    await hourly.key(30, ROBOT, ALICE)
    hourly.house.clock.forward(25 * DAY)
    await hourly.look()
    assert [letter.to for letter in await hourly.letters()] == [ALICE.email]
    await hourly.key(30, ROBOT, ROBOT)
    hourly.house.clock.forward(25 * DAY)
    await hourly.look()
    assert {letter.to for letter in await hourly.letters()} == {ALICE.email, "carol@acme.test"}


async def test_without_mail_the_pages_still_tell(hourly: Hourly) -> None:
    hourly.outbox = Outbox(sealer=SEALER, entropy=os.urandom, on=False)
    await hourly.key(30)
    hourly.house.clock.forward(25 * DAY)
    assert await hourly.look() == 1
    assert await hourly.letters() == []
    assert len(await hourly.house.database.read(lambda reader: notices.waiting(reader, ALICE.id))) == 1

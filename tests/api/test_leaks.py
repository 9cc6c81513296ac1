"""Reports of leaked keys: signed or refused, whole keys only, and the same answer whatever was found (I14)."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from doorward.accounts import notices
from doorward.api.leaks import FRESH, LeaksApi, signature
from doorward.credentials import key_changes, secret
from doorward.credentials.api_keys import create_api_key
from doorward.credentials.key_makers import OPERATOR
from doorward.mail.outbox import Outbox, opened
from doorward.model import SECOND, ApiKeyId, Instant, User
from doorward.storage import api_keys, events, outgoing_mail
from doorward.storage.database import Transaction
from doorward.vault import Sealer
from support.pages import CATALOGUE, FINGERPRINTER, PUBLIC_URL, ROBOT, House, opened_house
from support.rows import ACME, ALICE, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("C3")]
SECRET, SECOND_SECRET, SEALER = (
    b"a secret of some length, shared",
    b"the secret that follows it later",
    Sealer(b"s" * 32),
)
RIGHTS = frozenset(entry.permission for entry in CATALOGUE)


@dataclass
class Desk:
    """The surface inside a house of people."""

    house: House

    async def key(self, owner: User = ALICE, created_by: User = ALICE) -> str:
        def make(tx: Transaction) -> str:
            return create_api_key(
                tx, owner=owner, tenant=ACME, created_by=created_by.id, name="ci", rights=RIGHTS, now=NOW,
                entropy=os.urandom, fingerprinter=FINGERPRINTER, scopes=None, resources=None, expires_at=None, cause=None,
            ).text  # fmt: skip

        text: str = await self.house.change(make)
        return text

    async def report(self, body: Any, *, shared: bytes = SECRET, at: int | None = None, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        seconds = str(self.house.clock() // SECOND if at is None else at)
        sent = {"content-type": "application/json", **headers}
        sent.setdefault("doorward-signature", f"t={seconds},v1={signature(shared, seconds, content)}")
        return await self.house.browser().client.post("/api/leaks", content=content, headers=sent)

    async def revoked(self, text: str) -> bool:
        key_id = ApiKeyId(text.partition("_")[2][:13])
        key = await self.house.database.read(lambda reader: api_keys.api_key_by_id(reader, ACME.id, key_id))
        assert key is not None
        return key.revoked_at is not None

    async def told(self) -> list[str]:
        found = await self.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 100))
        return [event.name for event in found if event.name in {"api_key:revoked", "api_key:leaked"}]

    async def letters(self) -> list[tuple[str, str]]:
        waiting = await self.house.database.read_long(
            lambda reader: outgoing_mail.due_mail(reader, Instant(NOW + 10**12), most=99)
        )
        return [(letter.kind, letter.to) for letter in (opened(SEALER, mail) for mail in waiting)]


def _surface(house: House, *secrets: bytes) -> LeaksApi:
    return LeaksApi(
        database=house.database, secrets=secrets, fingerprinter=FINGERPRINTER, prefix="dw", public_url=PUBLIC_URL,
        outbox=Outbox(sealer=SEALER, entropy=os.urandom, on=True), now=house.clock,
    )  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened_house(tmp_path) as house:
        house.more += _surface(house, SECRET, SECOND_SECRET).routes()
        house.__post_init__()
        yield Desk(house)


async def test_I14_a_signed_report_revokes_and_tells_its_people(desk: Desk) -> None:
    key, other = await desk.key(), await desk.key()
    answer = await desk.report({"keys": [key], "where": "https://git.example/a/b/blob/c.env"})
    assert (answer.status_code, answer.json()) == (202, {"received": 1})
    assert (await desk.revoked(key), await desk.revoked(other)) == (True, False)
    assert await desk.told() == ["api_key:leaked", "api_key:revoked"]
    [notice] = await desk.house.database.read(lambda reader: notices.waiting(reader, ALICE.id))
    assert "found in the open" in notice.headline
    assert "https://git.example/a/b/blob/c.env" in notice.text
    assert await desk.letters() == [("key_leaked", ALICE.email)]


async def test_I14_the_same_report_again_ends_and_tells_nothing_more(desk: Desk) -> None:
    key = await desk.key()
    for _ in range(3):
        assert (await desk.report({"keys": [key, key]})).json() == {"received": 2}
    assert await desk.told() == ["api_key:leaked", "api_key:revoked"]
    assert len(await desk.letters()) == 1


async def test_I14_an_unsigned_or_old_report_does_nothing(desk: Desk) -> None:
    key = await desk.key()
    body = json.dumps({"keys": [key]}).encode()
    now = desk.house.clock() // SECOND
    good = signature(SECRET, str(now), body)
    for headers in (
        {"doorward-signature": ""}, {"doorward-signature": good}, {"doorward-signature": f"t={now},v1={'0' * 64}"},
        {"doorward-signature": f"t={now + 1},v1={good}"}, {"doorward-signature": f"t={now},v1={good.upper()}"},
        {"doorward-signature": f"t={now},v1={good},v1={good}"}, {"doorward-signature": f"t={'9' * 40},v1={good}"},
    ):  # fmt: skip
        answer = await desk.report(body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "DW-428"), headers
    for at, wanted in ((now - FRESH - 1, 401), (now + FRESH + 1, 401), (now - FRESH, 202)):
        assert (await desk.report({"keys": ["x"]}, at=at)).status_code == wanted
    assert (await desk.report({"keys": [key]}, shared=b"another secret of the same length")).status_code == 401
    tampered = await desk.report(body.replace(b"}", b" }"), **{"doorward-signature": f"t={now},v1={good}"})
    assert tampered.status_code == 401
    assert not await desk.revoked(key)
    assert (await desk.report({"keys": [key]}, shared=SECOND_SECRET)).status_code == 202
    assert await desk.revoked(key)


async def test_I14_what_is_no_whole_key_ends_nothing_and_is_answered_alike(desk: Desk) -> None:
    key = await desk.key()
    shown = key[:16]
    wrong = secret._sealed(shown + "a" * 43)
    strangers = [
        shown,
        key[:-1],
        key + "x",
        wrong,
        key.upper(),
        "",
        "dwr_" + "a" * 49,
        "\ud800",
        key.replace("dw_", "sta_"),
    ]
    with capture_logs() as logs:
        answers = [await desk.report({"keys": [each]}) for each in (*strangers, await desk.key())]
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, '{"received":1}')}
    assert not await desk.revoked(key)
    assert key not in str(logs)
    assert wrong not in str(logs)


async def test_I14_an_old_secret_of_a_rotated_key_ends_the_key_while_it_is_good(desk: Desk) -> None:
    for overlap, ended in ((3600, True), (0, False)):
        key = await desk.key()

        def rotate(tx: Transaction, key: str = key, overlap: int = overlap) -> object:
            return key_changes.rotate_api_key(
                tx, ApiKeyId(key[3:16]), tenant=ACME, maker=OPERATOR, overlap=overlap, now=desk.house.clock(),
                entropy=os.urandom, fingerprinter=FINGERPRINTER, prefix="dw", cause=None,
            )  # fmt: skip

        await desk.house.change(rotate)
        await desk.report({"keys": [key]})
        assert await desk.revoked(key) is ended


async def test_a_service_account_s_key_is_told_to_whoever_made_it_or_to_the_owners(desk: Desk) -> None:
    await desk.report({"keys": [await desk.key(ROBOT, ALICE)]})
    assert await desk.letters() == [("key_leaked", ALICE.email)]
    await desk.report({"keys": [await desk.key(ROBOT, ROBOT)]})
    assert sorted(await desk.letters())[-2:] == [("key_leaked", ALICE.email), ("key_leaked", "carol@acme.test")]


@pytest.mark.parametrize("where", ["", "a\u202eb", "x" * 1000, "<script>", "\x00"])
async def test_where_it_was_found_is_kept_as_plain_words(desk: Desk, where: str) -> None:
    key = await desk.key()
    assert (await desk.report({"keys": [key], "where": where})).status_code == 202
    found = await desk.house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 1))
    assert found[0].detail["where"].isprintable()
    assert len(found[0].detail["where"]) <= 300


BAD: list[Any] = [
    None, [], {}, {"keys": []}, {"keys": "x"}, {"keys": [1]}, {"keys": ["x" * 1001]}, {"keys": ["x"] * 101},
    {"keys": ["x"], "where": 1}, {"keys": ["x"], "where": "x" * 1001}, {"keys": ["x"], "more": 1},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
async def test_another_form_is_refused(desk: Desk, body: Any) -> None:
    answer = await desk.report(json.dumps(body).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "DW-429")
    assert (await desk.report(b"{")).status_code == 400


async def test_without_a_secret_there_is_no_such_address(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        house.more += _surface(house).routes()
        house.__post_init__()
        key = await Desk(house).key()
        assert (await Desk(house).report({"keys": [key]}, shared=b"")).status_code == 404
        assert not await Desk(house).revoked(key)

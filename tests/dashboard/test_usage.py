"""The usage page: whose use who sees, in exact numbers, and as a table that no spreadsheet computes."""

import csv
import io
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.audit import CallLog
from doorward.model import ConnectionId, Instant
from doorward.storage import api_keys, clients, connections, events, permissions
from doorward.storage.events import CallEvent
from doorward.storage.usage import HOUR
from support.pages import CAROL, Browser, House
from support.person import Page
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, HARBOUR, KEY, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
PATH = "/settings/usage"
SHEET = f"{PATH}/export.csv"
DAY = 24 * HOUR


def call(**changed: Any) -> CallEvent:
    return CallEvent(
        at=NOW, tenant_id=ACME.id, user_id=ALICE.id, credential="api_key", credential_id=KEY.id, client_id=None,
        server_id=HARBOUR.id, method="tools/call", name="search", decision="allowed", reason="", status=200,
        duration_us=40_000, request_id="req_1",
    )._replace(**changed)  # fmt: skip


async def called(house: House, *calls: CallEvent) -> None:
    log = CallLog(house.database)
    for each in calls:
        log.add(each)
    await log.flush()


async def some_calls(house: House) -> None:
    await house.change(lambda tx: api_keys.insert_api_key(tx, KEY))
    await house.change(lambda tx: clients.insert_client(tx, CLIENT, canonical_key="c", secret_fingerprint=None))
    token = {"credential": "access_token", "credential_id": "n-one", "client_id": CLIENT.id, "user_id": CAROL.id}
    await called(
        house,
        *(call() for _ in range(1200)),
        *(call(name="delete", **token, decision="denied") for _ in range(3)),
        call(name="slow", **token, duration_us=3_000_000, decision="failed", at=Instant(NOW - 3 * DAY)),
        call(name="old", at=Instant(NOW - 40 * DAY)),
        call(name="elsewhere", tenant_id=GLOBEX.id),
    )


async def opened(house: House, user: Any = ALICE) -> Browser:
    browser = house.browser()
    await browser.sign_in(user)
    return browser


def table(page: httpx2.Response) -> list[list[str]]:
    body = page.text.partition('<table id="points">')[2].partition("</table>")[0]
    rows = body.split("<tr")[2:]
    return [[cell.partition(">")[2].partition("<")[0].strip() for cell in row.split("<t")[1:]] for row in rows]


async def test_an_administrator_sees_exact_numbers_of_the_tenant_and_of_no_other(house: House) -> None:
    await some_calls(house)
    browser = await opened(house)
    page = await browser.get(PATH)
    assert page.status_code == 200
    stats = page.text.partition('<dl class="stats">')[2].partition("</dl>")[0]
    for words in ("1,204", "1 in the 30 days before", "0.2 %", "≤ 50 ms"):
        assert words in stats, words
    rows = table(page)
    assert len(rows) == 30
    assert rows[-1][1:] == ["0", "1,200", "3", "0"]
    assert rows[-4][1:] == ["1", "0", "0", "1"]
    assert "1,200 API keys and others, 3 denied</title>" in page.text
    for words in ("Client One", "carol@acme.test", "search", "≤ 5 s"):
        assert words in page.text, words
    assert "elsewhere" not in page.text
    assert "<code>old</code>" not in page.text
    assert "1,205" in (await browser.get(f"{PATH}?days=90")).text


async def test_a_day_is_told_by_the_hour(house: House) -> None:
    await called(
        house,
        call(),
        call(at=Instant(NOW - HOUR)),
        call(at=Instant(NOW - 23 * HOUR)),
        call(at=Instant(NOW - 24 * HOUR)),
    )
    rows = table(await (await opened(house)).get(f"{PATH}?days=1"))
    assert len(rows) == 24
    assert [place for place, row in enumerate(rows) if row[2] == "1"] == [0, 22, 23]


async def test_every_side_can_be_looked_at_alone_and_listed_in_full(house: House) -> None:
    await some_calls(house)
    browser = await opened(house)
    for chosen, calls in (
        ("tool=delete", "3"), ("user=carol@acme.test", "4"), (f"client={CLIENT.id}", "4"), (f"key={KEY.prefix}", "1,200"),
        (f"key={KEY.id}", "1,200"), ("tool=search&user=carol@acme.test", "0"), ("user=gone-for-good", "0"),
    ):  # fmt: skip
        page = await browser.get(f"{PATH}?{chosen}")
        assert page.status_code == 200
        stat = page.text.partition("<dt>Calls</dt>")[2].partition("</dd>")[0]
        assert stat.rpartition(">")[2].strip() == calls, chosen
    keys = await browser.get(f"{PATH}?by=key")
    assert KEY.name in keys.text
    assert "Back to all" in keys.text
    assert "1,200" in keys.text


@pytest.mark.parametrize(
    ("query", "words"),
    [("user=nobody@x.test", "No member of this tenant"), ("user=bob@acme.test", "No member of this tenant"),
     ("tool=" + "x" * 201, "longer than 200"), ("client=a%00b", "cannot be shown")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    house: House, query: str, words: str
) -> None:
    page = await (await opened(house)).get(f"{PATH}?{query}")
    assert page.status_code == 422
    assert words in page.text
    field = next(
        field for form in Page(page.text).forms for field in form.fields if field.name == query.partition("=")[0]
    )
    assert field.value


async def test_everybody_sees_their_own_use_and_nobody_elses(house: House) -> None:
    await some_calls(house)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    await called(house, call(user_id=BOB.id, name="bobs_tool"))
    browser = await opened(house, BOB)
    page = await browser.get(PATH)
    assert "Your usage" in page.text
    assert "bobs_tool" in page.text
    assert "search" not in page.text.partition('aria-labelledby="by-tool"')[2]
    for query in ("?tenant=acme", "?tenant=globex", "?tenant=nosuch", "?tenant=globex&mine=1"):
        assert (await browser.get(PATH + query)).status_code == 403
        assert (await browser.post(SHEET + query, {})).status_code == 403
    # Whom they name does not matter: it stays theirs.
    assert "bobs_tool" in (await browser.get(f"{PATH}?tenant=acme&mine=1&user={ALICE.id}")).text


async def test_who_is_nowhere_is_told_so_and_who_is_nobody_signs_in(house: House) -> None:
    assert "Nothing to count" in (await (await opened(house, BOB)).get(PATH)).text
    assert (await house.browser().get(PATH)).headers["location"].startswith("/sign-in")
    assert (await house.browser().post(SHEET, {})).headers["location"].startswith("/sign-in")


async def test_M6_an_exported_table_holds_no_formula_and_is_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from doorward.storage import usage_reads  # noqa: PLC0415

    monkeypatch.setattr(usage_reads, "PAGE", 4)
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\uff1dA1", ' "=1', "plain", "with, comma", 'quote "', "<b>"]
    await called(house, *(call(name=name) for name in names), call(), call())
    browser = await opened(house)
    sheet = await browser.post(f"{SHEET}?tenant=acme", {})
    assert sheet.headers["content-type"].startswith("text/csv")
    assert sheet.headers["content-disposition"] == 'attachment; filename="usage-acme-30d.csv"'
    head, *rows = list(csv.reader(io.StringIO(sheet.text)))
    assert head[:3] == ["hour (UTC)", "server", "tool"]
    assert len(rows) == len(names) + 1
    tools = {row[2]: row[head.index("calls")] for row in rows}
    assert tools["search"] == "2"
    assert tools["plain"] == tools["with, comma"] == tools['quote "'] == "1"
    assert not [cell for row in rows for cell in row if cell.lstrip(' "').startswith(("=", "+", "-", "@", "\uff1d"))]
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 5))
    (event,) = (each for each in found if each.name == "usage:exported")
    assert (event.actor_id, event.detail) == (ALICE.id, {"days": "30", "by": "page"})
    assert (await browser.post(SHEET, {}, site="cross-site")).status_code == 403


async def test_a_connection_that_nobody_ended_is_a_forced_sign_in(house: House) -> None:
    def work(tx: Any) -> None:
        clients.insert_client(tx, CLIENT, canonical_key="c", secret_fingerprint=None)
        for name, reason in (("n1", "refresh token replayed"), ("n2", "disconnected"), ("n3", None), ("n4", None)):
            connections.insert_connection(tx, replace(CONNECTION, id=ConnectionId(name)))
            if name != "n4":
                connections.activate_connection(tx, ConnectionId(name), NOW)
            if reason:
                connections.revoke_connection(tx, ConnectionId(name), NOW, reason)

    await house.change(work)
    house.clock.forward(2 * 3600)
    browser = await opened(house)
    stat = (await browser.get(PATH)).text.partition("<dt>Forced re-logins</dt>")[2].partition("</dd>")[0]
    assert stat.rpartition(">")[2].strip() == "2"

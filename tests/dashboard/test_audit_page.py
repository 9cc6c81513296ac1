"""The audit log: who may read it, what it finds and how far it looks, and what an export holds."""

import json
from typing import Any

import pytest

from doorward import audit
from doorward.audit import CallLog
from doorward.model import Cause, Instant, UserId
from doorward.storage import api_keys, audit_reads, events, permissions
from doorward.storage.events import CallEvent
from doorward.storage.usage import HOUR
from support.pages import CAROL, Browser, House
from support.person import Page
from support.rows import ACME, ALICE, BOB, GLOBEX, HARBOUR, KEY, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
PATH = "/settings/audit"
LINES = f"{PATH}/export.jsonl"
DAY = 24 * HOUR


def call(number: int = 0, **changed: Any) -> CallEvent:
    return CallEvent(
        at=Instant(NOW + number), tenant_id=ACME.id, user_id=ALICE.id, credential="api_key", credential_id=KEY.id,
        client_id=None, server_id=HARBOUR.id, method="tools/call", name="search", decision="allowed", reason="rule 3",
        status=200, duration_us=40_000, request_id=f"req_{number}", address="192.0.2.7",
    )._replace(**changed)  # fmt: skip


async def called(house: House, *calls: CallEvent) -> None:
    log = CallLog(house.database)
    for each in calls:
        log.add(each)
    await log.flush()


async def changed(house: House, name: str = "api_key:created", **more: Any) -> None:
    said: dict[str, Any] = {
        "at": NOW,
        "tenant_id": ACME.id,
        "actor_id": ALICE.id,
        "subject": "k-one",
        "cause": Cause("req_c", "192.0.2.7"),
    }
    await house.change(lambda tx: audit.record(tx, name=name, **(said | more)))


async def opened(house: House, user: Any = ALICE) -> Browser:
    browser = house.browser()
    await browser.sign_in(user)
    return browser


def exported(text: str) -> list[dict[str, Any]]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]


async def logged(house: House, name: str) -> list[Any]:
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 50))
    return [event for event in found if event.name == name]


async def test_changes_and_calls_are_read_newest_first_with_who_what_and_the_way_to_why(house: House) -> None:
    await house.change(lambda tx: api_keys.insert_api_key(tx, KEY))
    await changed(house, detail={"scopes": "documents:read"})
    await called(house, call(1), call(2, name="delete_document", decision="denied"))
    browser = await opened(house)
    page = await browser.get(f"{PATH}?tenant=acme")
    assert page.status_code == 200
    for words in (
        "api_key:created",
        "alice@acme.test",
        "scopes: documents:read",
        "req_c",
        ">192.0.2.7<",
        "kept for ever",
        "for 365 days",
    ):
        assert words in page.text, words
    page = await browser.get(f"{PATH}?tenant=acme&list=calls")
    assert page.text.index("delete_document") < page.text.index("req_1")
    for words in ("Denied", "rule 3", KEY.name, KEY.prefix, "harbour", ">192.0.2.7<", "That is all"):
        assert words in page.text, words
    why = next(form for form in Page(page.text).forms if form.named("kind"))
    asked = {item.name: item.value for item in why.fields if item.name not in {"", "shown_to"}}
    assert asked == {
        "tenant": "acme", "user": "alice@acme.test", "server": "harbour", "kind": "tool", "name": "delete_document",
        "key": KEY.id,
    }  # fmt: skip
    assert (await browser.post("/settings/why", asked)).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {1, 2, 3, 4, 5}), ("user=carol@acme.test", {2}), (f"user={CAROL.id}", {2}), ("client=c1", {2}),
        (f"key={KEY.id}", {1, 3, 4, 5}), ("key=con_1", {2}), ("tool=delete", {3}), ("tool=resources/read", {4}),
        ("decision=denied", {3}), ("text=RULE%209", {3}), ("text=req_4", {4}), ("text=100%25_", {5}),
        ("user=carol@acme.test&decision=denied", set()), ("address=2001:DB8:0::7", {2, 4}), ("address=192.0.2.7&tool=delete", {3}), ("decision=nosuch", {1, 2, 3, 4, 5}),
    ],
)  # fmt: skip
async def test_calls_are_found_by_each_side(house: House, query: str, found: set[int]) -> None:
    token = {
        "credential": "access_token",
        "credential_id": "con_1",
        "client_id": "c1",
        "user_id": CAROL.id,
        "address": "2001:db8::7",
    }
    await called(
        house, call(1), call(2, **token), call(3, name="delete", decision="denied", reason="Rule 9"),
        call(4, method="resources/read", name="x://a", address="2001:db8::7"), call(5, name="a 100%_b"), call(6, tenant_id=GLOBEX.id),
    )  # fmt: skip
    page = await (await opened(house)).get(f"{PATH}?tenant=acme&list=calls&{query}")
    assert page.status_code == 200
    assert {number for number in range(9) if f">req_{number}<" in page.text} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("user=carol@acme.test", {"a", "b", "e"}), ("event=client", {"c"}), ("event=client:denied", {"c"}),
        ("client=c1", {"c", "d"}), ("key=k-one", {"a"}), ("tool=drop_all", {"e"}), ("text=DROP", {"e"}), ("event=x:y", set("abcde")),
        ("address=192.0.2.9", {"d", "e"}), ("address=::ffff:192.0.2.9", {"d", "e"}), ("address=192.0.2.0", set()),
    ],
)  # fmt: skip
async def test_changes_are_found_by_each_side(house: House, query: str, found: set[str]) -> None:
    await changed(house, actor_id=CAROL.id, cause=Cause("req_a", "192.0.2.7"))
    await changed(house, "user:deactivated", subject=CAROL.email, cause=Cause("req_b", "192.0.2.7"))
    await changed(house, "client:denied", subject="c1", cause=Cause("req_c", "192.0.2.7"))
    await changed(
        house, "connection:revoked", subject="con_1", detail={"client": "c1"}, cause=Cause("req_d", "192.0.2.9")
    )
    await changed(
        house,
        "tool:reviewed",
        subject="harbour",
        detail={"tool": "drop_all", "for": CAROL.id},
        cause=Cause("req_e", "192.0.2.9"),
    )
    page = await (await opened(house)).get(f"{PATH}?tenant=acme&{query}")
    assert {name for name in "abcde" if f">req_{name}<" in page.text} == found


async def test_days_are_whole_days_in_utc(house: House) -> None:
    midnight = NOW - NOW % DAY
    await called(house, *(call(number, at=Instant(midnight + at)) for number, at in enumerate((-1, 0, DAY - 1, DAY))))
    browser = await opened(house)
    for query, found in (
        ("since=2023-11-14&until=2023-11-14", {1, 2}), ("since=2023-11-15", {3}), ("until=2023-11-13", {0}),
    ):  # fmt: skip
        page = await browser.get(f"{PATH}?tenant=acme&list=calls&{query}")
        assert {number for number in range(4) if f">req_{number}<" in page.text} == found, query


async def test_what_is_rare_is_found_far_back_without_looking_through_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_reads, "LOOKED", 20)
    many = [call(number, at=Instant(NOW - 500 * HOUR + number * HOUR), name="common") for number in range(500)]
    await called(house, call(900, at=Instant(NOW - 501 * HOUR), user_id=CAROL.id, name="rare"), *many)
    browser = await opened(house)
    # The sums of use say in which hour she called at all.
    assert ">req_900<" in (await browser.get(f"{PATH}?list=calls&user=carol@acme.test")).text
    # Of a text nobody knows: it says how far it looked, and goes on from there.
    page = await browser.get(f"{PATH}?list=calls&text=rare")
    steps = 0
    while "Look further back" in page.text:
        steps += 1
        link = page.text.partition('<a class="btn primary" href="')[2].partition('"')[0].replace("&amp;", "&")
        page = await browser.get(link)
    assert steps == 6
    assert ">req_900<" in page.text


async def test_pages_follow_each_other_without_gap_or_repetition(house: House) -> None:
    await called(house, *(call(number) for number in range(130)))
    browser = await opened(house)
    link, seen = f"{PATH}?tenant=acme&list=calls", []
    while link:
        page = await browser.get(link)
        seen += [part.partition("<")[0] for part in page.text.split('<code class="breaks">')[1:]]
        link = next(
            (part.partition('"')[0] for part in page.text.split('href="') if "before=" in part.partition('"')[0]), ""
        )
        link = link.replace("&amp;", "&")
    assert seen == [f"req_{number}" for number in reversed(range(130))]


async def test_M10_only_who_may_in_that_tenant_reads_or_exports(house: House) -> None:
    await changed(house)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    assert (await house.browser().get(PATH)).headers["location"].startswith("/sign-in")
    assert (await house.browser().post(LINES, {})).headers["location"].startswith("/sign-in")
    bob, carol = await opened(house, BOB), await opened(house, CAROL)
    for browser, query in ((bob, ""), (bob, "?tenant=acme"), (carol, "?tenant=globex"), (carol, "?tenant=nosuch")):
        for answer in (await browser.get(PATH + query), await browser.post(LINES + query, {})):
            assert answer.status_code == 403
            assert "api_key:created" not in answer.text
            assert "Globex" not in answer.text
    assert PATH not in (await bob.get("/settings/keys")).text
    assert (await carol.post(f"{LINES}?tenant=acme", {}, site="cross-site")).status_code == 403
    assert await logged(house, "audit:exported") == []
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    assert (await carol.post(f"{LINES}?tenant=acme", {})).status_code == 403


async def test_M10_an_export_is_whole_and_is_itself_in_the_log_and_holds_no_secret(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorward.watch.audit_log.EXPORTED_AT_ONCE", 10)
    await house.change(lambda tx: api_keys.insert_api_key(tx, KEY))
    await called(house, *(call(number) for number in range(35)), call(99, tenant_id=GLOBEX.id))
    browser = await opened(house)
    answer = await browser.post(f"{LINES}?tenant=acme&list=calls", {})
    assert answer.headers["content-disposition"] == 'attachment; filename="audit-acme-calls.jsonl"'
    rows = exported(answer.text)
    assert [row["request_id"] for row in rows] == [f"req_{number}" for number in range(35)]
    assert {row["address"] for row in rows} == {"192.0.2.7"}
    assert (rows[0]["user"], rows[0]["at"]) == ("alice@acme.test", "2023-11-14T22:13:20.000000Z")
    only = exported((await browser.post(f"{LINES}?tenant=acme&list=calls&text=req_7", {})).text)
    assert [row["request_id"] for row in only] == ["req_7"]
    first, second = sorted(await logged(house, "audit:exported"), key=lambda event: len(event.detail))
    assert (first.actor_id, first.detail) == (ALICE.id, {"list": "calls", "by": "page"})
    assert second.detail["text"] == "req_7"
    changes = (await browser.post(f"{LINES}?tenant=acme", {})).text
    assert [json.loads(line)["address"] for line in changes.splitlines() if "audit:exported" in line] == [
        "127.0.0.1"
    ] * 2
    for secret in (KEY.fingerprint, browser.session or "?", "correct horse"):
        assert secret not in changes + answer.text


async def test_M9_nobody_forges_a_line_with_a_name(house: House) -> None:
    evil = 'x\n{"event": "forged"}\r\n\u2028\u202e<script>alert(1)</script>'
    await changed(house, subject=evil, detail={"agent": evil})
    browser = await opened(house)
    rows = exported((await browser.post(f"{LINES}?tenant=acme", {})).text)
    (row,) = (row for row in rows if row["event"] == "api_key:created")
    assert (row["subject"], row["detail"]["agent"]) == (evil, evil)
    assert not [row for row in rows if row.get("event") == "forged"]
    assert "<script>alert" not in (await browser.get(PATH)).text


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=yesterday", "since"), ("until=2026-02-30", "until"), ("user=nobody@x.test", "user"), ("text=" + "x" * 201, "text"),
     ("tool=" + "y" * 201, "tool"), ("address=here", "address"), ("address=192.0.2.0/24", "address")],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field(house: House, query: str, field: str) -> None:
    browser = await opened(house)
    page = await browser.get(f"{PATH}?{query}")
    assert page.status_code == 422
    assert f'id="wrong-{field}"' in page.text
    assert (await browser.post(f"{LINES}?{query}", {})).status_code == 422
    assert (await browser.get(f"{PATH}?before=9999999999999999999&before=x&list=y")).status_code == 200


async def test_who_left_is_named_by_id_and_what_they_did_stays(house: House) -> None:
    await called(house, call(1, user_id=UserId("u-gone")))
    page = await (await opened(house)).get(f"{PATH}?list=calls&user=u-gone")
    assert ">req_1<" in page.text
    assert "Why?" in page.text or "u-gone" in page.text


async def test_a_call_written_late_is_found_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_reads, "LOOKED", 5)
    await called(house, *(call(number, at=Instant(NOW + number * HOUR)) for number in range(20)))
    await called(
        house, call(77, at=Instant(NOW + 19 * HOUR + 5), user_id=CAROL.id), call(78, at=Instant(NOW + 20 * HOUR))
    )
    page = await (await opened(house)).get(f"{PATH}?list=calls&user=carol@acme.test")
    assert ">req_77<" in page.text

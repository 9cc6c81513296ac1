"""Connected apps on their page: what their person, an administrator and a stranger may see and do."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.model import Connection, ConnectionId, Fingerprint, Instant, Permission, User
from doorward.storage import clients, connections, consents, credential_days, events
from doorward.storage.consents import RememberedConsent
from support.pages import CAROL, Browser, House, filled, form_of
from support.person import Page
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, NOW

pytestmark = pytest.mark.anyio
PATH = "/settings/apps"
MINE = replace(
    CONNECTION,
    user_id=BOB.id,
    activated_at=NOW,
    scopes=frozenset(map(Permission, ("documents:read", "documents:write"))),
)
ONE = f"{PATH}/{MINE.id}"


async def connected(house: House, *more: Connection) -> None:
    def store(tx: Any) -> None:
        clients.insert_client(tx, CLIENT, canonical_key=None, secret_fingerprint=None)
        for each in (MINE, *more):
            connections.insert_connection(tx, each)

    await house.change(store)


async def came(house: House, user: User) -> Browser:
    browser = house.browser()
    await browser.sign_in(user)
    return browser


async def stored(house: House, connection_id: ConnectionId = MINE.id) -> Connection:
    found = await house.database.read(lambda reader: connections.connection_by_id(reader, connection_id))
    assert found is not None
    return found


async def names(house: House) -> list[str]:
    log = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 20))
    return [event.name for event in log if event.name.startswith(("connection:", "client:"))]


def keeping(page: httpx2.Response, kept: Collection[str]) -> list[tuple[str, str]]:
    form = next(each for each in Page(page.text).forms if each.action.endswith("/narrow"))
    return [(field.name, field.value) for field in form.fields if field.name != "scope" or field.value in kept]


@pytest.mark.requirement("F1")
async def test_the_list_says_what_was_let_in_what_it_may_and_how_much_it_is_used(house: House) -> None:
    ended = replace(MINE, id=ConnectionId("n-ended"), revoked_at=NOW, revoked_reason="x")
    await connected(house, ended, replace(MINE, id=ConnectionId("n-other"), user_id=ALICE.id, label="Alice's own"))
    today = NOW // (86_400 * 1_000_000)
    counts = [(str(MINE.id), today, 41, NOW), (str(MINE.id), today - 1, 1, Instant(NOW - 5))]
    await house.change(lambda tx: credential_days.count_calls(tx, counts))
    page = await (await came(house, BOB)).get(PATH)
    assert page.status_code == 200
    for shown in (CLIENT.name, "documents:write", ACME.name, ">42<", "Disconnected"):
        assert shown in page.text
    assert "Alice&#39;s own" not in page.text


async def test_somebody_who_let_nothing_in_is_told_what_will_be_here(house: House) -> None:
    assert "Nothing is connected yet" in (await (await came(house, BOB)).get(PATH)).text


@pytest.mark.requirement("D3")
async def test_G14_a_person_disconnects_an_app_after_being_told_what_stops(house: House) -> None:
    await connected(house)
    browser = await came(house, BOB)
    page = await browser.get(f"{ONE}/disconnect")
    assert "Its next call is refused" in page.text
    assert "everybody" not in page.text
    done = await browser.post(f"{ONE}/disconnect", [("whose", "one")])
    assert done.status_code == 303
    assert (await stored(house)).revoked_at is not None
    assert "is disconnected" in (await browser.get(done.headers["location"])).text
    assert await names(house) == ["connection:revoked"]
    assert (await browser.get(f"{ONE}/disconnect")).status_code == 303, "it is over"
    await browser.post(f"{ONE}/disconnect", [("whose", "one")])
    assert await names(house) == ["connection:revoked"], "twice is once"


async def test_a_person_narrows_an_app_and_cannot_widen_it(house: House) -> None:
    await connected(house)
    browser = await came(house, BOB)
    page = await browser.get(ONE)
    done = await browser.post(f"{ONE}/narrow", [*keeping(page, {"documents:read"}), ("scope", "documents:delete")])
    assert done.status_code == 303
    left = await stored(house)
    assert (left.scopes, left.declined) == ({"documents:read"}, MINE.declined | {"documents:write"})
    nothing = await browser.post(f"{ONE}/narrow", [])
    assert nothing.status_code == 422
    assert "disconnect it" in nothing.text
    assert (await stored(house)).scopes == {"documents:read"}
    assert await names(house) == ["connection:narrowed"]


@pytest.mark.parametrize("label", ["x" * 65, "a\u202eb", "a\x00b"])
async def test_a_name_that_could_mislead_is_refused(house: House, label: str) -> None:
    await connected(house)
    refused = await (await came(house, BOB)).post(f"{ONE}/rename", [("label", label)])
    assert refused.status_code in {400, 422}
    assert (await stored(house)).label is None


async def test_an_app_is_called_what_its_person_says(house: House) -> None:
    await connected(house)
    browser = await came(house, BOB)
    form = form_of(await browser.get(ONE), "label")
    assert (await browser.post(form.action, filled(form, label=" <i>Laptop</i> "))).status_code == 303
    page = (await browser.get(PATH)).text
    assert "&lt;i&gt;Laptop" in page
    assert "<i>Laptop" not in page
    await browser.post(form.action, [("label", "")])
    assert CLIENT.name in (await browser.get(PATH)).text


@pytest.mark.requirement("F2")
async def test_G14_an_administrator_ends_what_others_let_in_and_they_are_told(house: House) -> None:
    await connected(house, replace(MINE, id=ConnectionId("n-alice"), user_id=ALICE.id))
    browser = await came(house, ALICE)
    assert BOB.name in (await browser.get(f"{PATH}?tenant={ACME.slug}")).text
    assert BOB.name not in (await browser.get(PATH)).text, "their own"
    page = await browser.get(f"{ONE}/disconnect")
    assert f"for everybody in {ACME.name}" in page.text
    assert (await browser.post(f"{ONE}/rename", [("label", "mine")])).status_code == 422
    await browser.post(f"{ONE}/disconnect", [("whose", "everybody")])
    assert [(await stored(house, each)).revoked_at is None for each in (MINE.id, ConnectionId("n-alice"))] == [
        False,
        False,
    ]
    assert sorted(await names(house)) == ["client:disconnected", "connection:revoked", "connection:revoked"]
    assert "An administrator ended this connection" in (await (await came(house, BOB)).get(PATH)).text


async def test_everybody_is_nobody_for_who_looks_after_no_clients(house: House) -> None:
    await connected(house, replace(MINE, id=ConnectionId("n-alice"), user_id=ALICE.id))
    browser = await came(house, BOB)
    await browser.post(f"{ONE}/disconnect", [("whose", "everybody")])
    assert (await stored(house)).revoked_at is None
    assert (await stored(house, ConnectionId("n-alice"))).revoked_at is None
    assert "n-alice" not in (await browser.get(f"{PATH}?tenant={ACME.slug}")).text


@pytest.mark.parametrize("path", ["", "/disconnect"])
async def test_M1_a_strangers_app_looks_like_one_that_does_not_exist(house: House, path: str) -> None:
    foreign = replace(MINE, id=ConnectionId("n-foreign"), tenant_id=GLOBEX.id, user_id=CAROL.id)
    await connected(house, foreign)
    for user in (BOB, ALICE):
        browser = await came(house, user)
        answers = [await browser.get(f"{PATH}/{each}{path}") for each in (foreign.id, "n-nowhere")]
        assert [answer.status_code for answer in answers] == [404, 404]
    for action in ("rename", "narrow", "disconnect"):
        assert (
            await browser.post(f"{PATH}/{foreign.id}/{action}", [("whose", "one"), ("label", "x")])
        ).status_code == 404
    assert await stored(house, foreign.id) == foreign


async def test_signed_out_nothing_is_shown_and_nothing_done(house: House) -> None:
    await connected(house)
    browser = house.browser()
    for path in (PATH, ONE, f"{ONE}/disconnect"):
        assert (await browser.get(path)).headers["location"].startswith("/sign-in?")
    assert (await browser.post(f"{ONE}/disconnect", [("whose", "one")])).headers["location"].startswith("/sign-in?")
    assert await stored(house) == MINE


async def test_G9_what_is_let_in_without_asking_is_listed_and_asked_about_again(house: House) -> None:
    await connected(house)
    said = RememberedConsent(
        user_id=BOB.id, tenant_id=ACME.id, client_id=CLIENT.id, redirect_uri=MINE.redirect_uri, resource=MINE.resource,
        answered=frozenset({"documents:read"}), granted=frozenset({"documents:read"}), client_digest=Fingerprint("d"),
        expires_at=Instant(NOW + 86_400 * 1_000_000),
    )  # fmt: skip
    await house.change(lambda tx: consents.remember_consent(tx, said))
    browser = await came(house, BOB)
    page = await browser.get(PATH)
    assert "Let in without asking" in page.text
    done = await browser.post(f"{PATH}/ask-again", [("client", CLIENT.id)])
    assert "Let in without asking" not in (await browser.get(done.headers["location"])).text
    assert await house.database.read(lambda reader: consents.remembered_consents_of(reader, BOB.id)) == []

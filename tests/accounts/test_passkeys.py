"""Passkeys and recovery codes, over the whole program, with an authenticator in software."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from doorward.accounts import leaving
from doorward.accounts.actors import Actor
from doorward.model import User
from doorward.storage import accounts, events, passkeys
from doorward.storage.statements import Statement
from support.authenticator import PRESENT, VERIFIED, Authenticator
from support.pages import CAROL, PUBLIC_URL, Browser, filled, form_of
from support.person import Page
from support.rows import ALICE
from support.whole import Whole, opened_whole

pytestmark = pytest.mark.anyio
SECURITY = "/settings/security"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with opened_whole(tmp_path) as opened:
        yield opened


def device(name: bytes = b"credential-0001") -> Authenticator:
    return Authenticator(origin=PUBLIC_URL, host="mcp.acme.example", name=name)


async def ask(browser: Browser, path: str) -> dict[str, Any]:
    answer = await browser.post(path, {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def added(
    browser: Browser, key: Authenticator, *, name: str = "Phone", **lies: Any
) -> httpx2.Response:  # fmt: skip
    asked = await ask(browser, f"{SECURITY}/passkeys/ask")
    sent = {"challenge": asked["challenge"], "passkey": key.create(asked["options"], **lies), "name": name}
    return await browser.post(f"{SECURITY}/passkeys", sent)


async def signed_in_person(whole: Whole, key: Authenticator, user: User = ALICE) -> Browser:
    browser = whole.browser()
    assert (await browser.sign_in(user)).status_code == 303
    done = await added(browser, key)
    assert done.headers.get("location") == f"{SECURITY}?done=passkey#passkeys", done.text
    return browser


async def use(browser: Browser, key: Authenticator, **lies: Any) -> httpx2.Response:
    asked = await ask(browser, "/sign-in/passkey/ask")
    sent = {"challenge": asked["challenge"], "passkey": key.get(asked["options"], **lies), "next": SECURITY}
    return await browser.post("/sign-in/passkey", sent)


async def alive(browser: Browser) -> bool:
    return (await browser.get(SECURITY)).status_code == 200


async def names_of_events(whole: Whole) -> list[str]:
    return [
        event.name for event in await whole.database.read_long(lambda reader: events.recent_events(reader, None, 9))
    ]


@pytest.mark.requirement("E1")
async def test_a_passkey_is_added_and_signs_in_without_a_name_or_a_password(whole: Whole) -> None:
    key = device()
    await signed_in_person(whole, key)
    asked = await ask(whole.browser(), "/sign-in/passkey/ask")
    assert asked["options"]["userVerification"] == "required"
    assert asked["options"]["allowCredentials"] == []
    browser = whole.browser()
    done = await use(browser, key)
    assert (done.status_code, done.headers["location"]) == (303, SECURITY)
    page = (await browser.get(SECURITY)).text
    assert ALICE.email in page
    assert 'value="Phone"' in page
    assert {"passkey:added", "session:started"} <= set(await names_of_events(whole))


@pytest.mark.requirement("E1")
async def test_passkeys_have_names_and_are_removed_but_for_the_last_way_in(whole: Whole) -> None:
    browser = await signed_in_person(whole, device())
    whole.clock.forward(1)
    assert (await added(browser, device(b"second"), name="\u202e")).status_code == 303
    found = await whole.database.read(lambda reader: passkeys.passkeys_of_user(reader, ALICE.id))
    assert [(each.name, each.transports) for each in found] == [("Phone", ("internal",)), ("Passkey", ("internal",))]
    path = f"{SECURITY}/passkeys/{found[1].id}"
    assert (await browser.post(f"{path}/rename", {"name": " Key ring "})).status_code == 303
    assert 'value="Key ring"' in (await browser.get(SECURITY)).text
    assert (await browser.post(f"{path}/rename", {"name": " "})).status_code == 422
    carol = await signed_in_person(whole, device(b"carols"), CAROL)
    assert (await carol.post(f"{path}/rename", {"name": "Mine"})).status_code == 422
    await carol.post(f"{path}/remove", {})
    assert len(await whole.database.read(lambda reader: passkeys.passkeys_of_user(reader, ALICE.id))) == 2
    assert (await browser.post(f"{path}/remove", {})).headers["location"].startswith(f"{SECURITY}?done=passkey-removed")
    # Without a password the other one is all she has.
    seen = await whole.database.read(lambda reader: accounts.password_hash(reader, ALICE.id))
    assert seen is not None
    await whole.change(lambda tx: forget_password(tx, ALICE))
    kept = await browser.post(f"{SECURITY}/passkeys/{found[0].id}/remove", {})
    assert kept.status_code == 409
    assert "only way in" in kept.text


def forget_password(tx: Any, user: User) -> None:
    tx.run(Statement("UPDATE users SET password_hash = NULL WHERE id = :id"), {"id": user.id})


LIES: dict[str, dict[str, Any]] = {
    "another origin": {"origin": "https://evil.example"},
    "a subdomain": {"origin": "https://x.mcp.acme.example"},
    "another challenge": {"challenge": "AAAA"},
    "another type": {"type": "webauthn.create"},
    "another person": {"handle": "dS1jYXJvbA"},
    "no person": {"handle": None},
}


@pytest.mark.parametrize("lie", LIES)
async def test_H5_an_answer_that_does_not_fit_signs_nobody_in(whole: Whole, lie: str) -> None:
    key = device()
    await signed_in_person(whole, key)
    browser = whole.browser()
    answer = await use(browser, key, **LIES[lie])
    assert answer.status_code == 422
    assert "DW-456" in answer.text
    assert not await alive(browser)


async def test_a_passkey_that_did_not_verify_its_person_is_refused(whole: Whole) -> None:
    key = device()
    await signed_in_person(whole, key)
    key.flags = PRESENT
    assert (await use(whole.browser(), key)).status_code == 422
    key.flags = VERIFIED
    assert (await use(whole.browser(), key)).status_code == 422
    key.flags = PRESENT | VERIFIED
    key.host = "acme.example"
    assert (await use(whole.browser(), key)).status_code == 422
    stranger = device()
    stranger.handle = key.handle
    assert (await use(whole.browser(), stranger)).status_code == 422, "signed by another key"
    lax = device(b"lax")
    lax.flags = PRESENT
    browser = whole.browser()
    await browser.sign_in()
    assert (await added(browser, lax)).status_code == 422
    for lies in ({"origin": "https://evil.example"}, {"challenge": "AAAA"}, {"type": "webauthn.get"}):
        assert (await added(browser, device(b"lying"), **lies)).status_code == 422


@pytest.mark.parametrize(
    "answer",
    ["", "x", "{}", "[]", "null", '{"response": {}}', '{"id": 1, "response": {}}', '{"id": "a", "response": {"userHandle": "!"}}',
     "[" * 5000, '{"id": "\\ud800", "response": {}}', "x" * 20_000,
     '{"id": "Y3JlZGVudGlhbC0wMDAx", "rawId": "Y3JlZGVudGlhbC0wMDAx", "type": "public-key", "response": {"userHandle": "dS1hbGljZQ"}}'],
    ids=lambda text: text[:12],
)  # fmt: skip
async def test_whatever_comes_instead_of_an_answer_is_a_refusal(whole: Whole, answer: str) -> None:
    browser = await signed_in_person(whole, device())
    asked = await ask(browser, "/sign-in/passkey/ask")
    sent = {"challenge": asked["challenge"], "passkey": answer}
    assert (await browser.post("/sign-in/passkey", sent)).status_code == 422
    asked = await ask(browser, f"{SECURITY}/passkeys/ask")
    sent = {"challenge": asked["challenge"], "passkey": answer, "name": "x"}
    assert (await browser.post(f"{SECURITY}/passkeys", sent)).status_code == 422


async def test_H8_a_challenge_is_good_for_one_answer_in_one_browser_for_a_while(whole: Whole) -> None:
    key = device()
    await signed_in_person(whole, key)
    browser = whole.browser()
    asked = await ask(browser, "/sign-in/passkey/ask")
    sent = {"challenge": asked["challenge"], "passkey": key.get(asked["options"])}
    thief = whole.browser()
    await ask(thief, "/sign-in/passkey/ask")
    assert (await thief.post("/sign-in/passkey", sent)).status_code == 422
    assert (await whole.browser().post("/sign-in/passkey", sent)).status_code == 422
    answers = await asyncio.gather(*(browser.post("/sign-in/passkey", sent) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [303] + [422] * 9
    late = await ask(browser, "/sign-in/passkey/ask")
    whole.clock.forward(300)
    sent = {"challenge": late["challenge"], "passkey": key.get(late["options"])}
    assert (await browser.post("/sign-in/passkey", sent)).status_code == 422
    # What asks to add or to confirm asks for nothing else.
    await browser.sign_in()
    other = await ask(browser, "/settings/confirm/passkey")
    sent = {"challenge": other["challenge"], "passkey": key.get(other["options"])}
    assert (await browser.post("/sign-in/passkey", sent)).status_code == 422


async def test_a_passkey_whose_counter_goes_back_was_copied_and_lets_nobody_in(whole: Whole) -> None:
    key = device()
    person = await signed_in_person(whole, key)
    key.count = 7
    assert (await use(whole.browser(), key)).status_code == 303
    key.count = 3
    unsigned = device()
    unsigned.handle, unsigned.count = key.handle, 3
    assert (await use(whole.browser(), unsigned)).status_code == 422
    assert "passkey:copied" not in await names_of_events(whole), "nobody else can make it look copied"
    assert (await use(whole.browser(), key)).status_code == 422
    key.count = 99
    assert (await use(whole.browser(), key)).status_code == 422
    assert "passkey:copied" in await names_of_events(whole)
    page = (await person.get(SECURITY)).text
    assert "Copied, not accepted any more" in page
    assert "The passkey Phone is not accepted any more" in page


async def test_H5_who_is_deactivated_comes_in_by_no_passkey_and_by_no_recovery_code(whole: Whole) -> None:
    key = device()
    browser = await signed_in_person(whole, key, CAROL)
    codes = await made_codes(browser)
    await whole.change(
        lambda tx: leaving.deactivate(tx, CAROL.id, Actor(user_id=None, by="test", cause=None), now=whole.clock())
    )
    assert (await use(whole.browser(), key)).status_code == 422
    sent = {"email": CAROL.email, "code": codes[0]}
    assert (await whole.browser().post("/sign-in/recovery", sent)).status_code == 422
    await whole.change(
        lambda tx: leaving.activate(tx, CAROL.id, Actor(user_id=None, by="test", cause=None), now=whole.clock())
    )
    assert (await whole.browser().post("/sign-in/recovery", sent)).status_code == 303, "it was not used up"
    assert (await use(whole.browser(), key)).status_code == 303


@pytest.mark.requirement("E3")
async def test_H23_a_passkey_confirms_what_waits_and_only_ones_own_does(whole: Whole) -> None:
    key, carols = device(), device(b"carols")
    browser = await signed_in_person(whole, key)
    await signed_in_person(whole, carols, CAROL)
    whole.clock.forward(601)
    waiting = await browser.post(f"{SECURITY}/recovery-codes", {})
    assert waiting.status_code == 403
    form = form_of(waiting, "passkey")

    async def confirm(with_key: Authenticator) -> httpx2.Response:
        asked = await ask(browser, "/settings/confirm/passkey")
        assert len(asked["options"]["allowCredentials"]) == 1
        answer = filled(form, challenge=asked["challenge"], passkey=with_key.get(asked["options"]))
        return await browser.post(form.action, answer)

    assert (await confirm(carols)).status_code == 422
    done = await confirm(key)
    assert done.status_code == 200
    assert "Keep these now" in done.text


async def made_codes(browser: Browser) -> list[str]:
    page = await browser.post(f"{SECURITY}/recovery-codes", {})
    shown = page.text.partition('id="codes">')[2].partition("</pre>")[0].split()
    assert len(shown) == 10, page.text
    return shown


@pytest.mark.requirement("E1")
async def test_H10_recovery_codes_are_shown_once_work_once_and_are_stored_as_keyed_hashes(whole: Whole) -> None:
    browser = whole.browser()
    await browser.sign_in()
    old, codes = await made_codes(browser), await made_codes(browser)
    assert all(len(each.replace("-", "")) == 20 for each in codes)
    assert not set(old) & set(codes)
    page = (await browser.get(SECURITY)).text
    assert "You have 10 left" in page
    assert codes[0] not in page
    folder = whole.core.settings.data_dir
    stored = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert not any(code.encode() in stored or code.replace("-", "").encode() in stored for code in codes)

    async def enter(code: str, email: str = ALICE.email) -> httpx2.Response:
        return await whole.browser().post("/sign-in/recovery", {"email": email, "code": code, "next": SECURITY})

    assert (await enter(old[0])).status_code == 422
    assert (await enter(codes[0], CAROL.email)).status_code == 422
    typed = codes[0].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await enter(typed)).headers["location"] == SECURITY
    assert (await enter(codes[0])).status_code == 422
    answers = await asyncio.gather(*(enter(codes[1]) for _ in range(8)))
    assert sorted(each.status_code for each in answers).count(303) == 1


async def test_H6_a_recovery_code_says_nothing_of_who_has_an_account(whole: Whole) -> None:
    def body(response: httpx2.Response, email: str) -> str:
        return response.text.replace(email, "").replace(response.headers["x-request-id"], "")

    answers = {}
    for email in (ALICE.email, "nobody@acme.test"):
        answers[email] = await whole.browser().post("/sign-in/recovery", {"email": email, "code": "AAAAA"})
    assert {each.status_code for each in answers.values()} == {422}
    assert len({body(answer, email) for email, answer in answers.items()}) == 1


@pytest.mark.requirement("E3")
async def test_H4_recovery_codes_are_guessed_slowly_and_slow_nobody_elsewhere(whole: Whole) -> None:
    sent = {"email": ALICE.email, "code": "00000-00000-00000-00000"}
    statuses = [(await whole.browser().post("/sign-in/recovery", sent)).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    assert (await whole.browser().sign_in()).status_code == 303


async def test_the_pages_work_without_a_script_and_on_an_address_offer_no_passkey(whole: Whole, tmp_path: Path) -> None:
    page = (await whole.browser().get("/sign-in")).text
    passkey = next(form for form in Page(page).forms if form.action == "/sign-in/passkey")
    assert passkey is not None
    assert 'data-passkey="/sign-in/passkey/ask" hidden' in page
    async with opened_whole(tmp_path / "other", public_url="http://127.0.0.1:8080") as other:
        assert "passkey" not in (await other.browser().get("/sign-in")).text
        browser = other.browser()
        await browser.sign_in()
        assert "Add a passkey" not in (await browser.get(SECURITY)).text
        assert (await browser.post("/sign-in/passkey/ask", {})).status_code == 404


async def test_no_more_passkeys_than_anybody_needs(whole: Whole) -> None:
    browser = await signed_in_person(whole, device())
    statuses = [(await added(browser, device(f"key {number}".encode()))).status_code for number in range(20)]
    assert statuses == [303] * 19 + [409]

"""Another address: proven by a link, in the session that asked, and to be undone by the old address for a week."""

import asyncio
import re
from dataclasses import replace

import httpx2
import pytest

from doorward.accounts.asking import TO_ONE
from doorward.model import User
from doorward.storage import accounts
from support.mailing import Post, link_path
from support.pages import CAROL, PASSWORD, PUBLIC_URL, Browser, filled, form_of
from support.rows import ACME, ALICE, BOB
from support.sign_in_rules import CORP, put_proven_domain, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E2")]
NEW = "alice@new.test"
CHOSEN = "seven quiet herons at noon"


async def signed_in(post: Post, user: User = ALICE) -> Browser:
    browser = post.house.browser()
    assert (await browser.sign_in(user)).status_code == 303
    return browser


async def ask(browser: Browser, email: str = NEW) -> httpx2.Response:
    return await browser.post("/settings/email", {"email": email})


async def path_for(post: Post, browser: Browser, email: str = NEW) -> str:
    assert (await ask(browser, email)).status_code == 200
    return link_path(await post.letter(), PUBLIC_URL)


async def confirm(browser: Browser, path: str) -> httpx2.Response:
    page = await browser.get(path)
    if page.status_code != 200:
        return page
    return await browser.post("/settings/email/confirm", filled(form_of(page, "token")))


async def undo(browser: Browser, path: str, password: str = CHOSEN) -> httpx2.Response:
    page = await browser.get(path)
    if page.status_code != 200:
        return page
    return await browser.post("/sign-in/undo", filled(form_of(page, "password"), password=password))


async def who(browser: Browser) -> str | None:
    found = re.search(r"<small>(\S+@\S+)</small>", (await browser.get("/settings/keys")).text)
    return found[1] if found else None


async def enters(post: Post, email: str, password: str) -> bool:
    post.house.clock.forward(3600)
    return (await post.house.browser().post("/sign-in", {"email": email, "password": password})).status_code == 303


async def test_a_person_changes_their_address_and_the_old_one_is_told(either_post: Post) -> None:
    post = either_post
    browser, elsewhere = await signed_in(post), await signed_in(post)
    path = await path_for(post, browser, " Alice@New.TEST ")
    done = await confirm(browser, path)
    assert done.headers["location"] == "/settings/email?done"
    assert await who(browser) == NEW
    assert await who(elsewhere) is None
    told = await post.letter()
    assert told.recipients == [ALICE.email]
    assert told.message["Subject"] == "Your address was changed"
    assert "a…@new.test" in told.text
    assert await enters(post, NEW, PASSWORD)
    assert not await enters(post, ALICE.email, PASSWORD)
    assert await post.events("email") == ["email:change_asked", "email:changed"]


async def test_the_old_address_takes_the_account_back(either_post: Post) -> None:
    post, thief = either_post, await signed_in(either_post)
    assert (await confirm(thief, await path_for(post, thief))).status_code == 303
    back = link_path(await post.letter(), PUBLIC_URL)
    # The thief goes on: another address, and another password.
    assert (await confirm(thief, await path_for(post, thief, "thief@evil.test"))).status_code == 303
    await post.delivered()
    assert (await thief.post("/sign-in/reset", {"email": "thief@evil.test"})).status_code == 200
    reset = link_path(await post.letter(), PUBLIC_URL)
    form = form_of(await thief.get(reset), "password")
    assert (await thief.post(form.action, filled(form, password="a password of the thief"))).status_code == 200
    await post.delivered()
    owner = post.house.browser()
    post.house.clock.forward(6 * 86_400)
    done = await undo(owner, back)
    assert done.status_code == 200, done.text
    assert await who(thief) is None
    assert await enters(post, ALICE.email, CHOSEN)
    assert not await enters(post, "thief@evil.test", "a password of the thief")
    assert "DW-432" in (await undo(owner, back)).text
    assert (await post.events("email"))[-1] == "email:change_undone"


async def test_a_way_back_ends_after_a_week(post: Post) -> None:
    browser = await signed_in(post)
    await confirm(browser, await path_for(post, browser))
    back = link_path(await post.letter(), PUBLIC_URL)
    assert (await undo(post.house.browser(), back, "short")).status_code == 422
    post.house.clock.forward(7 * 86_400)
    assert "DW-431" in (await undo(post.house.browser(), back)).text


async def test_H6_an_address_that_somebody_has_is_answered_the_same_and_its_owner_is_told(post: Post) -> None:
    browser = await signed_in(post)
    free, taken = await ask(browser), await ask(browser, CAROL.email)

    def body(response: httpx2.Response, email: str) -> str:
        page = response.text.replace(email, "").replace(response.headers["x-request-id"], "")
        return re.sub(r'name="shown_to" value="[^"]*"', "", page)

    assert body(free, NEW) == body(taken, CAROL.email)
    letters = {letter.recipients[0]: letter for letter in await post.delivered()}
    assert letters[CAROL.email].message["Subject"] == "This address is in use"
    assert "http" not in letters[CAROL.email].text


async def test_H19_only_who_asked_can_confirm(post: Post) -> None:
    # Eve asks for Bob's future address on her own account, and Bob clicks.
    eve, bob = await signed_in(post, CAROL), await signed_in(post, BOB)
    path = await path_for(post, eve, "bob@future.test")
    token = path.partition("token=")[2]
    for answer in (await bob.get(path), await bob.post("/settings/email/confirm", {"token": token})):
        assert answer.status_code == 409
        assert "DW-434" in answer.text
    stranger = post.house.browser()
    assert (await stranger.get(path)).headers["location"].startswith("/sign-in?next=")
    assert (await stranger.post("/settings/email/confirm", {"token": token})).status_code == 303
    assert await post.house.database.read(lambda reader: accounts.user_by_email(reader, "bob@future.test")) is None


async def test_an_address_that_somebody_got_meanwhile_is_refused(post: Post) -> None:
    browser = await signed_in(post)
    path = await path_for(post, browser)
    await post.house.change(lambda tx: accounts.update_user(tx, replace(BOB, email=NEW)))
    refused = await confirm(browser, path)
    assert refused.status_code == 409
    assert "Another account uses this address by now." in refused.text
    assert await who(browser) == ALICE.email


async def test_H8_a_link_confirms_once_and_only_the_newest(post: Post) -> None:
    browser = await signed_in(post)
    first, second = await path_for(post, browser), await path_for(post, browser, "alice@newer.test")
    assert "DW-433" in (await confirm(browser, first)).text
    token = second.partition("token=")[2]
    answers = await asyncio.gather(*(browser.post("/settings/email/confirm", {"token": token}) for _ in range(20)))
    assert [answer.status_code for answer in answers].count(303) == 1
    assert (await post.events("email")).count("email:changed") == 1


async def test_H7_looking_at_the_links_uses_nothing(post: Post) -> None:
    browser = await signed_in(post)
    path = await path_for(post, browser)
    assert (await browser.client.head(path)).status_code == 200
    assert (await confirm(browser, path)).status_code == 303
    back = link_path(await post.letter(), PUBLIC_URL)
    scanner = post.house.browser()
    assert (await scanner.client.head(back)).status_code == 200
    assert (await scanner.get(back)).status_code == 200
    assert await who(browser) == NEW


async def test_H23_a_proof_that_is_old_is_asked_for_again(post: Post) -> None:
    browser = await signed_in(post)
    post.house.clock.forward(601)
    assert "to change your address" in (await ask(browser)).text
    assert await post.delivered() == []


@pytest.mark.parametrize(
    "typed", [ALICE.email, "", "alice", "a@x.test, b@x.test", "a@x.test\r\nBcc: b@x.test", "al\u0131ce@x.test"]
)
async def test_H12_what_is_no_other_plain_address_is_refused_at_the_field(post: Post, typed: str) -> None:
    refused = await ask(await signed_in(post), typed)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert await post.delivered() == []


async def test_H21_who_comes_through_a_provider_keeps_the_address_that_it_says(post: Post) -> None:
    browser = await signed_in(post)
    await post.house.change(lambda tx: (put_provider(tx), put_proven_domain(tx, ACME, "new.test", provider_id=CORP.id)))
    refused = await ask(browser)
    assert refused.status_code == 422
    assert "their provider" in refused.text


async def test_E8_nobody_sends_mails_without_end(post: Post) -> None:
    browser = await signed_in(post)
    statuses = [(await ask(browser, f"a{number}@new.test")).status_code for number in range(TO_ONE + 1)]
    assert statuses == [200] * TO_ONE + [429]


async def test_M5_no_form_of_another_site_changes_anything(post: Post) -> None:
    browser = await signed_in(post)
    path = await path_for(post, browser)
    token = path.partition("token=")[2]
    sent = {"token": token}
    assert (await browser.post("/settings/email/confirm", sent, site="cross-site")).status_code == 403
    assert (await browser.post("/settings/email", {"email": NEW}, site="cross-site")).status_code == 403
    assert (await browser.post("/sign-in/undo", sent, site="cross-site")).status_code == 403
    assert await who(browser) == ALICE.email

"""Signing in by a mailed link: once, in the browser that asked, and elsewhere only after a plain question."""

import asyncio
import re
from dataclasses import replace

import httpx2
import pytest

from doorward.model import User
from doorward.storage import accounts
from support.mailing import Post, link_path
from support.pages import CAROL, PUBLIC_URL, ROBOT, Browser, filled, form_of
from support.rows import ACME, ALICE, BOB

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
NOBODY = "nobody@acme.test"
TARGET = "/settings/keys?tenant=acme"


async def ask(browser: Browser, email: str = ALICE.email, target: str = TARGET) -> httpx2.Response:
    return await browser.post("/sign-in/link/ask", {"email": email, "password": "", "next": target})


async def path_for(post: Post, browser: Browser, user: User = ALICE) -> str:
    assert (await ask(browser, user.email)).status_code == 200
    return link_path(await post.letter(), PUBLIC_URL)


async def follow(browser: Browser, path: str, **values: str) -> httpx2.Response:
    """Open the link and send the form that is on its page."""
    page = await browser.get(path)
    if page.status_code != 200:
        return page
    form = form_of(page, "token")
    return await browser.post(form.action, filled(form, **values))


async def who(browser: Browser) -> str | None:
    page = await browser.get("/settings/keys")
    found = re.search(r"<small>(\S+@\S+)</small>", page.text)
    return found[1] if found else None


async def test_a_person_signs_in_by_the_button_on_the_page_and_comes_to_where_they_wanted(either_post: Post) -> None:
    post, browser = either_post, either_post.house.browser()
    page = await browser.get("/sign-in", params={"next": TARGET})
    assert 'formaction="/sign-in/link/ask" formnovalidate' in page.text
    asked = await browser.post("/sign-in/link/ask", filled(form_of(page, "password"), email=ALICE.email))
    assert "Look into your mail" in asked.text
    answer = await follow(browser, link_path(await post.letter(), PUBLIC_URL))
    assert answer.status_code == 303
    assert answer.headers["location"] == TARGET
    assert await who(browser) == ALICE.email
    assert await post.events() == ["sign_in_link:asked", "session:started"]


async def test_H7_a_scanner_that_opens_the_link_uses_nothing(post: Post) -> None:
    browser = post.house.browser()
    path = await path_for(post, browser)
    for _ in range(2):
        scanner = post.house.browser()
        assert (await scanner.client.head(path)).status_code == 200
        seen = await scanner.get(path)
        assert seen.status_code == 200
        assert seen.headers.get_list("set-cookie") == []
    assert (await follow(browser, path)).status_code == 303


async def test_H8_a_link_signs_in_once(post: Post) -> None:
    browser = post.house.browser()
    path = await path_for(post, browser)
    assert (await follow(browser, path)).status_code == 303
    again = await follow(browser, path)
    assert again.status_code == 410
    assert "DW-432" in again.text
    token = path.partition("token=")[2]
    assert (await browser.post("/sign-in/link", {"token": token, "elsewhere": "1"})).status_code == 410


async def test_H8_fifty_at_once_are_one_session(either_post: Post) -> None:
    post, browser = either_post, either_post.house.browser()
    path = await path_for(post, browser)
    token = path.partition("token=")[2]
    browsers = [post.house.browser() for _ in range(50)]
    answers = await asyncio.gather(
        *(each.post("/sign-in/link", {"token": token, "elsewhere": "1"}) for each in browsers)
    )
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 49
    assert (await post.events("session")) == ["session:started"]
    assert sum([await who(each) is not None for each in browsers]) == 1


async def test_H8_a_link_ends_with_its_time_and_with_a_newer_one(post: Post) -> None:
    browser = post.house.browser()
    first, second = await path_for(post, browser), await path_for(post, browser)
    assert "DW-433" in (await follow(browser, first)).text
    post.house.clock.forward(15 * 60)
    assert "DW-431" in (await follow(browser, second)).text
    assert await who(browser) is None


async def test_H9_another_browser_is_asked_first_and_goes_nowhere_that_others_chose(post: Post) -> None:
    asking, other = post.house.browser(), post.house.browser()
    path = await path_for(post, asking)
    page = await other.get(path)
    assert ALICE.email in page.text
    assert "not the browser that asked" in page.text
    assert "127.0.0.1" in page.text
    token = path.partition("token=")[2]
    unasked = await other.post("/sign-in/link", {"token": token})
    assert unasked.status_code == 422
    assert "not the browser that asked" in unasked.text
    assert await who(other) is None
    answer = await follow(other, path)
    assert answer.headers["location"] == "/"
    assert await who(other) == ALICE.email
    assert await who(asking) is None


async def test_H9_nobodys_session_is_swapped_without_being_told(post: Post) -> None:
    # Somebody sends a link to their own account to somebody who is signed in.
    mallory, victim = post.house.browser(), post.house.browser()
    await victim.sign_in(CAROL)
    path = await path_for(post, mallory, BOB)
    page = await victim.get(path)
    assert f"You are signed in here as <strong>{CAROL.email}</strong>" in page.text
    assert f"Sign in as {BOB.email}?" in page.text
    assert await who(victim) == CAROL.email
    token = path.partition("token=")[2]
    assert (await victim.post("/sign-in/link", {"token": token}, site="cross-site")).status_code == 403
    assert await who(victim) == CAROL.email


async def test_H9_who_has_another_browser_cookie_is_another_browser(post: Post) -> None:
    asking = post.house.browser()
    path = await path_for(post, asking)
    thief = post.house.browser(cookie=f"{post.house.cookies.browser_name}={'A' * 32}")
    assert "not the browser that asked" in (await thief.get(path)).text


async def test_H1_the_session_that_a_browser_brings_is_ended(post: Post) -> None:
    browser = post.house.browser()
    await browser.sign_in(CAROL)
    before = browser.session
    assert (await follow(browser, await path_for(post, browser))).status_code == 303
    assert await who(browser) == ALICE.email
    assert await who(post.house.browser(cookie=f"{post.house.cookies.session_name}={before}")) is None


@pytest.mark.parametrize("typed", [NOBODY, ROBOT.email, CAROL.email], ids=["nobody", "service", "disabled"])
async def test_H6_who_asks_hears_the_same_whoever_has_the_address(post: Post, typed: str) -> None:
    await post.house.disable(CAROL)
    known, asked = await ask(post.house.browser()), await ask(post.house.browser(), typed)

    def body(response: httpx2.Response, email: str) -> str:
        return response.text.replace(email, "").replace(response.headers["x-request-id"], "")

    assert body(asked, typed) == body(known, ALICE.email)
    names = [[value.partition("=")[0] for value in each.headers.get_list("set-cookie")] for each in (known, asked)]
    assert names == [["__Host-doorward_browser"]] * 2
    assert [letter.recipients for letter in await post.delivered()] == [[ALICE.email]]


async def test_H5_a_link_lets_nobody_in_who_may_not_sign_in_any_more(post: Post) -> None:
    browser = post.house.browser()
    path = await path_for(post, browser)
    token = path.partition("token=")[2]
    await post.house.disable(ALICE)
    for answer in (await browser.get(path), await browser.post("/sign-in/link", {"token": token})):
        assert answer.status_code == 403
        assert "DW-439" in answer.text
    assert await post.events("session:started") == []


async def test_a_link_for_one_thing_is_no_use_for_another(post: Post) -> None:
    browser = post.house.browser()
    token = (await path_for(post, browser)).partition("token=")[2]
    assert (await browser.get("/sign-in/reset/new", params={"token": token})).status_code == 404
    sent = {"token": token, "password": "seven quiet herons at noon"}
    assert (await browser.post("/sign-in/reset/new", sent)).status_code == 404


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "/sign-in/link"])
async def test_H13_nobody_is_sent_to_another_site(post: Post, target: str) -> None:
    browser = post.house.browser()
    await ask(browser, target=target)
    answer = await follow(browser, link_path(await post.letter(), PUBLIC_URL))
    assert answer.headers["location"] == "/"


async def test_H12_what_is_not_one_plain_address_gets_no_mail(post: Post) -> None:
    answer = await ask(post.house.browser(), "alice@acme.test, eve@evil.example")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert await post.delivered() == []


async def test_a_tenant_says_whether_its_people_may_act_after_coming_by_a_link(post: Post) -> None:
    """The link signs in; each tenant decides by itself what that is good for (E1)."""
    browser = post.house.browser()
    page = await browser.get("/sign-in", params={"next": TARGET})
    await browser.post("/sign-in/link/ask", filled(form_of(page, "password"), email=ALICE.email))
    assert (await follow(browser, link_path(await post.letter(), PUBLIC_URL))).status_code == 303
    cases = ((("password",), 403), (("password", "link"), 303), (("passkey",), 403), (None, 303))
    for number, (methods, status) in enumerate(cases):
        changed = replace(ACME, sign_in_methods=methods)
        await post.house.change(lambda tx, changed=changed: accounts.update_tenant(tx, changed))
        guest = {"tenant": ACME.slug, "email": f"sam{number}@new.example", "role": "viewer"}
        answer = await browser.post("/settings/invitations", guest)
        assert answer.status_code == status, (methods, answer.text)
        assert ("DW-449" in answer.text) == (status == 403)

"""What somebody typed outlives their session, on every form of the settings (M5); is done once, and for them alone."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import BaseRoute, Route
from tests.architecture.test_routes import concrete

from doorward.bootstrap import program
from doorward.dashboard.shown_to import ShownTo
from doorward.model import User, UserId
from doorward.storage import api_keys, members, permissions
from support.pages import CAROL, PASSWORD, Browser, filled, form_of
from support.person import Page
from support.rows import ACME, ALICE, GLOBEX
from support.whole import Whole, opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("M5")]
BEHIND = ("/settings", "/approvals", "/upstreams")
TYPED = [("name", "ci <b>&amp;\"'"), ("scope", "documents:read"), ("scope", "tasks:read"), ("ünïcode", "line\r\nline")]
ANSWER_PROGRAMS = {
    "/settings/confirm/passkey": "asked by the page's script, which says so on the page",
    "/settings/security/passkeys/ask": "asked by the page's script, which says so on the page",
}

LEAVES = {"/settings/confirm", "/settings/profile/connect/x", "/upstreams/x/connect"}
"""Whose form can end at another site (decision 0077.4)."""
KEYS = "/settings/keys"


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[BaseRoute]:
    """The routes of the next program that is built."""
    found: list[BaseRoute] = []
    router = vars(program)["router"]

    def remembering(given: list[BaseRoute]) -> Any:
        found.extend(given)
        return router(given)

    monkeypatch.setattr(program, "router", remembering)
    return found


@pytest.fixture
async def whole(routes: list[BaseRoute], tmp_path: Path) -> AsyncIterator[Whole]:
    async with opened_whole(tmp_path) as opened:
        yield opened


async def signed_in(whole: Whole) -> Browser:
    browser = whole.browser()
    assert (await browser.sign_in(ALICE)).status_code == 303
    return browser


def kept(page: httpx2.Response, path: str) -> list[tuple[str, str]]:
    (form,) = [form for form in Page(page.text).forms if form.method == "post"]
    assert form.action == path
    return filled(form)


def typed(page: httpx2.Response, path: str) -> list[tuple[str, str]]:
    """Return what a page keeps, without what it says about it."""
    return [pair for pair in kept(page, path) if pair[0] != "kept"]


def taken_over(page: httpx2.Response, path: str) -> list[tuple[str, str]]:
    """Return what is sent by the button with which somebody sends a form as themselves."""
    ((button,),) = [form.named("instead") for form in Page(page.text).forms if form.method == "post"]
    return [*kept(page, path), ("instead", button.value)]


async def test_every_form_that_comes_without_a_session_is_kept_whole(whole: Whole, routes: list[BaseRoute]) -> None:
    tried = [
        route.path
        for route in routes
        if isinstance(route, Route) and "POST" in (route.methods or ()) and route.path.startswith(BEHIND)
    ]
    assert len(tried) > 20
    for path in map(concrete, tried):
        if path in ANSWER_PROGRAMS:
            continue
        page = await whole.browser().post(path, TYPED)
        assert page.status_code == 403, path
        assert "DW-403" in page.text, path
        assert typed(page, path) == TYPED, path
        assert ("form-action 'self'" in page.headers["content-security-policy"]) is (path not in LEAVES), path
        again = await whole.browser().post(path, kept(page, path))
        assert typed(again, path) == TYPED, "still signed out: still kept"


async def test_a_form_of_another_site_is_not_kept_and_offered_to_be_sent(whole: Whole, routes: list[BaseRoute]) -> None:
    posts = {
        r.path for r in routes if isinstance(r, Route) and "POST" in (r.methods or ()) and r.path.startswith(BEHIND)
    }
    for path in map(concrete, posts):
        page = await whole.browser().post(path, TYPED, site="cross-site")
        assert page.status_code == 403, path
        assert "documents:read" not in page.text, path


async def key_form(browser: Browser, name: str = "ci at night") -> list[tuple[str, str]]:
    return filled(form_of(await browser.get(f"{KEYS}?tenant=acme"), "form"), name=name, scope="documents:read")


async def kept_key(whole: Whole) -> tuple[Browser, httpx2.Response]:
    """Return Alice's browser, signed out in a second tab, with the page that keeps her form for a key."""
    browser = await signed_in(whole)
    form = await key_form(browser)
    assert (await browser.post("/sign-out", {})).status_code == 303
    page = await browser.post(KEYS, form)
    assert page.status_code == 403
    assert await keys_of(whole) == []
    return browser, page


async def test_a_key_is_made_after_signing_in_again_and_only_once(whole: Whole) -> None:
    browser, page = await kept_key(whole)
    assert ALICE.email in page.text, "it says as whom to sign in"
    sent = kept(page, KEYS)
    await browser.sign_in(ALICE)
    made = await browser.post(KEYS, sent)
    assert made.status_code == 200
    assert re.search(r"\bdw_\w{30,}", made.text)
    assert await keys_of(whole) == ["ci at night"]
    again = await browser.post(KEYS, sent)
    assert again.status_code == 409
    assert "DW-459" in again.text
    once_more = await browser.post(KEYS, kept(again, KEYS))
    assert "DW-459" in once_more.text
    assert await keys_of(whole) == ["ci at night"]


async def test_sent_twice_at_once_it_is_done_once(whole: Whole, routes: list[BaseRoute]) -> None:
    """A service account has no form token of its own: what guards it is the page that kept it."""
    browser, path = await signed_in(whole), "/settings/members/service-accounts"
    await browser.post("/sign-out", {})
    page = await browser.post(path, {"tenant": "acme", "name": "Night robot", "role": "viewer", **mark(whole)})
    await browser.sign_in(ALICE)
    answers = await asyncio.gather(*(browser.post(path, kept(page, path)) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409, 409]
    found = await whole.database.read_long(lambda reader: members.count_members(reader, ACME.id, text="Night robot"))
    assert found == 1


async def test_somebody_else_in_the_same_browser_does_not_do_it(whole: Whole) -> None:
    browser, page = await kept_key(whole)
    await browser.sign_in(CAROL)
    asked = await browser.post(KEYS, kept(page, KEYS))
    assert asked.status_code == 409
    for words in ("DW-457", ALICE.email, CAROL.email, "Send it as Carol Both", "Send the form as Alice"):
        assert words in asked.text, words
    assert typed(asked, KEYS) == typed(page, KEYS), "nothing is lost"
    assert (await browser.post(KEYS, kept(asked, KEYS))).status_code == 409, "asked again for as long as it is Carol"
    assert await keys_of(whole, CAROL) == await keys_of(whole) == []
    await browser.sign_in(ALICE)
    assert (await browser.post(KEYS, kept(asked, KEYS))).status_code == 200
    assert (await keys_of(whole, CAROL), await keys_of(whole)) == ([], ["ci at night"])


async def test_somebody_else_may_send_it_as_themselves_knowingly_and_once(whole: Whole) -> None:
    browser, page = await kept_key(whole)
    await browser.sign_in(CAROL)
    asked = await browser.post(KEYS, kept(page, KEYS))
    await browser.sign_in(ALICE)
    for_alice = await browser.post(KEYS, taken_over(asked, KEYS))
    assert for_alice.status_code == 409, "Carol's button is Carol's"
    await browser.sign_in(CAROL)
    assert (await browser.post(KEYS, taken_over(asked, KEYS))).status_code == 200
    assert "DW-459" in (await browser.post(KEYS, taken_over(asked, KEYS))).text
    await browser.sign_in(ALICE)
    assert "DW-459" in (await browser.post(KEYS, kept(page, KEYS))).text, "Carol has done it: Alice is told"
    assert (await keys_of(whole, CAROL), await keys_of(whole)) == (["ci at night"], [])


async def test_a_form_shown_to_one_person_is_not_done_for_another_who_signed_in_meanwhile(whole: Whole) -> None:
    browser = await signed_in(whole)
    form = await key_form(browser)
    await browser.sign_in(CAROL)  # in a second tab
    asked = await browser.post(KEYS, form)
    assert asked.status_code == 409
    assert "DW-457" in asked.text
    assert await keys_of(whole, CAROL) == await keys_of(whole) == []
    await browser.sign_in(ALICE)
    assert (await browser.post(KEYS, kept(asked, KEYS))).status_code == 200
    assert await keys_of(whole) == ["ci at night"]


@pytest.mark.parametrize("how", ["cut", "changed", "of another form", "nonsense", "ünïcode"])
async def test_what_was_altered_is_asked_again(whole: Whole, how: str) -> None:
    browser, page = await kept_key(whole)
    other = await browser.post("/settings/roles/new", {"name": "reader", **mark(whole)})
    sent, foreign = dict(kept(page, KEYS)), dict(kept(other, "/settings/roles/new"))["kept"]
    value = sent["kept"]
    sent["kept"] = {
        "cut": value[:-4], "changed": value[:20] + ("A" if value[20] != "A" else "B") + value[21:],
        "of another form": foreign, "nonsense": "x", "ünïcode": "ü",
    }[how]  # fmt: skip
    await browser.sign_in(ALICE)
    asked = await browser.post(KEYS, sent)
    assert asked.status_code == 409
    assert "DW-458" in asked.text
    assert await keys_of(whole) == []
    assert typed(asked, KEYS) == typed(page, KEYS)
    assert (await browser.post(KEYS, kept(asked, KEYS))).status_code == 409
    assert (await browser.post(KEYS, taken_over(asked, KEYS))).status_code == 200
    assert await keys_of(whole) == ["ci at night"]


@pytest.mark.parametrize("value", ["x", "ü", "AAAA" * 12])
async def test_an_altered_mark_of_a_page_is_asked_about(whole: Whole, value: str) -> None:
    browser = await signed_in(whole)
    form = [pair for pair in await key_form(browser) if pair[0] != "shown_to"]
    asked = await browser.post(KEYS, [*form, ("shown_to", value)])
    assert asked.status_code == 409
    assert "DW-458" in asked.text
    assert await keys_of(whole) == []


async def test_what_waited_for_more_than_a_day_is_looked_at_first(whole: Whole) -> None:
    browser, page = await kept_key(whole)
    whole.clock.forward(86_400 - 1)
    await browser.sign_in(ALICE)
    whole.clock.forward(1)
    asked = await browser.post(KEYS, kept(page, KEYS))
    assert asked.status_code == 409
    for words in ("DW-458", "That was some time ago", "ci at night"):
        assert words in asked.text, words
    assert await keys_of(whole) == []
    assert (await browser.post(KEYS, taken_over(asked, KEYS))).status_code == 200
    assert await keys_of(whole) == ["ci at night"]


async def test_of_a_form_that_does_not_say_whose_it_is_one_is_asked(whole: Whole) -> None:
    browser = await signed_in(whole)
    form = [pair for pair in await key_form(browser) if pair[0] != "shown_to"]
    await browser.post("/sign-out", {})
    page = await browser.post(KEYS, form)
    assert ALICE.email not in page.text
    await browser.sign_in(CAROL)
    asked = await browser.post(KEYS, kept(page, KEYS))
    assert asked.status_code == 409
    assert "Who filled the form in is not known" in asked.text
    assert await keys_of(whole, CAROL) == []
    assert (await browser.post(KEYS, taken_over(asked, KEYS))).status_code == 200
    assert await keys_of(whole, CAROL) == ["ci at night"]


async def test_a_kept_form_is_done_in_the_tenant_that_it_names(whole: Whole) -> None:
    await whole.change(lambda tx: permissions.set_membership(tx, GLOBEX.id, ALICE.id, ("viewer",)))
    browser, page = await kept_key(whole)
    await browser.sign_in(ALICE)
    await browser.get(f"{KEYS}?tenant=globex")
    await browser.get("/settings/setup?tenant=globex")
    assert (await browser.post(KEYS, kept(page, KEYS))).status_code == 200
    found = await whole.database.read_long(lambda reader: api_keys.api_keys_of_user(reader, ALICE.id))
    assert [key.tenant_id for key in found] == [ACME.id]


async def test_a_kept_form_of_a_tenant_that_one_has_left_does_nothing_elsewhere(whole: Whole) -> None:
    browser, page = await kept_key(whole)
    await whole.change(lambda tx: permissions.set_membership(tx, GLOBEX.id, ALICE.id, ("viewer",)))
    await whole.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ()))
    await browser.sign_in(ALICE)
    answer = await browser.post(KEYS, kept(page, KEYS))
    assert answer.status_code >= 400
    assert await keys_of(whole) == []


async def test_the_form_of_somebody_whose_account_is_gone_can_only_be_taken_over(whole: Whole) -> None:
    browser = await signed_in(whole)
    form = dict(await key_form(browser)) | mark(whole, replace(ALICE, id=UserId("u-gone")))
    asked = await browser.post(KEYS, form)
    assert asked.status_code == 409
    for words in ("DW-457", "is gone", "Send it as Alice"):
        assert words in asked.text, words
    assert "Send the form as" not in asked.text
    assert await keys_of(whole) == []
    assert (await browser.post(KEYS, taken_over(asked, KEYS))).status_code == 200


async def test_what_only_its_person_may_confirm_is_not_offered_to_another(whole: Whole) -> None:
    browser = await signed_in(whole)
    whole.clock.forward(3600)
    asked = await browser.post("/settings/security/recovery-codes", {})
    waiting = filled(form_of(asked, "waiting"), password=PASSWORD)
    await browser.sign_in(CAROL)
    page = await browser.post("/settings/confirm", waiting)
    assert page.status_code == 409
    assert PASSWORD not in page.text
    assert "Send it as" not in page.text
    assert "Send the form as Alice" in page.text


async def test_a_query_stays_with_its_form(whole: Whole) -> None:
    path = "/settings/audit/export.jsonl?tenant=acme&event=api_key%3Acreated"
    page = await whole.browser().post(path, mark(whole))
    (form,) = [form for form in Page(page.text).forms if form.method == "post"]
    assert form.action == path


async def test_a_guarded_change_waits_through_a_lost_session_and_keeps_no_password(whole: Whole) -> None:
    browser = await signed_in(whole)
    whole.clock.forward(3600)  # the proof is old by now
    asked = await browser.post("/settings/security/recovery-codes", {})
    waiting = filled(form_of(asked, "waiting"), password="some secret words")
    await browser.post("/sign-out", {})
    page = await browser.post("/settings/confirm", waiting)
    assert page.status_code == 403
    assert "some secret words" not in page.text
    assert "Passwords are not kept" in page.text
    sent = kept(page, "/settings/confirm")
    assert dict(sent).keys() >= {"waiting"}
    assert "password" not in dict(sent)
    await browser.sign_in(ALICE)
    done = await browser.post("/settings/confirm", sent)
    assert done.status_code in {200, 303}
    assert "/errors/DW-" not in done.text


async def test_a_form_that_no_page_of_ours_sends_is_refused_as_before(whole: Whole) -> None:
    for body in (b"%zz=%ff", b"a=\x00", b"x" * 70_000):
        answer = await whole.browser().client.post(
            "/settings/keys", content=body,
            headers={"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"},
        )  # fmt: skip
        assert answer.status_code in {400, 413}
        assert "DW-409" in answer.text


def mark(whole: Whole, user: User = ALICE) -> dict[str, str]:
    """Return what a form that was shown to ``user`` carries."""
    return {"shown_to": ShownTo(sealer=whole.core.sealer, entropy=whole.core.entropy).field(user.id, whole.clock())}


async def keys_of(whole: Whole, user: User = ALICE) -> list[str]:
    found = await whole.database.read_long(lambda reader: api_keys.api_keys_of_user(reader, user.id))
    return [key.name for key in found]

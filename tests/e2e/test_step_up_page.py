"""A step-up as people see it: the whole result, the new permissions marked (B17), in every look."""

import re

import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, waiting_client, watched

from support import chromium
from support.person import answer_of
from support.running_demo import Demo


@pytest.mark.requirement("B17")
@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_a_step_up_shows_the_whole_and_marks_what_is_new(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with waiting_client(demo) as (client, redirect), chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read", redirect_uri=redirect))
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_text("new", exact=True)).to_have_count(0)
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{redirect}*")
        client.redeem(answer_of(page.url)["code"], redirect_uri=redirect)
        page.goto(client.authorize_url("documents:write documents:delete", redirect_uri=redirect))
        expect(page.get_by_role("checkbox", name=re.compile("documents:read"))).to_be_checked()
        marked = page.locator("label.check", has=page.get_by_text("new", exact=True))
        expect(marked).to_have_count(2)
        expect(marked.first).to_contain_text("documents:write")
        page.screenshot(path=chromium.keep(f"step-up-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{redirect}*")
        granted = client.redeem(answer_of(page.url)["code"], redirect_uri=redirect).json()["scope"]
    assert set(granted.split()) == {"documents:read", "documents:write"}
    assert complaints == []


def test_somebody_who_may_do_nothing_of_it_sees_why_and_what_to_do(demo: Demo) -> None:
    with waiting_client(demo) as (client, redirect), chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:delete", redirect_uri=redirect))
        sign_in(page, *demo.user("viewer"))
        expect(page.get_by_text("you may do nothing of this")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
        page.screenshot(path=chromium.keep("consent-nothing"), full_page=True)
        page.get_by_role("button", name="Deny").click()
        page.wait_for_url(f"{redirect}*")
        assert answer_of(page.url)["error"] == "access_denied"
    assert complaints == []

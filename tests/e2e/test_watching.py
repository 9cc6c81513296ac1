"""The audit log and the settings of a tenant in real headless Chromium over the demo. Screenshots are kept."""

import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.calls import a_month_of_calls
from support.running_demo import Demo

pytestmark = pytest.mark.requirement("F2")


@pytest.fixture(scope="module")
def filled(demo: Demo) -> Demo:
    a_month_of_calls(demo.data)
    return demo


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_an_administrator_looks_through_the_log(filled: Demo, look: str, dark: bool, phone: bool) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{filled.url}/settings/audit")
        sign_in(page, *filled.user("owner"))
        page.goto(f"{filled.url}/settings/audit?tenant=acme&list=changes&event=role%3Achanged")
        expect(page.get_by_role("row").filter(has_text="role:changed").first).to_be_visible()
        page.screenshot(path=chromium.keep(f"audit-changes-{look}"), full_page=True)
        page.get_by_role("link", name="Calls", exact=True).click()
        page.get_by_label("Result").select_option("denied")
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_text("Denied", exact=True).nth(1)).to_be_visible()
        assert page.get_by_text("Allowed", exact=True).count() == 1, "the option of the filter alone"
        page.screenshot(path=chromium.keep(f"audit-calls-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        with page.expect_download() as export:
            page.get_by_role("button", name="Export JSONL").click()
        assert export.value.suggested_filename == "audit-acme-calls.jsonl"
        page.get_by_role("row").filter(has_text="dw_").get_by_role("button", name="Why?").first.click()
        expect(page.get_by_role("heading", name="Why was it denied?")).to_be_visible()
        expect(page.locator("ol.timeline > li")).to_have_count(7)
    assert complaints == []


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_an_administrator_changes_what_holds_in_the_tenant(own_demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{own_demo.url}/settings/tenant")
        sign_in(page, *own_demo.user("owner"))
        page.get_by_label("What people read").fill("Acme Robots")
        page.get_by_role("button", name="Save name").click()
        expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
        page.get_by_label("Longest life, in seconds").fill("7")
        page.screenshot(path=chromium.keep(f"tenant-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        page.get_by_role("button", name="Save lifetime").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("Longest life, in seconds")).to_have_value("7")
    assert complaints == []

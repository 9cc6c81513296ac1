"""The usage page in real headless Chromium: numbers under the cursor, the same without a script. Screenshots are kept."""

import re

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
def test_an_administrator_reads_exact_numbers_under_the_cursor(
    filled: Demo, look: str, dark: bool, phone: bool
) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{filled.url}/settings/usage")
        sign_in(page, *filled.user("owner"))
        expect(page.get_by_role("heading", name="Calls per day")).to_be_visible()
        plot = page.locator(".uplot canvas")
        expect(plot).to_be_visible()
        page.get_by_text("Show as a table").click()
        over = page.locator(".u-over")
        box = over.bounding_box()
        assert box is not None
        over.hover(position={"x": box["width"] - 2, "y": box["height"] / 2})
        cells = page.locator("#points tbody tr").last.locator("th, td").all_inner_texts()
        shown = page.locator(".u-legend .u-value")
        expect(shown).to_have_text([cells[0], cells[3], cells[2], cells[1]])
        assert int(cells[1]) + int(cells[2]) > 0
        page.get_by_text("Show as a table").click()
        over.hover(position={"x": box["width"] / 2, "y": box["height"] / 2})
        page.screenshot(path=chromium.keep(f"usage-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("link", name="get_document").click()
        expect(page.get_by_label("Tool", exact=True)).to_have_value("get_document")
        page.get_by_label("Person, by e-mail address").fill("nobody@elsewhere.example")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_role("link", name="24 h").click()
        expect(page.get_by_role("heading", name="Calls per hour")).to_be_visible()
        page.screenshot(path=chromium.keep(f"usage-hours-{look}"), full_page=True)
        with page.expect_download() as sheet:
            page.get_by_role("button", name="Export CSV").click()
        assert sheet.value.suggested_filename == "usage-acme-1d.csv"
    assert complaints == []


def test_without_a_script_the_chart_is_there_with_its_numbers(filled: Demo) -> None:
    with chromium.browser() as context:
        bare = context.browser
        assert bare is not None
        page = bare.new_context(java_script_enabled=False).new_page()
        page.goto(f"{filled.url}/settings/usage")
        sign_in(page, *filled.user("owner"))
        expect(page.get_by_role("img", name=re.compile(r"^[\d,]+ calls in 30 days; the most"))).to_be_visible()
        assert page.locator("figure svg rect.s1").count() > 20
        assert re.search(
            r": [\d,]+ OAuth, [\d,]+ API keys and others, [\d,]+ denied", page.locator("svg title").last.inner_html()
        )
        page.screenshot(path=chromium.keep("usage-no-script"), full_page=True)

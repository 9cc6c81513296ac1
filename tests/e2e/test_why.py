"""The page that explains a decision, in real headless Chromium over the demo. Screenshots are kept."""

import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.running_demo import Demo


@pytest.mark.requirement("D7")
@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_an_administrator_asks_why(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/why")
        sign_in(page, *demo.user("owner"))
        page.get_by_label("Who").fill(demo.user("viewer")[0])
        page.get_by_label("Name, or URI of a resource").fill("delete_document")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("Denied at step 4")).to_be_visible()
        expect(page.get_by_text("This is a simulation as")).to_be_visible()
        expect(page.get_by_role("heading", name="To allow it")).to_be_visible()
        page.screenshot(path=chromium.keep(f"why-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_label("Who").fill("nobody@elsewhere.example")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.screenshot(path=chromium.keep(f"why-refused-{look}"), full_page=True)
    assert complaints == []

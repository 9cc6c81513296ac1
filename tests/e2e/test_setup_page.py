"""The setup page in a real browser: copying, and a client that connects while somebody looks at it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.computer import Computer
from support.running_demo import Demo


@pytest.mark.requirement("A5")
def test_the_page_tells_of_the_first_call_while_it_is_looked_at(own_demo: Demo, tmp_path: Path) -> None:
    url, computer = own_demo.tenant_url("acme"), Computer(tmp_path / "home", own_demo.user("owner"))
    with chromium.browser() as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, complaints = watched(context)
        page.goto(f"{own_demo.url}/settings/setup?client=claude-code")
        sign_in(page, *own_demo.user("owner"))
        expect(page.get_by_role("heading", name="Set up a client")).to_be_visible()
        expect(page.get_by_text("Waiting for the first call")).to_be_visible()
        page.get_by_role("button", name="Copy").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == url
        steps = [page.locator(f"#step-{number}").inner_text() for number in (1, 2)]
        assert "✔ Connected" in computer.run("\n".join([*steps, "claude mcp get harbour"]))
        expect(page.locator("#status")).to_contain_text(re.compile("is connected, first call"), timeout=20_000)
        page.get_by_role("link", name="Cursor").first.click()
        expect(page.get_by_role("link", name="Add to Cursor")).to_have_attribute("href", re.compile("^cursor://"))
        assert complaints == []
    for look, dark, phone in LOOKS:
        with chromium.browser(dark=dark, phone=phone) as context:
            page, complaints = watched(context)
            page.goto(f"{own_demo.url}/settings/setup?client=claude-code")
            sign_in(page, *own_demo.user("owner"))
            expect(page.get_by_role("heading", name="Clients compared")).to_be_visible()
            page.screenshot(path=chromium.keep(f"setup-{look}"), full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing scrolls sideways"
            assert complaints == []

"""An app is registered on the page for one project, in Chromium; a real client connects with it and reaches no other."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from playwright.sync_api import Page, expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.oauth import tool_names
from support.official_client import REDIRECT, Store, Visit
from support.person import Person
from support.running_demo import Demo

INSIDE, BESIDE = "prj-atlas", "prj-beacon"


@pytest.mark.requirement("B5", "F2")
@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_an_app_is_registered_for_one_project_and_reaches_no_other(
    demo: Demo, look: str, dark: bool, phone: bool
) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/clients")
        sign_in(page, *demo.user("owner"))
        page.get_by_role("link", name="Register an app").first.click()
        page.get_by_label("Name", exact=True).fill(f"Portal {look}")
        page.get_by_label("Redirect URIs").fill("http://portal.example/callback")
        page.locator(f'input[name="place"][value="project/{INSIDE}"]').check()
        page.get_by_role("button", name="Register app").click()
        expect(page.get_by_role("alert")).to_contain_text("http://portal.example/callback")
        expect(page.get_by_label("Name", exact=True)).to_have_value(f"Portal {look}")
        keep(page, f"client-form-{look}")
        page.get_by_label("Redirect URIs").fill(REDIRECT)
        page.get_by_role("button", name="Register app").click()
        client_id = page.locator("#client-id").inner_text()
        keep(page, f"client-created-{look}")
        if look == "light":
            with ThreadPoolExecutor(1) as elsewhere:  # the browser's own loop runs in this thread
                inside, beside = elsewhere.submit(anyio.run, asked, demo, client_id).result()
            assert not inside.is_error, inside
            assert beside.is_error, beside
        page.get_by_role("link", name="To the app").click()
        expect(page.get_by_role("heading", name=f"Portal {look}")).to_be_visible()
        if look == "light":
            expect(page.get_by_role("region", name="Who uses it").get_by_role("row")).to_have_count(2)
        keep(page, f"client-{look}")
        page.goto(f"{demo.url}/settings/clients")
        keep(page, f"clients-{look}")
        page.goto(f"{demo.url}/settings/credentials")
        expect(page.get_by_role("heading", name="Keys and connections")).to_be_visible()
        keep(page, f"credentials-{look}")
        page.get_by_role("link", name="Connected apps").last.click()
        keep(page, f"credentials-apps-{look}")
    assert complaints == []


async def asked(demo: Demo, client_id: str) -> tuple[Any, Any]:
    """Connect the official client with what the page gave it; call inside and beside its project."""
    known = OAuthClientInformationFull.model_validate({
        "client_id": client_id, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
    })  # fmt: skip
    person = Person(*demo.user("owner"))
    visit = Visit(demo.mcp_url, person=person, store=Store(client=known))
    async with visit.client() as client:
        answers = [await client.call_tool("list_tasks", {"project_id": each}) for each in (INSIDE, BESIDE)]
    assert any("Only in" in text for text in person.pages), "the consent page names the limit"
    return answers[0], answers[1]


@pytest.mark.requirement("C1", "C2")
@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_the_key_form_tells_what_the_key_can_do_while_it_is_chosen(
    demo: Demo, look: str, dark: bool, phone: bool
) -> None:
    assert "list_tasks" in tool_names(demo.mcp_url, demo.key()), "the server is seen to offer it"
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/keys")
        sign_in(page, *demo.user("owner"))
        page.get_by_label("Name", exact=True).fill(f"live {look}")
        told = page.locator("#part-told")
        expect(told).to_contain_text("list_tasks")
        page.locator('input[name="scope"][value="tasks:read"]').uncheck()
        expect(told).not_to_contain_text("list_tasks")
        page.locator(f'input[name="place"][value="project/{INSIDE}"]').check()
        expect(told).to_contain_text("reach anything else")
        expect(page.get_by_label("Name", exact=True)).to_have_value(f"live {look}")
        page.get_by_role("radio", name="Claude Code").check()
        keep(page, f"key-live-{look}")
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("heading", name="Use it in Claude Code")).to_be_visible()
        expect(page.get_by_role("heading", name="Test it")).to_be_visible()
        key = re.search(r"dw_[0-9A-Za-z]{62}", page.inner_text("main"))
        assert key
        keep(page, f"key-steps-{look}")
        page.get_by_role("link", name="The page of the key").click()
        expect(page.get_by_text("Waiting for the first call")).to_be_visible()
        page.get_by_label("Name", exact=True).fill(f"changed {look}")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=f"changed {look}")).to_be_visible()
        keep(page, f"key-page-{look}")
    assert complaints == []


def keep(page: Page, name: str) -> None:
    """Take a screenshot of all of a page, which must not scroll sideways."""
    page.screenshot(path=chromium.keep(name), full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} scrolls sideways"

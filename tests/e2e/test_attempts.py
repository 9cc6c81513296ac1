"""The timeline of attempts over the real demo: the operator's commands, and the administrator's page in Chromium."""

import json
import re
import time
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.oauth import Client, tool_names
from support.person import Person
from support.running_demo import Demo

WRITTEN_WITHIN = 15.0


def until(demo: Demo, client: Client, wanted: str) -> dict[str, Any]:
    """Return the newest attempt of a client, once it stands as wanted."""
    deadline, found = time.monotonic() + WRITTEN_WITHIN, []
    while time.monotonic() < deadline:
        printed = demo.command("attempts", "--client", client.client_id, "--json").stdout
        found = json.loads(printed)["attempts"]
        if found and found[0]["state"] == wanted:
            return found[0]  # type: ignore[no-any-return]
    raise AssertionError(f"not {wanted} within {WRITTEN_WITHIN} s: {found}")


@pytest.mark.requirement("A8", "pains/C16")
def test_a_real_attempt_is_followed_to_its_first_call_and_found_by_a_request_id(demo: Demo) -> None:
    knocked = httpx2.post(demo.mcp_url, json={})
    assert knocked.status_code == 401
    client = Client(demo.url, demo.mcp_url, name="Followed")
    email, password = demo.user("owner")
    tokens = client.connect(Person(email, password), "documents:read")
    assert until(demo, client, "waiting")["stopped_at"] is None
    tool_names(demo.mcp_url, tokens.access)
    attempt = until(demo, client, "connected")
    taken = [each["step"] for each in attempt["steps"]]
    assert taken[-3:] == ["approved", "token", "called"]
    assert "knocked" in taken
    assert {each["step"] for each in attempt["steps"] if each["likely"]} <= {"knocked", "metadata"}
    assert attempt["user"] == email
    told = demo.command("log", attempt["steps"][-1]["request_id"]).stdout
    assert " call " in told
    assert "step=called" in told
    approved = next(each for each in attempt["steps"] if each["step"] == "approved")
    assert "name=connection:approved" in demo.command("log", approved["request_id"]).stdout
    printed = demo.command("attempts", "--user", email).stdout
    assert "Followed, " in printed
    assert tokens.access not in printed


@pytest.mark.requirement("A8", "B3")
@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_an_administrator_allows_a_redirect_with_one_click(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    client = Client(demo.url, demo.tenant_url("acme"), name=f"Relay desk {look}")
    away = client.authorize_url("documents:read", redirect_uri=f"https://{look}.example/cb")
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/attempts")
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_role("heading", name="Connection attempts")).to_be_visible()
        page.goto(away)
        expect(page.get_by_text("DW-104").first).to_be_visible()
        until(demo, client, "stopped")
        page.goto(f"{demo.url}/settings/attempts")
        page.screenshot(path=chromium.keep(f"attempts-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("link", name=f"Relay desk {look}").first.click()
        expect(page.get_by_text("Fix:")).to_be_visible()
        page.screenshot(path=chromium.keep(f"attempt-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.go_back()
        page.get_by_role("button", name=re.compile(f"Allow this redirect for Relay desk {look}")).click()
        expect(page.get_by_text("Allowed.")).to_be_visible()
        page.goto(away)
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
        expect(page.get_by_text(f"{look}.example").first).to_be_visible()
    assert complaints == []

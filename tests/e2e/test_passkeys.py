"""Passkeys in real headless Chromium, with its own virtual authenticator: added, used to sign in, used to confirm.

Screenshots are kept in ``test-artifacts/``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from support import chromium
from support.running_demo import free_port, run
from support.serving import serving

EMAIL, PASSWORD = "ines@acme.example", "seven green lighthouses"
DOCUMENT = {
    "users": [{"email": EMAIL, "name": "Ines Duarte", "password": PASSWORD}],
    "tenants": [{"slug": "acme", "members": [{"user": EMAIL, "roles": ["owner"]}]}],
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server whose public URL is a name: browsers make no passkeys for an address."""
    port, config, document = free_port(), tmp_path / "doorward.toml", tmp_path / "acme.json"
    config.write_text(
        f'data_dir = "data"\n[server]\nport = {port}\npublic_url = "http://localhost:{port}"\n[tokens]\nrecent = 60\n'
    )
    document.write_text(json.dumps(DOCUMENT))
    (tmp_path / "data").mkdir()
    with serving(config):
        run("doorward.cli.main", "apply", "-f", str(document), "--config", str(config))
        yield f"http://localhost:{port}"


def with_authenticator(context: BrowserContext) -> Page:
    """Return a page whose browser has a device that verifies its person, as a phone or laptop does."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


@pytest.mark.requirement("E1")
def test_a_passkey_is_added_in_a_browser_and_signs_in_again_without_typing(url: str) -> None:
    with chromium.browser() as context:
        page = with_authenticator(context)
        failures: list[str] = []
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        page.goto(f"{url}/sign-in?next=/settings/security")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("heading", name="Security")).to_be_visible()
        page.get_by_label("Name of the new passkey").fill("Laptop")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("The passkey is added.")).to_be_visible()
        expect(page.locator("input[value=Laptop]")).to_be_visible()
        page.screenshot(path=chromium.keep("security"), full_page=True)
        page.get_by_role("button", name="Make codes").click()
        expect(page.get_by_text("Keep these now.")).to_be_visible()
        # Once more makes this device's own passkey an error that the page tells, and nothing is lost.
        page.goto(f"{url}/settings/security")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("Perhaps this device has one already.")).to_be_visible()
        page.get_by_role("button", name="Sign out everywhere", exact=True).click()
        page.goto(f"{url}/sign-in?next=/settings/security")
        page.screenshot(path=chromium.keep("sign-in-passkey"), full_page=True)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Security")).to_be_visible()
        expect(page.get_by_text(EMAIL)).to_be_visible()
        assert failures == []

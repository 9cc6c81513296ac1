"""Sign-in, consent and the keys page in real headless Chromium. Screenshots are kept in ``test-artifacts/``."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Route, expect
from typing_extensions import override

from support import chromium
from support.oauth import REDIRECT, Client, answer_of, tool_names
from support.running_demo import Demo

LOOKS = [("light", False, False), ("dark", True, False), ("phone", False, True)]


class _Callback(BaseHTTPRequestHandler):
    """Where a client waits for the answer."""

    @override
    def do_GET(self) -> None:  # type: ignore[misc]
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>client</title>You can close this window.")

    @override
    def log_message(self, *_: object) -> None: ...


@contextmanager
def waiting_client(demo: Demo) -> Iterator[tuple[Client, str]]:
    """A client that listens on a loopback port which it did not register (RFC 8252 section 7.3)."""
    listener = HTTPServer(("127.0.0.1", 0), _Callback)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield Client(demo.url, demo.mcp_url, name="Claude Code"), f"http://127.0.0.1:{listener.server_port}/callback"
    finally:
        listener.shutdown()
        listener.server_close()


def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    """Return a page and the list of everything the browser complained about."""
    page, complaints = context.new_page(), []

    def complain(message: ConsoleMessage) -> None:
        # A 4xx page of ours is logged by the browser as a failed resource; that is the point of some tests.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


def sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_a_person_signs_in_and_lets_a_client_in(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with waiting_client(demo) as (client, redirect), chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read documents:write documents:delete", redirect_uri=redirect))
        page.screenshot(path=chromium.keep(f"sign-in-{look}"), full_page=True)
        sign_in(page, demo.user("owner")[0], "not the password")
        expect(page.get_by_text("do not match")).to_be_visible()
        expect(page.get_by_label("E-mail")).to_have_value(demo.user("owner")[0])
        page.screenshot(path=chromium.keep(f"sign-in-refused-{look}"), full_page=True)
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
        page.screenshot(path=chromium.keep(f"consent-{look}"), full_page=True)
        expect(page.get_by_label(re.compile("documents:read"))).to_be_checked()
        expect(page.get_by_label(re.compile("documents:delete"))).not_to_be_checked()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{redirect}*")
        answer = answer_of(page.url)
        assert answer["iss"] == demo.url
        token = client.redeem(answer["code"], redirect_uri=redirect).json()["access_token"]
        tools = tool_names(demo.mcp_url, token)
    assert "create_document" in tools
    assert "delete_document" not in tools
    assert complaints == []


def test_a_person_denies_and_the_client_is_told(demo: Demo) -> None:
    with waiting_client(demo) as (client, redirect), chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read", redirect_uri=redirect))
        sign_in(page, *demo.user("owner"))
        page.get_by_role("button", name="Deny").click()
        page.wait_for_url(f"{redirect}*")
        answer = answer_of(page.url)
    assert answer["error"] == "access_denied"
    assert answer["iss"] == demo.url
    assert "code" not in answer
    assert complaints == []


def test_somebody_in_two_tenants_picks_one_on_the_page(demo: Demo) -> None:
    both = next(user for user in demo.printed["users"] if len(user["tenants"]) == 2)
    with waiting_client(demo) as (client, redirect), chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read", redirect_uri=redirect))
        sign_in(page, both["email"], both["password"])
        page.get_by_role("radio", name=re.compile("Globex")).check()
        page.screenshot(path=chromium.keep("consent-two-tenants"), full_page=True)
        page.get_by_role("button", name="Approve").click()
        page.wait_for_url(f"{redirect}*")
        assert "code" in answer_of(page.url)
    assert complaints == []


def test_A1_an_unknown_redirect_is_explained_on_a_page_and_never_followed(demo: Demo) -> None:
    client = Client(demo.url, demo.mcp_url)
    with chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read", redirect_uri="https://evil.example/cb"))
        page.screenshot(path=chromium.keep("error"), full_page=True)
        expect(page.get_by_text(re.compile(r"DW-1\d\d")).first).to_be_visible()
        expect(page.get_by_role("heading", name="Cause")).to_be_visible()
        assert page.url.startswith(demo.url)
    assert complaints == []
    assert REDIRECT


@pytest.mark.requirement("M5")
def test_a_second_click_while_the_first_is_answered_makes_one_key_and_shows_it(demo: Demo) -> None:
    with chromium.browser() as context:
        page, _ = watched(context)
        page.goto(f"{demo.url}/settings/keys")
        sign_in(page, *demo.user("owner"))
        page.get_by_label("Name", exact=True).fill("clicked twice")
        sent: list[str] = []

        def slowly(route: Route) -> None:
            sent.append(route.request.post_data or "")
            page.wait_for_timeout(300)
            route.continue_()

        page.route("**/settings/keys", slowly)
        twice = "button => { button.click(); setTimeout(() => button.click(), 100); }"
        page.get_by_role("button", name="Create key").evaluate(twice)
        expect(page.get_by_text(re.compile(r"dw_[0-9A-Za-z]{62}")).first).to_be_visible()
        assert len(sent) == 1
        page.unroute("**/settings/keys")
        page.goto(f"{demo.url}/settings/keys")
        expect(page.get_by_role("link", name="clicked twice")).to_have_count(1)


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_a_person_makes_a_key_sees_it_once_and_revokes_it(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/keys")
        sign_in(page, *demo.user("editor"))
        page.get_by_label("Name", exact=True).fill(f"key {look}")
        page.screenshot(path=chromium.keep(f"keys-form-{look}"), full_page=True)
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_text(re.compile(r"dw_[0-9A-Za-z]{62}")).first).to_be_visible()
        page.screenshot(path=chromium.keep(f"key-created-{look}"), full_page=True)
        found = re.search(r"dw_[0-9A-Za-z]{62}", page.inner_text("main"))
        assert found
        key = found[0]
        assert "list_projects" in tool_names(demo.mcp_url, key)
        page.goto(f"{demo.url}/settings/keys")
        assert key not in page.content()
        page.screenshot(path=chromium.keep(f"keys-{look}"), full_page=True)
        page.get_by_role("row", name=re.compile(f"key {look}")).get_by_role("button", name="Revoke").click()
        page.screenshot(path=chromium.keep(f"key-revoke-{look}"), full_page=True)
        page.get_by_role("button", name="Revoke key").click()
    assert complaints == []

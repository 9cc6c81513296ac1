"""Machines without a browser, in real headless Chromium: a device with a polling script, and the address to paste.

Screenshots are kept in ``test-artifacts/``.
"""

import json
import re
import select
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, waiting_client, watched

from support import chromium
from support.oauth import answer_of, tool_names
from support.running_demo import Demo

pytestmark = pytest.mark.requirement("B16", "C22")

SECONDS = 40
DEVICE = r"""
import json, sys, time, urllib.error, urllib.parse, urllib.request
url, resource = sys.argv[1:]
GRANT = "urn:ietf:params:oauth:grant-type:device_code"

def post(to, body, kind):
    request = urllib.request.Request(to, body, {"content-type": kind})
    try:
        return json.load(urllib.request.urlopen(request, timeout=10))
    except urllib.error.HTTPError as refused:
        return json.load(refused)

def form(to, **members):
    return post(to, urllib.parse.urlencode(members).encode(), "application/x-www-form-urlencoded")

found = json.load(urllib.request.urlopen(url + "/.well-known/oauth-authorization-server", timeout=10))
client = {"client_name": "Harbour Terminal", "grant_types": [GRANT, "refresh_token"], "token_endpoint_auth_method": "none"}
client_id = post(found["registration_endpoint"], json.dumps(client).encode(), "application/json")["client_id"]
scope = "documents:read documents:write documents:delete"
codes = form(found["device_authorization_endpoint"], client_id=client_id, scope=scope, resource=resource)
print(json.dumps(codes), flush=True)
interval, errors = codes["interval"], []
while True:
    answer = form(found["token_endpoint"], grant_type=GRANT, device_code=codes["device_code"], client_id=client_id)
    if answer.get("error") not in ("authorization_pending", "slow_down"):
        print(json.dumps({"errors": errors, "answer": answer}), flush=True)
        break
    errors.append(answer["error"])
    interval += 5 if answer["error"] == "slow_down" else 0
    time.sleep(interval)
"""


class Terminal:
    """A program that was started on a machine without a browser."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def line(self) -> dict[str, object]:
        """Return what it prints next."""
        assert self._process.stdout is not None
        assert select.select([self._process.stdout], [], [], SECONDS)[0], f"nothing printed in {SECONDS} s"
        return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]


@contextmanager
def terminal(demo: Demo) -> Iterator[Terminal]:
    command = [sys.executable, "-c", DEVICE, demo.url, demo.mcp_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        try:
            yield Terminal(process)
        finally:
            process.kill()


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_a_person_types_the_code_of_a_device_and_lets_it_in(demo: Demo, look: str, dark: bool, phone: bool) -> None:
    with terminal(demo) as machine, chromium.browser(dark=dark, phone=phone) as context:
        codes = machine.line()
        page, complaints = watched(context)
        page.goto(str(codes["verification_uri"]))
        sign_in(page, *demo.user("owner"))
        page.get_by_label("Code").fill("BBBB-BBBB")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("This code does not work")).to_be_visible()
        page.screenshot(path=chromium.keep(f"device-refused-{look}"), full_page=True)
        page.get_by_label("Code").fill(str(codes["user_code"]).lower().replace("-", " "))
        page.screenshot(path=chromium.keep(f"device-{look}"), full_page=True)
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text(str(codes["user_code"])).first).to_be_visible()
        expect(page.get_by_text("the network you are on")).to_be_visible()
        expect(page.get_by_text("Not verified")).to_be_visible()
        page.screenshot(path=chromium.keep(f"device-consent-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", name="Go back to your device")).to_be_visible()
        page.screenshot(path=chromium.keep(f"device-approved-{look}"), full_page=True)
        done = machine.line()
    answer = done["answer"]
    assert isinstance(answer, dict)
    assert set(done["errors"]) <= {"authorization_pending"}  # type: ignore[call-overload]
    tools = tool_names(demo.mcp_url, answer["access_token"])
    assert "create_document" in tools
    assert "delete_document" not in tools
    assert answer["refresh_token"]
    assert complaints == []


def test_a_link_with_the_code_in_it_is_compared_and_may_be_denied(demo: Demo) -> None:
    with terminal(demo) as machine, chromium.browser() as context:
        codes = machine.line()
        page, complaints = watched(context)
        page.goto(str(codes["verification_uri_complete"]))
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_label("Code")).to_have_value(str(codes["user_code"]))
        page.screenshot(path=chromium.keep("device-link"), full_page=True)
        page.get_by_role("button", name="My device shows this code").click()
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_role("heading", name="Your device stays out")).to_be_visible()
        answer = machine.line()["answer"]
    assert isinstance(answer, dict)
    assert answer["error"] == "access_denied"
    assert complaints == []


@pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)
def test_the_address_of_an_app_on_another_machine_is_carried_there(
    demo: Demo, look: str, dark: bool, phone: bool
) -> None:
    with waiting_client(demo) as (client, redirect), chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(client.authorize_url("documents:read documents:write", redirect_uri=redirect))
        sign_in(page, *demo.user("owner"))
        page.get_by_text("The app runs on another machine").click()
        page.screenshot(path=chromium.keep(f"paste-back-asked-{look}"), full_page=True)
        page.get_by_role("button", name="Approve and show the address").click()
        address = page.get_by_label("Address").input_value()
        page.screenshot(path=chromium.keep(f"paste-back-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        assert page.url == f"{demo.url}/oauth/consent"
        command = shlex.split(page.locator("#command").inner_text())
        # What curl does on the app's machine: the app that listens there gets its answer.
        assert command == ["curl", address]
        assert "You can close this window" in httpx2.get(command[1], timeout=SECONDS, trust_env=False).text
    answer = answer_of(address)
    assert re.fullmatch(r"dwc_\w+", answer["code"])
    token = client.redeem(answer["code"], redirect_uri=redirect).json()["access_token"]
    assert "create_document" in tool_names(demo.mcp_url, token)
    assert complaints == []

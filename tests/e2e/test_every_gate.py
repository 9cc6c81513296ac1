"""The pages on the way in, each looked at as ``test_every_page`` does: before anybody has an account, by mail, by passkey."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.fresh import GUEST, OWNER, PASSWORD, fill_first_owner, fresh, told

from support import chromium
from support.page_audit import audited, watched
from support.running_demo import run

pytestmark = pytest.mark.timeout(900)
PROVIDER = {
    "slug": "corp", "name": "Acme SSO", "template": "oidc", "issuer": "https://id.acme.example", "client_id": "doorward",
    "secret": "CORP",
}  # fmt: skip


@dataclass
class Gate:
    """A server with an owner, what it says, and a browser without a session."""

    url: str
    said: list[str]
    context: BrowserContext

    def links(self, path: str) -> int:
        """Return how many addresses of this kind mails have held until now."""
        return len(re.findall(_form(path), "".join(self.said)))

    def link(self, path: str, *, before: int = 0) -> str:
        """Return the newest address of this kind that a mail holds, when there are more than ``before``."""
        return told(self.said, _form(path), before=before)


def _form(path: str) -> str:
    return rf"http://localhost:\d+{path}\?token=[\w.-]+"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One server for all; its owner comes in by the first test's page."""
    folder = Path(tmp_path_factory.mktemp("gate"))
    with fresh(folder) as (url, said, config), chromium.browser() as context:
        with watched(context, url) as watch:
            watch.page.goto(told(said, r"http://localhost:\d+/setup/\S+"))
            first = audited(watch, "first-owner")
            fill_first_owner(watch.page)
            expect(watch.page.get_by_role("navigation", name="Main")).to_be_visible()
        assert first == []
        declare(config)
        run("doorward.cli.main", "invitation", "send", GUEST, "--tenant", "acme", "--config", str(config))
        context.clear_cookies()
        yield Gate(url, said, context)


def declare(config: Path) -> None:
    """Declare somebody's provider, with its secret."""
    keep = [sys.executable, "-m", "doorward.cli.main", "secret", "set", "CORP", "--config", str(config)]
    subprocess.run(keep, input="not a secret", text=True, check=True, timeout=60, capture_output=True)
    document = config.with_name("providers.json")
    document.write_text(json.dumps({"providers": [PROVIDER]}), encoding="utf-8")
    run("doorward.cli.main", "apply", "-f", str(document), "--config", str(config))


def _sign_in(page: Page, gate: Gate) -> None:
    page.goto(f"{gate.url}/sign-in")


def _refused(page: Page, gate: Gate) -> None:
    _sign_in(page, gate)
    sign_in_as(page, OWNER, "not the password")
    expect(page.get_by_text("do not match")).to_be_visible()


def sign_in_as(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def _recovery(page: Page, gate: Gate) -> None:
    page.goto(f"{gate.url}/sign-in/recovery")
    page.get_by_label("E-mail").fill(OWNER)
    page.get_by_label("Recovery code").fill("aaaa-bbbb-cccc")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_have_value(OWNER)


def _unchecked(page: Page) -> None:
    """Have the browser send what it would refuse itself: the page's own words are looked at."""
    page.locator("form").evaluate_all("(forms) => forms.forEach((form) => { form.noValidate = true; })")


def _reset(page: Page, gate: Gate) -> None:
    page.goto(f"{gate.url}/sign-in/reset")


def _reset_asked(page: Page, gate: Gate) -> None:
    _reset(page, gate)
    page.get_by_label("E-mail").fill(OWNER)
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_text(OWNER)).to_be_visible()


def _reset_opened(page: Page, gate: Gate) -> None:
    before = gate.links("/sign-in/reset/new")
    _reset_asked(page, gate)
    page.goto(gate.link("/sign-in/reset/new", before=before))
    _unchecked(page)
    page.locator("[name=password]").fill("short")
    page.locator("main form button[type=submit]").first.click()
    expect(page.get_by_role("alert").first).to_be_visible()


def _link_asked(page: Page, gate: Gate) -> None:
    _sign_in(page, gate)
    page.get_by_label("E-mail").fill(OWNER)
    page.get_by_role("button", name="E-mail me a sign-in link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()


def _link_opened(page: Page, gate: Gate) -> None:
    before = gate.links("/sign-in/link")
    _link_asked(page, gate)
    page.goto(gate.link("/sign-in/link", before=before))


def _invited(page: Page, gate: Gate) -> None:
    page.goto(gate.link("/invitation"))
    _unchecked(page)
    page.get_by_label("Your name").fill("Nils Holm")
    page.locator("[name=password]").fill("short")
    page.get_by_role("button", name="Make my account and accept").click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Nils Holm")


def _dead_link(page: Page, gate: Gate) -> None:
    page.goto(f"{gate.url}/invitation?token=dwl_nothing")


def _no_server(page: Page, gate: Gate) -> None:
    page.goto(f"{gate.url}/sign-in?next=/settings/setup")
    sign_in_as(page, OWNER, PASSWORD)
    expect(page.get_by_role("heading", name="Acme Robotics has no server yet")).to_be_visible()


def _passkeys(page: Page, gate: Gate) -> None:
    _no_server(page, gate)
    page.goto(f"{gate.url}/settings/security")
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


def _address(page: Page, gate: Gate) -> None:
    _no_server(page, gate)
    page.goto(f"{gate.url}/settings/email")
    page.get_by_label("New address").fill("ines@elsewhere.example")
    page.get_by_role("button", name="Send a link to it").click()
    expect(page.get_by_text("A mail is on its way to")).to_be_visible()


GATES: dict[str, Callable[[Page, Gate], None]] = {
    "sign-in": _sign_in,
    "sign-in-refused": _refused,
    "recovery-refused": _recovery,
    "reset": _reset,
    "reset-asked": _reset_asked,
    "reset-opened": _reset_opened,
    "link-asked": _link_asked,
    "link-opened": _link_opened,
    "invitation-refused": _invited,
    "dead-link": _dead_link,
    "no-server": _no_server,
    "passkeys": _passkeys,
    "address-sent": _address,
}


@pytest.mark.requirement("F3", "M7")
@pytest.mark.parametrize("name", GATES)
def test_a_page_on_the_way_in(gate: Gate, name: str) -> None:
    gate.context.clear_cookies()
    with watched(gate.context, gate.url) as watch:
        GATES[name](watch.page, gate)
        assert audited(watch, name) == []

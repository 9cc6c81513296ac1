"""What begins with a mail, in real headless Chromium, by the real link of the real letter.

Screenshots are kept in ``test-artifacts/``.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.letter_box import LetterBox, letter_box
from support.running_demo import free_port, run
from support.serving import serving

EMAIL, PASSWORD, NEW = "ines@acme.example", "seven green lighthouses", "eleven quiet harbours"
DOCUMENT = {
    "users": [{"email": EMAIL, "name": "Ines Duarte", "password": PASSWORD}],
    "tenants": [{"slug": "acme", "name": "Acme Robotics", "members": [{"user": EMAIL, "roles": ["owner"]}]}],
}
SHAPES = pytest.mark.parametrize(("look", "dark", "phone"), LOOKS)


@dataclass
class House:
    """A server that sends mail, and the box that the mail comes to."""

    url: str
    box: LetterBox

    def link(self, to: str) -> str:
        """Return the link of the next letter, which leads here."""
        found = self.box.letter(to).url
        assert found.startswith(f"{self.url}/"), found
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    port, config, document = free_port(), tmp_path / "doorward.toml", tmp_path / "acme.json"
    with letter_box() as box:
        config.write_text(
            f'data_dir = "data"\n[server]\nport = {port}\n[mail]\nmode = "smtp"\nhost = "127.0.0.1"\n'
            f'port = {box.port}\ntls = "none"\nsender = "Doorward <door@acme.example>"\nsign_in_links = true\n'
        )
        document.write_text(json.dumps(DOCUMENT))
        (tmp_path / "data").mkdir()
        with serving(config):
            run("doorward.cli.main", "apply", "-f", str(document), "--config", str(config))
            yield House(f"http://127.0.0.1:{port}", box)


@contextmanager
def looked_at(look: str, dark: bool, phone: bool) -> Iterator["Watching"]:
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        yield Watching(page, look, complaints)
        assert complaints == []


@dataclass
class Watching:
    """A page of a fresh browser; what it shows is kept, and never scrolls sideways."""

    page: Page
    look: str
    complaints: list[str]

    @contextmanager
    def somebody_else(self, look: str) -> Iterator["Watching"]:
        """Yield a page of a profile of its own, of the same shape: two cannot be driven at once otherwise."""
        browser, dark = (
            self.page.context.browser,
            self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"),
        )
        assert browser is not None
        context = browser.new_context(color_scheme="dark" if dark else "light", viewport=self.page.viewport_size)
        page, complaints = watched(context)
        yield Watching(page, look, complaints)
        assert complaints == []
        context.close()

    def keep(self, name: str) -> None:
        self.page.screenshot(path=chromium.keep(f"mail-{name}-{self.look}"), full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing scrolls sideways"

    def heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", name=text, level=1)).to_be_visible()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()


@SHAPES
@pytest.mark.requirement("E2")
def test_a_forgotten_password_is_replaced_by_the_link_of_a_mail(
    house: House, look: str, dark: bool, phone: bool
) -> None:
    with looked_at(look, dark, phone) as here:
        here.page.goto(f"{house.url}/sign-in")
        here.page.get_by_role("link", name="Forgot password?").click()
        here.heading("Choose a new password")
        here.page.get_by_label("E-mail").fill(EMAIL)
        here.press("Send the link")
        here.heading("Look into your mail")
        here.keep("reset-asked")
        link = house.link(EMAIL)
        here.page.goto(link)
        here.heading("Choose a new password")
        here.page.locator("input[type=password]").first.fill(EMAIL)
        here.press("Change password")
        # What is wrong is said at the field; the link is still good.
        expect(here.page.locator("[aria-invalid=true]").first).to_be_visible()
        here.keep("reset-new")
        here.page.locator("input[type=password]").first.fill(NEW)
        here.press("Change password")
        here.heading("Your password is changed")
        here.keep("reset-done")
        here.page.get_by_role("link", name="Sign in").click()
        sign_in(here.page, EMAIL, NEW)
        here.heading("API keys")
        here.page.goto(link)
        expect(here.page.get_by_text("DW-4").first).to_be_visible()
        here.keep("reset-again")


@SHAPES
@pytest.mark.requirement("E1")
def test_a_person_signs_in_by_the_link_of_a_mail(house: House, look: str, dark: bool, phone: bool) -> None:
    with looked_at(look, dark, phone) as here:
        here.page.goto(f"{house.url}/sign-in?next=/settings/security")
        here.page.get_by_label("E-mail").fill(EMAIL)
        here.press("E-mail me a sign-in link")
        here.heading("Look into your mail")
        here.keep("link-asked")
        link = house.link(EMAIL)
        with here.somebody_else(f"{look}-elsewhere") as elsewhere:
            # A browser that did not ask is warned, and nothing is used up by looking.
            elsewhere.page.goto(link)
            expect(elsewhere.page.get_by_role("button", name="It was me, sign in here")).to_be_visible()
            elsewhere.keep("link-open")
        here.page.goto(link)
        here.heading(f"Sign in as {EMAIL}?")
        here.keep("link-open")
        here.press("Sign in")
        here.heading("Security")


@SHAPES
@pytest.mark.requirement("E2")
def test_somebody_who_is_invited_makes_an_account_by_the_link_of_a_mail(
    house: House, look: str, dark: bool, phone: bool
) -> None:
    guest = f"sam-{look}@new.example"
    with looked_at(look, dark, phone) as owner:
        owner.page.goto(f"{house.url}/sign-in?next=/settings/invitations")
        sign_in(owner.page, EMAIL, PASSWORD)
        owner.heading("Invitations")
        owner.page.get_by_label("E-mail").fill(guest)
        owner.page.get_by_label("editor", exact=False).first.check()
        owner.press("Invite")
        expect(owner.page.get_by_text(guest).first).to_be_visible()
        owner.keep("invitations")
        link = house.link(guest)
        with owner.somebody_else(look) as here:
            here.page.goto(link)
            here.heading("Join Acme Robotics")
            here.page.get_by_label("Your name").fill("Sam Okafor")
            here.page.locator("input[type=password]").first.fill(guest)
            here.press("Make my account and accept")
            expect(here.page.get_by_label("Your name")).to_have_value("Sam Okafor")
            here.keep("invitation")
            here.page.locator("input[type=password]").first.fill(NEW)
            here.press("Make my account and accept")
            here.heading("API keys")
        owner.page.reload()
        expect(owner.page.get_by_text("accepted", exact=False).first).to_be_visible()


@SHAPES
@pytest.mark.requirement("E2")
def test_an_address_is_changed_and_taken_back_by_the_links_of_two_mails(
    house: House, look: str, dark: bool, phone: bool
) -> None:
    other = "thief@evil.example"
    with looked_at(look, dark, phone) as here:
        here.page.goto(f"{house.url}/sign-in?next=/settings/email")
        sign_in(here.page, EMAIL, PASSWORD)
        here.heading("Your address")
        here.page.get_by_label("New address").fill(other)
        here.press("Send a link to it")
        expect(here.page.get_by_text(other).first).to_be_visible()
        here.keep("address-asked")
        here.page.goto(house.link(other))
        here.heading(f"Use {other} from now on?")
        here.keep("address-confirm")
        here.press("Use the new address")
        here.heading("Your address")
        expect(here.page.locator("main").get_by_text(other).first).to_be_visible()
        back = house.link(EMAIL)
        with here.somebody_else(look) as owner:
            owner.page.goto(back)
            owner.heading("Take your account back")
            owner.keep("address-undo")
            owner.page.locator("input[type=password]").first.fill(NEW)
            owner.press("Undo the change")
            owner.heading("Your account is yours again")
            expect(owner.page.locator("main").get_by_text(EMAIL).first).to_be_visible()
            owner.keep("address-undone")
            owner.page.goto(f"{house.url}/sign-in?next=/settings/email")
            sign_in(owner.page, EMAIL, NEW)
            owner.heading("Your address")
        here.page.goto(f"{house.url}/settings/email")
        expect(here.page.get_by_label("Password")).to_be_visible()

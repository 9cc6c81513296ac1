"""Every page in real headless Chromium, light, dark and on a phone (F3; cases M7 and M8).

No message on the console, no request to anybody else, nothing serious for axe-core, no sideways scrolling, and all of it
by keyboard with a focus that is seen. What the navigation leads to is here by itself, and so is what those pages lead to.
Screenshots are kept in ``test-artifacts/``.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.furnished import furnished
from tests.e2e.test_in_a_browser import sign_in, waiting_client

from doorward.dashboard.navigation import PAGES
from support import chromium
from support.oauth import Client
from support.page_audit import audited, watched
from support.running_demo import Demo

# Every page is looked at in three ways: a busy machine takes its time.
pytestmark = pytest.mark.timeout(900)
NAVIGATION = [entry.path for _, entries in PAGES for entry in entries]
ONE_OF_MANY = ("/settings/keys", "/settings/apps", "/settings/attempts", "/settings/members", "/approvals")
SEGMENT = re.compile(r"(?<=/)(?:[a-z]{1,6}_[\w-]{6,}|\d+|DW-\d+|[\w-]*\d[\w-]{6,})(?=/|$)")
"""A part of a path that names one thing of many."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo with a past for all pages."""
    with furnished(Path(tmp_path_factory.mktemp("pages"))) as running:
        yield running


@pytest.fixture(scope="module")
def owner(demo: Demo) -> Iterator[BrowserContext]:
    """The browser of somebody who owns a tenant."""
    with chromium.browser() as context:
        page = context.new_page()
        page.goto(f"{demo.url}/sign-in")
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        page.close()
        yield context


@pytest.mark.requirement("F3", "M7")
@pytest.mark.parametrize("path", NAVIGATION)
def test_a_page_of_the_navigation(demo: Demo, owner: BrowserContext, path: str) -> None:
    with watched(owner, demo.url) as watch:
        watch.page.goto(f"{demo.url}{path}")
        assert audited(watch, _name(path)) == []


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """The shapes of the paths that a test has looked at."""
    return {_shape(path) for path in NAVIGATION}


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("start", NAVIGATION)
def test_every_page_that_those_pages_lead_to(demo: Demo, owner: BrowserContext, seen: set[str], start: str) -> None:
    """Each kind of page once: by the first page that leads there."""
    wrong = {}
    with watched(owner, demo.url) as watch:
        waiting = _links(watch.page, f"{demo.url}{start}")
        while waiting:
            path = waiting.pop(0)
            shape = _shape(path)
            if shape in seen:
                continue
            seen.add(shape)
            waiting += _links(watch.page, f"{demo.url}{path}")
            watch.complaints.clear()
            found = audited(watch, _name(shape))
            if found:
                wrong[shape] = found
    assert wrong == {}


def test_the_pages_of_one_thing_are_among_them(seen: set[str]) -> None:
    assert {f"{path}/*" for path in ONE_OF_MANY} <= seen


def _links(page: Page, url: str) -> list[str]:
    """Open a page and return the paths on this origin that it leads to, in order."""
    page.goto(url)
    return page.evaluate(  # type: ignore[no-any-return]
        "[...document.links].filter((a) => a.origin === location.origin).map((a) => a.pathname + a.search)"
    )


def _shape(path: str) -> str:
    return SEGMENT.sub("*", path.partition("?")[0])


def _name(shape: str) -> str:
    return re.sub(r"\W+", "-", shape.replace("*", "one")).strip("-") or "home"


def _plain(path: str) -> Callable[[Page, Demo], None]:
    def go(page: Page, demo: Demo) -> None:
        page.goto(f"{demo.url}{path}")

    return go


def _consent(page: Page, demo: Demo, **more: str) -> None:
    client = Client(demo.url, demo.mcp_url, name="Claude Code")
    page.goto(client.authorize_url("documents:read documents:write documents:delete tasks:read", **more))
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()


def _paste_back(page: Page, demo: Demo) -> None:
    _consent(page, demo)
    page.get_by_text("The app runs on another machine").click()
    page.get_by_role("button", name="Approve and show the address").click()
    expect(page.get_by_label("Address")).to_be_visible()


def _refused_client(page: Page, demo: Demo) -> None:
    page.goto(Client(demo.url, demo.mcp_url).authorize_url("documents:read", redirect_uri="https://evil.example/cb"))


def _explained(tool: str) -> Callable[[Page, Demo], None]:
    def go(page: Page, demo: Demo) -> None:
        page.goto(f"{demo.url}/settings/why")
        page.get_by_label("Who").fill(demo.user("viewer")[0])
        page.get_by_label("Name, or URI of a resource").fill(tool)
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("This is a simulation as")).to_be_visible()

    return go


def _key_made(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/settings/keys")
    page.get_by_label("Name", exact=True).fill("ci")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text(re.compile(r"dw_[0-9A-Za-z]{62}")).first).to_be_visible()


def _key_form_refused(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/settings/keys")
    page.get_by_label("Name", exact=True).fill("no rights")
    page.locator("form:has([name=name])").evaluate(
        "(form) => { for (const each of form.elements) if (each.type === 'checkbox') each.checked = false; form.noValidate = true; }"
    )
    page.get_by_role("button", name="Create key").click()


def _key_revoke(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/settings/keys")
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.get_by_role("button", name="Revoke key")).to_be_visible()


def _signed_out_meanwhile(page: Page, demo: Demo) -> None:
    """In a context of its own would be truer; here the cookie is put aside for one request, which does the same."""
    page.goto(f"{demo.url}/settings/keys")
    page.get_by_label("Name", exact=True).fill("made too late")
    mine = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="Create key").click()
    page.context.add_cookies(mine)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def _nobody_knows_whose(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/settings/keys")
    form = page.locator("form#new")
    form.locator("[name=shown_to]").evaluate("field => { field.value = 'altered'; }")
    form.get_by_label("Name", exact=True).fill("made by whom")
    form.get_by_role("button", name="Create key").click()
    page.get_by_text("What the form holds").click()
    expect(page.get_by_text("made by whom")).to_be_visible()


def _device_refused(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}/device")
    page.get_by_label("Code").fill("BBBB-BBBB")
    page.get_by_role("button", name="Continue").click()


SIGNED_IN: dict[str, Callable[[Page, Demo], None]] = {
    "consent": _consent,
    "paste-back": _paste_back,
    "error": _refused_client,
    "why-denied": _explained("delete_document"),
    "why-allowed": _explained("list_projects"),
    "key-created": _key_made,
    "key-form-refused": _key_form_refused,
    "key-revoke": _key_revoke,
    "kept-form": _signed_out_meanwhile,
    "kept-form-uncertain": _nobody_knows_whose,
    "device": _plain("/device"),
    "device-refused": _device_refused,
    "device-approved": _plain("/device/approved"),
    "device-denied": _plain("/device/denied"),
    "sign-out": _plain("/oauth/logout"),
    "not-found": _plain("/nothing/here"),
    "errors": _plain("/errors"),
    "error-code": _plain("/errors/DW-104"),
    "mcp": _plain("/mcp"),
}


@pytest.mark.requirement("F3", "M7")
@pytest.mark.parametrize("name", SIGNED_IN)
def test_a_page_that_something_leads_to(demo: Demo, owner: BrowserContext, name: str) -> None:
    with watched(owner, demo.url) as watch:
        SIGNED_IN[name](watch.page, demo)
        assert audited(watch, name) == []


@pytest.mark.requirement("M8")
def test_no_other_site_learns_the_address_of_a_page(demo: Demo, owner: BrowserContext) -> None:
    """The address of the consent page holds a whole request; the client's holds a code."""
    told: list[dict[str, str]] = []
    with waiting_client(demo) as (client, redirect), watched(owner, demo.url) as watch:
        page = watch.page
        page.on("request", lambda request: told.append(request.headers) if request.url.startswith(redirect) else None)
        page.goto(client.authorize_url("documents:read", redirect_uri=redirect))
        expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
        page.evaluate(
            "(href) => document.body.append(Object.assign(document.createElement('a'), {href, id: 'away'}))", redirect
        )
        page.evaluate("document.getElementById('away').click()")
        page.wait_for_url(redirect)
        page.go_back()
        page.get_by_role("button", name="Approve", exact=True).click()
        page.wait_for_url(f"{redirect}?*")
        assert page.evaluate("document.referrer") == ""
    assert len(told) == 2
    assert not [headers["referer"] for headers in told if "referer" in headers]


FAULTY = """<!doctype html><html><head><title></title></head><body><script>console.error("x")</script>
<style>.bare:focus { outline: none } .trap { position: absolute }</style>
<p style="color: #999; background: #fff">pale</p><input><div style="width: 2000px">wide</div>
<img alt="" src="http://127.0.0.1:9/elsewhere.png"><a class="bare" href="#here">bare</a>
<button>first</button><button onfocus="document.querySelector('input').focus()">never left</button>
<button>not reached</button></body></html>"""


def test_the_audit_finds_what_is_wrong_with_a_page(owner: BrowserContext) -> None:
    with watched(owner, "http://127.0.0.1:8") as watch:
        watch.page.set_content(FAULTY)
        found = "\n".join(audited(watch, "faulty"))
    for said in (
        "has no title", "has 0 h1", "phone: scrolls sideways", "axe color-contrast", "axe label (critical)", "dark: axe",
        "not reached by keyboard: <button>not reached", 'focus is not seen: <a class="bare"', "console: x",
        "asked another origin: http://127.0.0.1:9/elsewhere.png",
    ):  # fmt: skip
        assert said in found, found

"""Whole journeys of people in real headless Chromium, with real clients at the other end (F1, F2, E3, C2, A5)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp.client.client import Client
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.fresh import GUEST, PASSWORD, fill_first_owner, fresh, told
from tests.e2e.test_in_a_browser import sign_in, watched

from support import chromium
from support.computer import Computer
from support.oauth import Client as OAuthClient
from support.oauth import call, result, rpc, tool_names
from support.official_client import REDIRECT, Visit, names
from support.person import Person
from support.running_demo import Demo, run

pytestmark = pytest.mark.timeout(600)
NOTEBOOK = Path(__file__).with_name("stdio_notebook.py")


class InABrowser:
    """A person with a real browser, for the official client: they sign in, approve, and the answer is caught."""

    follow_callback = False

    def __init__(self, email: str, password: str, *, answer: str = "Approve") -> None:
        self.email, self.password, self.answer = email, password, answer

    def open(self, url: str) -> str:
        with chromium.browser() as context:
            page, complaints = watched(context)
            page.goto(url)
            sign_in(page, self.email, self.password)
            with page.expect_request(f"{REDIRECT}*") as answered:
                page.get_by_role("button", name=self.answer, exact=True).click()
            assert [each for each in complaints if "ERR_CONNECTION_REFUSED" not in each] == []
            return answered.value.url


@pytest.mark.requirement("E3", "E2", "G1", "F2")
def test_an_owner_sets_a_tenant_up_from_nothing_and_invites_somebody(tmp_path: Path) -> None:
    with fresh(tmp_path) as (url, said, config), chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(told(said, r"http://localhost:\d+/setup/\S+"))
        page.screenshot(path=chromium.keep("journey-first-owner"), full_page=True)
        fill_first_owner(page)
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        page.goto(f"{url}/settings/setup")
        expect(page.get_by_role("heading", name="Acme Robotics has no server yet")).to_be_visible()
        page.screenshot(path=chromium.keep("journey-no-server"), full_page=True)
        declare(config)
        page.reload()
        expect(page.get_by_text(f"{url}/acme/mcp").first).to_be_visible()
        page.get_by_role("link", name="Invitations").click()
        page.get_by_label("E-mail").fill(GUEST)
        page.get_by_label("editor").check()
        page.get_by_role("button", name="Invite").click()
        expect(page.get_by_text("The invitation is on its way.")).to_be_visible()
        page.screenshot(path=chromium.keep("journey-invited"), full_page=True)
        link = told(said, r"http://localhost:\d+/invitation\?token=[\w.-]+")
        assert complaints == []
        assert context.browser is not None
        join(context.browser.new_context(), url, link)


def declare(config: Path) -> None:
    """Declare a server and let the tenant use it, as the operator does beside the running program."""
    document = config.with_name("servers.yaml")
    document.write_text(
        "permissions:\n  - {permission: notes:write, words: Keep notes}\n"
        "servers:\n  - slug: notebook\n    paths: [/mcp, '/{tenant}/mcp']\n"
        f"    command: [python3, {NOTEBOOK}]\n    tools: [{{match: '*', requires: ['notes:write']}}]\n"
        "tenants:\n  - {slug: acme, servers: [notebook]}\n"
    )
    run("doorward.cli.main", "apply", "-f", str(document), "--config", str(config))


def join(profile: BrowserContext, url: str, link: str) -> None:
    """Accept an invitation in a browser of one's own, and find the URL of the tenant."""
    with profile as context:
        page, complaints = watched(context)
        page.goto(link)
        page.screenshot(path=chromium.keep("journey-invitation"), full_page=True)
        page.get_by_label("Your name").fill("Nils Holm")
        page.locator("[name=password]").fill(PASSWORD)
        page.get_by_role("button", name="Make my account and accept").click()
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        page.goto(f"{url}/settings/setup")
        expect(page.get_by_text(f"{url}/acme/mcp").first).to_be_visible()
        assert page.get_by_role("link", name="Invitations").count() == 0, "an editor invites nobody"
        assert complaints == []


@pytest.mark.requirement("C1", "C2", "F1")
def test_a_new_key_is_copied_and_the_page_tells_of_its_first_call(own_demo: Demo, tmp_path: Path) -> None:
    demo, computer = own_demo, Computer(tmp_path / "home")
    with chromium.browser() as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/keys")
        sign_in(page, *demo.user("editor"))
        page.get_by_label("Name", exact=True).fill("nightly report")
        page.get_by_role("radio", name="Claude Code").check()
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_text("Waiting for the first call")).to_be_visible()
        page.get_by_role("button", name="Copy").first.click()
        key = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"dw_[0-9A-Za-z]{62}", key)
        steps = [page.locator(f"#use-{number}").inner_text() for number in (1, 2)]
        assert key in steps[0]
        assert "✔ Connected" in computer.run("\n".join([*steps, "claude mcp get harbour"]))
        expect(page.get_by_text("The first call has come.")).to_be_visible(timeout=20_000)
        page.screenshot(path=chromium.keep("journey-key-used"), full_page=True)
        page.get_by_role("link", name="I have copied it").click()
        expect(page.get_by_role("row", name=re.compile("nightly report"))).to_contain_text("1")
        assert complaints == []


async def listed(visit: Visit) -> list[str]:
    async with visit.client() as client:
        return sorted(await names(client.list_tools, "tools"))


@pytest.mark.anyio
@pytest.mark.requirement("F1", "D3", "A5")
async def test_a_person_connects_a_client_narrows_it_and_disconnects_it(own_demo: Demo) -> None:
    person: Any = InABrowser(*own_demo.user("owner"))
    visit = Visit(own_demo.mcp_url, person, mode="2026-07-28")
    async with visit.client() as client:
        made = {"folder_id": "fld-atlas-notes", "title": "Kept"}
        assert "create_document" in await names(client.list_tools, "tools")
        await anyio.to_thread.run_sync(narrow, own_demo)
        assert "create_document" not in await names(client.list_tools, "tools")
        assert not await answers(client, "create_document", made), "the very next call is refused"
        assert await answers(client, "list_projects", {})
        await anyio.to_thread.run_sync(disconnect, own_demo)
        assert visit.store.tokens is not None
        token = visit.store.tokens.access_token
        assert rpc(own_demo.mcp_url, token, "tools/list").status_code == 401
    person.answer = "Deny"
    with pytest.raises(BaseExceptionGroup) as refused:
        async with visit.client() as client:
            await client.list_tools()
    assert refused.group_contains(PermissionError, match="access_denied"), "it asks again, and its person says no"
    assert len(visit.urls) == 2


async def answers(client: Client, tool: str, arguments: dict[str, str]) -> bool:
    """Say whether a call is answered by the product."""
    try:
        return not (await client.call_tool(tool, arguments)).is_error
    except Exception:  # noqa: BLE001  (whatever the client makes of a refusal)
        return False


@contextmanager
def the_app(demo: Demo) -> Iterator[Page]:
    with chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/apps")
        sign_in(page, *demo.user("owner"))
        page.get_by_role("link", name="official client").first.click()
        yield page
        assert complaints == []


def narrow(demo: Demo) -> None:
    with the_app(demo) as page:
        page.get_by_label(re.compile("documents:write")).uncheck()
        page.get_by_role("button", name="Keep what is ticked").click()
        expect(page.get_by_text("may do less from its next call on")).to_be_visible()


def disconnect(demo: Demo) -> None:
    with the_app(demo) as page:
        page.get_by_role("link", name="Disconnect").click()
        page.get_by_role("button", name="Disconnect", exact=True).click()
        expect(page.get_by_text("is disconnected. Its next call is refused.")).to_be_visible()
        page.screenshot(path=chromium.keep("journey-disconnected"), full_page=True)


@pytest.mark.requirement("M5", "F1")
def test_a_form_outlives_its_session_and_is_sent_from_where_it_was_left(own_demo: Demo) -> None:
    with chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(f"{own_demo.url}/settings/keys")
        sign_in(page, *own_demo.user("editor"))
        page.get_by_label("Name", exact=True).fill("written for long")
        other = context.new_page()
        other.goto(f"{own_demo.url}/settings/keys")
        other.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
        with context.expect_page() as opened:
            page.get_by_role("link", name="Sign in").click()
        sign_in(opened.value, *own_demo.user("editor"))
        expect(opened.value.get_by_role("navigation", name="Main")).to_be_visible()
        page.get_by_role("button", name="Send the form").click()
        expect(page.get_by_role("heading", name="Copy your key now")).to_be_visible()
        key = re.search(r"dw_[0-9A-Za-z]{62}", page.inner_text("main"))
        assert key
        assert "list_projects" in tool_names(own_demo.mcp_url, key[0])
        page.goto(f"{own_demo.url}/settings/keys")
        expect(page.get_by_role("row", name=re.compile("written for long"))).to_have_count(1)
        assert complaints == []


@pytest.mark.requirement("D7", "D3", "F2")
def test_an_administrator_finds_why_a_call_is_denied_and_mends_it_in_two_clicks(own_demo: Demo) -> None:
    email, _ = own_demo.user("editor")
    token = OAuthClient(own_demo.url, own_demo.mcp_url).connect(Person(*own_demo.user("editor"))).access
    made = {"folder_id": "fld-atlas-notes", "title": "Minutes", "body": "Kept."}
    assert "create_document" in tool_names(own_demo.mcp_url, token)
    own_demo.apply({"tenants": [{"slug": "acme", "members": [{"user": email, "roles": ["viewer"]}]}]})
    assert refused(call(own_demo.mcp_url, token, "create_document", **made))
    with chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(f"{own_demo.url}/settings/why")
        sign_in(page, *own_demo.user("owner"))
        page.get_by_label("Who").fill(email)
        page.get_by_label("Name, or URI of a resource").fill("create_document")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_text("Denied at step 4")).to_be_visible()
        page.screenshot(path=chromium.keep("journey-why"), full_page=True)
        page.get_by_role("link", name=f"Change the roles of {email}").click()
        page.get_by_label("editor").first.check()
        page.get_by_role("button", name="Save roles").click()
        expect(page.get_by_text("The roles are saved. The next call is decided by them.")).to_be_visible()
        assert complaints == []
    assert "create_document" in tool_names(own_demo.mcp_url, token), "the same token, at its next call"


def refused(answer: Any) -> bool:
    """Say whether a call was not let through to the product."""
    return answer.status_code == 403 or "error" in result(answer) or bool(result(answer)["result"].get("isError"))

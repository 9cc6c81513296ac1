"""An owner makes a role, gives it to somebody at one project, and takes of it again: in Chromium, through the gateway."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.test_in_a_browser import sign_in, watched

from support import chromium
from support.oauth import call, result, tool_names
from support.running_demo import Demo


def options(page: Page, label: str) -> list[str]:
    """Return the values of a select, in order."""
    found: list[str] = page.get_by_label(label, exact=True).evaluate(
        "(all) => [...all.options].map((one) => one.value)"
    )
    return found


def ticked(page: Page, name: str) -> set[str]:
    """Return the values of all boxes of a name."""
    found: list[str] = page.locator(f"input[name={name}]").evaluate_all("(all) => all.map((one) => one.value)")
    return set(found)


def make_role(page: Page, url: str) -> None:
    page.goto(f"{url}/settings/roles")
    page.get_by_role("link", name="New role").click()
    page.get_by_role("textbox", name="Name").fill("scribe")
    meaning = page.locator("#role-preview")
    expect(meaning).to_contain_text("nothing yet")
    for permission in ("documents:read", "documents:write"):
        page.locator(f"input[value='{permission}']").check()
    expect(meaning.locator(".cans").first).to_contain_text("Write and change documents")
    expect(meaning.locator(".cans.not")).to_contain_text("Delete documents")
    page.screenshot(path=chromium.keep("role-new"), full_page=True)
    page.get_by_role("button", name="Create role").click()
    expect(page.get_by_role("status")).to_contain_text("The role scribe is made.")


def give_role(page: Page, url: str, email: str) -> tuple[str, str]:
    """Give it to somebody at the first project instead of all they had; return that project and a folder in it."""
    page.goto(f"{url}/settings/members?q={email}")
    page.locator("tbody a.name").click()
    page.get_by_label("viewer", exact=True).uncheck()
    nodes = options(page, "At")
    at = next(number for number, each in enumerate(nodes) if each.startswith("project/"))
    page.get_by_label("One more role").select_option("scribe")
    page.get_by_label("At", exact=True).select_option(nodes[at])
    page.get_by_role("button", name="Save roles").click()
    expect(page.get_by_role("status")).to_contain_text("The roles are saved.")
    page.screenshot(path=chromium.keep("member"), full_page=True)
    return nodes[at], next(each for each in nodes[at:] if each.startswith("folder/"))


def make_key(context: BrowserContext, url: str, who: tuple[str, str], project: str) -> str:
    page, complaints = watched(context)
    page.goto(f"{url}/settings/keys")
    sign_in(page, *who)
    expect(page.get_by_role("heading", name="New key")).to_be_visible()
    assert ticked(page, "scope") == {"documents:read", "documents:write"}
    places = ticked(page, "place")
    assert project in places
    assert {each for each in places if each.startswith("project/")} == {project}, "of no other project"
    page.get_by_label("Name", exact=True).fill("scribe's key")
    page.get_by_role("button", name="Create key").click()
    shown = page.locator(".secret pre").first
    expect(shown).to_be_visible()
    assert complaints == []
    return str(shown.text_content()).strip()


def take_writing(page: Page, url: str) -> None:
    page.goto(f"{url}/settings/roles")
    page.get_by_role("link", name="scribe", exact=True).click()
    expect(page.get_by_role("heading", name="Who has it")).to_be_visible()
    page.locator("input[value='documents:write']").uncheck()
    page.get_by_role("button", name="Save role").click()
    expect(page.get_by_role("status")).to_contain_text("is changed")


@pytest.mark.requirement("F2", "D3")
def test_an_owner_gives_a_role_of_their_own_at_one_project_and_takes_of_it_again(own_demo: Demo) -> None:
    demo, vera = own_demo, own_demo.user("viewer")
    with chromium.browser() as context:
        page, complaints = watched(context)
        page.goto(f"{demo.url}/settings/roles")
        sign_in(page, *demo.user("owner"))
        make_role(page, demo.url)
        project, folder = give_role(page, demo.url, vera[0])
        another = context.browser
        assert another is not None
        key = make_key(another.new_context(), demo.url, vera, project)
        told = {"folder_id": folder.partition("/")[2], "title": "By the scribe", "body": "x"}
        assert "create_document" in tool_names(demo.mcp_url, key)
        made = result(call(demo.mcp_url, key, "create_document", **told))
        assert not made["result"].get("isError"), made
        take_writing(page, demo.url)
        refused = result(call(demo.mcp_url, key, "create_document", **told))
        assert "result" not in refused, "the very next call"
        assert "create_document" not in tool_names(demo.mcp_url, key)
        assert complaints == []

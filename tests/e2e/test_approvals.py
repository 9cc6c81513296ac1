"""A real client, a person and a page: a call that needs an approval, in headless Chromium over the demo."""

import re

import anyio.to_thread
import pytest
from mcp import types
from mcp.client.client import Client
from playwright.sync_api import expect
from tests.e2e.test_in_a_browser import LOOKS, sign_in, watched

from support import chromium
from support.official_client import Visit
from support.person import Person
from support.running_demo import Demo

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D8")]
TOOL, WHAT = "rename_document", {"document_id": "doc-atlas-safety", "title": "Safety, reviewed\u200b"}


def asking(demo: Demo) -> None:
    """Have each renaming of a document approved by the person it is made for."""
    demo.apply({"tenants": [{"slug": "acme", "overrides": [{"server": "harbour", "tools": TOOL, "approval": "self"}]}]})


def decide(demo: Demo, url: str, answer: str, *, look: str = "", dark: bool = False, phone: bool = False) -> list[str]:
    """Open the page as the owner, read it and answer; return what the browser complained about."""
    with chromium.browser(dark=dark, phone=phone) as context:
        page, complaints = watched(context)
        page.goto(url)
        sign_in(page, *demo.user("owner"))
        expect(page.get_by_role("heading", name=f"Approve {TOOL}?")).to_be_visible()
        expect(page.get_by_text("Safety, reviewed\\u200b").first).to_be_visible()
        if look:
            page.screenshot(path=chromium.keep(f"approval-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        page.get_by_role("button", name=answer).click()
        expect(page.get_by_role("status")).to_contain_text("Approved" if "Approve" in answer else "Denied")
        page.goto(f"{demo.url}/approvals")
        if look:
            page.screenshot(path=chromium.keep(f"approvals-{look}"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "scrolls sideways"
        return complaints


def text_of(result: types.CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


async def test_the_official_client_opens_the_page_for_its_person_and_the_call_is_made(own_demo: Demo) -> None:
    asking(own_demo)
    opened: list[str] = []

    async def elicit(_: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        opened.append(params.url)
        assert await anyio.to_thread.run_sync(lambda: decide(own_demo, params.url, "Approve this one call")) == []
        return types.ElicitResult(action="accept")

    visit = Visit(own_demo.mcp_url, Person(*own_demo.user("owner")), mode="2026-07-28")
    async with visit.client(elicitation_callback=elicit) as client:
        result = await client.call_tool(TOOL, WHAT)
        assert not result.is_error, result
        assert (await document(client))["title"] == WHAT["title"]
    assert len(opened) == 1


async def document(client: Client) -> dict[str, str]:
    result = await client.call_tool("get_document", {"document_id": WHAT["document_id"]})
    assert not result.is_error, result
    found: dict[str, str] = result.structured_content or {}
    return found


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_that_opens_nothing_shows_the_address_and_calls_again(own_demo: Demo, mode: str) -> None:
    asking(own_demo)
    async with Visit(own_demo.mcp_url, Person(*own_demo.user("owner")), mode=mode).client() as client:
        before = (await document(client))["title"]
        for answer, (look, dark, phone) in zip(("Deny", "Approve this one call"), LOOKS[1:], strict=True):
            what = {**WHAT, "title": f"{WHAT['title']}{answer}"}
            first = await client.call_tool(TOOL, what)
            assert first.is_error
            found = re.search(rf"{re.escape(own_demo.url)}/approvals/ap_[\w-]+", text_of(first))
            assert found is not None
            assert (await document(client))["title"] == before
            url = found[0]
            await anyio.to_thread.run_sync(lambda: decide_with(own_demo, url, answer, look, dark=dark, phone=phone))  # noqa: B023
            second = await client.call_tool(TOOL, what)
            assert second.is_error is (answer == "Deny")
            if second.is_error:
                assert "DW-361" in text_of(second)
        assert (await document(client))["title"] == what["title"]
        assert "DW-360" in text_of(await client.call_tool(TOOL, what))


def decide_with(demo: Demo, url: str, answer: str, look: str, *, dark: bool, phone: bool) -> None:
    assert decide(demo, url, answer, look=look, dark=dark, phone=phone) == []

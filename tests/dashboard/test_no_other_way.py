"""No way around: no bypass for administrators (M11), no stream of the dashboard (M12), nobody acts as another (M14)."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.accounts.test_setup import path_of, set_up
from tests.architecture.test_routes import KNOWN, PERSON, concrete

from doorward.storage import accounts, events, permissions
from doorward.storage.database import Reader
from support.pages import CAROL, PASSWORD, Browser
from support.rows import ACME, ALICE
from support.whole import Whole, opened_whole

pytestmark = pytest.mark.anyio
SECRET = re.compile(r"\b(?:dw_|dwl_|dwc_|dwr_|eyJ)[\w.-]{16,}")
API = ("/api/v1/tenants/acme/members", "/api/v1/tenants/acme/keys")
ADMIN_PAGES = ("/settings/why", "/settings/invitations")


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with opened_whole(tmp_path) as opened:
        yield opened


async def signed_in(whole: Whole) -> Browser:
    browser = whole.browser()
    assert (await browser.sign_in(ALICE)).status_code == 303
    return browser


async def test_M11_the_first_owner_is_asked_like_everybody_at_the_next_request(tmp_path: Path) -> None:
    async with opened_whole(tmp_path, empty=True) as whole:
        browser, _ = await set_up(whole, await path_of(whole))
        assert [(await browser.get(path)).status_code for path in ADMIN_PAGES] == [200, 200]

        def first(reader: Reader) -> tuple[str, str]:
            user, tenant = accounts.user_by_email(reader, "ines@acme.example"), accounts.tenant_by_slug(reader, "acme")
            assert user is not None
            assert tenant is not None
            return user.id, tenant.id

        user_id, tenant_id = await whole.database.read_long(first)
        await whole.change(lambda tx: permissions.set_membership(tx, tenant_id, user_id, ("viewer",)))
        assert [(await browser.get(path)).status_code for path in ADMIN_PAGES] == [403, 403]


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
@pytest.mark.parametrize("path", ["/mcp", *API])
async def test_M11_no_name_with_password_and_no_session_is_taken_for_a_key(
    whole: Whole, scheme: str, path: str
) -> None:
    browser = await signed_in(whole)
    said = b64encode(f"{ALICE.email}:{PASSWORD}".encode()).decode() if scheme == "Basic" else browser.session
    headers = {"accept": "application/json", "authorization": f"{scheme} {said}"}
    assert (await whole.browser().get(path, headers=headers)).status_code in {401, 404}
    both = await browser.get(path, headers=headers)
    assert both.status_code in {400, 401, 404}, "a bad credential never becomes a session"


async def test_M11_M5_a_session_opens_no_server_and_changes_nothing_by_itself(whole: Whole) -> None:
    browser = await signed_in(whole)
    json = {"accept": "application/json", "content-type": "application/json"}
    assert (await browser.client.post("/mcp", content="{}", headers=json)).status_code == 401
    for path in API:
        answer = await browser.client.post(path, content="{}", headers=json)
        assert answer.status_code in {401, 403, 405}, path


@pytest.mark.parametrize("headers", [{"x-forwarded-user": ALICE.email}, {"x-admin": "true"}, {"x-debug": "1"}])
async def test_M11_no_header_makes_anybody_an_administrator(whole: Whole, headers: dict[str, str]) -> None:
    for path in ADMIN_PAGES:
        answer = await whole.browser().get(f"{path}?admin=1&debug=true&user={ALICE.id}", headers=headers)
        assert answer.headers["location"].startswith("/sign-in")


async def test_M12_no_page_streams_and_none_takes_a_websocket(whole: Whole) -> None:
    browser = await signed_in(whole)
    for path in (path for path, who in KNOWN.items() if who == PERSON):
        answer = await browser.get(concrete(path), headers={"accept": "text/event-stream"})
        assert not answer.headers.get("content-type", "").startswith("text/event-stream"), path
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        answer = await browser.get(
            concrete(path), headers={**upgrade, "sec-websocket-key": b64encode(b"k" * 16).decode()}
        )
        assert answer.status_code != 101, path


async def test_M14_who_simulates_another_stays_who_they_are_and_gets_nothing_that_opens(whole: Whole) -> None:
    browser = await signed_in(whole)
    before = browser.session
    asked = {"tenant": "acme", "user": CAROL.email, "server": "harbour", "kind": "tool", "name": "list_projects"}
    page = await browser.post("/settings/why", asked)
    assert page.status_code == 200
    assert f"simulation as {CAROL.email}" in page.text, "a banner says so"
    assert "set-cookie" not in page.headers
    assert browser.session == before
    assert not SECRET.search(page.text)
    security = (await browser.get("/settings/security")).text
    assert ALICE.email in security
    assert CAROL.email not in security
    found = await whole.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 50))
    assert [(each.actor_id, each.subject) for each in found if each.name == "decision:explained"] == [
        (ALICE.id, CAROL.email)
    ]


async def test_M14_no_page_takes_a_wish_to_be_somebody_else(whole: Whole) -> None:
    browser = await signed_in(whole)
    for wish in ("as", "user", "user_id", "impersonate", "sudo", "on_behalf_of"):
        page = await browser.get(f"/settings/profile?{wish}={CAROL.id}")
        assert CAROL.email not in page.text, wish

"""The whole program behind a proxy tells of every change where the person was who made it, on both databases (F2)."""

from pathlib import Path

import pytest

from doorward.settings import DatabaseSettings
from doorward.storage.events import AuditEvent, recent_events
from support.whole import Whole, opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
CLIENT = {"client_name": "Somebody's", "redirect_uris": ["http://127.0.0.1/cb"]}


async def told(whole: Whole) -> list[AuditEvent]:
    return await whole.database.read_long(lambda reader: recent_events(reader, None, 1000))


async def journey(whole: Whole, **headers: str) -> None:
    """Sign in, wrongly first; register a client; end the session; each is an event."""
    browser = whole.browser(**headers)
    assert (await browser.sign_in(password="wrong horse")).status_code == 422
    assert (await browser.sign_in()).status_code == 303
    assert (await browser.client.post("/register", json=CLIENT)).status_code == 201
    assert (await browser.post("/settings/audit/export.jsonl?tenant=acme", {})).status_code == 200
    assert (await browser.post("/sign-out", {})).status_code in {200, 303}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (["127.0.0.1"], "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["127.0.0.1"], "2001:db8:1:2::9", "2001:db8:1:2::9"),
        ([], "203.0.113.9", "127.0.0.1"),
    ],
)
async def test_I15_each_change_tells_where_from_and_no_stranger_chooses_it(
    tmp_path: Path, url: str, proxies: list[str], forwarded: str, address: str
) -> None:
    async with opened_whole(tmp_path, proxies=proxies, database=DatabaseSettings(url=url)) as whole:
        before = {event.request_id for event in await told(whole)}
        await journey(whole, **{"x-forwarded-for": forwarded})
        made = [event for event in await told(whole) if event.request_id not in before]
    assert {event.name for event in made} == {
        "session:refused", "session:started", "session:ended", "client:registered", "audit:exported",
    }  # fmt: skip
    assert {event.address for event in made} == {address}
    assert before == {None}, "what was done before anybody came, nobody asked for"

"""What a person has to be told stands on their pages until they have read it."""

import pytest

from doorward.accounts import notices
from doorward.model import ConnectionId, User
from support.pages import House
from support.rows import ALICE, BOB, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B2")]
READ = "I have read this"


async def tell(house: House, user: User, client: str = "Claude Code") -> None:
    detail = {"client": client, "tenant": "Acme"}
    await house.database.write(
        lambda tx: notices.tell(tx, user.id, notices.REFRESH_REPLAYED, ConnectionId("con_1"), detail, now=NOW)
    )


async def test_a_notice_is_shown_until_it_is_read(house: House) -> None:
    await tell(house, ALICE)
    browser = house.browser()
    await browser.sign_in(ALICE)
    for path in ("/settings/keys", "/settings/keys"):
        page = await browser.get(path)
        assert "Claude Code was disconnected from Acme" in page.text
    done = await browser.post("/settings/notices/refresh_token-replayed-con_1/read", {"back": "/settings/keys"})
    assert done.headers["location"] == "/settings/keys"
    assert READ not in (await browser.get("/settings/keys")).text
    await tell(house, ALICE)
    assert READ not in (await browser.get("/settings/keys")).text


async def test_it_is_nobody_elses_to_see_or_to_dismiss(house: House) -> None:
    await tell(house, ALICE)
    browser = house.browser()
    await browser.sign_in(BOB)
    assert READ not in (await browser.get("/settings/keys")).text
    await browser.post("/settings/notices/refresh_token-replayed-con_1/read", {"back": "/settings/keys"})
    assert len(await house.database.read(lambda reader: notices.waiting(reader, ALICE.id))) == 1


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "", "/settings/\\evil.example"])
async def test_the_way_back_stays_here(house: House, back: str) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    done = await browser.post("/settings/notices/x/read", {"back": back})
    assert done.headers["location"] in {"/", "/settings"}


async def test_who_is_not_signed_in_signs_in_first(house: House) -> None:
    done = await house.browser().post("/settings/notices/x/read", {})
    assert done.headers["location"].startswith("/sign-in")


async def test_a_clients_name_is_text(house: House) -> None:
    await tell(house, ALICE, client="<b>{tenant}</b>")
    browser = house.browser()
    await browser.sign_in(ALICE)
    page = (await browser.get("/settings/keys")).text
    assert "&lt;b&gt;{tenant}&lt;/b&gt; was disconnected" in page


async def test_an_unknown_kind_is_a_mistake_of_ours(house: House) -> None:
    with pytest.raises(ValueError, match="unknown notice"):
        await house.database.write(lambda tx: notices.tell(tx, ALICE.id, "other", ConnectionId("con_1"), {}, now=NOW))

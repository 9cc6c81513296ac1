"""First set-up: one link, while nobody has an account."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from doorward.bootstrap.people import setup_link
from doorward.model import User
from doorward.storage import accounts, permissions
from doorward.storage.database import Reader
from support.pages import Browser, filled, form_of
from support.rows import ALICE
from support.whole import Whole, opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E3")]
FILLED = {
    "tenant": "Acme Robotics", "slug": "acme", "name": "Ines Duarte", "email": "Ines@Acme.Example",
    "password": "seven green lighthouses", "again": "seven green lighthouses",
}  # fmt: skip


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with opened_whole(tmp_path, empty=True) as opened:
        yield opened


async def path_of(whole: Whole) -> str:
    link = await setup_link(whole.core)
    assert link is not None
    return link.removeprefix(whole.public_url)


async def people(whole: Whole) -> list[User]:
    return list(await whole.database.read_long(accounts.all_users))


async def set_up(whole: Whole, path: str, **other: str) -> tuple[Browser, httpx2.Response]:
    browser = whole.browser()
    return browser, await browser.post(path, FILLED | other)


async def test_H24_the_link_makes_the_first_owner_once_and_then_there_is_no_such_page(whole: Whole) -> None:
    path = await path_of(whole)
    browser = whole.browser()
    page = await browser.get(path)
    assert page.status_code == 200
    done = await browser.post(path, filled(form_of(page, "slug"), **FILLED))
    assert (done.status_code, done.headers["location"]) == (303, "/settings")
    assert "ines@acme.example" in (await browser.get("/settings/security")).text

    def roles(reader: Reader) -> tuple[str, ...]:
        user, tenant = accounts.user_by_email(reader, "ines@acme.example"), accounts.tenant_by_slug(reader, "acme")
        assert user is not None
        assert tenant is not None
        assert len(permissions.roles_of_tenant(reader, tenant.id)) == 4
        return permissions.roles_at_tenant(reader, tenant.id, user.id)

    assert await whole.database.read_long(roles) == ("owner",)
    unknown = await whole.browser().get("/setup-nothing")
    for again in (await whole.browser().get(path), (await set_up(whole, path, slug="other"))[1]):
        assert again.status_code == unknown.status_code == 404
        assert "DW-406" in again.text
    assert await setup_link(whole.core) is None
    assert len(await people(whole)) == 1


async def test_H24_of_twenty_at_once_one_is_first(whole: Whole) -> None:
    path = await path_of(whole)
    answers = await asyncio.gather(*(set_up(whole, path, slug=f"t{each}", email=f"{each}@x.y") for each in range(20)))
    assert sorted(answer.status_code for _, answer in answers) == [303] + [404] * 19
    assert len(await people(whole)) == 1


async def test_H24_there_is_no_default_and_only_the_link_opens(whole: Whole) -> None:
    path = await path_of(whole)
    assert await path_of(whole) == path, "every node prints the same"
    for wrong in (
        "/setup",
        "/setup/",
        "/setup/x",
        path[:-1],
        path + "A",
        path[:-1] + ("A" if path[-1] != "A" else "B"),
    ):
        assert (await whole.browser().get(wrong)).status_code == 404
        assert (await whole.browser().post(wrong, FILLED)).status_code in {404, 405}
    for email in ("admin", "admin@example.com", "root"):
        for password in ("", "admin", "doorward", "password"):
            answer = await whole.browser().post("/sign-in", {"email": email, "password": password})
            assert answer.status_code in {422, 429}
    whole.clock.forward(86_400)
    assert (await whole.browser().get(path)).status_code == 404
    assert await path_of(whole) != path


async def test_H24_somebody_made_by_a_command_closes_the_link(whole: Whole) -> None:
    path = await path_of(whole)
    await whole.change(lambda tx: accounts.insert_user(tx, ALICE, None))
    assert (await whole.browser().get(path)).status_code == 404
    assert (await set_up(whole, path))[1].status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("tenant", ""), ("slug", "Acme"), ("slug", "settings"), ("name", "\u202e"), ("email", "nobody"),
     ("password", "short"), ("again", "another one entirely"), ("password", "acme robotics acme robotics")],
)  # fmt: skip
async def test_what_cannot_be_is_said_at_its_field_and_uses_nothing_up(whole: Whole, field: str, value: str) -> None:
    path = await path_of(whole)
    _, answer = await set_up(whole, path, **{field: value})
    assert answer.status_code in {303, 422}
    if answer.status_code == 422:
        assert f'id="{field}-error"' in answer.text or 'id="again-error"' in answer.text
        assert FILLED["password"] not in answer.text
        assert (await set_up(whole, path))[1].status_code == 303


async def test_H3_another_site_sets_nothing_up_and_no_log_line_tells_the_link(
    whole: Whole, capsys: pytest.CaptureFixture[str]
) -> None:
    path = await path_of(whole)
    assert (await whole.browser().post(path, FILLED, site="cross-site")).status_code == 403
    assert (await whole.browser().post(path, {"slug": "a\x00"})).status_code == 400
    assert await people(whole) == []
    told = capsys.readouterr()
    assert "/setup/…" in told.out + told.err
    assert path.removeprefix("/setup/") not in told.out + told.err

"""One's own key after it was made: rotated, disabled, enabled; and the rest of the form for a new one."""

import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.dashboard.test_keys import at_the_page, form_of_action, key_on, keys_of, make

from doorward.credentials import key_changes
from doorward.credentials.key_makers import OPERATOR
from doorward.model import KeyMakers, KeyPolicy, NeverEnding, Resource, ResourceId, Role, RoleId
from doorward.storage import accounts, api_keys, permissions
from support.pages import CAROL, FINGERPRINTER, Browser, House, filled, form_of
from support.person import Page
from support.rows import ACME, ALICE, HARBOUR, NOW

pytestmark = pytest.mark.anyio
DAY = 86_400_000_000


async def one_key(house: House, **values: str) -> tuple[Browser, str, str]:
    """Return a browser, the id of a key of Alice's, and its text."""
    browser, _ = await at_the_page(house)
    text = key_on(await make(house, browser, **values))
    return browser, (await keys_of(house))[0].id, text


async def rotate(browser: Browser, key_id: str, **values: str) -> httpx2.Response:
    form = form_of_action(await browser.get(f"/settings/keys/{key_id}"), f"/settings/keys/{key_id}/rotate")
    return await browser.post(form.action, filled(form, **values))


@pytest.mark.requirement("C8")
async def test_a_key_is_rotated_on_its_page_and_the_new_secret_shown_once(house: House) -> None:
    browser, key_id, first = await one_key(house)
    shown = await rotate(browser, key_id, keep="1h")
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "no-store"
    second = key_on(shown)
    assert second != first
    assert "It takes the place of the one before" in shown.text
    [key] = await keys_of(house)
    assert (key.fingerprint, key.expires_at) == (FINGERPRINTER.of(second), NOW + 90 * DAY)
    page = (await browser.get(f"/settings/keys/{key_id}")).text
    assert second not in page
    assert f"…{first[-4:]}</code> goes on until" in page
    await rotate(browser, key_id, keep="now", expiry="7")
    [key] = await keys_of(house)
    assert key.expires_at == NOW + 7 * DAY
    assert "goes on until" not in (await browser.get(f"/settings/keys/{key_id}")).text


async def test_a_rotation_that_is_sent_twice_happens_once(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    form = form_of_action(await browser.get(f"/settings/keys/{key_id}"), f"/settings/keys/{key_id}/rotate")
    assert (await browser.post(form.action, filled(form))).status_code == 200
    before = await keys_of(house)
    again = await browser.post(form.action, filled(form))
    assert (again.status_code, "DW-416" in again.text) == (409, True)
    assert not re.search(r"dw_[0-9A-Za-z]{62}", again.text)
    assert await keys_of(house) == before


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"keep": "1y"}, "Choose how long"), ({"keep": ""}, "Choose how long"), ({"expiry": "forever"}, "Choose how long"),
        ({"expiry": "date", "until": "2001-01-01"}, "is past"), ({"expiry": "date", "until": "<b>"}, "&lt;b&gt;"),
    ],
)  # fmt: skip
async def test_a_rotation_that_cannot_be_says_why_and_keeps_the_secret(
    house: House, values: dict[str, str], words: str
) -> None:
    browser, key_id, text = await one_key(house)
    refused = await rotate(browser, key_id, **values)
    assert (refused.status_code, words in refused.text) == (422, True)
    assert (await keys_of(house))[0].fingerprint == FINGERPRINTER.of(text)


@pytest.mark.requirement("C5")
async def test_a_key_is_disabled_and_enabled_by_its_owner_but_not_against_an_administrator(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    assert (await browser.post(f"/settings/keys/{key_id}/disable", {})).status_code == 303
    assert (await keys_of(house))[0].disabled_by == ALICE.id
    page = await browser.get(f"/settings/keys/{key_id}")
    assert not [form for form in Page(page.text).forms if form.action.endswith("/rotate")]
    assert "Disabled" in (await browser.get("/settings/keys")).text
    assert (await browser.post(f"/settings/keys/{key_id}/enable", {})).status_code == 303
    assert (await keys_of(house))[0].disabled_at is None
    member = Role(id=RoleId("r-member"), tenant_id=ACME.id, name="member", permissions=("*:read", "*:write"))
    await house.change(lambda tx: permissions.put_role(tx, member))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("member",)))
    await house.change(
        lambda tx: key_changes.disable_api_key(tx, (key_id), tenant=ACME, maker=OPERATOR, now=NOW, cause=None)  # type: ignore[arg-type]
    )
    refused = await browser.post(f"/settings/keys/{key_id}/enable", {})
    assert (refused.status_code, "An administrator disabled this key" in refused.text) == (422, True)
    assert (await keys_of(house))[0].disabled_at == NOW


async def test_M1_I16_nobody_else_s_key_has_a_page(house: House) -> None:
    _, key_id, _ = await one_key(house)
    carol, _ = await at_the_page(house, CAROL)
    nonce = form_of(await carol.get("/settings/keys"), "expiry").named("form")[0].value
    for name in (key_id, "0000000000000"):
        for path in ("", "/used"):
            assert (await carol.get(f"/settings/keys/{name}{path}")).status_code == 404
        for path in ("/rotate", "/disable", "/enable"):
            answer = await carol.post(f"/settings/keys/{name}{path}", {"form": nonce, "keep": "now"})
            assert (answer.status_code, "DW-406" in answer.text) == (404, True)
    [key] = await keys_of(house)
    assert (key.disabled_at, key.rotated_at) == (None, None)


async def test_M5_from_another_site_nothing_becomes_of_a_key(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    for path in ("rotate", "disable", "enable"):
        assert (await browser.post(f"/settings/keys/{key_id}/{path}", {}, site="cross-site")).status_code == 403
    nobody = house.browser()
    for path in ("rotate", "disable", "enable"):
        away = await nobody.post(f"/settings/keys/{key_id}/{path}", {})
        assert away.headers["location"].startswith("/sign-in")


@pytest.mark.requirement("C2")
async def test_the_page_of_a_new_key_waits_for_its_first_call(house: House) -> None:
    browser, page = await at_the_page(house)
    made = await browser.post("/settings/keys", filled(form_of(page, "expiry"), name="ci"))
    [key] = await keys_of(house)
    assert f'data-wait="/settings/keys/{key.id}/used"' in made.text
    assert "Waiting for the first call" in made.text
    asked = f"/settings/keys/{key.id}/used"
    assert (await browser.get(asked)).json()["used"] is False
    await house.change(lambda tx: api_keys.touch_api_keys(tx, [(key.id, NOW, "203.0.113.9", "curl/8")]))
    assert (await browser.get(asked)).json() == {"used": True, "at": NOW, "address": "203.0.113.9", "client": "curl/8"}
    assert (await house.browser().get(asked)).status_code == 404


def _tree(count: int) -> list[Resource]:
    return [
        Resource(
            id=ResourceId(f"res-{number}"), tenant_id=ACME.id, type="folder", key=f"f{number}", name=f"Folder {number}",
            parent_id=ResourceId(f"res-{number - 1}") if number % 5 else None,
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.requirement("C1")
async def test_a_key_is_narrowed_to_places_servers_and_addresses_and_simple_words(house: House) -> None:
    await house.change(lambda tx: permissions.put_resources(tx, ACME.id, _tree(6)))
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    assert len(form.named("place")) == 6
    typed = [
        *filled(form, name="ci", mode="simple", expiry="date", until="2999-12-31", addresses="203.0.113.9/24, ::1"),
        ("place", "folder/f2"), ("server", "harbour"),
    ]  # fmt: skip
    assert (await browser.post(form.action, typed)).status_code == 200
    [key] = await keys_of(house)
    assert key.scopes == {"documents:read"}
    assert (key.resources, key.servers) == ({"res-2"}, {"s-harbour"})
    assert key.networks == ("203.0.113.0/24", "::1/128")
    assert key.expires_at is not None
    listed = (await browser.get("/settings/keys")).text
    assert "Part of it, Some servers, Some addresses" in listed


@pytest.mark.parametrize(
    ("more", "field", "words"),
    [
        ([("addresses", "0.0.0.0/0")], "addresses", "is everybody"), ([("addresses", "<x>")], "addresses", "&lt;x&gt;"),
        ([("place", "folder/none")], "resources", "no resource"), ([("place", "x")], "resources", "no resource"),
        ([("server", "none")], "servers", "no server"), ([("expiry", "date")], "expiry", "last day"),
        ([("expiry", "date"), ("until", "soon")], "expiry", "is no date"), ([("mode", "simple")], "scope", "at least one"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(
    house: House, more: list[tuple[str, str]], field: str, words: str
) -> None:
    await house.change(lambda tx: permissions.put_resources(tx, ACME.id, _tree(2)))
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    named = {name for name, _ in more} | {"simple"}
    pairs = [pair for pair in filled(form, name="my name") if pair[0] not in named]
    refused = await browser.post(form.action, [*pairs, *more])
    assert refused.status_code == 422
    assert f'id="{field}-error"' in refused.text
    assert words in refused.text
    assert form_of(refused, "expiry").named("name")[0].value == "my name"
    assert await keys_of(house) == []


async def test_the_places_of_a_large_tree_are_written(house: House) -> None:
    await house.change(lambda tx: permissions.put_resources(tx, ACME.id, _tree(400)))
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    assert form.named("place") == []
    refused = await browser.post(form.action, filled(form, name="ci", places="folder/f1\nfolder/none"))
    assert refused.status_code == 422
    assert "folder/f1\nfolder/none" in refused.text
    done = await browser.post(form.action, filled(form_of(refused, "expiry"), places=" folder/f1 \r\n\r\nfolder/f2"))
    assert done.status_code == 200
    assert (await keys_of(house))[0].resources == {"res-1", "res-2"}


async def test_somebody_with_a_role_at_one_place_sees_that_part_of_the_tree(house: House) -> None:
    await house.change(lambda tx: permissions.put_resources(tx, ACME.id, _tree(6)))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ()))
    await house.change(
        lambda tx: permissions.set_placements(
            tx, ACME.id, ALICE.id, [permissions.Placement(role="viewer", resource_id=ResourceId("res-3"))]
        )
    )
    browser, page = await at_the_page(house)
    form = form_of(page, "expiry")
    assert [field.value for field in form.named("place")] == ["folder/f3", "folder/f4"]
    assert "Folder 1" not in page.text
    refused = await browser.post(form.action, [*filled(form, name="ci"), ("place", "folder/f1")])
    assert (refused.status_code, "no resource" in refused.text) == (422, True)


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("policy", "offered", "refused"),
    [
        (KeyPolicy(), {"7", "30", "90", "365", "date", "never"}, {}),
        (KeyPolicy(max_days=30), {"7", "30", "date"}, {"expiry": "365"}),
        (KeyPolicy(max_days=5), {"date"}, {"expiry": "7"}),
        (KeyPolicy(never=NeverEnding.ADMINISTRATORS), {"7", "30", "90", "365", "date"}, {"expiry": "never"}),
        (KeyPolicy(create=KeyMakers.ADMINISTRATORS), None, {}),
        (KeyPolicy(create=KeyMakers.PERMITTED), None, {}),
    ],
)
async def test_a_member_is_offered_what_the_tenant_allows(
    house: House, policy: KeyPolicy, offered: set[str] | None, refused: dict[str, Any]
) -> None:
    browser, page = await at_the_page(house)
    usual = filled(form_of(page, "expiry"), name="ci")
    member = Role(id=RoleId("r-member"), tenant_id=ACME.id, name="member", permissions=("*:read", "*:write"))
    await house.change(lambda tx: permissions.put_role(tx, member))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("member",)))
    await house.change(lambda tx: accounts.update_tenant(tx, replace(ACME, key_policy=policy)))
    page = await browser.get("/settings/keys")
    if offered is None:
        assert "you cannot make keys yourself" in page.text
        answer = await browser.post("/settings/keys", usual)
        assert (answer.status_code, await keys_of(house)) == (422, [])
        return
    form = form_of(page, "expiry")
    assert {field.value for field in form.named("expiry")} == offered
    if refused:
        answer = await browser.post("/settings/keys", filled(form, name="ci", **refused))
        assert (answer.status_code, 'id="expiry-error"' in answer.text) == (422, True)
        assert await keys_of(house) == []


async def test_long_lists_have_pages(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    [key] = await keys_of(house)

    def many(tx: Any) -> None:
        for number in range(149):
            api_keys.insert_api_key(
                tx, replace(key, id=f"many-{number}", fingerprint=f"f-{number}", name=f"n{number}", created_at=NOW - 1 - number)
            )  # fmt: skip

    await house.change(many)
    first = await browser.get("/settings/keys")
    older = re.search(r'href="(/settings/keys\?after=[^"]+)"', first.text)
    assert older
    second = await browser.get(older[1])
    names = re.findall(r">(n[0-9]+|ci)</a>", first.text) + re.findall(r">(n[0-9]+|ci)</a>", second.text)
    assert names == ["ci", *(f"n{number}" for number in range(149))]
    assert "Older keys" not in second.text
    assert (await browser.get("/settings/keys?after=x'")).status_code == 200
    assert key_id in first.text


def changing(page: httpx2.Response) -> Any:
    return next(form for form in Page(page.text).forms if form.action.endswith("/change"))


@pytest.mark.requirement("C1", "F1")
async def test_a_keys_name_addresses_and_servers_are_changed_on_its_page(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    one = f"/settings/keys/{key_id}"
    page = await browser.get(one)
    assert "Waiting for the first call" in page.text
    form = changing(page)
    pairs = filled(form, name="nightly", addresses="203.0.113.7, 198.51.100.0/24", which="some", server="harbour")
    done = await browser.post(form.action, pairs)
    assert done.headers["location"] == f"{one}?done=changed"
    [key] = await keys_of(house)
    assert (key.name, key.networks) == ("nightly", ("203.0.113.7/32", "198.51.100.0/24"))
    assert key.servers == {HARBOUR.id}
    shown = changing(await browser.get(one))
    assert [field.value for field in shown.named("server") if field.checked] == ["harbour"]
    await browser.post(one + "/change", filled(shown, which="all", addresses=""))
    [key] = await keys_of(house)
    assert (key.servers, key.networks, key.name) == (None, (), "nightly")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": " "}, "ordinary characters"),
        ({"addresses": "nowhere"}, "nowhere"),
        ({"which": "some"}, "Name a server at least"),
        ({"which": "some", "server": "vault"}, "There is no server"),
    ],
)
async def test_a_change_that_cannot_be_keeps_what_was_typed(house: House, values: dict[str, str], words: str) -> None:
    browser, key_id, _ = await one_key(house)
    before = await keys_of(house)
    form = changing(await browser.get(f"/settings/keys/{key_id}"))
    refused = await browser.post(form.action, filled(form, **{"name": "typed", **values}))
    assert (refused.status_code, words in refused.text) == (422, True)
    assert changing(refused).named("name")[0].value == values.get("name", "typed")
    assert await keys_of(house) == before


async def test_the_first_call_turns_the_page_green_by_a_reload(house: House) -> None:
    browser, key_id, _ = await one_key(house)
    await house.change(lambda tx: api_keys.touch_api_keys(tx, [(key_id, NOW, "203.0.113.7", "curl")]))
    page = await browser.get(f"/settings/keys/{key_id}")
    assert "The first call has come" in page.text
    assert "Waiting for the first call" not in page.text


async def test_M1_another_persons_key_is_not_changed(house: House) -> None:
    _, key_id, _ = await one_key(house)
    carol, _ = await at_the_page(house, CAROL)
    for which in (key_id, "none"):
        assert (await carol.post(f"/settings/keys/{which}/change", {"name": "mine"})).status_code == 404
    assert (await keys_of(house))[0].name == "ci"

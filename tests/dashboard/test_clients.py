"""Registered apps on their pages: who may, what is kept when something is wrong, the secret once, and how it ends (B5)."""

import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.model import Client, ConnectionId, Instant, Resource, ResourceId, Role, RoleId, Status, User
from doorward.storage import clients, connections, permissions
from support.pages import CAROL, ROBOT, Browser, House, filled, form_of
from support.person import Page
from support.rows import ACME, ALICE, BOB, CONNECTION, NOW

pytestmark = pytest.mark.anyio
PATH = "/settings/clients"
URI = "https://portal.example/cb"
PORTAL = {"name": "Portal", "uris": URI, "method": "client_secret_post"}


async def came(house: House, user: User = ALICE) -> Browser:
    def furnish(tx: Any) -> None:
        nodes = [
            Resource(id=ResourceId(f"r-{key}"), tenant_id=ACME.id, type="project", key=key, name=key.title())
            for key in ("alpha", "beta")
        ]
        permissions.put_resources(tx, ACME.id, nodes)
        role = Role(
            id=RoleId("r-dev"), tenant_id=ACME.id, name="dev", permissions=("documents:read", "clients:register")
        )
        permissions.put_role(tx, role)
        permissions.set_membership(tx, ACME.id, BOB.id, ("dev",))
        permissions.set_membership(tx, ACME.id, ROBOT.id, ("viewer",))

    await house.change(furnish)
    browser = house.browser()
    await browser.sign_in(user)
    return browser


async def sent(browser: Browser, **values: str) -> httpx2.Response:
    page = await browser.get(f"{PATH}/new?tenant=acme")
    assert page.status_code == 200, page.text
    return await browser.post(PATH, filled(form_of(page, "uris"), **{**PORTAL, **values}))


async def stored(house: House) -> list[Client]:
    return await house.database.read(lambda reader: clients.newest_clients(reader, 50))


@pytest.mark.requirement("B5")
async def test_an_administrator_registers_an_app_and_sees_its_secret_once(house: House) -> None:
    browser = await came(house)
    made = await sent(browser, place="project/alpha", limit="some")
    assert made.status_code == 200
    secret = re.search(r"dwk_[0-9A-Za-z_-]+", made.text)
    assert secret
    (client,) = await stored(house)
    assert client.id in made.text
    assert (client.name, client.redirect_uris, client.resources) == ("Portal", (URI,), frozenset({"r-alpha"}))
    assert client.scope_limit == {"documents:read", "documents:write"}, "nothing that destroys is ticked by itself"
    for path in (PATH, f"{PATH}/{client.id}"):
        page = await browser.get(path)
        assert "Portal" in page.text
        assert secret[0] not in page.text
    assert "Alpha" in page.text


async def test_a_form_makes_one_app(house: House) -> None:
    browser = await came(house)
    pairs = filled(form_of(await browser.get(f"{PATH}/new"), "uris"), **PORTAL)
    assert (await browser.post(PATH, pairs)).status_code == 200
    again = await browser.post(PATH, pairs)
    assert again.status_code == 409
    assert "DW-496" in again.text
    assert len(await stored(house)) == 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"uris": "http://portal.example/cb"}, "redirect_uris"),
        ({"method": "private_key_jwt", "jwks": "nonsense"}, "jwks"),
        ({"method": "none", "account": ROBOT.email}, "service_account"),
        ({"place": "project/gone"}, "resources"),
    ],
)
async def test_what_was_typed_is_kept_and_the_field_says_what_is_wrong(house: House, values: Any, field: str) -> None:
    browser = await came(house)
    page = await sent(browser, **{"name": "My portal", **values})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    form = form_of(page, "uris")
    if "name" not in values:
        assert form.named("name")[0].value == "My portal"
    assert values.get("uris", URI) in page.text
    assert await stored(house) == []


async def test_a_member_registers_for_themselves_and_sees_only_theirs(house: House) -> None:
    alice, bob = await came(house), await came(house, BOB)
    await sent(alice, name="Theirs")
    page = await bob.get(f"{PATH}/new")
    assert "for you alone" in page.text
    assert "nobody else can let it in" in page.text
    forged = [pair for pair in filled(form_of(page, "uris"), **PORTAL) if pair[0] != "whose"]
    refused = await bob.post(PATH, [*forged, ("whose", "all")])
    assert refused.status_code == 422
    assert "cannot register" in refused.text
    assert (await sent(bob, name="Mine")).status_code == 200
    listed = await bob.get(PATH)
    assert "Mine" in listed.text
    assert "Theirs" not in listed.text
    theirs = next(each for each in await stored(house) if each.name == "Theirs")
    assert (await bob.get(f"{PATH}/{theirs.id}")).status_code == 404
    assert "Mine" in (await alice.get(PATH)).text


async def test_who_may_not_register_is_told_so(house: House) -> None:
    await came(house)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    browser = await came(house)
    await browser.post("/sign-out", {})
    bob = house.browser()
    await bob.sign_in(BOB)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    assert "clients:register" in (await bob.get(PATH)).text
    assert (await bob.get(f"{PATH}/new")).status_code == 404
    assert PATH not in (await bob.get("/settings/keys")).text


async def test_secrets_follow_each_other_on_the_page(house: House) -> None:
    browser = await came(house)
    await sent(browser)
    (client,) = await stored(house)
    one = f"{PATH}/{client.id}"
    page = await browser.get(one)
    add = next(form for form in Page(page.text).forms if form.action.endswith("/secrets"))
    made = await browser.post(add.action, filled(add))
    assert re.search(r"dwk_[0-9A-Za-z_-]+", made.text)
    assert (await browser.post(add.action, filled(add))).status_code == 409
    secrets = await house.database.read(lambda reader: clients.client_secrets_of(reader, client.id))
    assert len(secrets) == 2
    retire = f"{one}/secrets/{secrets[0].id}/retire"
    assert (await browser.post(retire, {"keep": "for ever"})).status_code == 422
    assert (await browser.post(retire, {"keep": "now"})).status_code == 303
    good = await house.database.read(lambda reader: clients.client_secret_fingerprints(reader, client.id, NOW))
    assert good == [secrets[1].fingerprint]


@pytest.mark.requirement("D3")
async def test_an_app_is_changed_disabled_and_deleted_after_being_told_what_stops(house: House) -> None:
    browser = await came(house)
    await sent(browser)
    (client,) = await stored(house)
    one = f"{PATH}/{client.id}"
    used = replace(CONNECTION, id=ConnectionId("n-p"), client_id=client.id, user_id=BOB.id, activated_at=NOW, expires_at=Instant(NOW + 10**12))  # fmt: skip
    await house.change(lambda tx: connections.insert_connection(tx, used))
    form = form_of(await browser.get(f"{one}/change"), "uris")
    assert form.named("name")[0].value == "Portal"
    changed = await browser.post(form.action, filled(form, name="Gate", uris=URI, place="project/beta"))
    assert changed.headers["location"] == f"{one}?done=changed"
    assert (await stored(house))[0].resources == {"r-beta"}
    for what, status in (("disable", Status.DISABLED), ("enable", Status.ACTIVE)):
        assert (await browser.post(f"{one}/{what}", {})).status_code == 303
        assert (await stored(house))[0].status is status
    page = await browser.get(one)
    assert BOB.name in page.text
    asked = await browser.get(f"{one}/delete")
    assert "1 connection of 1 person" in " ".join(asked.text.split())
    assert (await browser.post(f"{one}/delete", {})).status_code == 303
    gone = await house.database.read(lambda reader: connections.connection_by_id(reader, used.id))
    assert gone is not None
    assert gone.revoked_at == NOW
    assert "Deleted" in (await browser.get(PATH)).text
    assert (await browser.post(f"{one}/enable", {})).status_code == 422
    assert (await browser.get(f"{one}/change")).status_code == 303


@pytest.mark.parametrize("what", ["", "/change", "/delete"])
async def test_M1_another_tenants_app_is_answered_like_none(house: House, what: str) -> None:
    browser = await came(house)
    await sent(browser)
    (client,) = await stored(house)
    await house.change(lambda tx: clients.update_client(tx, replace(client, tenant_id="t-globex")))
    carol = await came(house, CAROL)
    pages = [await carol.get(f"{PATH}/{each}{what}") for each in (client.id, "app_000000000000000000000000")]
    assert [page.status_code for page in pages] == [404, 404]
    posted = [
        await carol.post(f"{PATH}/{each}/{act}", {})
        for each in (client.id, "app_0")
        for act in ("disable", "delete", "secrets")
    ]
    assert {page.status_code for page in posted} == {404}


@pytest.mark.parametrize("slug", ["globex", "nosuch"])
async def test_another_tenant_is_refused_like_none(house: House, slug: str) -> None:
    browser = await came(house)
    page = await browser.get(f"{PATH}/new?tenant=acme")
    answers = [await browser.get(f"{each}?tenant={slug}") for each in (PATH, f"{PATH}/new")]
    answers.append(await browser.post(PATH, filled(form_of(page, "uris"), **{**PORTAL, "tenant": slug})))
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert await stored(house) == []


async def test_a_post_from_another_site_registers_nothing(house: House) -> None:
    browser = await came(house)
    page = await browser.get(f"{PATH}/new")
    assert (await browser.post(PATH, filled(form_of(page, "uris"), **PORTAL), site="cross-site")).status_code == 403
    assert await stored(house) == []

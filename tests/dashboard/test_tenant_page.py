"""The settings of a tenant: who changes what, after which proof, and what is refused with what was typed kept."""

from dataclasses import replace
from typing import Any

import pytest

from doorward.accounts import tenant_settings
from doorward.accounts.tenant_settings import By, SettingRefused
from doorward.model import Permission, Role, RoleId, Tenant
from doorward.storage import accounts, events, permissions
from support.pages import CAROL, PASSWORD, Browser, House
from support.person import Page
from support.rows import ACME, ALICE, BOB, GLOBEX

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
PATH = "/settings/tenant"
CHANGE = f"{PATH}/change"
RATES = {f"{who}_per_{span}": "" for who in ("credential", "user", "tool", "tenant") for span in ("minute", "day")}


async def opened(house: House, user: Any = ALICE) -> Browser:
    browser = house.browser()
    await browser.sign_in(user)
    return browser


async def tenant_of(house: House) -> Tenant:
    found = await house.database.read(lambda reader: accounts.tenant_by_id(reader, ACME.id))
    assert found is not None
    return found


async def told(house: House) -> list[dict[str, str]]:
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 50))
    return [dict(event.detail) for event in found if event.name == "tenant:changed"]


@pytest.mark.parametrize(
    ("sent", "field", "value"),
    [
        ({"section": "name", "name": " Acme   Robots "}, "name", "Acme Robots"),
        ({"section": "sign_in", "ways": "some", "method": "password"}, "sign_in_methods", ("password",)),
        ({"section": "tokens", "access_ttl": "900"}, "access_ttl", 900),
        ({"section": "limits", **RATES, "user_per_minute": "60", "tool_per_day": "0"}, "rates", (60, 0)),
        ({"section": "keys", "max_days": "90", "never": "nobody", "create": "administrators"}, "key_policy", 90),
    ],
)
async def test_each_section_is_changed_alone_and_the_change_is_in_the_log(
    house: House, sent: dict[str, str], field: str, value: Any
) -> None:
    browser = await opened(house)
    before = await tenant_of(house)
    answer = await browser.post(CHANGE, {"tenant": "acme", **sent})
    assert answer.headers["location"] == f"{PATH}?tenant=acme&done={sent['section']}"
    after = await tenant_of(house)
    got: Any = getattr(after, field)
    if field == "rates":
        got = got.user_per_minute, got.tool_per_day
    assert (got.max_days if field == "key_policy" else got) == value
    assert replace(after, **{field: getattr(before, field)}) == before
    assert len(await told(house)) == 1
    page = await browser.get(answer.headers["location"])
    assert "Saved" in page.text
    # Once more: nothing is another, and nothing is told.
    await browser.post(CHANGE, {"tenant": "acme", **sent})
    assert len(await told(house)) == 1


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        ({"section": "name", "name": "  "}, "name"), ({"section": "name", "name": "x" * 101}, "name"),
        ({"section": "name", "name": "a\u202eb"}, "name"),
        ({"section": "tokens", "access_ttl": "59"}, "access_ttl"), ({"section": "tokens", "access_ttl": "1e3"}, "access_ttl"),
        ({"section": "tokens", "access_ttl": "9" * 40}, "access_ttl"),
        ({"section": "limits", **RATES, "user_per_day": "-1"}, "user_per_day"),
        ({"section": "sign_in", "ways": "some"}, "methods"),
        ({"section": "sign_in", "ways": "some", "method": "nosuch"}, "methods"),
        ({"section": "keys", "max_days": "0"}, "max_days"),
        ({"section": "keys", "max_days": "30", "never": "members"}, "max_days"),
        ({"section": "keys", "never": "nosuch"}, "max_days"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field_and_nothing_is_changed(
    house: House, sent: dict[str, str], wrong: str
) -> None:
    browser = await opened(house)
    before = await tenant_of(house)
    page = await browser.post(CHANGE, {"tenant": "acme", **sent})
    assert page.status_code == 422
    assert f'id="wrong-{wrong}"' in page.text
    typed = sent.get(wrong)
    if typed:
        assert typed in [item.value for form in Page(page.text).forms for item in form.fields if item.name == wrong]
    assert await tenant_of(house) == before
    assert await told(house) == []


async def test_H23_a_proof_is_asked_for_and_the_form_is_done_after_it(house: House) -> None:
    browser = await opened(house)
    house.clock.forward(3600)
    page = await browser.post(CHANGE, {"tenant": "acme", "section": "name", "name": "Later"})
    assert page.status_code == 403
    assert "to change what holds in a tenant" in page.text
    assert (await tenant_of(house)).name == "Acme"
    waiting = next(form for form in Page(page.text).forms if form.named("waiting"))
    sealed = next(item.value for item in waiting.fields if item.name == "waiting")
    done = await browser.post("/settings/confirm", {"waiting": sealed, "password": PASSWORD})
    assert done.status_code == 303
    assert (await tenant_of(house)).name == "Later"


async def test_only_who_may_in_that_tenant_sees_or_changes_it(house: House) -> None:
    assert (await house.browser().get(PATH)).headers["location"].startswith("/sign-in")
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    for user, slug in ((BOB, "acme"), (CAROL, GLOBEX.slug), (CAROL, "nosuch")):
        browser = await opened(house, user)
        for answer in (
            await browser.get(f"{PATH}?tenant={slug}"),
            await browser.post(CHANGE, {"tenant": slug, "section": "name", "name": "Mine"}),
        ):
            assert answer.status_code == 403
            assert "Globex" not in answer.text
    alice = await opened(house)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (await alice.post(CHANGE, {"tenant": "acme", "section": "name", "name": "Mine"})).status_code == 403
    assert (await tenant_of(house)).name == "Acme"


async def test_keys_have_a_permission_of_their_own(house: House) -> None:
    role = Role(id=RoleId("r-office"), tenant_id=ACME.id, name="office", permissions=(Permission("tenant:manage"),))
    await house.change(lambda tx: permissions.put_role(tx, role))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("office",)))
    browser = await opened(house, BOB)
    page = await browser.get(PATH)
    assert "Only who has <code>keys:manage</code>" in page.text
    refused = await browser.post(CHANGE, {"tenant": "acme", "section": "keys", "max_days": "1"})
    assert refused.status_code == 422
    assert (await tenant_of(house)).key_policy == ACME.key_policy
    await browser.post(CHANGE, {"tenant": "acme", "section": "name", "name": "Office"})
    assert (await tenant_of(house)).name == "Office"


async def test_nobody_locks_themselves_out(house: House) -> None:
    role = Role(id=RoleId("r-office"), tenant_id=ACME.id, name="office", permissions=(Permission("tenant:manage"),))
    await house.change(lambda tx: permissions.put_role(tx, role))
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("office",)))
    page = await (await opened(house, BOB)).post(
        CHANGE, {"tenant": "acme", "section": "sign_in", "ways": "some", "method": "link"}
    )
    assert page.status_code == 422
    assert "lock yourself out" in page.text
    # An owner keeps the password.
    done = await (await opened(house)).post(
        CHANGE, {"tenant": "acme", "section": "sign_in", "ways": "some", "method": "link"}
    )
    assert done.status_code == 303
    # What holds now holds for who is here already.
    assert (await (await opened(house, BOB)).get(PATH)).status_code == 403


async def test_what_is_set_elsewhere_says_where(house: House) -> None:
    page = await (await opened(house)).get(PATH)
    assert "<code>audit.call_days</code>" in page.text
    assert (await (await opened(house)).post(CHANGE, {"tenant": "acme", "section": "nosuch"})).status_code == 400


async def test_a_program_may_not_close_every_way_either(house: House) -> None:
    by = By(user_id=None, cause=None)
    for ways in ((), ("nosuch",)):
        with pytest.raises(SettingRefused):
            await house.change(
                lambda tx, ways=ways: tenant_settings.change(
                    tx, ACME.id, by=by, now=house.clock(), sign_in_methods=ways
                )
            )
    missing = replace(ACME, id="t-none").id  # type: ignore[arg-type]
    with pytest.raises(LookupError):
        await house.change(lambda tx: tenant_settings.change(tx, missing, by=by, now=house.clock(), name="x"))

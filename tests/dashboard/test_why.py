"""The page that explains a decision: who may ask, what it answers, and what is wrong said on the form."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.model import Approvers, Permission, Resource, ResourceId, Role, RoleId, RuleKind, ToolRule
from doorward.storage import events, permissions, servers
from doorward.storage.permissions import Placement
from support.pages import CAROL, Browser, House
from support.rows import ACME, ALICE, BOB, GLOBEX, HARBOUR, READ

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D7")]
PATH = "/settings/why"
ASKED = {"tenant": "acme", "user": CAROL.email, "server": "harbour", "kind": "prompt", "name": "greet"}


async def asked(browser: Browser, **changed: str) -> httpx2.Response:
    return await browser.post(PATH, ASKED | changed)


async def told_of(house: House) -> list[Any]:
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 50))
    return [event for event in found if event.name == "decision:explained"]


async def test_an_administrator_reads_the_seven_questions_and_that_it_is_a_simulation(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    form = await browser.get(PATH)
    assert f'<option value="{CAROL.email}">' in form.text
    assert "form-action 'self'" in form.headers["content-security-policy"]
    page = await asked(browser)
    assert page.status_code == 200
    assert "Allowed by" in page.text
    assert page.text.count('<li class="pass">') == 7
    assert f"simulation as {CAROL.email}" in page.text
    (event,) = await told_of(house)
    assert (event.actor_id, event.subject, event.detail["by"]) == (ALICE.id, CAROL.email, "page")


async def test_a_denial_says_what_stopped_it_and_what_would_have_to_change(house: House) -> None:
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    browser = house.browser()
    await browser.sign_in(ALICE)
    page = await asked(browser)
    assert "Denied at step 4" in page.text
    assert "To allow it" in page.text
    assert page.text.count('<li class="fail">') == 1
    assert page.text.count("Not asked. ") == 3
    assert "there is no such prompt" in page.text


async def test_only_whoever_may_in_the_whole_tenant_finds_the_page(house: House) -> None:
    assert (await house.browser().get(PATH)).headers["location"].startswith("/sign-in")
    folder = Resource(id=ResourceId("f"), tenant_id=ACME.id, type="folder", key="f1", name="F")
    role = Role(id=RoleId("r-asker"), tenant_id=ACME.id, name="asker", permissions=("*:*",))
    for work in (
        lambda tx: permissions.put_resources(tx, ACME.id, [folder]),
        lambda tx: permissions.put_role(tx, role),
        lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)),
        lambda tx: permissions.set_placements(tx, ACME.id, BOB.id, [Placement(role="asker", resource_id=folder.id)]),
    ):
        await house.change(work)
    for user, sees in ((BOB, False), (ALICE, True)):
        browser = house.browser()
        await browser.sign_in(user)
        assert (PATH in (await browser.get("/settings/keys")).text) is sees
        assert (PATH in (await browser.get("/settings/attempts")).text) is sees
        assert (await browser.get(PATH)).status_code == (200 if sees else 403)
        assert (await asked(browser)).status_code == (200 if sees else 403)
    assert len(await told_of(house)) == 1


async def test_another_tenant_and_a_missing_one_are_refused_alike(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(CAROL)  # owner of Acme, viewer of Globex
    for slug in (GLOBEX.slug, "nobody"):
        for page in (await browser.get(f"{PATH}?tenant={slug}"), await asked(browser, tenant=slug)):
            assert page.status_code == 403
            assert "Globex" not in page.text
    assert (await browser.post(PATH, ASKED, site="cross-site")).status_code == 403


async def test_a_role_taken_away_ends_it_at_once(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    await house.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (await asked(browser)).status_code == 403


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"user": ""}, "name a person"),
        ({"user": "nobody@x.test"}, "is no member of tenant acme"),
        ({"server": "hidden"}, "there is no server"),
        ({"server": ""}, "choose a server"),
        ({"kind": "else"}, "choose a tool, resource or prompt"),
        ({"name": " "}, "name what is called"),
        ({"name": "x" * 2001}, "longer than 2000"),
        ({"arguments": "[1]"}, "is no strict JSON object"),
        ({"arguments": '{"a":"\\ud800"}'}, "is no strict JSON object"),
        ({"arguments": "{" * 5000}, "is no strict JSON object"),
        ({"key": "dw_x"}, "has no such API key"),
        ({"connection": "con_x"}, "has no such connection"),
        ({"key": "a", "connection": "b"}, "a key or an app, not both"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    house: House, changed: dict[str, str], words: str
) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    page = await asked(browser, **changed)
    assert page.status_code == 422
    assert words in page.text
    assert changed.get("user", CAROL.email) in page.text
    assert await told_of(house) == []


@pytest.mark.requirement("D8")
async def test_a_call_that_is_approved_first_is_told_with_who_approves(house: House) -> None:
    approvers = Approvers(permissions=frozenset({Permission("approvals:decide")}), by_another=True)
    rules = [replace(rule, approval=approvers) if rule.kind is RuleKind.TOOL else rule for rule in HARBOUR.rules]
    tool = ToolRule(match="delete_document", requires=frozenset({READ}), approval=approvers)
    changed = replace(HARBOUR, rules=(tool, *rules))
    await house.change(lambda tx: servers.put_server(tx, changed))
    browser = house.browser()
    await browser.sign_in(ALICE)
    page = await asked(browser, kind="tool", name="delete_document")
    assert "once approved by somebody with approvals:decide, who is not the person it is made for" in page.text
    assert page.text.count('<li class="pass">') == 6
    assert page.text.count('<li class="fail">') == 1
    assert "DW-360" in page.text
    assert 'class="note warn" role="status"' in page.text

"""The page of connection attempts: who sees which, and the administrator's one click."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.model import ClientId, Instant, User
from doorward.storage import clients, events
from doorward.storage.attempts import AttemptStep, Step, insert_steps
from doorward.storage.client_verdicts import verdicts
from support.pages import CAROL, Browser, House
from support.person import Page
from support.rows import ACME, ALICE, BOB, CLIENT, GLOBEX, NOW

pytestmark = pytest.mark.anyio
PATH = "/settings/attempts"
CLOUD = replace(CLIENT, id=ClientId("client_cloud"), name="<b>Cloud</b>", redirect_uris=("https://cloud.example/cb",))


def refused(code: str = "DW-135", **changed: Any) -> AttemptStep:
    step = AttemptStep(
        at=NOW, step=Step.CONSENT, code=code, request_id="req_waiting", address="192.0.2.7", agent="Firefox", flow="req_f",
        tenant_id=ACME.id, user_id=BOB.id, client_id=CLOUD.id, client_name=CLOUD.name,
        redirect_uri="https://cloud.example/cb", path="/mcp",
    )  # fmt: skip
    return replace(step, **changed)


async def filled(house: House, *steps: AttemptStep) -> None:
    def store(tx: Any) -> None:
        clients.insert_client(tx, CLOUD, canonical_key=None, secret_fingerprint=None)
        insert_steps(tx, steps or [refused()])

    await house.change(store)


async def looked(house: House, user: User, path: str = PATH) -> tuple[Browser, httpx2.Response]:
    browser = house.browser()
    await browser.sign_in(user)
    return browser, await browser.get(path)


def decision(page: httpx2.Response, words: str) -> tuple[str, list[tuple[str, str]]]:
    """Return where the button leads that begins with these words, and what it sends."""
    for form in Page(page.text).forms:
        if any(field.name == "what" for field in form.fields) and f">{words}" in page.text:
            values = [(field.name, field.value) for field in form.fields if field.name != "answer"]
            what = "host" if "all from" in words else "redirect" if "redirect" in words else "client"
            if ("what", what) in values:
                return form.action, [*values, ("answer", "deny" if words == "Deny" else "allow")]
    raise AssertionError(words)


async def said(house: House) -> list[Any]:
    found = await house.database.read(lambda reader: verdicts(reader, None))
    return [
        (each.tenant_id, each.kind.value, each.client_id, each.value, each.allowed, each.decided_by) for each in found
    ]


@pytest.mark.requirement("A8", "B3")
async def test_an_administrator_sees_who_waits_and_allows_with_one_click(house: House) -> None:
    await filled(house)
    browser, page = await looked(house, ALICE)
    assert "Waiting for you" in page.text
    assert "&lt;b&gt;Cloud" in page.text
    assert "<b>Cloud" not in page.text
    assert BOB.email in page.text
    action, values = decision(page, "Allow this client")
    done = await browser.post(action, values)
    assert done.headers["location"] == f"{PATH}?tenant={ACME.slug}&decided=allowed"
    assert await said(house) == [(ACME.id, "client", CLOUD.id, "", True, ALICE.id)]
    page = await browser.get(done.headers["location"])
    assert "Allowed." in page.text
    assert "Waiting for you" not in page.text
    log = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 5))
    assert ("client:allowed", ALICE.id) in {(event.name, event.actor_id) for event in log}


async def test_a_host_or_a_redirect_is_allowed_and_a_denial_asks_no_more(house: House) -> None:
    other = refused("DW-104", step=Step.AUTHORIZE, flow=None, redirect_uri="https://new.example/cb")
    await filled(house, refused(), other)
    browser, page = await looked(house, ALICE)
    for words in ("Allow all from cloud.example", "Allow this redirect"):
        action, values = decision(page, words)
        assert (await browser.post(action, values)).status_code == 303
    assert {(each[1], each[3]) for each in await said(house)} == {
        ("redirect_host", "cloud.example"), ("redirect_uri", "https://new.example/cb"),
    }  # fmt: skip
    values = [("tenant", ACME.slug), ("what", "client"), ("client", CLOUD.id), ("value", ""), ("answer", "deny")]
    assert (await browser.post(PATH, values)).status_code == 303
    assert "Waiting for you" not in (await browser.get(PATH)).text


@pytest.mark.requirement("A8")
async def test_an_attempt_is_told_step_by_step_with_cause_and_fix(house: House) -> None:
    first = refused(None, step=Step.AUTHORIZE, request_id="req_first", tenant_id=None)  # type: ignore[arg-type]
    await filled(house, first, refused())
    browser, page = await looked(house, ALICE)
    link = next(word for word in page.text.split('"') if word.startswith(f"{PATH}/"))
    told = await browser.get(link.replace("&amp;", "&"))
    assert told.status_code == 200
    for words in (
        "req_first",
        "req_waiting",
        "DW-135",
        "Fix:",
        "Opened the browser",
        "Made its first request",
        "192.0.2.7",
    ):
        assert words in told.text, words
    assert (await browser.get(f"{PATH}/999999")).status_code == 404


@pytest.mark.requirement("A8")
async def test_each_step_says_how_long_after_the_first_it_was_and_the_others_who_and_when(house: House) -> None:
    moments = ((Step.AUTHORIZE, 0), (Step.SIGN_IN, 240), (Step.CONSENT, 21_000), (Step.APPROVED, 300_000))
    steps = [
        replace(refused(), code=None, step=step, at=Instant(NOW + milliseconds * 1000), connection_id="con_it")
        for step, milliseconds in moments
    ]
    await filled(house, refused(flow="req_other"), *steps)
    browser, page = await looked(house, ALICE)
    links = [word.replace("&amp;", "&") for word in page.text.split('"') if word.startswith(f"{PATH}/")]
    told = [page.text for page in [await browser.get(link) for link in links] if "+21 s" in page.text]
    for words in ("+0.2 s", "+21 s", "+5 min", 'href="/settings/apps/con_it"', "Bob,"):
        assert words in told[0], words


async def test_nobody_sees_what_is_another_tenants_or_persons(house: House) -> None:
    await filled(house, refused(tenant_id=GLOBEX.id, user_id=CAROL.id, client_name="Foreign"))
    link = f"{PATH}/1"
    for user in (ALICE, BOB):
        browser, page = await looked(house, user)
        assert "Foreign" not in page.text
        for path in (link, f"{link}?tenant={GLOBEX.slug}", f"{PATH}?tenant={GLOBEX.slug}"):
            answer = await browser.get(path)
            assert answer.status_code == (404 if path == link else 403)
            assert "Foreign" not in answer.text
    _, page = await looked(house, CAROL, f"{PATH}?tenant=-")
    assert "Foreign" in page.text
    assert "Waiting for you" not in page.text


@pytest.mark.parametrize("where", [ACME.slug, GLOBEX.slug, "nowhere", ""])
async def test_who_is_no_administrator_there_decides_nothing(house: House, where: str) -> None:
    await filled(house)
    browser, page = await looked(house, BOB)
    assert "Waiting for you" not in page.text
    values = [("tenant", where), ("what", "client"), ("client", CLOUD.id), ("value", ""), ("answer", "allow")]
    answer = await browser.post(PATH, values)
    assert answer.status_code == 403
    assert "DW-405" in answer.text
    assert not await said(house)


async def test_a_form_from_elsewhere_or_of_nobody_decides_nothing(house: House) -> None:
    await filled(house)
    browser, _ = await looked(house, ALICE)
    values = [("tenant", ACME.slug), ("what", "client"), ("client", CLOUD.id), ("value", ""), ("answer", "allow")]
    assert (await browser.post(PATH, values, site="cross-site", origin="https://evil.example")).status_code == 403
    assert (await house.browser().post(PATH, values)).headers["location"].startswith("/sign-in")
    assert (await house.browser().get(PATH)).headers["location"].startswith("/sign-in")
    assert (await house.browser().get(f"{PATH}/1")).headers["location"].startswith("/sign-in")
    for changed, status in (
        ({"what": "everything"}, 400), ({"answer": "perhaps"}, 400), ({"client": "nobody"}, 422),
        ({"what": "host", "value": "localhost"}, 422), ({"what": "redirect", "value": "javascript:alert(1)"}, 422),
    ):  # fmt: skip
        assert (await browser.post(PATH, list((dict(values) | changed).items()))).status_code == status, changed
    assert not await said(house)

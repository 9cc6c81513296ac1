"""``/settings/security``: sessions, the password, and the proof that guards what guards an account."""

import httpx2
import pytest

from doorward.accounts.passwords import Busy
from doorward.dashboard.step_up import GUARDED
from doorward.model import User
from doorward.storage import accounts, api_keys, connections, events
from support.pages import CAROL, PASSWORD, Browser, House, filled, form_of
from support.person import Page
from support.rows import ALICE, CLIENT, CONNECTION, KEY

pytestmark = pytest.mark.anyio
PATH = "/settings/security"
NEW = "seven green lighthouses"
IN_TEN_MINUTES = 601


async def opened(house: House, user: User = ALICE, **headers: str) -> Browser:
    browser = house.browser(**headers)
    assert (await browser.sign_in(user)).status_code == 303
    return browser


async def alive(browser: Browser) -> bool:
    return (await browser.get(PATH)).status_code == 200


def change(new: str = NEW, **more: str) -> dict[str, str]:
    return {"new": new, "again": new, **more}


async def confirmed(browser: Browser, page: httpx2.Response, password: str = PASSWORD) -> httpx2.Response:
    form = form_of(page, "password")
    return await browser.post(form.action, filled(form, password=password))


async def names_of_events(house: House) -> list[str]:
    return [
        event.name for event in await house.database.read_long(lambda reader: events.recent_events(reader, None, 9))
    ]


@pytest.mark.requirement("E2")
async def test_sessions_are_listed_with_browser_and_address_and_this_one_is_marked(house: House) -> None:
    firefox = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"}
    browser = await opened(house, **firefox)
    await opened(house, **{"user-agent": "<b>Chrome/9</b> (X11; Linux)\x7f"})
    await opened(house, CAROL)
    page = (await browser.get(PATH)).text
    assert page.count('/end"') == 3, "two sessions, and the form for all"
    assert page.index("Firefox on Windows") < page.index("This one") < page.index("Chrome on Linux")
    assert "From 127.0.0.1" in page
    assert "<b>" not in page


@pytest.mark.requirement("E2")
async def test_one_session_is_ended_from_another_and_a_foreign_one_is_not(house: House) -> None:
    browser, other, carol = await opened(house), await opened(house), await opened(house, CAROL)
    ends = [form.action for form in Page((await browser.get(PATH)).text).forms if "/sessions/ses_" in form.action]
    mine, theirs = ends
    assert (await carol.post(theirs, {})).headers["location"] == f"{PATH}?done=session"
    assert await alive(other), "nothing of hers, and told so in the same words"
    assert (await browser.post(theirs, {})).headers["location"] == f"{PATH}?done=session"
    assert not await alive(other)
    assert (await browser.post(theirs, {})).status_code == 303
    gone = await browser.post(mine, {})
    assert gone.headers["location"] == "/sign-in"
    assert browser.session is None


@pytest.mark.requirement("E2")
async def test_H22_signing_out_everywhere_ends_sessions_and_programs_only_where_asked(house: House) -> None:
    def programs(tx: object) -> None:
        api_keys.insert_api_key(tx, KEY)  # type: ignore[arg-type]
        from doorward.storage import clients  # noqa: PLC0415

        clients.insert_client(tx, CLIENT, canonical_key=None, secret_fingerprint=None)  # type: ignore[arg-type]
        connections.insert_connection(tx, CONNECTION)  # type: ignore[arg-type]

    async def held() -> list[str]:
        def look(reader: object) -> list[str]:
            keys = [each.id for each in api_keys.api_keys_of_user(reader, ALICE.id) if each.revoked_at is None]  # type: ignore[arg-type]
            apps = [each.id for each in connections.connections_of_user(reader, ALICE.id) if each.revoked_at is None]  # type: ignore[arg-type]
            return [*keys, *apps]

        found: list[str] = await house.database.read(look)
        return found

    await house.change(programs)
    here, there = await opened(house), await opened(house)
    assert (await here.post(f"{PATH}/sessions/end", {"where": "others"})).status_code == 303
    assert (await alive(here), await alive(there)) == (True, False)
    assert await held() == [KEY.id, CONNECTION.id]
    again = await opened(house)
    answer = await again.post(f"{PATH}/sessions/end", {"where": "everywhere", "apps": "yes"})
    assert answer.headers["location"] == "/sign-in"
    assert (await alive(here), await alive(again)) == (False, False)
    assert await held() == []
    assert {"api_key:revoked", "connection:revoked"} <= set(await names_of_events(house))


@pytest.mark.requirement("E3")
async def test_H22_a_new_password_ends_every_other_session_and_works_at_once(house: House) -> None:
    browser, other = await opened(house), await opened(house)
    done = await browser.post(f"{PATH}/password", change())
    assert done.headers["location"] == f"{PATH}?done=password"
    assert "Your password is changed" in (await browser.get(done.headers["location"])).text
    assert not await alive(other)
    assert (await house.browser().sign_in()).status_code == 422
    assert (await house.browser().sign_in(password=NEW)).status_code == 303


@pytest.mark.parametrize(
    "sent",
    [
        change("short"),
        change("password password"),
        {"new": NEW, "again": "another one entirely"},
        change("x" * 1025),
        {},
    ],
    ids=["short", "guessed", "twice", "long", "empty"],
)
async def test_a_password_that_cannot_be_one_changes_nothing(house: House, sent: dict[str, str]) -> None:
    browser, other = await opened(house), await opened(house)
    page = await browser.post(f"{PATH}/password", sent)
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert sent.get("new") is None or sent["new"] not in page.text
    assert await alive(other)
    assert (await house.browser().sign_in()).status_code == 303


@pytest.mark.requirement("E3")
async def test_H23_without_a_recent_proof_the_change_waits_and_is_done_once_after_it(house: House) -> None:
    browser = await opened(house)
    house.clock.forward(IN_TEN_MINUTES)
    page = await browser.post(f"{PATH}/password", change())
    assert page.status_code == 403
    assert "to change your password" in page.text
    assert NEW not in page.text
    assert (await house.browser().sign_in()).status_code == 303, "nothing is changed yet"
    wrong = await confirmed(browser, page, "not the password")
    assert wrong.status_code == 422
    assert "did not fit" in wrong.text
    done = await confirmed(browser, wrong)
    assert done.headers["location"] == f"{PATH}?done=password"
    assert (await house.browser().sign_in(password=NEW)).status_code == 303
    assert {"session:confirmed", "password:changed"} <= set(await names_of_events(house))
    again = await confirmed(browser, page, NEW)
    assert again.status_code == 409
    assert "DW-455" in again.text
    # For ten minutes from the proof, and not a second longer.
    house.clock.forward(598)
    assert (await browser.post(f"{PATH}/password", change("eleven quiet harbours"))).status_code == 303
    house.clock.forward(3)
    assert (await browser.post(f"{PATH}/password", change())).status_code == 403


def cookie_of(browser: Browser, house: House) -> str:
    return next(each.value or "" for each in browser.client.cookies.jar if each.name == house.cookies.session_name)


async def test_H1_a_proof_gives_the_session_another_cookie_whatever_becomes_of_the_change(house: House) -> None:
    browser = await opened(house)
    before = cookie_of(browser, house)
    assert (await browser.post(f"{PATH}/password", change("short"))).status_code == 422
    assert cookie_of(browser, house) == before, "no proof was given"
    house.clock.forward(IN_TEN_MINUTES)
    refused = await confirmed(browser, await browser.post(f"{PATH}/password", change("short")))
    assert refused.status_code == 422
    second = cookie_of(browser, house)
    assert second != before
    assert not await alive(with_cookie(house, before)), "who saw the old cookie has nothing"
    assert await alive(with_cookie(house, second))
    house.clock.forward(IN_TEN_MINUTES)
    done = await confirmed(browser, await browser.post(f"{PATH}/password", change()))
    assert done.status_code == 303
    assert not await alive(with_cookie(house, second))
    sent = next(each for each in done.headers.get_list("set-cookie") if each.startswith(house.cookies.session_name))
    left = 14 * 86_400 - 2 * IN_TEN_MINUTES
    assert f"Max-Age={left}" in sent, "it lives no longer than it would have"


def with_cookie(house: House, text: str) -> Browser:
    return house.browser(cookie=f"{house.cookies.session_name}={text}")


async def test_H1_a_change_that_is_refused_after_the_proof_leaves_no_old_cookie(house: House) -> None:
    browser = await opened(house)
    before = cookie_of(browser, house)
    house.clock.forward(IN_TEN_MINUTES)
    page = await browser.post(f"{PATH}/password", change())

    async def busy(_password: str) -> str:
        raise Busy

    hashing, house.passwords.hash = house.passwords.hash, busy  # type: ignore[method-assign]
    assert (await confirmed(browser, page)).status_code == 503
    house.passwords.hash = hashing  # type: ignore[method-assign]
    assert not await alive(with_cookie(house, before))
    assert await alive(browser)


async def test_H23_every_guarded_form_asks_for_a_proof(house: House) -> None:
    browser = await opened(house)
    house.clock.forward(IN_TEN_MINUTES)
    routes = {route.path for route in house.routes if getattr(route, "path", None) in GUARDED}
    assert routes
    for path in sorted(routes):
        page = await browser.post(path.replace("{", "").replace("}", ""), {})
        assert page.status_code == 403, path
        assert "Confirm that it is you" in page.text, path


async def test_H23_what_waits_is_its_persons_alone_for_a_while_and_cannot_be_altered(house: House) -> None:
    browser, carol = await opened(house), await opened(house, CAROL)
    house.clock.forward(IN_TEN_MINUTES)
    page = await browser.post(f"{PATH}/password", change())
    form = form_of(page, "waiting")
    sealed = next(item.value for item in form.fields if item.name == "waiting")
    for waiting in ("", "x", sealed[:-4] + "AAAA"):
        answer = await browser.post("/settings/confirm", {"waiting": waiting, "password": PASSWORD})
        assert answer.status_code == 400
    answer = await carol.post("/settings/confirm", {"waiting": sealed, "password": PASSWORD})
    assert answer.status_code == 400
    assert (
        await house.browser().post("/settings/confirm", {"waiting": sealed, "password": PASSWORD})
    ).status_code == 303
    cross = await browser.post("/settings/confirm", {"waiting": sealed, "password": PASSWORD}, site="cross-site")
    assert cross.status_code == 403
    assert (await house.browser().sign_in()).status_code == 303
    # Who signed in again in another way goes on without a password.
    await browser.sign_in(next="/settings")
    shown = await browser.get("/settings/confirm", params={"waiting": sealed})
    assert "Go on" in shown.text
    house.clock.forward(900)
    for late in (
        await browser.post("/settings/confirm", {"waiting": sealed, "password": PASSWORD}),
        await browser.get("/settings/confirm", params={"waiting": sealed}),
    ):
        assert late.status_code == 403
        assert "asked once more" in late.text
        assert (await house.browser().sign_in()).status_code == 303, "nothing is changed"
    assert (await confirmed(browser, late)).status_code == 303, "and nothing was lost"
    assert (await house.browser().sign_in(password=NEW)).status_code == 303


async def test_H4_an_open_browser_is_no_place_to_guess_the_password(house: House) -> None:
    browser = await opened(house)
    house.clock.forward(IN_TEN_MINUTES)
    page = await browser.post(f"{PATH}/password", change())
    answers = [(await confirmed(browser, page, f"wrong {number}")).status_code for number in range(6)]
    assert answers == [422] * 5 + [429]
    assert (await confirmed(browser, page)).status_code == 429
    assert (await house.browser().sign_in()).status_code == 303, "the sign-in page is not slowed by it"


async def test_a_password_that_was_changed_meanwhile_is_not_overwritten(house: House) -> None:
    browser = await opened(house)
    seen = await house.database.read(lambda reader: accounts.password_hash(reader, ALICE.id))
    hashing = house.passwords.hash

    async def slow(password: str) -> str:
        fresh = await hashing(password)
        await house.change(
            lambda tx: accounts.replace_password_hash(tx, ALICE.id, expected=seen, new="$argon2id$another")
        )
        return fresh

    house.passwords.hash = slow  # type: ignore[method-assign]
    assert (await browser.post(f"{PATH}/password", change())).status_code == 409

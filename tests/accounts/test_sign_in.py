"""Signing in and out in a browser."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest
from argon2 import PasswordHasher

from doorward.accounts import passwords
from doorward.accounts.http import sign_in_page
from doorward.accounts.http.sign_in_page import FAILURES_PER_MINUTE
from doorward.accounts.passwords import PasswordPool
from doorward.accounts.throttle import wait_after
from doorward.model import User
from doorward.storage import accounts, events
from support.budget_clock import count_by
from support.effort import ratio
from support.pages import CAROL, PASSWORD, ROBOT, Browser, House, filled, form_of, opened_house
from support.rows import ALICE

pytestmark = pytest.mark.anyio
NOBODY = "nobody@acme.test"


def cookies_set(response: httpx2.Response) -> list[str]:
    return [value.partition("=")[0] for value in response.headers.get_list("set-cookie")]


async def names_of_events(house: House) -> list[str]:
    return [
        event.name for event in await house.database.read_long(lambda reader: events.recent_events(reader, None, 50))
    ]


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def signed_in(browser: Browser) -> bool:
    return (await browser.get("/settings/keys")).status_code == 200


@pytest.mark.requirement("E1")
async def test_a_person_signs_in_by_the_form_on_the_page_and_comes_to_where_they_wanted(house: House) -> None:
    browser = house.browser()
    page = await browser.get("/sign-in", params={"next": "/settings/keys?tenant=acme"})
    form = form_of(page, "password")
    response = await browser.post(form.action, filled(form, email=" Alice@Acme.TEST ", password=PASSWORD))
    assert response.status_code == 303
    assert response.headers["location"] == "/settings/keys?tenant=acme"
    assert cookies_set(response) == ["__Host-doorward_session", "__Host-doorward_known"]
    assert await signed_in(browser)
    assert await names_of_events(house) == ["session:started"]


async def test_a_wrong_password_keeps_the_address_and_says_so_at_the_field(house: House) -> None:
    browser = house.browser()
    response = await browser.sign_in(password="wrong", next="/settings/keys")
    assert response.status_code == 422
    assert "do not match" in response.text
    fields = {field.name: field.value for field in form_of(response, "password").fields}
    assert fields == {"next": "/settings/keys", "email": ALICE.email, "password": ""}
    assert 'aria-invalid="true"' in response.text
    assert cookies_set(response) == []
    assert await names_of_events(house) == ["session:refused"]


@pytest.mark.parametrize(
    "typed", [NOBODY, ALICE.email, ROBOT.email, CAROL.email], ids=["nobody", "wrong", "service", "disabled"]
)
async def test_H6_nobody_learns_who_has_an_account_or_why_it_was_refused(house: House, typed: str) -> None:
    await house.disable(CAROL)
    password = "wrong" if typed == ALICE.email else PASSWORD
    known = await house.browser().post("/sign-in", {"email": "x@y.z", "password": "wrong"})
    asked = await house.browser().post("/sign-in", {"email": typed, "password": password})
    assert asked.status_code == known.status_code == 422

    def body(response: httpx2.Response, email: str) -> str:
        return response.text.replace(email, "").replace(response.headers["x-request-id"], "")

    assert body(asked, typed) == body(known, "x@y.z")
    assert cookies_set(asked) == []


async def test_H6_an_unknown_address_takes_as_long_as_a_wrong_password(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str | None] = []
    verify = passwords._verify

    def counted(stored: str | None, password: bytes) -> bool:
        runs.append(stored)
        return verify(stored, password)

    monkeypatch.setattr(passwords, "_verify", counted)

    async def tried(email: str) -> None:
        await house.browser().post("/sign-in", {"email": email, "password": "wrong"})
        house.clock.forward(86_400)

    for email in (ALICE.email, NOBODY):
        before = len(runs)
        await tried(email)
        assert runs[before:], email
    assert runs[-1] is None, "of nobody the same costs are paid"
    # Without the dummy hash the second would be a tenth of the first.
    assert await ratio(lambda: tried(ALICE.email), lambda: tried(NOBODY), 9) < 3


@pytest.mark.parametrize(
    ("email", "password"),
    [("", ""), ("a b@c.d", PASSWORD), ("x" * 255, PASSWORD), (ALICE.email, "x" * 1025), (ALICE.email, ""),
     ("alice@acme.test (known device)", PASSWORD)],
)  # fmt: skip
async def test_what_can_be_no_address_or_password_is_a_mismatch(house: House, email: str, password: str) -> None:
    response = await house.browser().post("/sign-in", {"email": email, "password": password})
    assert response.status_code == 422
    assert "do not match" in response.text


async def test_a_field_sent_twice_is_refused(house: House) -> None:
    pairs = [("email", ALICE.email), ("email", "other@acme.test"), ("password", PASSWORD)]
    assert (await house.browser().post("/sign-in", pairs)).status_code == 400


async def test_H1_a_session_cookie_chosen_before_is_never_taken_over(house: House) -> None:
    browser = house.browser()
    browser.client.cookies.set(house.cookies.session_name, "chosen", domain="mcp.acme.example", path="/")
    assert (await browser.sign_in()).status_code == 303
    assert browser.session != "chosen"
    first = browser.session
    await browser.sign_in()
    assert browser.session != first
    stolen = house.browser(cookie=f"{house.cookies.session_name}={first}")
    assert not await signed_in(stolen)
    assert await signed_in(browser)


async def test_H3_a_form_on_another_site_signs_nobody_in(house: House) -> None:
    response = await house.browser().post("/sign-in", {"email": ALICE.email, "password": PASSWORD}, site="cross-site")
    assert response.status_code == 403
    assert cookies_set(response) == []


async def test_somebody_who_is_signed_in_is_sent_on_unless_they_want_another_account(house: House) -> None:
    browser = house.browser()
    await browser.sign_in()
    sent_on = await browser.get("/sign-in", params={"next": "/settings/keys"})
    assert sent_on.headers["location"] == "/settings/keys"
    switching = await browser.get("/sign-in", params={"next": "/settings/keys", "switch": "1"})
    assert switching.status_code == 200
    await browser.sign_in(CAROL)
    assert CAROL.email in (await browser.get("/settings/keys")).text


async def test_the_page_names_who_waits_as_data(house: House) -> None:
    house.waiting = ("<b>Claude</b> Code" + "!" * 80, "acme", "Ines@Acme.example")
    html = (await house.browser().get("/sign-in", params={"next": "/oauth/consent?request=x"})).text
    assert "Sign in to acme" in html
    assert "“&lt;b&gt;Claude&lt;/b&gt; Code!" in html
    assert "!" * 60 not in html
    assert 'value="ines@acme.example"' in html


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "/sign-in"])
async def test_H13_nobody_is_sent_to_another_site_after_signing_in(house: House, target: str) -> None:
    browser = house.browser()
    assert 'name="next" value="/"' in (await browser.get(f"/sign-in?{urlencode({'next': target})}")).text
    assert (await browser.sign_in(next=target)).headers["location"] == "/"


async def test_signing_out_ends_the_session_for_good(house: House) -> None:
    browser = house.browser()
    await browser.sign_in()
    cookie = browser.session
    response = await browser.post("/sign-out", {})
    assert response.headers["location"] == "/sign-in"
    assert browser.session is None
    assert not await signed_in(house.browser(cookie=f"{house.cookies.session_name}={cookie}"))
    assert await names_of_events(house) == ["session:ended", "session:started"]
    assert (await browser.post("/sign-out", {})).status_code == 303
    assert (await browser.post("/sign-out", {}, site="cross-site")).status_code == 403


async def test_a_session_ends_with_its_time_and_with_its_user(house: House) -> None:
    browser, carol = house.browser(), house.browser()
    await browser.sign_in()
    await carol.sign_in(CAROL)
    await house.disable(CAROL)
    assert not await signed_in(carol)
    for _ in range(14):
        house.clock.forward(86_400 - 1)
        assert await signed_in(browser)
        await house.uses.flush()
    house.clock.forward(14)
    assert not await signed_in(browser)


async def test_H22_a_session_that_nobody_uses_ends_before_its_time(house: House) -> None:
    used, idle = house.browser(), house.browser()
    await used.sign_in()
    await idle.sign_in()
    house.clock.forward(3 * 86_400)
    assert await signed_in(used)
    await house.uses.flush()
    house.clock.forward(86_400)
    assert not await signed_in(idle)
    assert await signed_in(used)
    house.clock.forward(3 * 86_400)
    assert not await signed_in(used), "its last use was never written: a crash ends a session, it prolongs none"


async def guess(house: House, times: int, user: User = ALICE, browser: Browser | None = None) -> list[int]:
    browser = browser or house.browser()
    return [(await browser.sign_in(user, f"wrong {count}")).status_code for count in range(times)]


@pytest.mark.requirement("E3")
async def test_H4_after_five_failures_one_has_to_wait_longer_each_time(house: House) -> None:
    assert await guess(house, 6) == [422] * 5 + [429]
    refused = await house.browser().sign_in()
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "2"
    assert "Wait 2 seconds" in refused.text
    assert ALICE.email in refused.text
    house.clock.forward(3)
    assert await guess(house, 2) == [422, 429]
    house.clock.forward(3)
    assert (await house.browser().sign_in()).headers["retry-after"] == "4"
    house.clock.forward(5)
    assert (await house.browser().sign_in()).status_code == 303
    assert await guess(house, 5) == [422] * 5
    assert [wait_after(count) for count in (0, 4, 5, 6, 9, 14, 99)] == [0, 0, 2, 4, 32, 900, 900]


async def test_H4_an_address_that_nobody_has_is_held_off_in_the_same_way(house: House) -> None:
    statuses = [
        (await house.browser().post("/sign-in", {"email": NOBODY, "password": "x"})).status_code for _ in range(6)
    ]
    assert statuses == [422] * 5 + [429]


async def test_H4_many_guesses_at_once_are_no_more_than_many_in_a_row(house: House) -> None:
    answers = await asyncio.gather(*(house.browser().sign_in(password=f"wrong {count}") for count in range(20)))
    assert sorted(answer.status_code for answer in answers) == [422] * 5 + [429] * 15


async def test_H4_strangers_who_guess_do_not_slow_a_person_on_a_known_device(house: House) -> None:
    known = house.browser()
    await known.sign_in()
    await known.post("/sign-out", {})
    assert (await guess(house, 6))[-1] == 429
    assert (await known.sign_in()).status_code == 303
    assert (await house.browser().sign_in()).status_code == 429
    await known.sign_in(CAROL)
    assert (await known.sign_in()).status_code == 303
    assert (await guess(house, 6, browser=known))[-1] == 429


async def test_H4_guesses_from_everywhere_are_held_off_together_and_lock_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_page, "FAILURES_PER_MINUTE_FROM_ALL", 3)
    async with opened_house(tmp_path) as house:
        count_by(monkeypatch, house.clock)
        known = house.browser()
        await known.sign_in(CAROL)
        statuses = [
            (await house.browser().post("/sign-in", {"email": f"{each}@x.y", "password": "wrong"})).status_code
            for each in range(4)
        ]
        assert statuses == [422, 422, 422, 429]
        held = await house.browser().sign_in()
        assert held.status_code == 429
        assert 0 < int(held.headers["retry-after"]) <= 60
        assert (await known.sign_in(CAROL)).status_code == 303, "her own browser"
        house.clock.forward(61)
        assert (await house.browser().sign_in()).status_code == 303


async def test_N18_when_too_many_passwords_wait_the_next_is_told_to_come_back(house: House) -> None:
    house.sign_in._passwords = full = PasswordPool(max_workers=1, queue_limit=0)
    response = await house.browser().sign_in()
    full.close()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"
    assert "DW-407" in response.text


async def test_a_password_changed_while_it_was_checked_gives_no_session(house: House) -> None:
    checking = asyncio.create_task(house.browser().sign_in())
    while not house.passwords._inside:  # noqa: ASYNC110  (lets the loop run until the password is being checked)
        await asyncio.sleep(0)
    old = await house.database.read(lambda reader: accounts.password_hash(reader, ALICE.id))
    await house.change(lambda tx: accounts.replace_password_hash(tx, ALICE.id, expected=old, new="$argon2id$other"))
    assert (await checking).status_code == 422


async def test_a_hash_of_older_cost_is_renewed_at_sign_in(house: House) -> None:
    old = await house.database.read(lambda reader: accounts.password_hash(reader, ALICE.id))
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await house.change(lambda tx: accounts.replace_password_hash(tx, ALICE.id, expected=old, new=weak))
    assert (await house.browser().sign_in()).status_code == 303
    renewed = await house.database.read(lambda reader: accounts.password_hash(reader, ALICE.id))
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=19456,")
    assert (await house.browser().sign_in()).status_code == 303


async def test_what_was_typed_as_an_address_is_not_kept(house: House, tmp_path: Path) -> None:
    # People type their password into the wrong field.
    typed = "hunter2-in-the-wrong-field"
    for _ in range(6):
        answer = await house.browser().post("/sign-in", {"email": typed, "password": "x"})
    assert answer.status_code == 429
    stored = everything_in(tmp_path)
    assert ALICE.email.encode() in stored
    assert typed.encode() not in stored


async def test_H4_a_password_that_was_never_looked_at_is_no_failure(house: House) -> None:
    house.sign_in._passwords = narrow = PasswordPool(max_workers=1, queue_limit=1)
    answers = await asyncio.gather(*(house.browser().sign_in(password=f"wrong {count}") for count in range(5)))
    assert sorted(answer.status_code for answer in answers) == [422] + [503] * 4
    assert (await house.browser().sign_in()).status_code == 303
    narrow.close()


async def test_H4_a_flood_of_strangers_leaves_room_for_known_devices(house: House) -> None:
    known = house.browser()
    await known.sign_in()
    house.sign_in._passwords = pool = PasswordPool(max_workers=1, queue_limit=4)
    strangers = [house.browser().post("/sign-in", {"email": f"x{n}@acme.test", "password": "x"}) for n in range(9)]
    *flood, person = await asyncio.gather(*strangers, known.sign_in())
    assert sorted(answer.status_code for answer in flood) == [422] * 3 + [503] * 6
    assert person.status_code == 303
    pool.close()


async def test_H4_one_password_on_many_accounts_is_held_off_by_address(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_by(monkeypatch, house.clock)
    monkeypatch.setattr(PasswordPool, "verify", _no_match)

    async def spray(browser: Browser, times: int) -> list[int]:
        names = (f"x{count}-{house.clock()}@acme.test" for count in range(times))
        return [(await browser.post("/sign-in", {"email": name, "password": "x"})).status_code for name in names]

    here, elsewhere = house.browser(), house.browser()
    elsewhere.client._transport = httpx2.ASGITransport(app=house.app, client=("198.51.100.2", 1))
    assert await spray(here, FAILURES_PER_MINUTE + 2) == [422] * FAILURES_PER_MINUTE + [429] * 2
    refused = await here.post("/sign-in", {"email": NOBODY, "password": "x"})
    assert refused.headers["retry-after"] == "60"
    assert "Too many sign-ins failed. Wait 60 seconds" in refused.text
    assert await spray(elsewhere, 1) == [422]
    for _ in range(10):
        house.clock.forward(61)
        last = await spray(here, FAILURES_PER_MINUTE)
    assert set(last) == {429}
    assert 0 < int((await here.sign_in()).headers["retry-after"]) <= 3600
    house.clock.forward(3601)
    assert await spray(here, 1) == [422]


async def test_H4_who_signs_in_rightly_spends_nothing_and_a_known_device_is_not_held_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_by(monkeypatch, house.clock)
    monkeypatch.setattr("doorward.accounts.http.sign_in_page.FAILURES_PER_MINUTE", 3)
    house = House(house.database, house.passwords, clock=house.clock)
    known = house.browser()
    for _ in range(5):
        assert (await known.sign_in()).status_code == 303
    for number in range(3):
        assert (await house.browser().post("/sign-in", {"email": f"x{number}@y.z", "password": "x"})).status_code == 422
    assert (await house.browser().sign_in()).status_code == 429
    assert (await known.sign_in()).status_code == 303


async def _no_match(_pool: PasswordPool, _stored: str | None, _password: str, *, stranger: bool = False) -> bool:
    """Answer at once: hashing hundreds of passwords would take longer than all else here."""
    return False

"""A new password by mail: nothing without the mail, once, and for nobody else."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from doorward.accounts.asking import FROM_ONE, TO_ONE
from doorward.accounts.new_password import MIN_LENGTH
from doorward.accounts.passwords import PasswordPool
from doorward.credentials.secret import SECRET_BYTES, SecretKind, well_formed
from doorward.model import LinkKind, User
from doorward.storage import accounts, clients, connections, links
from doorward.storage.database import Transaction
from support.effort import ratio
from support.mailing import Post, link_path, opened_post
from support.pages import BOB, CAROL, FINGERPRINTER, PASSWORD, PUBLIC_URL, ROBOT, Browser, filled, form_of
from support.rows import ALICE, CLIENT, CONNECTION

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E2")]
NEW = "seven quiet herons at noon"
NOBODY = "nobody@acme.test"


async def ask(post: Post, email: str = ALICE.email, browser: Browser | None = None, **headers: str) -> httpx2.Response:
    return await (browser or post.house.browser()).post("/sign-in/reset", {"email": email}, **headers)


async def path_for(post: Post, user: User = ALICE) -> str:
    assert (await ask(post, user.email)).status_code == 200
    return link_path(await post.letter(), PUBLIC_URL)


async def choose(browser: Browser, path: str, password: str = NEW) -> httpx2.Response:
    page = await browser.get(path)
    if page.status_code != 200:
        return page
    form = form_of(page, "password")
    return await browser.post(form.action, filled(form, password=password))


async def can_sign_in(post: Post, password: str, user: User = ALICE) -> bool:
    post.house.clock.forward(3600)
    return (await post.house.browser().sign_in(user, password)).status_code == 303


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def signed_in(browser: Browser) -> bool:
    return (await browser.get("/settings/keys")).status_code == 200


@pytest.mark.requirement("E1")
async def test_a_person_who_forgot_their_password_chooses_another(either_post: Post) -> None:
    post = either_post
    browser, elsewhere = post.house.browser(), post.house.browser()
    await elsewhere.sign_in()
    page = await browser.get("/sign-in")
    assert 'href="/sign-in/reset"' in page.text
    asked = await browser.post(
        "/sign-in/reset", filled(form_of(await browser.get("/sign-in/reset"), "email"), email=" Alice@Acme.TEST ")
    )
    assert "Look into your mail" in asked.text
    letter = await post.letter()
    assert letter.recipients == [ALICE.email]
    assert letter.message["Subject"] == "Choose a new password"
    done = await choose(browser, link_path(letter, PUBLIC_URL))
    assert done.status_code == 200
    assert "is changed" in done.text
    assert not await signed_in(elsewhere)
    told = await post.letter()
    assert told.message["Subject"] == "Your password was changed"
    assert "http" not in told.text
    assert not await can_sign_in(post, PASSWORD)
    assert await can_sign_in(post, NEW)
    assert await post.events("password") == ["password:reset_asked", "password:reset"]


@pytest.mark.parametrize("typed", [NOBODY, ROBOT.email, CAROL.email], ids=["nobody", "service", "disabled"])
async def test_H6_who_asks_hears_the_same_whoever_has_the_address(post: Post, typed: str) -> None:
    await post.house.disable(CAROL)
    known, asked = await ask(post), await ask(post, typed)
    assert known.status_code == asked.status_code == 200

    def body(response: httpx2.Response, email: str) -> str:
        return response.text.replace(email, "").replace(response.headers["x-request-id"], "")

    assert body(asked, typed) == body(known, ALICE.email)
    assert asked.headers.get_list("set-cookie") == known.headers.get_list("set-cookie")
    assert [letter.recipients for letter in await post.delivered()] == [[ALICE.email]]


async def test_H6_asking_takes_as_long_whether_or_not_anybody_has_the_address(post: Post) -> None:
    async def asked(email: str) -> None:
        assert (await ask(post, email)).status_code == 200
        post.house.clock.forward(3600)

    # Sending within the request would take many times as long; one more row does not.
    assert await ratio(lambda: asked(ALICE.email), lambda: asked(NOBODY), 41) < 3


async def test_H14_nothing_without_the_mail(post: Post) -> None:
    browser = post.house.browser()
    await ask(post, browser=browser)
    for token in ("", "x", "dwl_", f"dwl_{'0' * 49}", "dws_" + "0" * 49, ALICE.id, "a" * 5000, "é", "%00"):
        opened = await browser.get("/sign-in/reset/new", params={"token": token})
        sent = await browser.post(
            "/sign-in/reset/new", {"token": token, "password": NEW, "email": ALICE.email, "user": ALICE.id}
        )
        assert {opened.status_code, sent.status_code} <= {400, 404}, token
    assert (await browser.get("/sign-in/reset/new")).status_code == 404
    assert (await browser.get("/sign-in/reset/new?token=a&token=b")).status_code == 400
    assert not await can_sign_in(post, NEW)


async def test_H14_the_link_of_one_person_is_no_use_for_another(post: Post) -> None:
    path = await path_for(post, BOB)
    token = path.partition("token=")[2]
    answer = await post.house.browser().post(
        "/sign-in/reset/new", {"token": token, "password": NEW, "email": ALICE.email, "username": ALICE.email}
    )
    assert answer.status_code == 200
    assert not await can_sign_in(post, NEW, ALICE)
    assert await can_sign_in(post, NEW, BOB)


async def test_H14_who_is_signed_in_as_another_is_told_to_sign_out(post: Post) -> None:
    path = await path_for(post)
    other = post.house.browser()
    await other.sign_in(CAROL)
    refused = await choose(other, path)
    assert refused.status_code == 409
    assert "DW-434" in refused.text
    token = path.partition("token=")[2]
    assert (await other.post("/sign-in/reset/new", {"token": token, "password": NEW})).status_code == 409
    assert await signed_in(other)
    own = post.house.browser()
    await own.sign_in(ALICE)
    assert (await choose(own, path)).status_code == 200
    assert not await signed_in(own)


async def test_H14_a_link_works_once_and_only_the_newest_and_in_time(post: Post) -> None:
    first, second = await path_for(post), await path_for(post)
    browser = post.house.browser()
    assert "DW-433" in (await choose(browser, first)).text
    assert (await choose(browser, second)).status_code == 200
    again = await choose(browser, second, "another eight words here")
    assert again.status_code == 410
    assert "DW-432" in again.text
    await post.delivered()
    late = await path_for(post)
    post.house.clock.forward(30 * 60)
    assert "DW-431" in (await choose(browser, late)).text
    assert await can_sign_in(post, NEW)


async def test_H14_fifty_at_once_change_it_once(either_post: Post) -> None:
    post = either_post
    path = await path_for(post)
    token = path.partition("token=")[2]
    passwords = [f"{NEW} number {number}" for number in range(50)]
    answers = await asyncio.gather(
        *(post.house.browser().post("/sign-in/reset/new", {"token": token, "password": each}) for each in passwords)
    )
    assert sorted({answer.status_code for answer in answers}) == [200, 410]
    assert [answer.status_code for answer in answers].count(200) == 1
    (winner,) = [password for password, answer in zip(passwords, answers, strict=True) if answer.status_code == 200]
    assert await can_sign_in(post, winner)
    assert (await post.events("password")).count("password:reset") == 1


async def test_H14_a_new_password_ends_every_other_link_of_the_person(post: Post) -> None:
    browser = post.house.browser()
    await browser.post("/sign-in/link/ask", {"email": ALICE.email})
    by_link = link_path(await post.letter(), PUBLIC_URL)
    assert (await choose(browser, await path_for(post))).status_code == 200
    assert "DW-433" in (await browser.get(by_link)).text


async def test_H14_apps_are_disconnected_where_the_person_wants_it(either_post: Post) -> None:
    post = either_post

    def connect(tx: Transaction) -> None:
        clients.insert_client(tx, CLIENT, canonical_key="canonical", secret_fingerprint=None)
        connections.insert_connection(tx, CONNECTION)

    await post.house.change(connect)

    async def living() -> bool:
        found = await post.house.database.read(lambda reader: connections.connection_by_id(reader, CONNECTION.id))
        return found is not None and found.revoked_at is None

    assert "go on" in (await choose(post.house.browser(), await path_for(post))).text
    assert await living()
    await post.delivered()
    path = await path_for(post)
    token = path.partition("token=")[2]
    sent = {"token": token, "password": NEW, "disconnect": "1"}
    assert "disconnected" in (await post.house.browser().post("/sign-in/reset/new", sent)).text
    assert not await living()


async def test_H7_looking_at_the_link_uses_nothing(post: Post) -> None:
    path = await path_for(post)
    for _ in range(3):
        scanner = post.house.browser()
        assert (await scanner.client.head(path)).status_code == 200
        seen = await scanner.get(path)
        assert seen.status_code == 200
        assert seen.headers.get_list("set-cookie") == []
        assert seen.headers["referrer-policy"] == "no-referrer"
        assert "no-store" in seen.headers["cache-control"]
    assert (await choose(post.house.browser(), path)).status_code == 200


async def test_H5_who_may_not_sign_in_any_more_gets_no_password_either(post: Post) -> None:
    path = await path_for(post)
    await post.house.disable(ALICE)
    refused = await choose(post.house.browser(), path)
    assert refused.status_code == 403
    assert "DW-439" in refused.text
    token = path.partition("token=")[2]
    assert (await post.house.browser().post("/sign-in/reset/new", {"token": token, "password": NEW})).status_code == 403


async def test_a_link_that_went_to_an_address_of_before_is_no_use(post: Post) -> None:
    path = await path_for(post)
    await post.house.change(lambda tx: accounts.update_user(tx, replace(ALICE, email="alice@new.test")))
    assert "DW-433" in (await choose(post.house.browser(), path)).text


@pytest.mark.parametrize("password", ["", "short", "x" * MIN_LENGTH, ALICE.email, "a" * 1025])
async def test_a_password_that_is_no_good_is_told_at_the_field_and_the_link_stays_good(
    post: Post, password: str
) -> None:
    path = await path_for(post)
    refused = await choose(post.house.browser(), path, password)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert (await choose(post.house.browser(), path)).status_code == 200


async def test_H10_a_link_has_256_bits_and_only_its_fingerprint_is_kept(post: Post, tmp_path: Path) -> None:
    tokens = {(await path_for(post)).partition("token=")[2] for _ in range(3)}
    assert len(tokens) == 3
    assert all(well_formed(token, SecretKind.LINK) for token in tokens)
    assert SECRET_BYTES * 8 == 256
    found = await post.house.database.read(
        lambda reader: [links.link_by_fingerprint(reader, FINGERPRINTER.of(token)) for token in tokens]
    )
    assert {link.kind for link in found if link is not None} == {LinkKind.RESET}
    stored = everything_in(tmp_path)
    assert not [token for token in tokens if token.encode() in stored]


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"x-forwarded-host": "evil.example"}, {"forwarded": "host=evil.example;proto=http"},
     {"x-original-url": "https://evil.example/"}, {"x-forwarded-proto": "http", "x-forwarded-prefix": "/evil"},
     {"origin": "https://mcp.acme.example", "host": "evil.example:443"}],
)  # fmt: skip
async def test_H11_links_are_of_the_configured_origin_whatever_a_request_says(
    post: Post, headers: dict[str, str]
) -> None:
    await ask(post, **headers)
    letter = await post.letter()
    assert letter.url.startswith(f"{PUBLIC_URL}/sign-in/reset/new?token=dwl_")
    assert b"evil" not in letter.raw


@pytest.mark.parametrize(
    "typed",
    ["alice@acme.test\r\nBcc: eve@evil.example", "alice@acme.test, eve@evil.example", '"alice@acme.test, eve"@evil.example',
     "Alice <alice@acme.test>", "alice@acme.test>", "alice@acme.test\x0bx", "al\u0131ce@acme.test", "alice@acme.te\u017ft",
     "alice@\u212acme.test", "=?utf-8?q?alice?=@acme.test", "", "alice", "@acme.test", "alice@", "alice@acme..test", "a" * 65 + "@x.test"],
)  # fmt: skip
async def test_H12_what_is_not_one_plain_address_gets_no_mail(post: Post, typed: str) -> None:
    answer = await ask(post, typed)
    assert answer.status_code == 422
    assert "not an e-mail address" in answer.text
    assert await post.delivered() == []


async def test_E8_one_address_gets_so_many_mails_an_hour_and_a_stranger_cannot_use_up_a_known_device(
    post: Post,
) -> None:
    known = post.house.browser()
    await known.sign_in()
    await known.post("/sign-out", {})
    for email in (ALICE.email, NOBODY):
        statuses = [(await ask(post, email)).status_code for _ in range(TO_ONE + 1)]
        assert statuses == [200] * TO_ONE + [429]
    refused = await ask(post)
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    assert "Too many mails" in refused.text
    assert (await ask(post, browser=known)).status_code == 200
    assert len(await post.delivered()) == TO_ONE + 1
    post.house.clock.forward(3600)
    assert (await ask(post)).status_code == 200
    assert (await post.house.browser().sign_in()).status_code == 303


async def test_E8_one_requester_asks_for_so_many_mails_an_hour_whoever_they_are_for(post: Post) -> None:
    statuses = [(await ask(post, f"x{number}@acme.test")).status_code for number in range(FROM_ONE + 1)]
    assert statuses == [200] * FROM_ONE + [429]
    elsewhere = post.house.browser()
    elsewhere.client._transport = httpx2.ASGITransport(app=post.house.app, client=("198.51.100.2", 1))
    assert (await ask(post, browser=elsewhere)).status_code == 200


async def test_M5_no_form_of_another_site_asks_or_changes(post: Post) -> None:
    path = await path_for(post)
    browser = post.house.browser()
    token = path.partition("token=")[2]
    assert (await browser.post("/sign-in/reset", {"email": ALICE.email}, site="cross-site")).status_code == 403
    sent = {"token": token, "password": NEW}
    assert (await browser.post("/sign-in/reset/new", sent, site="cross-site")).status_code == 403
    assert await post.delivered() == []
    assert not await can_sign_in(post, NEW)


async def test_N18_a_link_is_still_good_after_too_many_passwords_waited(post: Post) -> None:
    path = await path_for(post)
    page = await post.house.browser().get(path)
    form = form_of(page, "password")
    full = PasswordPool(max_workers=1, queue_limit=0)
    hashing, post.house.passwords._limit = post.house.passwords._limit, 0
    busy = await post.house.browser().post(form.action, filled(form, password=NEW))
    post.house.passwords._limit = hashing
    full.close()
    assert busy.status_code == 503
    assert (await choose(post.house.browser(), path)).status_code == 200


async def test_without_mail_nothing_is_offered(tmp_path: Path) -> None:
    async with opened_post(tmp_path, on=False) as silent:
        browser = silent.house.browser()
        page = (await browser.get("/sign-in")).text
        assert "Forgot" not in page
        assert "link" not in page.partition("<main>")[2]
        for answer in (
            await browser.get("/sign-in/reset"),
            await ask(silent),
            await browser.get("/sign-in/link?token=x"),
        ):
            assert answer.status_code == 404
            assert "DW-435" in answer.text

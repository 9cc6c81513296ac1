"""Invitations: bound to an address, good once, for no more than who invited may give."""

import asyncio
import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from doorward.accounts import invitations
from doorward.accounts.actors import Actor
from doorward.accounts.invitations import Guest, Sent
from doorward.accounts.members import Place
from doorward.model import Invitation, Resource, ResourceId, Role, RoleId, Status, User
from doorward.storage import accounts, permissions
from doorward.storage import invitations as stored
from doorward.storage.database import Reader, Transaction
from support.mailing import Post, link_path, opened_post
from support.pages import BOB, CAROL, PUBLIC_URL, ROBOT, Browser, filled, form_of
from support.rows import ACME, ALICE, GLOBEX
from support.sign_in_rules import CORP, put_proven_domain, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E2")]
NINA = "nina@new.test"
PASSWORD = "seven quiet herons at noon"
FOLDER = Resource(id=ResourceId("res-1"), tenant_id=ACME.id, type="folder", key="f1", name="Folder")
HELPER = Role(id=RoleId("r-helper"), tenant_id=ACME.id, name="helper", permissions=("members:manage", "*:read"))


async def invite(post: Post, email: str = NINA, by: User = ALICE, *roles: str, **more: Any) -> Sent:
    guest = Guest(email=email, roles=roles or ("viewer",), **more)
    actor = Actor(user_id=by.id, by="test", cause=None)
    sent: Sent = await post.house.change(
        lambda tx: invitations.invite(tx, ACME, guest, actor, post.mailing, now=post.house.clock())
    )
    return sent


async def path_for(post: Post, email: str = NINA, by: User = ALICE, *roles: str, **more: Any) -> str:
    sent = await invite(post, email, by, *roles, **more)
    path = link_path(await post.letter(), PUBLIC_URL)
    assert sent.url == PUBLIC_URL + path
    return path


def token_in(path: str) -> str:
    return path.partition("token=")[2]


async def accept(browser: Browser, path: str, **values: str) -> httpx2.Response:
    """Open the link and send the form that is on its page."""
    page = await browser.get(path)
    if page.status_code != 200:
        return page
    return await browser.post("/invitation", filled(form_of(page, "token"), **values))


async def accept_as_new(browser: Browser, path: str) -> httpx2.Response:
    return await accept(browser, path, name="Nina New", password=PASSWORD)


async def roles_of(post: Post, email: str) -> tuple[str, ...] | None:
    """Return the roles at Acme; None for nobody and for no member."""

    def look(reader: Reader) -> tuple[str, ...] | None:
        return {user.email: place.roles for user, place in accounts.members_of_tenant(reader, ACME.id)}.get(email)

    found: tuple[str, ...] | None = await post.house.database.read_long(look)
    return found


async def row(post: Post, sent: Sent) -> Invitation:
    found = await post.house.database.read(lambda reader: stored.invitation_by_id(reader, sent.invitation.id))
    assert found is not None
    return found


async def who(browser: Browser) -> str | None:
    found = re.search(r"<small>(\S+@\S+)</small>", (await browser.get("/settings/keys")).text)
    return found[1] if found else None


async def test_somebody_new_makes_an_account_and_is_a_member_and_signed_in(either_post: Post) -> None:
    post, browser = either_post, either_post.house.browser()
    path = await path_for(post, " Nina@NEW.test ")
    page = await browser.get(path)
    assert "Join Acme" in page.text
    assert NINA in page.text
    done = await accept_as_new(browser, path)
    assert done.status_code == 303
    assert await who(browser) == NINA
    assert await roles_of(post, NINA) == ("viewer",)
    assert (await post.house.browser().post("/sign-in", {"email": NINA, "password": PASSWORD})).status_code == 303
    told = await post.events()
    assert told[:5] == [
        "invitation:sent",
        "user:changed",
        "invitation:accepted",
        "membership:changed",
        "session:started",
    ]


async def test_the_letter_says_who_invites_where_and_as_what(post: Post) -> None:
    await invite(post)
    letter = await post.letter()
    assert letter.message["Subject"] == "You are invited to Acme"
    assert "Alice invites you to “Acme” at mcp.acme.example, as viewer." in letter.text


async def test_somebody_with_an_account_signs_in_as_exactly_that_and_accepts(either_post: Post) -> None:
    post, browser = either_post, either_post.house.browser()
    path = await path_for(post, BOB.email)
    page = await browser.get(path)
    assert 'name="password"' not in page.text
    back = re.search(r'href="(/sign-in\?next=[^"]+)"', page.text)
    assert back is not None
    form = form_of(await browser.get(back[1].replace("&amp;", "&")), "password")
    arrived = await browser.post(form.action, filled(form, email=BOB.email, password="correct horse battery staple"))
    assert arrived.headers["location"] == path
    assert (await accept(browser, path)).status_code == 303
    assert await roles_of(post, BOB.email) == ("viewer",)


async def test_roles_at_a_resource_are_given_there_only(post: Post) -> None:
    await post.house.change(lambda tx: permissions.put_resources(tx, ACME.id, [FOLDER]))
    path = await path_for(post, NINA, ALICE, "viewer", places=[Place(role="owner", type="folder", key="f1")])
    await accept_as_new(post.house.browser(), path)
    found = await post.house.database.read_long(lambda reader: permissions.placements_of_tenant(reader, ACME.id))
    assert [(place.role, place.resource_id) for places in found.values() for place in places] == [("owner", FOLDER.id)]
    assert await roles_of(post, NINA) == ("viewer",)


async def test_H20_an_invitation_is_accepted_once(either_post: Post) -> None:
    post = either_post
    path = await path_for(post)
    sent = {"token": token_in(path), "password": PASSWORD}
    answers = await asyncio.gather(
        *(post.house.browser().post("/invitation", {**sent, "name": f"Nina {number}"}) for number in range(50))
    )
    assert [answer.status_code for answer in answers].count(303) == 1
    assert {answer.status_code for answer in answers} <= {303, 409, 410}
    assert (await post.events("invitation")) == ["invitation:sent", "invitation:accepted"]
    again = await accept_as_new(post.house.browser(), path)
    assert again.status_code == 410
    assert "DW-432" in again.text


async def test_H20_nobody_accepts_with_another_address(post: Post) -> None:
    path = await path_for(post)
    other = post.house.browser()
    await other.sign_in(BOB)
    for answer in (await other.get(path), await other.post("/invitation", {"token": token_in(path)})):
        assert answer.status_code == 409
        assert "DW-434" in answer.text
    assert await roles_of(post, BOB.email) is None
    assert (await accept_as_new(post.house.browser(), path)).status_code == 303


async def test_H20_what_it_gives_stands_nowhere_in_the_link_or_the_form(post: Post) -> None:
    path = await path_for(post)
    raised = {
        "token": token_in(path), "name": "Nina", "password": PASSWORD, "email": CAROL.email, "username": CAROL.email,
        "role": "owner", "roles": "owner", "tenant": GLOBEX.slug,
    }  # fmt: skip
    assert (await post.house.browser().post(f"{path}&role=owner&tenant=globex", raised)).status_code == 303
    assert await roles_of(post, NINA) == ("viewer",)
    found = await post.house.database.read(lambda reader: accounts.user_by_email(reader, NINA))
    assert found is not None
    places = await post.house.database.read(lambda reader: accounts.memberships_of_user(reader, found.id))
    assert [tenant.slug for tenant, _ in places] == ["acme"]


@pytest.mark.parametrize("token", ["", "x", "dwl_" + "0" * 49, "eyJhbGciOiJub25lIn0.e30.", "é" * 300])
async def test_H20_a_link_that_was_made_up_opens_nothing(post: Post, token: str) -> None:
    browser = post.house.browser()
    await invite(post)
    assert (await browser.get("/invitation", params={"token": token})).status_code in {400, 404}
    sent = {"token": token, "name": "Eve", "password": PASSWORD}
    assert (await browser.post("/invitation", sent)).status_code == 404
    assert await who(browser) is None


async def test_H20_after_it_was_taken_back_it_is_no_use(post: Post) -> None:
    sent = await invite(post)
    path = link_path(await post.letter(), PUBLIC_URL)
    await post.house.change(
        lambda tx: invitations.revoke(
            tx, ACME, sent.invitation.id, Actor(user_id=ALICE.id, by="test", cause=None), now=post.house.clock()
        )
    )
    refused = await accept_as_new(post.house.browser(), path)
    assert refused.status_code == 410
    assert await roles_of(post, NINA) is None
    again = await path_for(post)
    assert (await accept_as_new(post.house.browser(), again)).status_code == 303


async def test_it_ends_after_a_week_and_may_be_sent_again_which_ends_the_old_link(post: Post) -> None:
    sent = await invite(post)
    old = link_path(await post.letter(), PUBLIC_URL)
    post.house.clock.forward(7 * 86_400)
    assert "DW-431" in (await accept_as_new(post.house.browser(), old)).text

    async def send_again() -> str:
        actor = Actor(user_id=ALICE.id, by="test", cause=None)
        await post.house.change(
            lambda tx: invitations.send_again(tx, ACME, sent.invitation.id, actor, post.mailing, now=post.house.clock())
        )
        return link_path(await post.letter(), PUBLIC_URL)

    first, second = await send_again(), await send_again()
    assert "DW-433" in (await accept_as_new(post.house.browser(), first)).text
    assert (await accept_as_new(post.house.browser(), second)).status_code == 303


async def test_who_invited_and_may_not_any_more_invited_nobody(post: Post) -> None:
    path = await path_for(post, NINA, CAROL, "owner")
    await post.house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("viewer",)))
    refused = await accept_as_new(post.house.browser(), path)
    assert "DW-437" in refused.text
    await post.house.change(lambda tx: permissions.set_membership(tx, ACME.id, CAROL.id, ("owner",)))
    await post.house.disable(CAROL)
    assert "DW-437" in (await accept_as_new(post.house.browser(), path)).text
    assert await roles_of(post, NINA) is None


async def test_a_tenant_that_is_disabled_lets_nobody_in(post: Post) -> None:
    path = await path_for(post)
    await post.house.change(lambda tx: accounts.update_tenant(tx, replace(ACME, status=Status.DISABLED)))
    assert "DW-437" in (await accept_as_new(post.house.browser(), path)).text


async def test_roles_that_somebody_got_meanwhile_are_not_changed_by_an_old_mail(post: Post) -> None:
    path = await path_for(post, BOB.email)
    await post.house.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("owner",)))
    browser = post.house.browser()
    await browser.sign_in(BOB)
    assert (await accept(browser, path)).status_code == 409
    assert await roles_of(post, BOB.email) == ("owner",)


async def test_H5_an_account_that_is_closed_accepts_nothing(post: Post) -> None:
    path = await path_for(post, BOB.email)
    await post.house.disable(BOB)
    assert "DW-439" in (await accept_as_new(post.house.browser(), path)).text
    assert (await post.house.browser().post("/invitation", {"token": token_in(path)})).status_code == 403


async def test_a_service_account_is_nobody_who_accepts(post: Post) -> None:
    path = await path_for(post, ROBOT.email)
    assert (await accept_as_new(post.house.browser(), path)).status_code == 403


async def test_H21_people_of_a_proven_domain_get_an_account_without_a_password(post: Post) -> None:
    await post.house.change(lambda tx: (put_provider(tx), put_proven_domain(tx, ACME, "new.test", provider_id=CORP.id)))
    path, browser = await path_for(post), post.house.browser()
    page = await browser.get(path)
    assert f"signs in with <strong>{CORP.name}</strong>" in page.text
    assert 'name="password"' not in page.text
    done = await accept(browser, path, name="Nina New")
    assert done.headers["location"] == "/sign-in"
    assert await who(browser) is None
    assert await roles_of(post, NINA) == ("viewer",)
    sent = {"email": NINA, "password": PASSWORD}
    assert (await browser.post("/sign-in", sent)).status_code == 422
    assert (await browser.post("/sign-in/reset", {"email": NINA})).status_code == 200
    assert await post.delivered() == []


async def test_H7_looking_at_the_link_uses_nothing(post: Post) -> None:
    path = await path_for(post)
    for _ in range(2):
        scanner = post.house.browser()
        assert (await scanner.client.head(path)).status_code == 200
        assert (await scanner.get(path)).headers.get_list("set-cookie") == []
    assert (await accept_as_new(post.house.browser(), path)).status_code == 303


async def test_H19_no_account_carries_an_address_that_nobody_has_proven(post: Post) -> None:
    # Eve knows that Nina will be invited. Whatever she sends, there is no account with Nina's address before Nina's click.
    eve = post.house.browser()
    for path, sent in (
        ("/sign-in", {"email": NINA, "password": PASSWORD}),
        ("/sign-in/reset", {"email": NINA}),
        ("/sign-in/link/ask", {"email": NINA}),
        ("/invitation", {"token": "", "email": NINA, "name": "Nina", "password": PASSWORD}),
    ):
        await eve.post(path, sent)
    assert await post.delivered() == []
    assert await post.house.database.read(lambda reader: accounts.user_by_email(reader, NINA)) is None
    assert (await accept_as_new(post.house.browser(), await path_for(post))).status_code == 303
    assert await who(eve) is None


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("\u202eNina", PASSWORD), ("x" * 65, PASSWORD), ("Nina", "short")]
)
async def test_what_is_wrong_is_said_at_the_field_and_the_rest_stays(post: Post, name: str, password: str) -> None:
    path = await path_for(post)
    refused = await accept(post.house.browser(), path, name=name, password=password)
    assert refused.status_code == 422
    assert 'aria-invalid="true"' in refused.text
    assert (await accept_as_new(post.house.browser(), path)).status_code == 303


@pytest.mark.parametrize(
    ("email", "roles", "words"),
    [("nina@new.test, eve@evil.example", ("viewer",), "mail can go to"), (CAROL.email, ("viewer",), "a member already"),
     (NINA, ("pope",), "not known here")],
)  # fmt: skip
async def test_H12_what_cannot_be_invited_is_told_and_sends_nothing(
    post: Post, email: str, roles: tuple[str, ...], words: str
) -> None:
    browser = post.house.browser()
    await browser.sign_in(ALICE)
    pairs = [("tenant", "acme"), ("email", email), *(("role", role) for role in roles)]
    refused = await browser.post("/settings/invitations", pairs)
    assert refused.status_code == 422
    assert words in refused.text
    assert f'value="{email}"' in refused.text
    assert await post.delivered() == []


async def test_M3_nobody_gives_more_than_they_have(post: Post) -> None:
    def prepare(tx: Transaction) -> None:
        permissions.put_role(tx, HELPER)
        permissions.set_membership(tx, ACME.id, BOB.id, ("helper",))

    await post.house.change(prepare)
    browser = post.house.browser()
    await browser.sign_in(BOB)

    async def ask(role: str) -> int:
        return (
            await browser.post("/settings/invitations", {"tenant": "acme", "email": NINA, "role": role})
        ).status_code

    assert [await ask("owner"), await ask("viewer")] == [403, 303]
    assert (await browser.post("/settings/invitations", {"tenant": "globex", "email": NINA})).status_code == 403
    assert (await browser.post("/settings/invitations", {"tenant": "nowhere", "email": NINA})).status_code == 403


async def test_H6_who_invites_does_not_learn_whether_the_address_has_an_account(post: Post) -> None:
    browser = post.house.browser()
    await browser.sign_in(ALICE)
    answers = []
    for email in (BOB.email, NINA):
        done = await browser.post("/settings/invitations", {"tenant": "acme", "email": email, "role": "viewer"})
        answers.append((done.status_code, done.headers["location"]))
    assert answers[0] == answers[1]
    page = (await browser.get("/settings/invitations")).text
    assert page.count("Waiting") == 2
    one, two = await post.delivered()
    assert re.sub(r"\S+@\S+|http\S+", "", one.text) == re.sub(r"\S+@\S+|http\S+", "", two.text)


async def test_an_administrator_sees_sends_again_and_takes_back_on_the_page(post: Post) -> None:
    browser = post.house.browser()
    await browser.sign_in(ALICE)
    assert "/settings/invitations" in (await browser.get("/settings/keys")).text
    await browser.post("/settings/invitations", {"tenant": "acme", "email": NINA, "role": "viewer"})
    first = link_path(await post.letter(), PUBLIC_URL)
    page = await browser.get("/settings/invitations?done=sent")
    assert NINA in page.text
    assert "dwl_" not in page.text
    form = form_of(page, "what")
    assert (await browser.post(form.action, {"tenant": "acme", "what": "resend"})).status_code == 303
    second = link_path(await post.letter(), PUBLIC_URL)
    assert "DW-433" in (await post.house.browser().get(first)).text
    assert (await browser.post(form.action, {"tenant": "acme", "what": "revoke"})).status_code == 303
    assert "DW-433" in (await post.house.browser().get(second)).text
    assert "DW-437" in (await browser.post(form.action, {"tenant": "acme", "what": "resend"})).text
    assert (await browser.post(f"{form.action}x", {"tenant": "acme", "what": "revoke"})).status_code == 404
    assert (await browser.post(form.action, {"tenant": "acme", "what": "other"})).status_code == 400
    member = post.house.browser()
    await member.sign_in(BOB)
    assert "/settings/invitations" not in (await member.get("/settings/keys")).text
    assert (await member.get("/settings/invitations")).status_code == 403
    assert (await member.post(form.action, {"tenant": "acme", "what": "revoke"})).status_code == 403


async def test_an_invitation_of_another_tenant_is_none(post: Post) -> None:
    sent = await invite(post)

    def elsewhere(tx: Transaction) -> None:
        permissions.set_membership(tx, GLOBEX.id, BOB.id, ("viewer",))
        permissions.put_role(
            tx, replace(HELPER, id=RoleId("r-g"), tenant_id=GLOBEX.id, name="all", permissions=("*:*",))
        )
        permissions.set_membership(tx, GLOBEX.id, BOB.id, ("all",))

    await post.house.change(elsewhere)
    browser = post.house.browser()
    await browser.sign_in(BOB)
    refused = await browser.post(f"/settings/invitations/{sent.invitation.id}", {"tenant": "globex", "what": "revoke"})
    assert refused.status_code == 404
    assert (await row(post, sent)).revoked_at is None


async def test_H23_who_has_not_proven_who_they_are_lately_is_asked_before_anybody_is_invited(post: Post) -> None:
    browser = post.house.browser()
    await browser.sign_in(ALICE)
    post.house.clock.forward(601)
    asked = await browser.post("/settings/invitations", {"tenant": "acme", "email": NINA, "role": "owner"})
    assert "to invite somebody" in asked.text
    assert await post.delivered() == []


async def test_one_address_is_invited_once_at_a_time(post: Post) -> None:
    await invite(post)
    browser = post.house.browser()
    await browser.sign_in(ALICE)
    refused = await browser.post("/settings/invitations", {"tenant": "acme", "email": NINA, "role": "viewer"})
    assert "invited already" in refused.text


async def test_without_mail_pages_invite_nobody(tmp_path: Any) -> None:
    async with opened_post(tmp_path, on=False) as silent:
        browser = silent.house.browser()
        await browser.sign_in(ALICE)
        assert "Mail is not set up" in (await browser.get("/settings/invitations")).text
        refused = await browser.post("/settings/invitations", {"tenant": "acme", "email": NINA, "role": "viewer"})
        assert refused.status_code == 409
        found = await silent.house.database.read_long(lambda reader: stored.invitations_of_tenant(reader, ACME.id))
        assert found == []

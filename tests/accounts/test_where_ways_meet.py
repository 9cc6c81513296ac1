"""Where two ways into an account, or two rules about them, meet: what one closes, no other one opens (E1; H5, H14, H21)."""

from dataclasses import replace

import pytest

from doorward.accounts import leaving, ways_in
from doorward.accounts.actors import Actor
from doorward.accounts.sessions import Came
from doorward.model import Fingerprint, Identity, User
from doorward.storage import accounts, events, identities, passkeys
from doorward.storage.database import Transaction
from support.held import hold_something, still_held
from support.mailing import Post, link_path
from support.pages import CAROL, Browser, House, filled, form_of
from support.rows import ACME, ALICE, BOB, NOW
from support.sign_in_rules import CORP, put_proven_domain, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
NEW = "seven quiet herons at noon"
INVITATIONS = "/settings/invitations"


async def takes(house: House, *methods: str) -> None:
    """Have Acme, which Alice owns, take only these ways."""
    await house.change(lambda tx: accounts.update_tenant(tx, replace(ACME, sign_in_methods=methods)))


async def came_by(house: House, means: str, user: User = ALICE) -> Browser:
    begun = await house.change(
        lambda tx: house.entering.begin(tx, user.id, Came(cause=None), means=means, now=house.clock())
    )
    assert begun is not None
    browser = house.browser()
    browser.client.cookies.set(house.cookies.session_name, begun.cookie_text, domain="mcp.acme.example", path="/")
    return browser


async def test_H5_nobody_invites_into_a_tenant_that_does_not_take_their_way(post: Post) -> None:
    await takes(post.house, "corp")
    wanted = {"tenant": "acme", "email": "eve@evil.example", "role": "viewer"}
    by_link, by_password = await came_by(post.house, "link"), await came_by(post.house, "password")
    for answer in (await by_link.get(INVITATIONS), await by_link.post(INVITATIONS, wanted)):
        assert (answer.status_code, "DW-449" in answer.text) == (403, True)
    assert await post.delivered() == []
    assert (await by_password.post(INVITATIONS, wanted)).status_code == 303
    assert len(await post.delivered()) == 1


@pytest.mark.parametrize("methods", [("corp",), ("corp", "passkey")])
async def test_H14_an_owners_glass_is_not_broken_by_a_password_that_came_by_mail(
    post: Post, methods: tuple[str, ...]
) -> None:
    browser = post.house.browser()
    await browser.post("/sign-in/reset", {"email": ALICE.email})
    before = link_path(await post.letter(), post.house.public_url)
    await takes(post.house, *methods)
    assert (await browser.get(before)).status_code == 403
    assert (await browser.post("/sign-in/reset", {"email": ALICE.email})).status_code == 200
    assert await post.delivered() == []
    by_link = await came_by(post.house, "link")
    refused = await by_link.post("/settings/security/password", {"new": NEW, "again": NEW})
    assert (refused.status_code, "DW-449" in refused.text) == (403, True)
    assert (await browser.sign_in(ALICE, NEW)).status_code == 422


@pytest.mark.parametrize("methods", [("link",), ("password",)])
async def test_a_password_comes_by_mail_where_the_tenant_takes_either(post: Post, methods: tuple[str, ...]) -> None:
    await takes(post.house, *methods)
    browser = post.house.browser()
    await browser.post("/sign-in/reset", {"email": ALICE.email})
    page = await browser.get(link_path(await post.letter(), post.house.public_url))
    assert (
        await browser.post("/sign-in/reset/new", filled(form_of(page, "password"), password=NEW))
    ).status_code == 200
    assert (await browser.sign_in(ALICE, NEW)).status_code == 303


async def test_an_owner_past_the_ways_of_their_tenant_is_written_down(house: House) -> None:
    await takes(house, "corp")
    for means in ("password", "link"):
        await came_by(house, means)
    found = await house.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 9))
    (event,) = [each for each in found if each.name == "session:broke_glass"]
    assert event.detail == {"means": "password", "takes": "corp"}


async def test_H21_a_new_address_from_before_the_rule_leads_nobody_out_of_it(post: Post) -> None:
    browser = await came_by(post.house, "password")
    await browser.post("/settings/email", {"email": "alice@private.test"})
    path = link_path(await post.letter(), post.house.public_url)
    await post.house.change(
        lambda tx: (put_provider(tx), put_proven_domain(tx, ACME, "acme.test", provider_id=CORP.id))
    )
    for means in ("password", ways_in.through(CORP.id)):
        assert (await (await came_by(post.house, means)).get(path)).status_code == 410


async def test_an_undone_change_of_address_leaves_the_thief_no_way_in(post: Post) -> None:
    thief = await came_by(post.house, "password")
    await thief.post("/settings/email", {"email": "alice@evil.example"})
    page = await thief.get(link_path(await post.letter(), post.house.public_url))
    assert (await thief.post("/settings/email/confirm", filled(form_of(page, "token")))).status_code == 303
    own = Identity(
        issuer=CORP.issuer, subject="thief", user_id=ALICE.id, provider_id=CORP.id, created_at=NOW, last_used_at=NOW
    )

    def add(tx: Transaction) -> None:
        put_provider(tx)
        identities.insert_identity(tx, own)
        passkeys.replace_recovery_codes(tx, ALICE.id, [Fingerprint("thief")], NOW)
        hold_something(tx, ALICE)

    await post.house.change(add)
    owner = post.house.browser()
    page = await owner.get(link_path(await post.letter(), post.house.public_url))
    assert (await owner.post("/sign-in/undo", filled(form_of(page, "password"), password=NEW))).status_code == 200
    assert await post.house.database.read(lambda reader: identities.identities_of_user(reader, ALICE.id)) == []
    assert await post.house.database.read(lambda reader: passkeys.recovery_codes_left(reader, ALICE.id)) == 0
    assert await post.house.database.read(lambda reader: still_held(reader, ALICE)) == []


async def test_E2_who_was_deactivated_and_activated_has_no_link_from_before(post: Post) -> None:
    browser = post.house.browser()
    paths = []
    for kind in ("/sign-in/reset", "/sign-in/link/ask"):
        await browser.post(kind, {"email": BOB.email})
        paths.append(link_path(await post.letter(), post.house.public_url))
    operator = Actor(user_id=None, by="test", cause=None)
    for change in (leaving.deactivate, leaving.activate):
        await post.house.change(lambda tx, change=change: change(tx, BOB.id, operator, now=post.house.clock()))
    assert [(await browser.get(path)).status_code for path in paths] == [410, 410]
    assert (await post.house.browser().sign_in(BOB)).status_code == 303


async def test_M3_what_goes_by_mail_is_sealed_in_its_queue_and_in_no_event(post: Post) -> None:
    await post.house.browser().post("/sign-in/reset", {"email": CAROL.email})
    dumped = await post.house.database.read_long(lambda reader: repr(events.recent_events(reader, None, 50)))
    letter = await post.letter()
    secret = letter.url.partition("token=")[2]
    assert secret
    assert secret not in dumped

"""Who may come in by which way: proven mail domains, tenants that choose, and providers that are switched off."""

from dataclasses import replace

import pytest

from doorward.accounts import sessions, ways_in
from doorward.accounts.sessions import Came
from doorward.model import ProviderId, Status, User, UserId
from doorward.storage import accounts, events, mail_domains, permissions
from doorward.storage.database import Conflict, Transaction
from support.mailing import Post, link_path
from support.pages import CAROL, FINGERPRINTER, PASSWORD, House, form_of
from support.rows import ACME, ALICE, GLOBEX, NOW
from support.sign_in_rules import CORP, put_proven_domain, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]

DAN = User(id=UserId("u-dan"), email="dan@acme.test", name="Dan", created_at=NOW)
BY_CORP = ways_in.through(CORP.id)


async def enforce(house: House, *, tenant: str = "acme") -> None:
    """Have everybody of acme.test come through Corp SSO. Alice owns Acme, Dan is a viewer there."""
    hashed = await house.passwords.hash(PASSWORD)

    def put(tx: Transaction) -> None:
        accounts.insert_user(tx, DAN, hashed)
        permissions.set_membership(tx, ACME.id, DAN.id, ("viewer",))
        put_provider(tx)
        owner = ACME if tenant == "acme" else GLOBEX
        put_proven_domain(tx, owner, "acme.test", provider_id=CORP.id)

    await house.database.write(put)


async def begin(house: House, user: User, means: str) -> str | None:
    """Try to come in; return the cookie's text, None where the way is closed."""
    begun = await house.database.write(
        lambda tx: house.entering.begin(tx, user.id, Came(cause=None), means=means, now=house.clock())
    )  # fmt: skip
    return None if begun is None else begun.cookie_text


async def alive(house: House, cookie: str | None) -> bool:
    return (
        await house.database.read(
            lambda reader: sessions.session_user(reader, cookie, fingerprinter=FINGERPRINTER, now=house.clock())
        )
        is not None
    )


@pytest.mark.parametrize("typed", ["dan@acme.test", "nobody@acme.test"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
async def test_H6_people_of_a_proven_domain_are_sent_to_their_provider_whatever_they_typed(
    house: House, typed: str, password: str
) -> None:
    await enforce(house)
    response = await house.browser().post("/sign-in", {"email": typed, "password": password})
    assert response.status_code == 422
    assert "Your organisation signs in with Corp SSO" in response.text
    assert {field.name: field.value for field in form_of(response, "password").fields}["email"] == typed
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("means", ["password", "link", "passkey", "whatever comes later"])
async def test_H5_every_way_but_the_provider_is_closed_to_a_member(house: House, means: str) -> None:
    await enforce(house)
    assert await begin(house, DAN, means) is None
    assert await alive(house, await begin(house, DAN, BY_CORP))


async def test_H5_another_provider_is_not_the_one_that_the_domain_comes_through(house: House) -> None:
    await enforce(house)
    other = replace(CORP, id=ProviderId("idp_other"), slug="other", issuer="https://other.example")
    await house.database.write(lambda tx: put_provider(tx, other))
    assert await begin(house, DAN, ways_in.through(other.id)) is None


async def test_owners_keep_password_and_passkey_but_no_link_and_it_is_written_down(house: House) -> None:
    await enforce(house)
    assert (await house.browser().sign_in()).status_code == 303
    assert await begin(house, ALICE, "passkey") is not None
    assert await begin(house, ALICE, "link") is None
    names = [each.name for each in await house.database.read_long(lambda r: events.recent_events(r, None, 50))]
    assert names.count("session:broke_glass") == 2


async def test_an_owner_of_another_tenant_breaks_no_glass(house: House) -> None:
    await enforce(house, tenant="globex")
    assert await begin(house, ALICE, "password") is None


async def test_a_session_by_a_way_that_was_closed_meanwhile_ends_at_its_next_page(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(CAROL)
    assert (await browser.get("/settings/keys")).status_code == 200
    await house.database.write(
        lambda tx: (put_provider(tx), put_proven_domain(tx, GLOBEX, "acme.test", provider_id=CORP.id))
    )
    assert (await browser.get("/settings/keys")).status_code == 303
    await house.database.write(lambda tx: mail_domains.remove_domain(tx, GLOBEX.id, "acme.test"))
    assert (await browser.get("/settings/keys")).status_code == 200


async def test_H21_a_provider_that_is_switched_off_ends_its_sessions_and_opens_no_other_way(house: House) -> None:
    await enforce(house)
    cookie = await begin(house, DAN, BY_CORP)
    await house.database.write(lambda tx: put_provider(tx, replace(CORP, status=Status.DISABLED)))
    assert not await alive(house, cookie)
    for means in (*ways_in.WORDS, BY_CORP):
        assert await begin(house, DAN, means) is None


async def test_a_domain_that_is_only_claimed_has_no_effect(house: House) -> None:
    await enforce(house)
    proven = await house.database.read(lambda reader: mail_domains.proven_domain(reader, "acme.test"))
    assert proven is not None
    claimed = replace(proven, proven_at=None, proven_by=None)
    await house.database.write(lambda tx: mail_domains.remove_domain(tx, ACME.id, "acme.test"))
    await house.database.write(lambda tx: mail_domains.insert_domain(tx, claimed))
    assert await begin(house, DAN, "password") is not None


async def test_a_domain_of_a_disabled_tenant_has_no_effect(house: House) -> None:
    await enforce(house, tenant="globex")
    await house.database.write(lambda tx: accounts.update_tenant(tx, replace(GLOBEX, status=Status.DISABLED)))
    assert await begin(house, DAN, "password") is not None


async def test_two_tenants_may_claim_a_domain_and_one_proves_it(house: House) -> None:
    await house.database.write(lambda tx: put_proven_domain(tx, ACME, "acme.test"))
    with pytest.raises(Conflict):
        await house.database.write(lambda tx: put_proven_domain(tx, GLOBEX, "acme.test"))


async def test_a_subdomain_or_a_longer_name_is_another_domain(house: House) -> None:
    await enforce(house)
    for email in ("dan@mail.acme.test", "dan@notacme.test", "acme.test", "dan@acme.test.evil.example"):
        assert await house.database.read(lambda reader, each=email: ways_in.provider_of(reader, each)) is None


@pytest.mark.parametrize("person", [DAN, ALICE], ids=["a member", "an owner"])
@pytest.mark.parametrize("path", ["/sign-in/reset", "/sign-in/link/ask"])
async def test_H5_nobody_of_the_domain_gets_a_link_or_a_new_password_by_mail(
    post: Post, path: str, person: User
) -> None:
    await enforce(post.house)
    other = await post.house.browser().post(path, {"email": "nobody@elsewhere.example"})
    asked = await post.house.browser().post(path, {"email": person.email})
    assert asked.status_code == other.status_code == 200
    assert await post.delivered() == []


async def test_H5_a_link_from_before_the_rule_gives_no_password_after_it(post: Post) -> None:
    await post.house.browser().post("/sign-in/reset", {"email": ALICE.email})
    path = link_path(await post.letter(), post.house.public_url)
    await enforce(post.house)
    assert (await post.house.browser().get(path)).status_code == 403

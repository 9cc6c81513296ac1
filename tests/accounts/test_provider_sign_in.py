"""Signing in through an identity provider that keeps to the protocol, and through some that do not (E1; G7, H3, H15 to H19)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from doorward.accounts.http.provider_pages import PER_MINUTE
from doorward.model import Fingerprint, Identity, Passkey, ProviderId, Status, User
from doorward.storage import accounts, events, identities, mail_domains, passkeys, permissions
from doorward.web.fetch import Fetcher
from support.assertions import EC, STRANGER, KeyPair, signed_with_the_public_key, unsigned
from support.held import hold_something, still_held
from support.https_server import HOST, HttpsServer, https_server, trust
from support.identity_provider import SUBJECT, Idp
from support.pages import CAROL, PASSWORD, Browser, Clock, House, form_of, opened_house
from support.rows import ACME, ALICE, BOB, NOW
from support.sign_in_rules import put_proven_domain

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
PROFILE = "/settings/profile"
START = "/sign-in/with/corp"


@dataclass
class Street:
    """A house, and a provider that it sends people to."""

    house: House
    idp: Idp
    server: HttpsServer
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.house.browser()

    async def sent(self, browser: Browser | None = None, *, target: str = PROFILE, slug: str = "corp") -> str:
        """Press the button; return where the browser is sent."""
        response = await (browser or self.browser).post(f"/sign-in/with/{slug}", {"next": target})
        assert response.status_code == 303, response.text
        return response.headers["location"]

    async def come(self, browser: Browser | None = None, **answer: str) -> httpx2.Response:
        """Press the button, sign in there and come back."""
        back = self.idp.approve(await self.sent(browser), **answer)
        return await (browser or self.browser).get(back)

    async def connected(self, user: User = ALICE, subject: str = SUBJECT, provider: str = "idp_corp") -> None:
        """Have the subject be this user's."""
        tied = Identity(
            issuer=self.idp.issuer, subject=subject, user_id=user.id, provider_id=ProviderId(provider),
            created_at=NOW, last_used_at=NOW,
        )  # fmt: skip
        await self.house.database.write(lambda tx: identities.insert_identity(tx, tied))

    async def identities(self, user: User = ALICE) -> list[str]:
        found = await self.house.database.read(lambda reader: identities.identities_of_user(reader, user.id))
        return [each.subject for each in found]

    async def events(self) -> list[str]:
        found = await self.house.database.read_long(lambda reader: events.recent_events(reader, None, 50))
        return [each.name for each in found]

    async def redeclare(self, **more: Any) -> None:
        await self.house.database.write(lambda tx: self.idp.declare(tx, **more))


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def signed_in(response: httpx2.Response) -> bool:
    return response.status_code == 303 and any(
        each.startswith("__Host-doorward_session=dws_") for each in response.headers.get_list("set-cookie")
    )


def refused(response: httpx2.Response, code: str, status: int) -> None:
    assert response.status_code == status, (response.status_code, response.headers.get("location"), response.text)
    assert code in response.text
    assert "doorward_session" not in str(response.headers.get_list("set-cookie"))


def fetcher(clock: Clock) -> Fetcher:
    return Fetcher(
        now=clock, resolver=lambda *_: ["127.0.0.1"], tls=trust(HOST)[1], allow_loopback=True, deadline=2, per_minute=500
    )  # fmt: skip


@asynccontextmanager
async def built(folder: Path, url: str) -> AsyncIterator[Street]:
    clock = Clock()
    async with (
        opened_house(folder, url=url, clock=clock, fetcher=fetcher(clock)) as house,
        https_server(trust(HOST)[0]) as server,
    ):
        street = Street(house, Idp(server, clock), server)
        await street.redeclare()
        yield street


@pytest.fixture
async def either(tmp_path: Path, url: str) -> AsyncIterator[Street]:
    """On both databases."""
    async with built(tmp_path, url) as street:
        yield street


@pytest.fixture
async def street(tmp_path: Path, sqlite_url: str) -> AsyncIterator[Street]:
    async with built(tmp_path, sqlite_url) as street:
        yield street


async def test_a_person_comes_in_by_the_account_that_is_theirs(either: Street) -> None:
    await either.connected()
    page = await either.browser.get("/sign-in", params={"next": PROFILE})
    assert "Continue with Corp SSO" in page.text
    assert form_of(page, "next").action == START
    response = await either.come()
    assert signed_in(response)
    assert response.headers["location"] == PROFILE
    assert (await either.browser.get(PROFILE)).status_code == 200
    asked = either.idp.asked[-1]
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{either.house.public_url}{START}/callback"
    assert len(asked["state"]) == len(asked["nonce"]) == 43
    assert asked["scope"] == "openid email profile"
    assert "session:started" in await either.events()


@pytest.mark.parametrize("pair", [EC, KeyPair(Idp.pair.key, "PS256"), Idp.pair], ids=["ES256", "PS256", "RS256"])
async def test_the_usual_ways_to_sign_an_id_token_are_taken(street: Street, pair: KeyPair) -> None:
    street.idp.pair = pair
    await street.connected()
    assert signed_in(await street.come())


async def test_a_key_that_followed_another_is_fetched_once(street: Street) -> None:
    await street.connected()
    assert signed_in(await street.come())
    street.idp.kid, street.idp.pair = "k2", EC
    street.house.clock.forward(90)
    assert signed_in(await street.come(street.house.browser()))
    assert sum(" /jwks " in head for head in street.server.requests) == 2


@pytest.mark.parametrize(
    "query", ["", "?state=", "?code=c", "?code=code-1&state=made-up", "?error=access_denied&state=x"]
)
async def test_H15_an_answer_to_nothing_is_refused(street: Street, query: str) -> None:
    await street.connected()
    street.idp.approve(await street.sent())
    refused(await street.browser.get(f"{START}/callback{query}"), "DW-441", 400)
    assert not any(" /token " in head for head in street.server.requests)


async def test_H15_a_state_is_good_once_whatever_came_of_it(either: Street) -> None:
    await either.connected()
    back = either.idp.approve(await either.sent())
    answers = await asyncio.gather(*(either.browser.get(back) for _ in range(8)))
    assert sum(map(signed_in, answers)) == 1
    for answer in answers:
        if not signed_in(answer):
            refused(answer, "DW-441", 400)
    denied = either.idp.approve(await either.sent(), code="", error="access_denied")
    refused(await either.browser.get(denied), "DW-442", 400)
    refused(await either.browser.get(denied.replace("error=access_denied", "code=code-2")), "DW-441", 400)


async def test_H3_G7_an_answer_that_was_handed_to_another_browser_signs_nobody_in(street: Street) -> None:
    await street.connected()
    back = street.idp.approve(await street.sent())
    refused(await street.house.browser().get(back), "DW-441", 403)
    other = street.house.browser()
    await street.sent(other)
    refused(await other.get(back), "DW-441", 400)
    assert signed_in(await street.browser.get(back)), "and the right browser has lost nothing by it"


async def test_H3_no_other_site_sends_a_person_off_to_sign_in(street: Street) -> None:
    for site in ("cross-site", "same-site", "none"):
        assert (await street.browser.post(START, {"next": "/"}, site=site)).status_code == 403
    assert (await street.browser.get(START)).status_code == 405


async def test_H15_an_answer_after_ten_minutes_is_refused(street: Street) -> None:
    await street.connected()
    back = street.idp.approve(await street.sent())
    street.house.clock.forward(601)
    refused(await street.browser.get(back), "DW-441", 400)


async def test_H15_a_code_of_somebody_elses_sign_in_is_refused_by_its_verifier(street: Street) -> None:
    await street.connected()
    victims = street.house.browser()
    stolen = parse_qs(urlsplit(street.idp.approve(await street.sent(victims))).query)["code"][0]
    back = street.idp.approve(await street.sent())
    refused(await street.browser.get(back.replace("code=code-2", f"code={stolen}")), "DW-444", 400)
    assert street.idp.refused == ["verifier"]


async def test_H15_a_code_that_was_injected_brings_a_token_with_another_nonce(street: Street) -> None:
    await street.connected()
    street.idp.changed = {"nonce": "of-another-sign-in"}
    refused(await street.come(), "DW-444", 400)


HOUR = 3600
SECONDS = NOW // 1_000_000


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"aud": []},
        {"aud": ["doorward", "another"]}, {"aud": ["doorward", "another"], "azp": "another"}, {"azp": "another"},
        {"exp": SECONDS - 60}, {"exp": None}, {"exp": "never"}, {"iat": SECONDS + HOUR}, {"iat": SECONDS - 2 * HOUR},
        {"iat": None}, {"nbf": SECONDS + HOUR}, {"nonce": None}, {"sub": None}, {"sub": ""}, {"sub": 7},
        {"sub": "x" * 256}, {"sub": "a\nb"}, {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=str,
)  # fmt: skip
async def test_H16_an_id_token_that_is_not_the_answer_to_our_request_is_refused(
    street: Street, changed: dict[str, Any]
) -> None:
    await street.connected()
    street.idp.changed = changed
    refused(await street.come(), "DW-444", 400)


async def test_H16_more_than_one_audience_is_taken_where_the_token_says_it_is_for_us(street: Street) -> None:
    await street.connected()
    street.idp.changed = {"aud": ["another", "doorward"], "azp": "doorward"}
    assert signed_in(await street.come())


@pytest.mark.parametrize("how", ["none", "none without a signature", "HS256", "stranger", "cut", "at+jwt", "no kid"])
async def test_H16_an_id_token_that_is_not_signed_by_the_provider_is_refused(street: Street, how: str) -> None:
    await street.connected()
    pair = street.idp.pair
    street.idp.sign = {
        "none": unsigned,
        "none without a signature": lambda claims: f"{unsigned(claims).rpartition('.')[0]}.",
        "HS256": lambda claims: signed_with_the_public_key(claims, pair),
        # The key id is right: of another provider whose key it is not.
        "stranger": lambda claims: STRANGER.sign(claims, kid="k1"),
        "cut": lambda claims: pair.sign(claims, kid="k1")[:-8],
        "at+jwt": lambda claims: pair.sign(claims, kid="k1", typ="at+jwt"),
        "no kid": STRANGER.sign,
    }[how]
    refused(await street.come(), "DW-444", 400)


async def test_H16_a_key_says_by_which_algorithm_it_signs(street: Street) -> None:
    await street.connected()
    public = street.idp.pair.public("k1") | {"use": "sig", "alg": "RS256"}
    pss = KeyPair(street.idp.pair.key, "PS256")
    street.idp.sign = lambda claims: pss.sign(claims, kid="k1")
    street.idp.pair = _Publishing(pss.key, "PS256", public)
    refused(await street.come(), "DW-444", 400)


class _Publishing(KeyPair):
    def __init__(self, key: Any, algorithm: str, shown: dict[str, str]) -> None:
        super().__init__(key, algorithm)
        object.__setattr__(self, "shown", shown)

    def public(self, kid: str | None = None) -> dict[str, str]:  # noqa: ARG002
        shown: dict[str, str] = self.shown  # type: ignore[attr-defined]
        return shown


async def test_H17_an_answer_that_names_another_issuer_is_refused_before_its_code_goes_anywhere(street: Street) -> None:
    await street.connected()
    refused(await street.come(iss="https://other.example"), "DW-444", 400)
    assert not any(" /token " in head for head in street.server.requests)
    assert signed_in(await street.come(iss=street.idp.issuer))


async def test_H17_a_provider_that_names_itself_is_not_believed_without_its_name(street: Street) -> None:
    await street.connected()
    street.idp.metadata = {"authorization_response_iss_parameter_supported": True}
    refused(await street.come(), "DW-444", 400)
    assert signed_in(await street.come(iss=street.idp.issuer))


async def test_H17_an_answer_of_one_provider_is_not_taken_at_another(street: Street) -> None:
    await street.connected()
    async with https_server(trust(HOST)[0]) as second:
        other = Idp(second, street.house.clock, slug="other")
        await street.house.database.write(other.declare)
        back = street.idp.approve(await street.sent())
        refused(await street.browser.get(back.replace("/corp/", "/other/")), "DW-441", 400)
        assert second.requests == [], "no code of one goes to the other"
        assert street.idp.asked[-1]["redirect_uri"] != other.approve(await street.sent(slug="other"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"}, {"issuer": None}, {"token_endpoint": "http://127.0.0.1/token"},
        {"jwks_uri": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": ["https://a.example/"]},
    ],
    ids=str,
)  # fmt: skip
async def test_H17_a_discovery_document_that_is_not_the_providers_own_leads_nowhere(
    street: Street, metadata: dict[str, Any]
) -> None:
    street.idp.metadata = metadata
    response = await street.browser.post(START, {"next": "/"})
    refused(response, "DW-443", 503)
    assert "retry-after" in response.headers


VERIFIED = {"email": ALICE.email, "email_verified": True}


@pytest.mark.parametrize(
    "told",
    [VERIFIED, {"email": ALICE.email}, {"email": ALICE.email, "email_verified": False},
     {"email": ALICE.email, "email_verified": "true"}, {"email": ALICE.email, "email_verified": "false"},
     {"email": ALICE.email, "email_verified": 1}, {"email": ALICE.email.upper(), "email_verified": True}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("domains", [(), ("acme.test",)], ids=["any provider", "the domain's provider"])
async def test_H18_nobody_with_credentials_is_taken_over_by_a_mail_address(
    street: Street, told: dict[str, Any], domains: tuple[str, ...]
) -> None:
    await street.redeclare(domains=domains)
    street.idp.person |= told
    refused(await street.come(), "DW-445", 403)
    assert await street.identities() == []
    assert "session:refused" in await street.events()


async def _without_password(street: Street, user: User) -> None:
    await street.house.database.write(lambda tx: accounts.drop_password(tx, user.id))


@pytest.mark.parametrize("told", [False, "true", "false", 1, "yes", None])
async def test_H18_only_true_is_verified(street: Street, told: object) -> None:
    await street.redeclare(domains=("acme.test",))
    await _without_password(street, ALICE)
    street.idp.person |= {"email": ALICE.email} | ({} if told is None else {"email_verified": told})
    refused(await street.come(), "DW-445", 403)


async def test_H18_a_provider_that_speaks_for_other_domains_proves_nothing(street: Street) -> None:
    await _without_password(street, ALICE)
    for domains in ((), ("test",), ("mail.acme.test", "notacme.test"), ("acme.test.evil.example",)):
        await street.redeclare(domains=domains)
        street.idp.person |= VERIFIED
        refused(await street.come(), "DW-445", 403)


async def test_H18_somebody_who_was_only_written_down_is_connected_by_a_proven_address(either: Street) -> None:
    await either.redeclare(domains=("acme.test",))
    await _without_password(either, ALICE)
    either.idp.person |= VERIFIED
    browsers = [either.house.browser() for _ in range(4)]
    answers = await asyncio.gather(*(either.come(browser) for browser in browsers))
    assert all(map(signed_in, answers)), "also of four at once"
    assert await either.identities() == [SUBJECT]
    either.idp.person |= {"email": "someone@else.example", "email_verified": False}
    assert signed_in(await either.come(either.house.browser())), "the subject stays the person, whatever the address"
    either.idp.person |= {"sub": "subject-2", **VERIFIED}
    refused(await either.come(either.house.browser()), "DW-445", 403)


async def test_H18_somebody_with_a_passkey_alone_has_a_credential_too(street: Street) -> None:
    await street.redeclare(domains=("acme.test",))
    await _without_password(street, ALICE)
    own = Passkey(
        id="pk_1", user_id=ALICE.id, credential_id="c", public_key="k", sign_count=0, name="Mine", created_at=NOW
    )
    await street.house.database.write(lambda tx: passkeys.insert_passkey(tx, own))
    street.idp.person |= VERIFIED
    refused(await street.come(), "DW-445", 403)
    assert await street.identities() == []


async def test_H18_two_providers_with_the_same_address_are_two_identities(street: Street) -> None:
    await street.redeclare(domains=("acme.test",))
    await _without_password(street, ALICE)
    street.idp.person |= VERIFIED
    assert signed_in(await street.come())
    async with https_server(trust(HOST)[0]) as second:
        other = Idp(second, street.house.clock, slug="other", person=dict(street.idp.person))
        await street.house.database.write(lambda tx: other.declare(tx, domains=("acme.test",)))
        browser = street.house.browser()
        back = other.approve(await street.sent(browser, slug="other"))
        refused(await browser.get(back), "DW-445", 403)


async def test_H19_a_password_that_stood_there_before_the_domains_provider_is_dropped(street: Street) -> None:
    provider = await street.house.database.write(lambda tx: street.idp.declare(tx, domains=("acme.test",)))
    await street.house.database.write(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    await street.house.database.write(lambda tx: put_proven_domain(tx, ACME, "acme.test", provider_id=provider.id))
    street.idp.person |= {"email": BOB.email, "email_verified": True}
    assert signed_in(await street.come())
    assert await street.house.database.read(lambda reader: accounts.password_hash(reader, BOB.id)) is None
    assert (await street.house.browser().sign_in(BOB)).status_code == 422


async def ruled(street: Street) -> None:
    """Have everybody of acme.test, and Bob among them, come through Corp; he is a member of Acme."""
    provider = await street.house.database.write(lambda tx: street.idp.declare(tx, domains=("acme.test",)))
    await street.house.database.write(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    await street.house.database.write(lambda tx: put_proven_domain(tx, ACME, "acme.test", provider_id=provider.id))
    street.idp.person |= {"email": BOB.email, "email_verified": True}


async def test_H19_nothing_that_stood_there_before_opens_anything_when_the_rule_ends(street: Street) -> None:
    before = street.house.browser()
    await before.sign_in(BOB)
    foreign = Identity(
        issuer="https://elsewhere.example", subject="impostor", user_id=BOB.id, provider_id=ProviderId("idp_corp"),
        created_at=NOW, last_used_at=NOW,
    )  # fmt: skip
    await ruled(street)
    await street.house.database.write(lambda tx: identities.insert_identity(tx, foreign))
    await street.house.database.write(lambda tx: hold_something(tx, BOB))
    assert len(await street.house.database.read(lambda reader: still_held(reader, BOB))) == 2
    await street.house.database.write(
        lambda tx: passkeys.replace_recovery_codes(tx, BOB.id, [Fingerprint("code")], NOW)
    )
    assert signed_in(await street.come())
    await street.house.database.write(lambda tx: mail_domains.remove_domain(tx, ACME.id, "acme.test"))
    assert await street.identities(BOB) == [SUBJECT]
    assert await street.house.database.read(lambda reader: passkeys.recovery_codes_left(reader, BOB.id)) == 0
    assert (await before.get(PROFILE)).status_code == 303, "the session from before is over"
    assert await street.house.database.read(lambda reader: still_held(reader, BOB)) == []
    assert "user:taken_over" in await street.events()
    assert await street.house.database.read(lambda reader: permissions.is_member(reader, ACME.id, BOB.id)), "roles stay"


async def test_H18_an_address_that_is_somebody_elses_by_now_is_not_the_same_person(street: Street) -> None:
    await ruled(street)
    assert signed_in(await street.come())
    street.idp.person |= {"sub": "who-came-after"}
    refused(await street.come(street.house.browser()), "DW-445", 403)
    assert await street.identities(BOB) == [SUBJECT]


async def test_H19_an_owner_who_may_break_the_glass_connects_it_themselves(street: Street) -> None:
    provider = await street.house.database.write(lambda tx: street.idp.declare(tx, domains=("acme.test",)))
    await street.house.database.write(lambda tx: put_proven_domain(tx, ACME, "acme.test", provider_id=provider.id))
    street.idp.person |= VERIFIED
    refused(await street.come(), "DW-445", 403)
    assert await street.house.database.read(lambda reader: accounts.password_hash(reader, ALICE.id)) is not None


@pytest.mark.parametrize("userinfo", [{"sub": "somebody-else"}, {}, {"sub": None}])
async def test_H16_userinfo_about_another_subject_is_refused(street: Street, userinfo: dict[str, Any]) -> None:
    await street.redeclare(domains=("acme.test",))
    await _without_password(street, ALICE)
    street.idp.userinfo = VERIFIED | userinfo
    refused(await street.come(), "DW-444", 400)


async def test_an_address_that_only_userinfo_tells_counts_as_well(street: Street) -> None:
    await street.redeclare(domains=("acme.test",))
    await _without_password(street, ALICE)
    # What the ID token says of the address is not mixed with what userinfo says of it.
    street.idp.person |= {"email": "mallory@acme.test"}
    street.idp.userinfo = {"sub": SUBJECT, **VERIFIED}
    assert signed_in(await street.come())
    assert await street.identities() == [SUBJECT]


async def test_who_is_unknown_joins_where_the_domains_tenant_wants_that(either: Street) -> None:
    provider = await either.house.database.write(lambda tx: either.idp.declare(tx, domains=("acme.test",)))
    await either.house.database.write(
        lambda tx: put_proven_domain(tx, ACME, "acme.test", provider_id=provider.id, join_role="viewer")
    )
    either.idp.person |= {"email": "erin@acme.test", "email_verified": True}
    browsers = [either.house.browser() for _ in range(4)]
    assert all(map(signed_in, await asyncio.gather(*map(either.come, browsers))))
    found = await either.house.database.read(lambda reader: accounts.user_by_email(reader, "erin@acme.test"))
    assert found is not None
    assert found.name == "Erin Example"
    theirs = await either.house.database.read(lambda reader: accounts.memberships_of_user(reader, found.id))
    assert [(tenant.slug, membership.roles) for tenant, membership in theirs] == [("acme", ("viewer",))]
    assert (await either.events()).count("user:joined") == 1


@pytest.mark.parametrize(
    "wrong", ["nobody wants it", "not proven", "another provider", "role is gone", "tenant takes others"]
)
async def test_who_is_unknown_is_refused_otherwise(street: Street, wrong: str) -> None:
    house = street.house
    provider = await house.database.write(lambda tx: street.idp.declare(tx, domains=("acme.test",)))
    rules: dict[str, Any] = {"provider_id": provider.id, "join_role": "viewer"}
    rules |= {"nobody wants it": {"join_role": None}, "role is gone": {"join_role": "gone"}}.get(wrong, {})
    if wrong == "another provider":
        other = replace(provider, id=ProviderId("idp_x"), slug="x")
        await house.database.write(lambda tx: Idp.declare(replace(street.idp, slug="x"), tx))
        rules["provider_id"] = other.id
    if wrong != "not proven":
        await house.database.write(lambda tx: put_proven_domain(tx, ACME, "acme.test", **rules))
    if wrong == "tenant takes others":
        await house.database.write(lambda tx: accounts.update_tenant(tx, replace(ACME, sign_in_methods=("password",))))
    street.idp.person |= {"email": "erin@acme.test", "email_verified": True}
    refused(await street.come(), "DW-445", 403)
    assert await house.database.read(lambda reader: accounts.user_by_email(reader, "erin@acme.test")) is None


@pytest.mark.parametrize("when", ["before", "between"])
async def test_H21_a_provider_that_is_switched_off_takes_nobody(street: Street, when: str) -> None:
    await street.connected()
    back = street.idp.approve(await street.sent()) if when == "between" else ""
    await street.redeclare(status=Status.DISABLED)
    assert "Continue with" not in (await street.browser.get("/sign-in")).text
    if back:
        refused(await street.browser.get(back), "DW-440", 404)
    refused(await street.browser.post(START, {"next": "/"}), "DW-440", 404)


async def test_H5_a_disabled_user_gets_no_session_by_a_provider(street: Street) -> None:
    await street.connected(CAROL)
    await street.house.disable(CAROL)
    refused(await street.come(), "DW-445", 403)


async def test_H13_a_person_is_sent_on_to_a_path_of_ours_and_nowhere_else(street: Street) -> None:
    await street.connected()
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/sign-in?next=/x"):
        back = street.idp.approve(await street.sent(target=target))
        assert (await street.browser.get(back)).headers["location"] == "/"


async def test_a_request_that_waits_survives_the_way_there_and_back(street: Street) -> None:
    await street.connected()
    target = "/oauth/consent?request=" + "A" * 12_000
    back = street.idp.approve(await street.sent(target=target))
    assert len(back) < 300, "it travels in a row, not in the state"
    assert (await street.browser.get(back)).headers["location"] == target


async def test_a_provider_that_is_away_is_told_as_such_and_nothing_is_lost(street: Street) -> None:
    await street.connected()
    back = street.idp.approve(await street.sent())
    street.idp.status = "503 Service Unavailable"
    refused(await street.browser.get(back), "DW-443", 503)
    street.idp.status = "200 OK"
    street.house.clock.forward(5)
    assert signed_in(await street.come())


async def test_a_secret_that_nobody_set_is_not_the_persons_fault(street: Street) -> None:
    await street.connected()
    await street.redeclare(secret="MISSING")
    refused(await street.come(), "DW-443", 503)


async def test_nobody_begins_sign_ins_without_end(street: Street) -> None:
    for _ in range(PER_MINUTE):
        await street.sent()
    response = await street.browser.post(START, {"next": "/"})
    assert response.status_code == 429
    assert "retry-after" in response.headers


async def test_who_is_signed_in_has_to_prove_it_anew_at_the_provider(street: Street) -> None:
    await street.connected()
    await street.come()
    assert "prompt" not in street.idp.asked[-1]
    street.idp.changed = {"auth_time": SECONDS - HOUR}
    await street.come()
    assert street.idp.asked[-1]["prompt"] == "login"


async def test_a_person_connects_an_account_and_takes_it_away_again(either: Street) -> None:
    browser = either.browser
    assert (await browser.sign_in()).status_code == 303
    page = await browser.get(PROFILE)
    assert "Connect Corp SSO" in page.text
    response = await browser.post(f"{PROFILE}/connect/corp", {})
    back = await browser.get(either.idp.approve(response.headers["location"]))
    assert back.headers["location"] == PROFILE
    assert await either.identities() == [SUBJECT]
    other = either.house.browser()
    assert signed_in(await either.come(other))
    form = form_of(await browser.get(PROFILE), "subject")
    taken = await browser.post(form.action, [(each.name, each.value) for each in form.fields if each.name])
    assert taken.status_code == 303
    assert await either.identities() == []
    assert (await other.get(PROFILE)).status_code == 303, "what began by it has ended"
    assert (await browser.get(PROFILE)).status_code == 200
    assert {"identity:connected", "identity:removed"} <= set(await either.events())


async def test_H23_connecting_an_account_waits_for_a_proof_and_is_done_once_after_it(street: Street) -> None:
    browser = street.browser
    await browser.sign_in()
    street.house.clock.forward(1200)
    asked = await browser.post(f"{PROFILE}/connect/corp", {})
    assert asked.status_code == 403
    # The form of this page ends at the provider: Chromium applies form-action to the whole way.
    assert "form-action" not in asked.headers["content-security-policy"]
    waiting = form_of(asked, "waiting")
    sent = await browser.post(waiting.action, {"waiting": waiting.named("waiting")[0].value, "password": PASSWORD})
    assert sent.status_code == 303
    assert (await browser.get(street.idp.approve(sent.headers["location"]))).headers["location"] == PROFILE
    assert await street.identities() == [SUBJECT]


async def test_an_account_of_somebody_else_cannot_be_connected(street: Street) -> None:
    await street.connected(CAROL)
    await street.browser.sign_in()
    response = await street.browser.post(f"{PROFILE}/connect/corp", {})
    refused(await street.browser.get(street.idp.approve(response.headers["location"])), "DW-446", 409)
    assert await street.identities() == []


async def test_G11_who_signed_in_meanwhile_gets_nobody_elses_account(street: Street) -> None:
    await street.browser.sign_in()
    location = (await street.browser.post(f"{PROFILE}/connect/corp", {})).headers["location"]
    await street.browser.sign_in(CAROL)
    refused(await street.browser.get(street.idp.approve(location)), "DW-445", 403)
    assert await street.identities(ALICE) == await street.identities(CAROL) == []


async def test_the_only_way_in_cannot_be_taken_away(either: Street) -> None:
    await either.connected()
    await either.connected(subject="subject-2")
    await _without_password(either, ALICE)
    assert signed_in(await either.come())

    async def take(subject: str) -> int:
        pairs = {"issuer": either.idp.issuer, "subject": subject}
        return (await either.browser.post(f"{PROFILE}/disconnect", pairs)).status_code

    assert sorted(await asyncio.gather(take(SUBJECT), take("subject-2"))) == [303, 409], "also of two at once"
    assert len(await either.identities()) == 1
    assert await take("nobody's") == 303, "nothing of theirs: nothing happens"


async def test_nobody_takes_an_account_from_somebody_else(street: Street) -> None:
    await street.connected(CAROL)
    await street.browser.sign_in()
    await street.browser.post(f"{PROFILE}/disconnect", {"issuer": street.idp.issuer, "subject": SUBJECT})
    assert await street.identities(CAROL) == [SUBJECT]


async def test_nothing_secret_is_stored_or_shown(street: Street, tmp_path: Path) -> None:
    await street.connected()
    location = await street.sent()
    asked = parse_qs(urlsplit(location).query)
    stored = everything_in(tmp_path)
    for name in ("state", "nonce"):
        assert asked[name][0].encode() not in stored
    assert PASSWORD.encode() not in stored

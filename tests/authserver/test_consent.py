"""The consent page and its answer (security group G; features B10 to B12, B17, B20)."""

import html
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.authserver.deployment import ACME_MCP, C1, CIMD_URL, HARBOUR, MCP, tenant, user
from tests.authserver.world import (
    REDIRECT,
    STATE,
    World,
    answer_of,
    az,
    consent_of,
    is_page,
    is_redirected_error,
    is_token_error,
)

from doorward.authserver import consent
from doorward.model import ClientId, Permission, PermissionEntry, Status
from doorward.protocol.errors import PageError
from doorward.storage import accounts, clients, permissions, servers
from support.rows import without_membership

pytestmark = pytest.mark.anyio

ALL = "documents:read documents:write documents:delete"


async def nothing_was_approved(world: World) -> None:
    assert [await world.connections(name) for name in ("alice", "bob", "dave", "mallory")] == [[], [], [], []]


@pytest.mark.requirement("B10")
async def test_G10_the_page_says_who_what_where_before_the_button(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(scope=ALL))
    for words in (
        "127.0.0.1:53111",
        "Claude Code",
        "127.0.0.1:8080/mcp",
        "alice@example.test",
        "Acme",
        "Read documents",
    ):
        assert words in page.text
        assert page.text.index(words) < page.text.index("Approve")
    assert page.text.index("127.0.0.1:53111") < page.text.index("Read documents")
    assert page.ticked() == {"documents:read", "documents:write"}
    assert page.shown() == set(ALL.split())


@pytest.mark.requirement("B20")
async def test_G10_a_host_is_verified_and_a_name_is_not(world: World) -> None:
    body = {"client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]}
    liar = {"client_name": "Claude", "redirect_uris": ["https://claude.ai.evil.example/api/mcp/auth_callback"]}
    browser = await world.browser_of("alice")
    pages = []
    for each in (body, liar):
        client_id = (await browser.http.post("/register", json=each)).json()["client_id"]
        pages.append(await browser.consent(az(client_id=client_id, redirect_uri=each["redirect_uris"][0])))
    assert "Verified: claude.ai" in pages[0].text
    assert "Not verified" in pages[1].text


async def test_G1_a_form_from_another_site_is_refused(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    pairs = [("request", page.form.named("request")[0].value), ("scope", "documents:read"), ("answer", "approve")]
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "none"}):
        is_page(await browser.post("/oauth/consent", pairs, **headers), "DW-408", 403)
    await nothing_was_approved(world)


async def test_G1_a_get_approves_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    sealed = page.form.named("request")[0].value
    response = await browser.http.get(f"/oauth/consent?request={sealed}&answer=approve&scope=documents:read")
    is_page(response, "DW-122")
    await nothing_was_approved(world)


async def test_G1_the_form_of_another_session_is_refused(world: World) -> None:
    mine, theirs = await world.browser_of("alice"), await world.browser_of("bob")
    page = await mine.consent()
    await theirs.consent()
    is_page(await theirs.submit(page), "DW-122")
    await nothing_was_approved(world)


async def test_G2_the_page_cannot_be_framed_and_its_form_may_end_at_the_client(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.follow(await browser.open(az()))
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "form-action" not in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "scope", [["documents:read", "documents:delete"], ["projects:read"], ["*:*"], ["documents:read", "x"]]
)
async def test_G3_a_scope_that_was_not_on_the_page_is_refused(world: World, scope: list[str]) -> None:
    browser = await world.browser_of("alice")
    is_page(await browser.submit(await browser.consent(), scope=scope), "DW-122")
    await nothing_was_approved(world)


@pytest.mark.parametrize(
    "field", ["client_id", "redirect_uri", "resource", "user_id", "server_ids", "state", "code_challenge"]
)
async def test_G3_no_field_can_be_added_to_the_form(world: World, field: str) -> None:
    browser = await world.browser_of("alice")
    is_page(await browser.submit(await browser.consent(), **{field: "x"}), "DW-122")
    await nothing_was_approved(world)


async def test_G3_only_a_subset_is_granted(world: World) -> None:
    tokens = await world.connect(params=az(scope=ALL), scope=["documents:read", "documents:delete"])
    assert tokens["scope"] == "documents:delete documents:read"
    connection = (await world.connections())[0]
    assert connection.declined == {"documents:write"}


@pytest.mark.parametrize("slug", ["globex", "no-such-tenant"])
async def test_G4_a_tenant_that_is_not_ones_own_is_refused_in_the_same_words(world: World, slug: str) -> None:
    browser = await world.browser_of("alice")
    is_page(await browser.submit(await browser.consent(), tenant=slug), "DW-122", 403)
    await nothing_was_approved(world)


async def test_G4_the_url_pins_the_tenant(world: World) -> None:
    browser = await world.browser_of("dave")
    page = await browser.consent(az(resource=ACME_MCP))
    assert page.tenants() == ["acme"]
    is_page(await browser.submit(page, tenant="globex"), "DW-122", 403)
    await nothing_was_approved(world)
    mallory = await world.browser_of("mallory")
    is_page(await mallory.follow(await mallory.open(az(resource=ACME_MCP))), "DW-123", 403)


async def test_G4_two_tenants_in_one_answer_are_refused(world: World) -> None:
    browser = await world.browser_of("dave")
    is_page(await browser.submit(await browser.consent(), tenant=["acme", "globex"]), "DW-409")
    await nothing_was_approved(world)


async def test_G5_a_form_answers_once(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    assert "code" in answer_of(await browser.submit(page))
    for answer in ("approve", "deny", "approve"):
        is_page(await browser.submit(page, answer), "DW-121")
    assert len(await world.connections()) == 1


async def test_G5_looking_twice_is_not_answering_twice(world: World) -> None:
    browser = await world.browser_of("alice")
    begun = await browser.open(az())
    one, two = [consent_of(await browser.http.get(begun.headers["location"])) for _ in range(2)]
    assert "code" in answer_of(await browser.submit(one))
    is_page(await browser.submit(two), "DW-121")


async def test_G5_after_a_denial_the_form_approves_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    is_redirected_error(await browser.submit(page, "deny"), "access_denied")
    is_page(await browser.submit(page), "DW-121")
    await nothing_was_approved(world)


async def test_G6_a_link_to_somebody_elses_request_opens_nothing(world: World) -> None:
    attacker, victim = world.browser(), await world.browser_of("alice")
    begun = await attacker.open(az(client_id="c3", redirect_uri="https://evil.example/cb"))
    is_page(await victim.http.get(begun.headers["location"]), "DW-122")
    await victim.open(az())
    is_page(await victim.http.get(begun.headers["location"]), "DW-122")


async def test_G8_what_changed_since_the_request_is_not_approved(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await world.database.write(
        lambda tx: clients.update_client(tx, replace(C1, redirect_uris=("http://127.0.0.1/new",)))
    )
    is_page(await browser.submit(page), "DW-104")
    await world.database.write(lambda tx: clients.update_client(tx, replace(C1, status=Status.DISABLED)))
    is_page(await browser.submit(page), "DW-102")
    await world.database.write(lambda tx: clients.update_client(tx, C1))
    await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []))
    is_page(await browser.submit(page), "DW-122", 403)
    await nothing_was_approved(world)


async def test_G9_consent_is_asked_every_time(world: World) -> None:
    browser = await world.browser_of("alice")
    await browser.answer()
    assert "Approve" in (await browser.consent()).text


async def test_G11_a_form_is_for_the_user_it_was_shown_to(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await browser.sign_out()
    await browser.sign_in("bob")
    for answer in ("approve", "deny"):
        is_page(await browser.submit(page, answer), "DW-122", 403)
    await nothing_was_approved(world)


async def test_G11_after_signing_out_the_form_leads_to_sign_in_and_back(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await browser.sign_out()
    response = await browser.submit(page)
    assert response.headers["location"].startswith("/sign-in?next=%2Foauth%2Fconsent%3Frequest%3D")
    await nothing_was_approved(world)


async def test_G12_a_denial_is_told_to_the_client_and_kept_from_nobody(world: World) -> None:
    browser = await world.browser_of("alice")
    is_redirected_error(await browser.submit(await browser.consent(), "deny"), "access_denied", REDIRECT)
    await nothing_was_approved(world)
    assert (await world.events())[0].name == "connection:denied"
    assert "code" in await browser.answer()


@pytest.mark.requirement("B12")
async def test_G13_nobody_approves_more_than_they_may(world: World) -> None:
    browser = await world.browser_of("carol")
    page = await browser.consent(az(scope=ALL))
    assert page.ticked() == {"documents:read"}
    answer = answer_of(await browser.submit(page, scope=ALL.split()))
    tokens = (await world.redeem(answer["code"])).json()
    assert tokens["scope"] == "documents:read"
    connection = (await world.connections("carol"))[0]
    assert connection.scopes == {"documents:read"}
    assert connection.declined == frozenset()


async def test_G13_rights_lost_while_the_page_was_open_are_not_granted(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(scope=ALL))
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, ("viewer",))
    )
    tokens = (await world.redeem(answer_of(await browser.submit(page))["code"])).json()
    assert tokens["scope"] == "documents:read"


async def test_G13_a_user_who_was_disabled_approves_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await world.database.write(lambda tx: accounts.update_user(tx, replace(user("alice"), status=Status.DISABLED)))
    assert (await browser.submit(page)).headers["location"].startswith("/sign-in")
    await nothing_was_approved(world)


async def test_choosing_nothing_asks_again(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(scope="documents:read offline_access"))
    for scope in ([], ["offline_access"]):
        response = await browser.submit(page, scope=scope)
        assert response.status_code == 422
        assert "Choose at least one permission" in response.text
        assert consent_of(response).ticked() == set(scope)
    assert "code" in answer_of(await browser.submit(page))


@pytest.mark.requirement("A2", "B11")
async def test_at_the_short_url_the_person_picks_a_tenant(world: World) -> None:
    browser = await world.browser_of("dave")
    page = await browser.consent()
    assert page.tenants() == ["acme", "globex"]
    for slug in page.tenants():
        answer = answer_of(await browser.submit(await browser.consent(), tenant=slug))
        tokens = (await world.redeem(answer["code"])).json()
        assert world.keys.verify(tokens["access_token"], "at+jwt")["tenant"] == tenant(slug).id


async def test_a_tenant_with_other_rights_is_shown_before_it_is_approved(world: World) -> None:
    browser = await world.browser_of("dave")
    page = await browser.consent(az(scope=ALL))
    assert page.ticked() == {"documents:read"}
    again = await browser.submit(page, tenant="globex")
    assert again.status_code == 422
    shown = consent_of(again)
    assert shown.ticked() == {"documents:read", "documents:write"}
    answer = answer_of(await browser.submit(shown, scope=["documents:write"]))
    assert (await world.redeem(answer["code"])).json()["scope"] == "documents:write"
    assert (await world.connections("dave"))[0].declined == {"documents:read"}


async def test_show_only_shows(world: World) -> None:
    browser = await world.browser_of("dave")
    page = await browser.consent(az(scope=ALL))
    shown = await browser.submit(page, "show", tenant="globex", scope=[])
    assert shown.status_code == 200
    assert consent_of(shown).ticked() == {"documents:write"}
    await nothing_was_approved(world)
    assert "code" in answer_of(await browser.submit(consent_of(shown)))


async def test_an_answer_that_no_button_gives_is_refused(world: World) -> None:
    browser = await world.browser_of("alice")
    for answer in ("", "Approve", "maybe"):
        is_page(await browser.submit(await browser.consent(), answer), "DW-122")


async def test_without_a_tenant_field_the_shown_one_is_meant(world: World) -> None:
    browser = await world.browser_of("alice")
    assert "code" in answer_of(await browser.submit(await browser.consent(), tenant=[]))


@pytest.mark.parametrize("name", ["nobody", "mallory"])
async def test_who_belongs_nowhere_is_told_so(world: World, name: str) -> None:
    if name == "mallory":
        await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("globex").id, []))
    browser = await world.browser_of(name)
    code = {"nobody": "DW-123", "mallory": "DW-160"}[name]
    is_page(await browser.follow(await browser.open(az())), code, 403)


@pytest.mark.parametrize(("name", "code"), [("nobody", "DW-123"), ("mallory", "DW-160")])
async def test_B10_who_cannot_use_the_server_may_go_on_with_another_account(world: World, name: str, code: str) -> None:
    await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("globex").id, []))
    browser = await world.browser_of(name)
    page = await browser.follow(await browser.open(az()))
    is_page(page, code, 403)
    found = re.search(r'href="([^"]+)">Use another account<', page.text)
    assert found is not None
    way = urlsplit(html.unescape(found[1]))
    back = dict(parse_qsl(way.query))
    assert (way.path, back["switch"]) == ("/sign-in", "1")
    await browser.sign_in("alice")
    again = consent_of(await browser.http.get(back["next"]))
    assert answer_of(await browser.submit(again))["state"] == STATE


@pytest.mark.parametrize(
    ("seconds", "of_tenant", "words"),
    [(3600, None, "1 hour"), (5400, None, "90 minutes"), (3600, 86_400, "1 day"), (3600, 61, "61 seconds")],
)
async def test_G10_the_page_says_how_long_access_lasts(
    make_world: Callable[..., World], seconds: int, of_tenant: int | None, words: str
) -> None:
    world = make_world(access_ttl=seconds)
    acme = replace(tenant("acme"), access_ttl=of_tenant)
    await world.database.write(lambda tx: accounts.update_tenant(tx, acme))
    page = await (await world.browser_of("alice")).consent(az(scope="documents:read offline_access"))
    assert f"until you disconnect it, 180 days at most, by tokens that work for {words} each." in page.text
    assert f"when its access ends, after {words}" in page.text


async def test_G10_what_cannot_renew_its_token_is_said_to_end_with_it(world: World) -> None:
    once = replace(C1, grant_types=frozenset({"authorization_code"}))
    await world.database.write(lambda tx: clients.update_client(tx, once))
    page = await (await world.browser_of("alice")).consent()
    assert "Access lasts 1 hour." in page.text
    assert "180 days" not in page.text


WITHDRAWALS = {
    "disabled": replace(C1, status=Status.DISABLED),
    "elsewhere": replace(C1, redirect_uris=("http://127.0.0.1/other",)),
}


@pytest.mark.parametrize("how", WITHDRAWALS)
@pytest.mark.parametrize("prompt", ["none", "login"])
@pytest.mark.parametrize("signed_in", [True, False])
async def test_F10_nothing_goes_to_an_address_that_was_withdrawn_not_even_an_error(
    world: World, how: str, prompt: str, *, signed_in: bool
) -> None:
    browser = await world.browser_of("alice")
    begun = await browser.open(az(prompt=prompt))
    await world.database.write(lambda tx: clients.update_client(tx, WITHDRAWALS[how]))
    if not signed_in:
        await browser.sign_out()
    page = await browser.follow(begun)
    assert page.status_code == 400
    assert "location" not in page.headers


async def test_a_tenant_that_is_not_ones_own_is_like_none_even_with_the_server_off(world: World) -> None:
    await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []))
    for name, code in (("mallory", "DW-123"), ("nobody", "DW-123"), ("alice", "DW-160")):
        browser = await world.browser_of(name)
        is_page(await browser.follow(await browser.open(az(resource=ACME_MCP))), code, 403)


async def test_who_may_do_nothing_of_what_is_asked_is_told_what_to_do_and_can_deny(world: World) -> None:
    browser = await world.browser_of("carol")
    page = await browser.consent(az(scope="documents:write"))
    assert "In Acme you may do nothing of this. Ask an administrator of Acme" in page.text
    assert "Use another account" in page.text
    assert [button.value for button in page.form.named("answer")] == ["deny"]
    is_redirected_error(await browser.submit(page, "deny"), "access_denied")


async def test_B10_another_account_keeps_the_request(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    switch = next(link for link in re.findall(r'href="([^"]+)"', page.html) if link.startswith("/sign-in"))
    query = dict(parse_qsl(urlsplit(html.unescape(switch)).query))
    assert query["switch"] == "1"
    await browser.sign_in("bob")
    again = await browser.follow(await browser.http.get(query["next"]))
    page = consent_of(again)
    assert "bob@example.test" in page.text
    assert "code" in answer_of(await browser.submit(page))
    assert [each.user_id for each in await world.connections("bob")] == [user("bob").id]


async def test_a_step_up_marks_what_is_new(world: World) -> None:
    browser = await world.browser_of("alice")
    first = await browser.consent()
    assert 'class="badge accent">new' not in first.html
    await world.redeem(answer_of(await browser.submit(first))["code"])
    second = await browser.consent(az(scope="documents:read documents:write"))
    assert second.html.count('class="badge accent">new') == 1


async def test_an_approval_that_was_never_redeemed_is_no_connection(world: World) -> None:
    browser = await world.browser_of("alice")
    await browser.answer()
    connection = (await world.connections())[0]
    assert connection.activated_at is None
    assert connection.resource == MCP


async def test_the_trail_says_what_was_approved_and_holds_no_secret(world: World) -> None:
    tokens = await world.connect(params=az(scope=ALL))
    trail = await world.events()
    names = [event.name for event in trail]
    assert names[:2] == ["connection:activated", "connection:approved"]
    approved = trail[1]
    assert approved.detail["scopes"] == "documents:read documents:write"
    assert approved.detail["declined"] == "documents:delete"
    assert approved.request_id is not None
    for secret in (tokens["refresh_token"], tokens["access_token"], "dwc_"):
        assert secret not in repr(trail)


async def test_no_rights_are_left_after_the_connection_is_made(world: World) -> None:
    tokens = await world.connect()
    await world.database.write(lambda tx: without_membership(tx, tenant("acme").id, user("alice").id))
    assert not await world.works(tokens["access_token"])
    is_token_error(await world.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_a_documents_client_is_written_down_and_can_be_limited_and_disabled(world: World) -> None:
    browser = await world.browser_of("alice")
    asked = az(client_id=CIMD_URL, scope="documents:read documents:write")
    await browser.answer(asked)
    stored = await world.database.read(lambda reader: clients.client_by_id(reader, ClientId(CIMD_URL)))
    assert stored is not None
    assert stored.created_at == world.clock()
    limited = replace(stored, name="An old name", scope_limit=frozenset({Permission("documents:read")}))
    await world.database.write(lambda tx: clients.update_client(tx, limited))
    page = await browser.consent(asked)
    assert page.shown() == {"documents:read"}
    await browser.submit(page)
    stored = await world.database.read(lambda reader: clients.client_by_id(reader, ClientId(CIMD_URL)))
    assert stored == replace(limited, name="Documented")
    await world.database.write(lambda tx: clients.update_client(tx, replace(limited, status=Status.DISABLED)))
    is_page(await browser.open(asked), "DW-102")


async def test_a_server_that_was_withdrawn_since_the_request_is_not_approved(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    await world.database.write(lambda tx: servers.put_server(tx, replace(HARBOUR, status=Status.DISABLED)))
    is_page(await browser.submit(page), "DW-117")


async def test_a_user_who_is_disabled_at_the_last_moment_approves_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    shown = world.server._services.envelopes.open_form(
        page.form.named("request")[0].value, browser.http.cookies.get("doorward_browser"), now=world.clock()
    )
    await world.database.write(lambda tx: accounts.update_user(tx, replace(user("alice"), status=Status.DISABLED)))
    with pytest.raises(PageError):
        await world.database.write(
            lambda tx: consent.deny(tx, shown, rules=world.server._pages._consent_rules, now=world.clock(), cause=None)
        )
    await nothing_was_approved(world)


async def test_a_page_with_very_many_permissions_can_be_approved(world: World) -> None:
    many = [PermissionEntry(permission=Permission(f"thing-{n}:read"), words=f"Read things {n}") for n in range(300)]
    await world.database.write(lambda tx: permissions.put_catalogue(tx, many))
    browser = await world.browser_of("alice")
    page = await browser.consent(az(without=["scope"]))
    assert len(page.ticked()) > 300
    answer = answer_of(await browser.submit(page))
    granted = (await world.redeem(answer["code"])).json()["scope"].split()
    assert {entry.permission for entry in many} <= set(granted)


class _Late:
    """The database, where something happens between a request's last look and its write."""

    def __init__(self, world: World, before: Any) -> None:
        self._database, self._before = world.database, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, use_case: Any) -> Any:
        await self._before()
        return await self._database.write(use_case)


@pytest.mark.parametrize("answer", ["approve", "deny"])
async def test_G11_a_session_that_ends_at_the_last_moment_answers_nothing(world: World, answer: str) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    world.rebuild(database=_Late(world, browser.sign_out))
    is_page(await browser.submit(page, answer), "DW-403", 403)
    await nothing_was_approved(world)
    assert not [each for each in await world.events() if not each.name.startswith("signing_key:")]
